"""What runs in the child process: its beginning, and one module for each runtime."""
