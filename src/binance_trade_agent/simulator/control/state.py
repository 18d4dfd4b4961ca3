"""GET /sim/state: what is inside."""

import os
from typing import Any

from binance_trade_agent.matching.invariants import violations
from binance_trade_agent.simulator.market.relay.feed import RelayFeed
from binance_trade_agent.simulator.payloads import balance_rows, order_row
from binance_trade_agent.simulator.simulation import Simulation


def state_payload(simulation: Simulation, now_ms: int) -> dict[str, Any]:
    """The state at market time `now_ms` as JSON.

    `violations` has one sentence for each broken invariant, and is always empty.
    """
    exchange = simulation.exchange
    engine = exchange.engine
    broken = violations(engine)
    relay = {"relay": exchange.feed.status.row()} if isinstance(exchange.feed, RelayFeed) else {}
    return {
        "pid": os.getpid(),
        "now": now_ms,
        "session": exchange.session_id,
        "speed": exchange.speed_label,
        "balances": {name: balance_rows(account, omit_zero=False) for name, account in engine.accounts.items()},
        "fees": {asset: str(amount) for asset, amount in sorted(engine.settlement.fees.items())},
        "orders": [{"account": order.account, **order_row(order)} for order in engine.history.all_orders()],
        "sequence": {
            symbol: {"orderId": listing.last_order_id, "tradeId": listing.last_trade_id}
            for symbol, listing in engine.listings.items()
        },
        "books": {symbol: {"updateId": listing.book.update_id} for symbol, listing in engine.listings.items()},
        "connections": {
            "ws-api": len(simulation.sockets.outboxes("ws-api")),
            "streams": len(simulation.sockets.outboxes("streams")),
        },
        "weight": simulation.limits.used(exchange.limits_now_ms()),
        "orders_used": {name: _orders_used(simulation, name) for name in engine.accounts},
        "faults": simulation.faults.listed(),
        "failures": simulation.failures.count,
        "violations": broken,
        **relay,
        "invariants": {"ok": not broken, "violations": broken},
    }


def _orders_used(simulation: Simulation, account: str) -> dict[str, int]:
    """An account's order count per window, such as `10s`."""
    exchange = simulation.exchange
    counts = exchange.order_count(account).counts(exchange.limits_now_ms())
    return {window.length: count for window, count in counts.items()}
