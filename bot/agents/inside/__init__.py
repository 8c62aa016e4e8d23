"""Small programs that run inside the cage, each by itself: the standard library only."""
