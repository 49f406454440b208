"""Rules about signatures, and what TensorFlow Serving asks of them."""
