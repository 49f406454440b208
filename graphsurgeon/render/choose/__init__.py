"""The first step of a picture: which nodes are in it, and what connects them."""
