"""Workloads of a backtest, the trades that they must lead to, and other backtesters to run beside ours."""
