"""Functions of the library: made of a part of a graph, copied, called, and values carried in and out of them."""
