"""Which format a file is of, from its content; and names for what is only recognised."""
