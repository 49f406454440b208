"""The fourth step of a picture: where everything stands."""
