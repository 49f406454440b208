"""The second step of a picture: folded layers, repeated blocks, depth."""
