"""Reads a model and says what is in it; changes nothing."""
