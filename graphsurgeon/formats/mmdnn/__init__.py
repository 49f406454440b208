"""MMdnn's intermediate representation: a graph (`.json`, `.pb`) and weights (`.npy`); see `file` and `arrays`."""
