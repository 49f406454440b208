"""MXNet: `-symbol.json` with the layers, `.params` with the weights; see `file` and `params`."""
