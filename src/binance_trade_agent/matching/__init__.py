"""Order book, matching and accounts: pure and deterministic. Used by the simulator and by the backtest.

Read it in this order: orders.py and lists.py (the values), ladder.py, book.py and stops.py (where orders wait),
demand.py, self_trade.py and order_types.py (what an arriving order will do), accounts.py, commission.py and
settlement.py (what a fill does to balances), history.py and state.py (what is known), admission.py (what is refused),
execution.py (one transaction), engine.py (the door). Beside them: filters.py (what is refused before the engine),
snapshot.py (the state as plain values), reset.py (beginning anew), invariants.py (what must hold after every step).
Facts: binance-protocol.md section 4.
"""
