"""Backtests: the live agents over recorded candles, and what is learnt from them."""
