"""What several operations use: inline, copy, prune, carry out, bind."""
