"""Rules about graphs, functions and what a MetaGraph says beside them."""
