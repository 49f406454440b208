"""How a model is called: functions, their arguments, Examples and their features, TensorFlow Serving's requests."""
