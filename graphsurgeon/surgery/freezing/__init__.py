"""What `freeze` alone uses."""
