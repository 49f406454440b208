"""Models leave for other frameworks: by the converters of others, in a process of their own, loaded and compared.

`table.py` has a record for each way out; `docs/extending.md` says how one is entered.
"""
