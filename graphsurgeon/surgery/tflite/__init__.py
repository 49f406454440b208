"""What the operations do on TFLite models."""
