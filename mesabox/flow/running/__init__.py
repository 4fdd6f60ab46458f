"""Commands in a sprite: told, followed, and their ends learned, whatever becomes of connections."""
