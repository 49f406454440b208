"""The third step of a picture: boxes, edges and what they say."""
