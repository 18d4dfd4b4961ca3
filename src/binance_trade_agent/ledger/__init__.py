"""The ledger: one SQLite file that holds every decision, order, fill and posting. `ledger.py` is the door."""
