"""Orders that the engine refused, as the user stream may tell of them (binance-protocol.md 4.5)."""

from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.matching.errors import OrderRefused
from binance_trade_agent.matching.orders import ExchangeOrder, ExecutionReport, ExecutionType, OrderRequest, Status
from binance_trade_agent.matching.transactions import Transaction

_NO_ID = -1


def rejection(request: OrderRequest, refusal: OrderRefused, execution_id: int, at_ms: int) -> Transaction:
    """A transaction that only says that `request` was refused; no order comes of it, so it has no id."""
    order = ExchangeOrder(
        order_id=_NO_ID,
        account=request.account,
        symbol=request.symbol,
        side=request.side,
        type=request.type,
        time_in_force=request.time_in_force,
        client_order_id=request.client_order_id,
        quantity=request.quantity or ZERO,
        quote_quantity=request.quote_quantity or ZERO,
        price=request.price or ZERO,
        created_ms=at_ms,
        updated_ms=at_ms,
        status=Status.REJECTED,
        stop_price=request.stop_price or ZERO,
        trailing_delta=request.trailing_delta,
        iceberg_quantity=request.iceberg_quantity or ZERO,
        self_trade_prevention=request.self_trade_prevention,
        strategy_id=request.strategy_id,
        strategy_type=request.strategy_type,
    )
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
