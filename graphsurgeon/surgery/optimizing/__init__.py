"""The passes of `gs optimize`, one file each."""
