"""What an order of a person would come to, before it is placed: by the ledger, the market board and the risk rules.

The trader judges it again when it carries it out, by the market and the account of that moment.
"""

import sqlite3
from collections.abc import Sequence
from decimal import Decimal, localcontext
from itertools import pairwise

from binance_trade_agent.cache.market_board import BookSeen, CandlesSeen, Quote
from binance_trade_agent.control.risk_switch import effective_settings
from binance_trade_agent.domain.candles import Candle
from binance_trade_agent.domain.decisions import Finding
from binance_trade_agent.domain.holdings import Holding
from binance_trade_agent.domain.manual_orders import ManualOrder, OrderKind
from binance_trade_agent.domain.market import BookTicker, Depth, Level, MarketView, average_fill_price
from binance_trade_agent.domain.money import EXACT, ZERO
from binance_trade_agent.domain.nearest import nearest
from binance_trade_agent.domain.orders import Side
from binance_trade_agent.domain.positions import Position
from binance_trade_agent.domain.signals import Action, Signal
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.domain.values import Value, replace
from binance_trade_agent.ledger import alarms
from binance_trade_agent.ledger.account import account
from binance_trade_agent.ledger.sql_view import SqlView
from binance_trade_agent.limits import exit_settings, measures_range, risk_settings
from binance_trade_agent.reports.account_limits import account_findings
from binance_trade_agent.reports.fee_rates import FeeRate, fee_rate
from binance_trade_agent.reports.order_draft import Draft, Free, Sized, side_of, sized
from binance_trade_agent.reports.risk_facts import Facts, facts
from binance_trade_agent.reports.risk_limits import Trader
from binance_trade_agent.risk.context import ProposedOrder, RiskContext
from binance_trade_agent.risk.entry_sizes import entry_size
from binance_trade_agent.risk.exits import ExitSettings, exit_levels, lowest_stop_fraction
from binance_trade_agent.risk.policy import RiskPolicy
from binance_trade_agent.risk.settings import RiskSettings
from binance_trade_agent.risk.sizing import Sized as StrategyOrder
from binance_trade_agent.risk.sizing import entry_order, exit_order
from binance_trade_agent.settings import Settings

_ATR_PERIODS = 7  # that the trader looks at (agents/risk_context.py)
_HUNDRED = Decimal(100)
_SHOWN_UNIT = Decimal("0.00000001")


class Market(Value, frozen=True):
    """A symbol as the market board has it."""

    rules: SymbolRules
    quote: Quote
    book: BookSeen | None = None
    candles: CandlesSeen | None = None

    @property
    def bids(self) -> tuple[Level, ...]:
        """What is asked for, best first."""
        quote = self.quote
        return self.book.bids if self.book and self.book.bids else ((quote.bid, quote.bid_quantity),)

    @property
    def asks(self) -> tuple[Level, ...]:
        """What is offered, best first."""
        quote = self.quote
        return self.book.asks if self.book and self.book.asks else ((quote.ask, quote.ask_quantity),)


class Funds(Value, frozen=True):
    """What the account has free for an order.

    Attributes:
        free_quote: what no other order may spend; free_base: of the position, what nobody has on sale.
        held_base: the position; on_sale_base: what of it persons have on sale already.
    """

    free_quote: Decimal
    free_base: Decimal
    held_base: Decimal
    on_sale_base: Decimal


class Preview(Value, frozen=True):
    """An order on trial. Prices in quote per base, amounts in quote asset unless the name says base.

    Attributes:
        note: what was rounded, a sentence; empty when nothing was.
        now_base: what would trade at once by the book that is known; average_price: at which, None for nothing.
        is_whole: whether the book holds all that a market order takes.
        slippage_pct: how much worse the average price is than the best one; None where nothing trades at once.
        worth_quote: at the average price, or at its limit.
        fee: its rate; fee_quote: what it comes to.
        reserved: what it keeps from other orders, and in which asset.
        stop_price, target_price: where a position that it enters or adds to would be left; None: at no such price.
        findings: what each risk rule found, in the order in which they were asked.
    """

    order: ManualOrder
    note: str
    funds: Funds
    now_base: Decimal
    average_price: Decimal | None
    is_whole: bool
    slippage_pct: Decimal | None
    worth_quote: Decimal
    fee: FeeRate
    fee_quote: Decimal
    reserved: tuple[Decimal, str]
    stop_price: Decimal | None
    target_price: Decimal | None
    findings: tuple[Finding, ...]

    @property
    def against(self) -> list[Finding]:
        """The findings that do not allow it."""
        return [finding for finding in self.findings if not finding.allows]


def preview(
    connection: sqlite3.Connection, settings: Settings, trader: Trader, market: Market, draft: Draft
) -> Preview:
    """What the order of a draft would come to.

    Args:
        connection: of a snapshot of the ledger.
        settings: of this process; what persons have changed since holds.
        trader: what is known of the process that trades.
        market: the draft's symbol.
        draft: what a person has written.

    Raises:
        IncompleteError: something is not written yet.
        ValueError: something is not sound, or the symbol is not traded; the sentence is for a person.
    """
    side = side_of(draft.side)
    with localcontext(EXACT):
        found, limits, exits, context = _trial(connection, settings, trader, market, side)
        funds = _funds(context)
        free = Free(funds.free_quote, limits.fee_reserve_fraction, funds.free_base)
        drawn = sized(draft, market.rules, market.bids, market.asks, free)
        order = _bounded(drawn.order, limits, market)
        return _told(connection, found, context, limits, exits, market, trader, Sized(order, drawn.note))


def strategy_order(
    connection: sqlite3.Connection, settings: Settings, trader: Trader, market: Market, side: Side
) -> StrategyOrder:
    """What the signal of a strategy comes to now: an entry of the size that the settings ask for, an exit of all.

    Raises:
        ValueError: the symbol is not traded; the sentence is for a person.
    """
    with localcontext(EXACT):
        _, limits, _, context = _trial(connection, settings, trader, market, side)
        return entry_order(context, entry_size(limits)) if side is Side.BUY else exit_order(context)


def funds(connection: sqlite3.Connection, settings: Settings, trader: Trader, symbol: str) -> Funds | None:
    """What is free for orders on a symbol; None where no run trades it and nothing of it is held."""
    limits = risk_settings(effective_settings(connection, settings))
    found = facts(connection, limits, trader.wall_ms)
    context = found.contexts.get(symbol) if found else None
    return _funds(context) if context else None


def _trial(
    connection: sqlite3.Connection, settings: Settings, trader: Trader, market: Market, side: Side
) -> tuple[Facts, RiskSettings, ExitSettings, RiskContext]:
    """What is known, the limits and exits that hold now, and what the rules look at for an order of this side."""
    now = effective_settings(connection, settings)
    limits, exits = risk_settings(now), exit_settings(now)
    found = facts(connection, limits, trader.wall_ms)
    if found is None:
        raise ValueError("no trader has ever run on this ledger, so there is no account to order for")
    _check_symbol(market.rules.symbol, found, side)
    atr_quote = _atr(market.candles, now.risk_atr_period) if measures_range(limits, exits) else None
    return found, limits, exits, _context(connection, found, limits, exits, trader, market, side, atr_quote)


def _told(
    connection: sqlite3.Connection,
    found: Facts,
    context: RiskContext,
    limits: RiskSettings,
    exits: ExitSettings,
    market: Market,
    trader: Trader,
    drawn: Sized,
) -> Preview:
    order, quote = drawn.order, market.quote
    price = order.price_at(quote.bid, quote.ask)
    proposed = ProposedOrder(order.side, order.quantity, price, order.quantity * price, order.legs, order.worst_price)
    judged = RiskPolicy(limits).judge_order(context, proposed)
    # Of sales the account's limits are not asked.
    shared = account_findings(trader.account, order.symbol, proposed.notional) if order.side is Side.BUY else ()
    now_base, average = _at_once(order, market)
    best = quote.ask if order.side is Side.BUY else quote.bid
    paid = average if average is not None and now_base == order.quantity else price
    worth = paid * order.quantity
    rests = order.kind in {OrderKind.LIMIT, OrderKind.OCO} and not now_base
    fee = fee_rate(connection, found.epoch, market.rules, order.side, is_maker=rests)
    stop, target = _levels(exits, context, order, paid, fee, market.rules)
    worse = ZERO if average is None else (average - best) * (1 if order.side is Side.BUY else -1)
    return Preview(
        order=order,
        note=drawn.note,
        funds=_funds(context),
        now_base=now_base,
        average_price=_kept(average),
        is_whole=order.kind is not OrderKind.MARKET or now_base == order.quantity,
        slippage_pct=None if average is None else _kept(max(ZERO, worse) * _HUNDRED / best),
        worth_quote=worth,
        fee=fee,
        fee_quote=worth * fee.fraction,
        reserved=(order.quantity * price, market.rules.quote_asset)
        if order.side is Side.BUY
        else (order.quantity, market.rules.base_asset),
        stop_price=stop,
        target_price=target,
        findings=(*judged.findings, *shared),
    )


def _check_symbol(symbol: str, found: Facts, side: Side) -> None:
    """As the trader does: what it does not trade is not bought; what is held may be sold."""
    known = list(found.run.symbols) if side is Side.BUY else sorted(found.looks)
    if symbol not in known:
        hint = nearest(symbol, known)
        raise ValueError(
            f"{symbol} is not traded here, only {', '.join(known)}" + (f"; did you mean {hint}?" if hint else "")
        )


def _context(
    connection: sqlite3.Connection,
    found: Facts,
    limits: RiskSettings,
    exits: ExitSettings,
    trader: Trader,
    market: Market,
    side: Side,
    atr_quote: Decimal | None,
) -> RiskContext:
    """What the rules look at, with the market as the board has it."""
    rules, quote, book = market.rules, market.quote, market.book
    ticker = BookTicker(rules.symbol, quote.bid, quote.bid_quantity, quote.ask, quote.ask_quantity, quote.read_ms)
    view = MarketView(
        symbol=rules.symbol,
        rules=rules,
        candles=(),
        book=ticker,
        candle_age_ms=None,
        book_age_ms=max(0, trader.wall_ms - quote.read_wall_ms),  # a simulated market may run faster than the clock
    )
    action = Action.BUY if side is Side.BUY else Action.SELL
    context = account(
        SqlView(connection, found.epoch),
        Signal(rules.symbol, "", action, 1.0, "", quote.read_ms),
        view,
        max(found.now_ms, quote.read_ms),
        marks={symbol: seen for symbol, seen in found.views.items() if symbol != rules.symbol},
        locked_by_others={},
        settings=limits,
    )
    return replace(
        context,
        depth=Depth(book.bids, book.asks, book.read_ms) if book else None,
        last_price=quote.last_price,
        atr_quote=atr_quote,
        stop_fraction=lowest_stop_fraction(exits, quote.ask, atr_quote),
        gate=_gate(connection, rules.symbol, trader),
    )


def _gate(connection: sqlite3.Connection, symbol: str, trader: Trader) -> tuple[str, str] | None:
    """What keeps entries away and is no rule: alarms, and what the trader itself says."""
    for alarm in alarms.standing(connection):
        if alarm.blocks and alarm.subject in {"", symbol}:
            return alarm.kind, alarm.text
    return ("entry_gate", trader.gate) if trader.is_running and trader.gate else None


def _funds(context: RiskContext) -> Funds:
    free_quote = max(ZERO, context.free_quote - context.pending_buy_quote)
    return Funds(free_quote, context.free_base, context.held_base, context.on_sale_base)


def _bounded(order: ManualOrder, limits: RiskSettings, market: Market) -> ManualOrder:
    """A market order with the worst price that RISK_MAX_SLIPPAGE_PCT leaves, where the person gives none."""
    if order.kind is not OrderKind.MARKET or order.worst_price is not None or not limits.max_slippage_pct:
        return order
    part, quote = limits.max_slippage_pct / _HUNDRED, market.quote
    worst = quote.ask * (1 + part) if order.side is Side.BUY else quote.bid * (1 - part)
    return replace(order, worst_price=market.rules.round_price(worst))


def _at_once(order: ManualOrder, market: Market) -> tuple[Decimal, Decimal | None]:
    """What trades at once by the book, in base asset, and its average price: nothing of a stop or of a list."""
    buys = order.side is Side.BUY
    levels: Sequence[Level] = market.asks if buys else market.bids
    if order.kind is OrderKind.LIMIT:
        limit = order.legs[0].price or ZERO
        levels = [level for level in levels if (level[0] <= limit if buys else level[0] >= limit)]
    elif order.kind is not OrderKind.MARKET:
        return ZERO, None
    offered = sum((quantity for _, quantity in levels), start=ZERO)
    taken = min(order.quantity, offered)
    return taken, average_fill_price(levels, taken) if taken else None


def _levels(
    exits: ExitSettings, context: RiskContext, order: ManualOrder, paid: Decimal, fee: FeeRate, rules: SymbolRules
) -> tuple[Decimal | None, Decimal | None]:
    """Stop and target of the position with what the order buys, its fee taken in base asset; none for a SELL."""
    if order.side is Side.SELL or not exits.is_on:
        return None, None
    held = max(ZERO, context.position.quantity)
    cost = context.position.cost_quote if held else ZERO
    bought = order.quantity * (1 - fee.fraction)
    position = Position(rules.symbol, held + bought, cost + order.quantity * paid, opened_ms=context.now_ms)
    levels = exit_levels(exits, Holding(position, context.now_ms, "", paid, context.atr_quote), None, context.now_ms)
    stop, target = levels.stop_price, levels.target_price
    return stop and rules.round_price(stop), target and rules.round_price(target)


def _atr(seen: CandlesSeen | None, period: int) -> Decimal | None:
    """Average true range of the last closed candle; None with too few candles, or where the market is flat."""
    if seen is None:
        return None
    closed = [candle for candle in seen.candles if candle.close_time_ms < seen.read_ms]
    candles = closed[-_ATR_PERIODS * period - 1 :]
    value = average_true_range(candles, period)
    return Decimal(str(value)) if value else None


def average_true_range(candles: Sequence[Candle], period: int) -> float | None:
    """Wilder's average true range (New Concepts in Technical Trading Systems, 1978) of the last candle.

    The same as TA-Lib's, which is not asked: with the pandas that it brings it would double this process's memory.
    """
    if len(candles) <= period:
        return None
    ranges = [
        max(float(one.high), float(before.close)) - min(float(one.low), float(before.close))
        for before, one in pairwise(candles)
    ]
    average = sum(ranges[:period]) / period
    for true_range in ranges[period:]:
        average = (average * (period - 1) + true_range) / period
    return average


def _kept(value: Decimal | None) -> Decimal | None:
    return None if value is None else value.quantize(_SHOWN_UNIT)
