"""When a node runs, and on what: values, strings and state followed through a graph."""
