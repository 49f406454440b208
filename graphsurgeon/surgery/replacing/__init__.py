"""What `gs replace` is made of: drafts of new nodes, checks, the exchange, and the rounds."""
