"""Op definitions: argument names and counts, type attributes, statefulness of every TensorFlow op."""
