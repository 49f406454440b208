"""How reports look as text, one file each."""
