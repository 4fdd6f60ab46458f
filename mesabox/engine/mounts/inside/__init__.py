"""What is put inside a sprite by this room: scripts that need nothing but the standard library."""
