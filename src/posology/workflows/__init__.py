"""What each command does, as one Python call: typed results, progress through a callback."""
