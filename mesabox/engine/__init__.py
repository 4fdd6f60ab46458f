"""The other side: a local engine that is Sprites and Mesa as far as a client can tell."""
