"""What the ledger knows of what risk rules look at: the account as it is, the market as it was seen last."""

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from binance_trade_agent.domain.decisions import Decision
from binance_trade_agent.domain.market import BookTicker, MarketView
from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.orders import OrderState, Side
from binance_trade_agent.domain.positions import Position
from binance_trade_agent.domain.signals import Action, Signal
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.domain.values import replace
from binance_trade_agent.ledger import queries
from binance_trade_agent.ledger.account import account
from binance_trade_agent.ledger.on_sale import is_persons_sale
from binance_trade_agent.ledger.records import RunRecord
from binance_trade_agent.ledger.sql_view import SqlView
from binance_trade_agent.risk.context import RiskContext
from binance_trade_agent.risk.settings import RiskSettings

_WHOLE_SALE = 100  # times what is left of it: what a person sold then was the whole

Look = Callable[[sqlite3.Connection, str, str], Decision | None]


@dataclass(frozen=True, slots=True)
class Facts:
    """The account as of one moment of the ledger. Times in market ms.

    Attributes:
        run: the newest one.
        now_ms: now; on a simulated market the last moment that the ledger knows of.
        quote_asset: empty until a tick has noted what the account is worth; amounts are unknown until then.
        priced_ms: the oldest of the bids at which something is held that counts; `now_ms` while nothing is.
        at_cost: symbols that are held and counted at what they cost, because their bid was not seen.
        contexts: by symbol, for the rules. No order is on trial, and the exchange's filters are not known.
        views: by symbol, the market as it was seen last; nothing of one that never was.
        looks: by symbol, the last decision that saw bid and ask; reviews: the last in which an entry was on trial.
    """

    epoch: int
    run: RunRecord
    now_ms: int
    quote_asset: str
    priced_ms: int
    at_cost: list[str]
    contexts: Mapping[str, RiskContext]
    views: Mapping[str, MarketView]
    looks: Mapping[str, Decision | None]
    reviews: Mapping[str, Decision | None]


def facts(connection: sqlite3.Connection, settings: RiskSettings, wall_ms: int) -> Facts | None:
    """What the ledger knows; None when no run has ever begun.

    The market's time is the machine's, `wall_ms`, on every market but a simulated one, which has a time of its own.
    """
    runs = queries.runs(connection)
    if not runs:
        return None
    run, epoch = runs[-1], queries.epoch_number(connection)
    newest_first = [other for other in reversed(runs) if other.epoch == epoch or other is run]
    held = {symbol: one for symbol, one in queries.positions(connection, epoch).items() if one.quantity > 0}
    symbols = sorted({*run.symbols, *held})
    looks = {symbol: _newest(connection, newest_first, symbol, queries.last_look) for symbol in symbols}
    reviews = {symbol: _newest(connection, newest_first, symbol, queries.last_entry_review) for symbol in run.symbols}
    now_ms = max(_last_known_ms(connection, run), 0 if run.mode == "simulated" else wall_ms)
    assets = queries.symbol_assets(connection)
    quote_asset = _quote_asset(connection, newest_first, assets)
    views = {
        symbol: _view(symbol, assets.get(symbol, ("", quote_asset)), look) for symbol, look in looks.items() if look
    }
    books = SqlView(connection, epoch)
    unsettled = books.unsettled_orders()
    moving = {e.order.symbol for e in unsettled if e.order.side is Side.BUY or is_persons_sale(e.order)}
    dust = {symbol for symbol, one in held.items() if symbol not in moving and _is_sold(connection, epoch, symbol, one)}

    def context(symbol: str) -> RiskContext:
        view = views.get(symbol) or _view(symbol, assets.get(symbol, ("", quote_asset)), None)
        signal = Signal(symbol, run.strategy, Action.BUY, 0, "", view.book.read_ms)
        marks = {name: other for name, other in views.items() if name != symbol}
        found = account(books, signal, view, now_ms, marks=marks, locked_by_others={}, settings=settings)
        position = Position(symbol) if symbol in dust else found.position
        return replace(found, position=position, open_positions=found.open_positions - len(dust))

    return Facts(
        epoch=epoch,
        run=run,
        now_ms=now_ms,
        quote_asset=quote_asset,
        priced_ms=min((look.tick_ms for symbol in held if (look := looks[symbol])), default=now_ms),
        at_cost=[symbol for symbol in held if looks[symbol] is None],
        contexts={symbol: context(symbol) for symbol in run.symbols},
        views=views,
        looks=looks,
        reviews=reviews,
    )


def _newest(
    connection: sqlite3.Connection, newest_first: Iterable[RunRecord], symbol: str, look: Look
) -> Decision | None:
    return next(filter(None, (look(connection, run.run_id, symbol) for run in newest_first)), None)


def _last_known_ms(connection: sqlite3.Connection, run: RunRecord) -> int:
    """The last market time that the run has noted."""
    ticks = [queries.decided_ticks(connection, run.run_id, symbol) for symbol in run.symbols]
    points = queries.equity_ends(connection, run.run_id)
    return max(
        run.started_ms, run.ended_ms or 0, *(ends[1] for ends in ticks if ends), *(point.tick_ms for point in points)
    )


def _quote_asset(
    connection: sqlite3.Connection, newest_first: Sequence[RunRecord], assets: Mapping[str, tuple[str, str]]
) -> str:
    """What the newest run counts in: by its points of the equity curve, else by what its symbols have traded."""
    for run in newest_first:
        noted = [point.quote_asset for point in queries.equity_ends(connection, run.run_id) if point.quote_asset]
        if noted:
            return noted[-1]
    return next((assets[symbol][1] for symbol in newest_first[0].symbols if symbol in assets), "")


def _is_sold(connection: sqlite3.Connection, epoch: int, symbol: str, held: Position) -> bool:
    """Whether what is held is the rest of a whole sale, so dust: the bot sells all that the exchange lets be sold.

    What is dust its filters say, which the ledger does not know. A person may sell a part: then it is dust where less
    than a hundredth of what was sold is left.
    """
    last = queries.last_filled_order(connection, epoch, symbol)
    if last is None or last.order.side is not Side.SELL or last.order.state is not OrderState.FILLED:
        return False
    return held.quantity * (_WHOLE_SALE if is_persons_sale(last.order) else 1) < last.order.quantity


def _view(symbol: str, assets: tuple[str, str], look: Decision | None) -> MarketView:
    """The market as the last decision saw it; without one, a book without prices."""
    bid, ask = (look.bid or ZERO, look.ask or ZERO) if look else (ZERO, ZERO)
    return MarketView(
        symbol=symbol,
        rules=SymbolRules(symbol, *assets),
        candles=look.candles if look else (),
        book=BookTicker(symbol, bid, ZERO, ask, ZERO, look.tick_ms if look else 0),
        candle_age_ms=look.candle_age_ms or 0 if look else 0,
        book_age_ms=look.book_age_ms or 0 if look else 0,
    )
