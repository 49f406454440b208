"""Signatures made, and the functions that loaders find behind them; inputs that stand behind a parser of Examples."""
