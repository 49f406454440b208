"""What `rename` alone uses."""
