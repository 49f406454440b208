"""Keras models and weights; see `file`."""
