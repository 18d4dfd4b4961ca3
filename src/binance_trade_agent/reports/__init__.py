"""Reports from the ledger alone: `session.py` at the end of a run, `analysis.py` for `trade-agent analyze`."""
