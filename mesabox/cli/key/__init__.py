"""Mint, list and revoke short-lived Mesa keys."""

EXAMPLES = ("mesabox key mint --repo notes --ttl 30m", "mesabox key list")
