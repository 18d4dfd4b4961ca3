"""Orders and order lists: placing, testing, cancelling, replacing (binance-protocol.md 1.3).

order_fields.py reads one order out of a request's parameters; checks.py is what it must pass before the engine sees it;
the other modules hold the endpoints: placement.py, cancellation.py, cancel_replace.py, order_lists.py.
"""
