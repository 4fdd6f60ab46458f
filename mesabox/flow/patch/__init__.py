"""What a run changed, as a patch that is whole, and applying it to a local folder."""
