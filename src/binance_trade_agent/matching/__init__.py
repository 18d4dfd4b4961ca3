"""Order book, matching and accounts: pure and deterministic. Used by the simulator and by the backtest.

Read it in this order: orders.py (the values), book.py (one symbol's liquidity), order_types.py (what each type does
with it), accounts.py (balances), settlement.py (what a fill does to them), engine.py (the whole), filters.py (what is
refused before it), invariants.py (what must hold after every step). Facts: binance-protocol.md section 4.
"""
