"""Commands that write a changed model."""
