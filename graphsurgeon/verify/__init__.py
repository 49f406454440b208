"""Say whether a model is sound, the same as another, or equivalent to it."""
