"""Commands over many models."""
