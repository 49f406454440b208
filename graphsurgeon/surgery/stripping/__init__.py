"""What `strip` alone uses."""
