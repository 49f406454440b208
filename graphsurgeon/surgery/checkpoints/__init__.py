"""What operations on checkpoints have in common: which entry of one is which of another, and values in blocks."""
