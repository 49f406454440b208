"""Files that hold part of a model and are no model: arrays, event files."""
