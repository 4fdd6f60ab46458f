"""What you see: the outside world as one object, results and how they are shown, progress."""
