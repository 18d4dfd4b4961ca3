"""Strategies: closed candles in, signals out. One file a strategy; `registry.py` knows them by name."""
