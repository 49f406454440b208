"""What a model would restore from a checkpoint, and which renames would make it more."""
