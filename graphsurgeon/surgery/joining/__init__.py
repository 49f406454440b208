"""What `surgery.join` uses."""
