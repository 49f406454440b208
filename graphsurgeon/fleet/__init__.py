"""Many models at once: processes that each look at one model after the other."""
