"""Calls become the nodes of the functions that they call: one, all, or those on the way to a tensor."""
