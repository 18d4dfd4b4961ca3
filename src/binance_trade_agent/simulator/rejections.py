"""Orders that the engine refused, as the user stream may tell of them (binance-protocol.md 4.5)."""

from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.matching.errors import OrderRefused
from binance_trade_agent.matching.orders import ExchangeOrder, ExecutionReport, ExecutionType, OrderRequest, Status
from binance_trade_agent.matching.transactions import Transaction

_NO_ID = -1


def rejection(request: OrderRequest, refusal: OrderRefused, execution_id: int, at_ms: int) -> Transaction:
    """A transaction that only says that `request` was refused; no order comes of it, so it has no id."""
    order = ExchangeOrder.of(request, _NO_ID, at_ms)
    order.status = Status.REJECTED
    report = ExecutionReport(
        order=order,
        execution=ExecutionType.REJECTED,
        status=Status.REJECTED,
        client_order_id=request.client_order_id,
        executed_base=ZERO,
        executed_quote=ZERO,
        execution_id=execution_id,
        at_ms=at_ms,
        reject_reason=refusal.reject_reason,
    )
    return Transaction(at_ms, reports=[report])
