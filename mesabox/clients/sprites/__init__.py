"""Sprites: stateful sandboxes."""
