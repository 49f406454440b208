"""Rules about TFLite models."""
