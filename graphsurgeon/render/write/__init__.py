"""The last step of a picture: SVG, DOT, HTML, PNG and PDF."""
