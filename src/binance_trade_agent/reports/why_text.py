"""An explanation for people: plain text, what was seen first, what came of it last. Times are UTC."""

from collections.abc import Iterator

from binance_trade_agent.domain.candles import Candle
from binance_trade_agent.domain.decisions import Decision, Finding
from binance_trade_agent.domain.money import plain
from binance_trade_agent.domain.orders import Fill, Order, OrderType, Role, Side
from binance_trade_agent.domain.signals import Signal
from binance_trade_agent.domain.wording import iso_utc
from binance_trade_agent.reports.aligned import aligned
from binance_trade_agent.reports.strategy_in_use import StrategyInUse
from binance_trade_agent.reports.why import Explanation, OrderStory
from binance_trade_agent.reports.wording import amounts, exact, measured, money, signed_money, utc_text

_SALES_SHOWN = 12
_VERDICTS = {True: "allowed", False: "REFUSED", None: "not asked"}


def lines(found: Explanation) -> Iterator[str]:
    """The explanation, a line each."""
    yield f"{found.symbol}, {found.taken}"
    run = f"run {found.run.run_id} (run {found.run.number}, {found.run.mode}, {found.run.exchange})"
    if found.decision is None:
        yield f"  {run}"
        yield from _without_decision(found)
    else:
        yield f"  cycle {found.decision.cycle} of {run}"
        yield from _decision(found, found.decision)
    if found.order is not None:
        yield from _order(found.order)
        yield from _afterwards(found)
    if found.sold_meanwhile:
        yield ""
        yield "Sold without a decision, from this tick to the next"
        yield from aligned([_meanwhile_cells(sale) for sale in found.sold_meanwhile])
    if found.entry is not None:
        yield ""
        yield "The entry before it:"
        yield from lines(found.entry)


def _decision(found: Explanation, decision: Decision) -> Iterator[str]:
    by = f" by {decision.rule}" if decision.rule else ""
    yield f"  {decision.outcome}{by}: {decision.detail or 'no detail'}"
    if decision.again_ms is not None:
        yield f"  the same at {decision.again:,} later ticks, the last at {utc_text(decision.again_ms)}"
    if decision.exit is not None:
        yield f"  exit because of {decision.exit}: {decision.exit_reason or decision.detail or 'no detail'}"
    yield from _market(decision, found.run.candle_interval)
    yield from _signal(decision.signal, found.strategy)
    yield from _rules(decision)


def _without_decision(found: Explanation) -> Iterator[str]:
    order = found.order.order if found.order else None
    if order is None:
        return
    yield "  No decision led to it: it was placed between ticks, or by what looks after protection."
    if order.exit is not None:
        will = "closed" if order.executed_base else "was to close"
        yield f"  It {will} the position because of {order.exit}: {order.detail or 'no detail'}"


def _market(decision: Decision, interval: str | None) -> Iterator[str]:
    yield ""
    yield "Market"
    if decision.candle_count is not None:
        of = f" of {interval}" if interval else ""
        last = f", the last {len(decision.candles)}:" if decision.candles else ""
        yield f"  {decision.candle_count} closed candles{of}{last}"
    if decision.candles:
        head = ("opened", "open", "high", "low", "close", "volume")
        rows = [head, *(_candle_cells(candle) for candle in decision.candles)]
        yield from aligned(rows, right=range(1, 6), indent="    ")
    ages = {"the last candle": decision.candle_age_ms, "the book": decision.book_age_ms}
    known = [f"{what} was {age_ms / 1000:g} s old" for what, age_ms in ages.items() if age_ms is not None]
    if known:
        yield f"  {', '.join(known)}"
    if decision.bid is None or decision.ask is None:
        yield "  nothing of the market is recorded with it"
    else:
        yield f"  bid {exact(decision.bid)}, ask {exact(decision.ask)}"


def _candle_cells(candle: Candle) -> tuple[str, ...]:
    prices = (candle.open, candle.high, candle.low, candle.close, candle.volume)
    return (utc_text(candle.open_time_ms), *(exact(price) for price in prices))


def _signal(signal: Signal | None, strategy: StrategyInUse | None) -> Iterator[str]:
    yield ""
    yield "Signal"
    rows = [("strategy", _strategy(strategy))] if strategy else []
    if signal is None:
        rows.append(("signal", "none: the strategy was not asked, or gave no sound answer"))
    else:
        rows += [("signal", f"{signal.action}, confidence {signal.confidence:.2f}"), ("reason", signal.reason)]
        rows += [(name, f"{value:,.8g}") for name, value in signal.indicators.items()]
    yield from aligned(rows)


def _strategy(strategy: StrategyInUse) -> str:
    params = ", ".join(f"{name}={value}" for name, value in strategy.params.items())
    return f"{strategy.name} {strategy.origin}, {params or 'no parameter set'}"


def _rules(decision: Decision) -> Iterator[str]:
    yield ""
    yield "Rules, in the order in which they were asked"
    if decision.findings:
        rows = [("verdict", "rule", "value", "limit", ""), *(_finding_cells(found) for found in decision.findings)]
        yield from aligned(rows, right={2, 3})
    if decision.rule is not None and decision.rule not in {
        found.rule for found in decision.findings if found.allows is False
    }:
        yield from aligned([("REFUSED", decision.rule, decision.detail)])
    elif not decision.findings:
        # A ledger from before version 5 of its schema has orders without findings.
        yield "  what they found was not kept then" if decision.client_order_id else "  none was asked"


def _finding_cells(found: Finding) -> tuple[str, ...]:
    numbers = (measured(value, found.unit) for value in (found.value, found.limit))
    return (_VERDICTS[found.allows], found.rule, *numbers, found.detail)


def _order(story: OrderStory) -> Iterator[str]:
    order = story.order
    yield ""
    yield f"Order {order.client_order_id}"
    rows = [
        ("what", f"{order.role} {order.side} {order.type} {exact(order.quantity)} {order.symbol}{_levels(order)}"),
        ("state", f"{order.state}, {exact(order.executed_base)} of {exact(order.quantity)} executed"),
        ("detail", order.detail or "none"),
        ("on exchange", "no number known" if order.exchange_order_id is None else f"order {order.exchange_order_id}"),
    ]
    if order.exit is not None:
        rows.append(("exit", order.exit))
    if order.list_id is not None:
        rows.append(("list", order.list_id))
    if order.atr_quote is not None:
        rows.append(("ATR", f"{exact(round(order.atr_quote, 8))} when it was decided"))
    if story.entry_id is not None:
        rows.append(("entry", f"{story.entry_id} bought what it {'protects' if order.role.is_protective else 'sells'}"))
    yield from aligned(rows)
    yield "  its life"
    steps = [
        (iso_utc(event.at_ms), event.state, f"{exact(event.executed_base)} executed", event.detail)
        for event in story.events
    ]
    yield from aligned(steps, indent="    ")
    yield from _fills(story)


def _levels(order: Order) -> str:
    if order.type is OrderType.MARKET:
        return f", sized at {exact(order.reference_price)}"
    stop = f", stop {exact(order.stop_price)}" if order.stop_price is not None else ""
    limit = f", limit {exact(order.price)}" if order.price is not None else ""
    return stop + limit


def _fills(story: OrderStory) -> Iterator[str]:
    trade = story.trade
    if trade is None:
        yield "  no fills"
        return
    yield "  its fills"
    yield from aligned([_fill_cells(fill) for fill in story.fills], right={1, 2}, indent="    ")
    realised = "" if trade.realised_pnl_quote is None else f", realised {signed_money(trade.realised_pnl_quote)}"
    yield (
        f"  {exact(trade.quantity_base)} at {exact(trade.price)} on average, {money(trade.value_quote)}"
        f" {trade.quote_asset}, fees {amounts(trade.fees)}{realised}"
    )


def _fill_cells(fill: Fill) -> tuple[str, ...]:
    fee = f"fee {exact(fill.commission)} {fill.commission_asset}"
    how = "maker" if fill.is_maker else "taker"
    return (
        iso_utc(fill.traded_ms),
        exact(fill.quantity),
        f"at {exact(fill.price)}",
        fee,
        how,
        f"trade {fill.trade_id}",
    )


def _afterwards(found: Explanation) -> Iterator[str]:
    """What protected and what sold the purchase of an entry."""
    order = found.order.order if found.order else None
    if order is None or order.role is not Role.ENTRY or not order.executed_base:
        return
    yield ""
    yield "What protected or sold it since"
    if found.held_base is not None:
        yield f"  {exact(found.held_base)} are held now"
    if found.added_by is not None:
        yield f"  not sold before {found.added_by} added to it"
    if not found.sales:
        yield "  no order so far"
        return
    shown = found.sales[-_SALES_SHOWN:]
    if len(shown) < len(found.sales):
        yield f"  the last {len(shown)} of {len(found.sales)} orders"
    head = ("placed", "for", "quantity", "at", "state", "sold", "realised", "cause", "order")
    yield from aligned([head, *(_sale_cells(sale) for sale in shown)], right={2, 5, 6})


def _meanwhile_cells(sale: OrderStory) -> tuple[str, ...]:
    return (utc_text(sale.fills[-1].traded_ms), *sale_in_words(sale))


def sale_in_words(sale: OrderStory) -> tuple[str, str]:
    """Why something was sold, and what came of it: `stop_loss`, `0.00199 @ 58,790, realised -2.64 (id)`."""
    trade = sale.trade
    assert trade is not None, "it has fills"
    realised = f"realised {signed_money(trade.realised_pnl_quote)}"
    sold = f"{exact(trade.quantity_base)} @ {exact(trade.price)}, {realised} ({sale.order.client_order_id})"
    return str(sale.order.exit or sale.order.role), sold


def _sale_cells(sale: OrderStory) -> tuple[str, ...]:
    order, trade = sale.order, sale.trade
    assert order.side is Side.SELL
    return (
        utc_text(order.created_ms),
        order.role,
        exact(order.quantity),
        _levels(order).removeprefix(", "),
        order.state,
        plain(order.executed_base),
        "" if trade is None else signed_money(trade.realised_pnl_quote),
        "" if trade is None else str(order.exit or "not noted"),
        order.client_order_id,
    )
