"""An order on trial before it is placed: what all rules think of it by the market of this moment."""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

from binance_trade_agent.cache.market_board import BookSeen, Quote
from binance_trade_agent.control.risk_switch import effective_settings
from binance_trade_agent.desk.desk import Desk
from binance_trade_agent.domain.nearest import nearest
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.ledger import queries
from binance_trade_agent.ledger.errors import LedgerError
from binance_trade_agent.ops import vitals
from binance_trade_agent.ops.clock import wall_ms
from binance_trade_agent.reports.order_draft import Draft, IncompleteError
from binance_trade_agent.reports.order_preview import Market, Preview, preview
from binance_trade_agent.reports.risk_limits import Trader, differing

FRESH_SECONDS = 15  # a price that is older is none to order by


@dataclass(frozen=True, slots=True)
class Judged:
    """A draft and what is thought of it.

    Attributes:
        market: None while the board has nothing of the symbol.
        preview: None where the draft is no order.
        problem: why it is none; is_incomplete: something is not written yet, which is no mistake.
        blockers: sentences on what keeps every order back, whatever it says.
        differing: limits that it was judged by here and that the trader, which judges it again, has otherwise.
    """

    draft: Draft
    market: Market | None = None
    preview: Preview | None = None
    problem: str = ""
    is_incomplete: bool = False
    blockers: tuple[str, ...] = ()
    differing: tuple[str, ...] = ()

    @property
    def why_not(self) -> str:
        """Why it cannot be placed, one sentence; empty when it can."""
        if self.blockers:
            return self.blockers[0]
        if self.preview is None:
            return self.problem or "there is nothing to order yet"
        if self.preview.against:
            refusal = self.preview.against[0]
            return f"refused by {refusal.rule.replace('_', ' ')}: {refusal.detail}"
        if not self.preview.is_whole:
            return "the book that is known does not hold so much"
        return ""


async def judge(desk: Desk, draft: Draft, blockers: Iterable[str] = ()) -> Judged:
    """What is thought of a draft now; `blockers`: what the caller knows to keep every order back."""
    market, kept_back = await look(desk, draft.symbol), tuple(blockers)
    known = await orderable(desk)
    if draft.symbol not in known:
        near = nearest(draft.symbol, known)
        hint = f"; did you mean {near}?" if near else ""
        problem = f"{draft.symbol or 'no symbol'} is not traded here, only {', '.join(known)}{hint}"
        return Judged(draft, market, problem=problem, blockers=kept_back)
    if market is None:
        return Judged(draft, blockers=(*kept_back, _nothing_told(desk, draft.symbol)))
    age_seconds = (wall_ms() - market.quote.read_wall_ms) / 1000
    if age_seconds > FRESH_SECONDS:
        kept_back += (f"the last prices of {draft.symbol} are older than {FRESH_SECONDS} s",)
    elif market.book is None:
        kept_back += (f"the book of {draft.symbol} is not read yet: the trader reads it once somebody looks",)
    trader = trader_of(desk)
    try:
        found, otherwise = await desk.read(
            lambda connection: (preview(connection, desk.settings, trader, market, draft), _differing(connection, desk))
        )
    except IncompleteError as failure:
        return Judged(draft, market, problem=str(failure), is_incomplete=True, blockers=kept_back)
    except (ValueError, LedgerError) as failure:
        return Judged(draft, market, problem=str(failure), blockers=kept_back)
    return Judged(draft, market, found, blockers=kept_back, differing=otherwise)


def _differing(connection: sqlite3.Connection, desk: Desk) -> tuple[str, ...]:
    found = differing(connection, effective_settings(connection, desk.settings), queries.runs(connection)[-1])
    return tuple(f"{name} is {here} here and {there} in the run that trades" for name, (here, there) in found.items())


async def look(desk: Desk, symbol: str) -> Market | None:
    """The symbol as the board has it; None where the trader has told nothing of it yet."""
    if not symbol:
        return None
    interval = desk.settings.trading_candle_interval
    await desk.looking.at(symbol, interval)
    quote: Quote | None = await desk.board.quote(symbol)
    rules: SymbolRules | None = await desk.board.rules(symbol)
    if quote is None or rules is None or not quote.bid or not quote.ask:
        return None
    book: BookSeen | None = await desk.board.book(symbol)
    is_of_a_tick = quote.last_price is None  # the trader reads prices and book together once it knows of the look
    if book is not None and (is_of_a_tick or quote.read_wall_ms - book.read_wall_ms > FRESH_SECONDS * 1000):
        book = None  # of another time than the prices
    return Market(rules, quote, book, await desk.board.candles(symbol, interval))


async def orderable(desk: Desk) -> list[str]:
    """What can be ordered: the symbols of the newest run, and what is held."""

    def read(connection: sqlite3.Connection) -> list[str]:
        runs = queries.runs(connection)
        held = queries.positions(connection, queries.epoch_number(connection))
        traded = list(runs[-1].symbols) if runs else []
        return traded + [name for name, one in held.items() if one.quantity > 0 and name not in traded]

    try:
        return await desk.read(read) or list(desk.settings.trading_symbols)
    except LedgerError:
        return list(desk.settings.trading_symbols)


def _nothing_told(desk: Desk, symbol: str) -> str:
    """Why the board has nothing of a symbol: boards go by the name of the trader."""
    told, ours = vitals.read(vitals.vitals_path(desk.ledger_path)), desk.settings.trading_instance
    if told is not None and told.instance not in {"", ours}:
        return f"the market of {symbol} is not seen here: TRADING_INSTANCE is {ours}, and the trader is {told.instance}"
    return f"the trader has told nothing of the market of {symbol} yet"


def trader_of(desk: Desk) -> Trader:
    """What is known of the process that trades."""
    beat = desk.heartbeat()
    gate = beat.detail if beat is not None and beat.state == "trading" else ""
    told = vitals.read(vitals.vitals_path(desk.ledger_path)) if desk.is_running() else None
    return Trader(desk.is_running(), gate, wall_ms(), told.account if told else None)
