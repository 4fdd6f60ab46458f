"""Whom we call: Mesa and Sprites, behind the protocols of ``base``."""
