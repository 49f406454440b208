"""What `gs set-weights` uses: what was given, made what is stored; and the tensors that a name means."""
