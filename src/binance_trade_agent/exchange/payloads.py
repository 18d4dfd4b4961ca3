"""The exchange's JSON turned into the project's values (shapes: binance-protocol.md 1.2 to 1.4 and 4.5)."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from binance_trade_agent.domain.candles import Candle
from binance_trade_agent.domain.market import BookTicker, DayTicker, Depth, Level
from binance_trade_agent.domain.order_ids import placed_as
from binance_trade_agent.domain.orders import Fill, OrderReport, OrderType, Side
from binance_trade_agent.domain.placed_orders import PlacedOrder
from binance_trade_agent.exchange.errors import OUTCOME_UNKNOWN_CODES, ReplaceRefusedError
from binance_trade_agent.exchange.gateway import Account, Replaced


def candle(row: Sequence[Any]) -> Candle:
    """A candle from a row of GET klines."""
    return Candle(
        open_time_ms=int(row[0]),
        close_time_ms=int(row[6]),
        open=Decimal(row[1]),
        high=Decimal(row[2]),
        low=Decimal(row[3]),
        close=Decimal(row[4]),
        volume=Decimal(row[5]),
    )


def book_ticker(payload: Mapping[str, Any], read_ms: int) -> BookTicker:
    """Best bid and ask from the answer to GET ticker/bookTicker for one symbol, read at `read_ms`."""
    return BookTicker(
        symbol=payload["symbol"],
        bid=Decimal(payload["bidPrice"]),
        bid_quantity=Decimal(payload["bidQty"]),
        ask=Decimal(payload["askPrice"]),
        ask_quantity=Decimal(payload["askQty"]),
        read_ms=read_ms,
    )


def depth(payload: Mapping[str, Any], read_ms: int) -> Depth:
    """The order book from the answer to GET depth, read at `read_ms`."""
    return Depth(bids=_levels(payload["bids"]), asks=_levels(payload["asks"]), read_ms=read_ms)


def day_ticker(payload: Mapping[str, Any], read_ms: int) -> DayTicker:
    """The rolling 24 hours from the answer to GET ticker/24hr for one symbol, read at `read_ms`."""
    return DayTicker(
        symbol=payload["symbol"],
        open=Decimal(payload["openPrice"]),
        high=Decimal(payload["highPrice"]),
        low=Decimal(payload["lowPrice"]),
        last=Decimal(payload["lastPrice"]),
        change_pct=Decimal(payload["priceChangePercent"]),
        volume_base=Decimal(payload["volume"]),
        volume_quote=Decimal(payload["quoteVolume"]),
        trades=int(payload["count"]),
        read_ms=read_ms,
    )


def _levels(rows: Sequence[Sequence[str]]) -> tuple[Level, ...]:
    return tuple((Decimal(price), Decimal(quantity)) for price, quantity in rows)


def account(payload: Mapping[str, Any]) -> Account:
    """Balances that are not zero and the permission to trade, from the answer to GET account."""
    totals = {row["asset"]: Decimal(row["free"]) + Decimal(row["locked"]) for row in payload["balances"]}
    held = {asset: total for asset, total in totals.items() if total}
    free = {row["asset"]: Decimal(row["free"]) for row in payload["balances"] if Decimal(row["free"])}
    return Account(held, can_trade=bool(payload["canTrade"]), free=free, uid=str(payload.get("uid", "")))


def order_report(payload: Mapping[str, Any], client_order_id: str) -> OrderReport:
    """A report from the answer to POST, GET or DELETE order, or a row of openOrders.

    Args:
        payload: the answer; `fills` are taken when they are there (FULL answers).
        client_order_id: the id under which the order was placed, or that of our cancel, which an order shows after it.

    Raises:
        KeyError, TypeError, ValueError, ArithmeticError: it does not say all of that, or in numbers that are none.
    """
    client_order_id = placed_as(client_order_id)
    at_ms = int(payload.get("transactTime") or payload.get("updateTime") or payload["time"])
    side = Side(payload["side"])
    fills = tuple(
        Fill(
            symbol=payload["symbol"],
            trade_id=int(row["tradeId"]),
            exchange_order_id=int(payload["orderId"]),
            client_order_id=client_order_id,
            side=side,
            price=_amount(row["price"]),
            quantity=_amount(row["qty"]),
            # The answer does not state price * qty; both have at most 8 decimals, so the product is exact.
            quote_quantity=_amount(row["price"]) * _amount(row["qty"]),
            commission=_amount(row["commission"]),
            commission_asset=row["commissionAsset"],
            is_maker=False,
            traded_ms=at_ms,
        )
        for row in payload.get("fills", ())
    )
    return OrderReport(
        symbol=payload["symbol"],
        exchange_order_id=int(payload["orderId"]),
        client_order_id=client_order_id,
        side=side,
        status=payload["status"],
        quantity=_amount(payload["origQty"]),
        executed_base=_amount(payload["executedQty"]),
        executed_quote=_amount(payload["cummulativeQuoteQty"]),
        at_ms=at_ms,
        detail=payload.get("expiryReason", ""),
        fills=fills,
    )


def _amount(text: str) -> Decimal:
    amount = Decimal(text)
    if not amount.is_finite():
        raise ValueError(f"{text} is no amount")
    return amount


def placed_order(payload: Mapping[str, Any]) -> PlacedOrder:
    """A row of allOrders; a price of 0 and a list of -1 are the exchange's way to say that there is none."""
    return PlacedOrder(
        report=order_report(payload, payload["clientOrderId"]),
        type=OrderType(payload["type"]),
        price=Decimal(payload["price"]) or None,
        stop_price=Decimal(payload.get("stopPrice", "0")) or None,
        list_id=None if int(payload["orderListId"]) < 0 else str(payload["orderListId"]),
        placed_ms=int(payload["time"]),
    )


def cancelled(payload: Mapping[str, Any]) -> tuple[OrderReport, ...]:
    """What the answer to DELETE order says of each order; of a leg it is that of its list, and tells of each leg.

    What cannot be read is left out: the answer still says that the exchange was there.

    Raises:
        KeyError, TypeError: it is not about a symbol.
    """
    symbol = payload["symbol"]
    return tuple(report for report in _readable(payload.get("orderReports", [payload])) if report.symbol == symbol)


def _readable(rows: Sequence[Any]) -> Iterator[OrderReport]:
    for row in rows if isinstance(rows, list) else ():
        # Whatever may be in there is no reason to lose what else was said.
        with contextlib.suppress(ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            yield order_report(row, row["origClientOrderId"])


def replacement(payload: Mapping[str, Any], client_order_id: str) -> Replaced | ReplaceRefusedError:
    """What POST order/cancelReplace says of both halves; else why the new order was not placed.

    Raises:
        ValueError: what became of the halves is not said, or a half does not know it itself.
    """
    halves = (payload["cancelResult"], payload["newOrderResult"])
    if halves == ("SUCCESS", "SUCCESS"):
        placed = order_report(payload["newOrderResponse"], client_order_id)
        old = payload.get("cancelResponse")
        return Replaced(placed, cancelled(old) if isinstance(old, dict) and "symbol" in old else ())
    is_cancelled = halves == ("SUCCESS", "FAILURE")
    refusal = payload["newOrderResponse" if is_cancelled else "cancelResponse"]
    if not is_cancelled and halves != ("FAILURE", "NOT_ATTEMPTED"):
        raise ValueError(f"cancel {halves[0]}, new order {halves[1]}")
    if refusal["code"] in OUTCOME_UNKNOWN_CODES:
        raise ValueError(f"{refusal['msg']} ({refusal['code']})")
    return ReplaceRefusedError(refusal["code"], refusal["msg"], cancelled=is_cancelled)


def trade_fill(row: Mapping[str, Any]) -> Fill:
    """A fill from a row of GET myTrades, which does not know the client order id."""
    return Fill(
        symbol=row["symbol"],
        trade_id=int(row["id"]),
        exchange_order_id=int(row["orderId"]),
        client_order_id="",
        side=Side.BUY if row["isBuyer"] else Side.SELL,
        price=Decimal(row["price"]),
        quantity=Decimal(row["qty"]),
        quote_quantity=Decimal(row["quoteQty"]),
        commission=Decimal(row["commission"]),
        commission_asset=row["commissionAsset"],
        is_maker=bool(row["isMaker"]),
        traded_ms=int(row["time"]),
    )


def execution_report(event: Mapping[str, Any]) -> OrderReport:
    """A report from an executionReport event, with its fill when it is a trade."""
    client_order_id = event["C"] or event["c"]  # on a cancel `c` is the cancel's id and `C` the order's
    side = Side(event["S"])
    at_ms = int(event["T"])
    fills: tuple[Fill, ...] = ()
    if event["x"] == "TRADE":
        fills = (
            Fill(
                symbol=event["s"],
                trade_id=int(event["t"]),
                exchange_order_id=int(event["i"]),
                client_order_id=client_order_id,
                side=side,
                price=Decimal(event["L"]),
                quantity=Decimal(event["l"]),
                quote_quantity=Decimal(event["L"]) * Decimal(event["l"]),
                commission=Decimal(event["n"] or "0"),
                commission_asset=event["N"] or "",
                is_maker=bool(event["m"]),
                traded_ms=at_ms,
            ),
        )
    return OrderReport(
        symbol=event["s"],
        exchange_order_id=int(event["i"]),
        client_order_id=client_order_id,
        side=side,
        status=event["X"],
        quantity=Decimal(event["q"]),
        executed_base=Decimal(event["z"]),
        executed_quote=Decimal(event["Z"]),
        at_ms=at_ms,
        detail=event.get("eR", "") if event["r"] == "NONE" else event["r"],
        fills=fills,
    )
