"""The Sprites service: routes, store, problems, and what a sprite is made of on this machine."""
