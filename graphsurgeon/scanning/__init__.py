"""What a model could do to the machine that runs it: files, network, processes, code. `gs scan`, and runs, ask here."""
