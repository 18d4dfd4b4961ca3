"""What the Portfolio page reads from the ledger at each look: where things stand in one epoch."""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from binance_trade_agent.cache.market_board import MarketBoard, Quote
from binance_trade_agent.domain.decisions import Decision
from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.ledger import queries
from binance_trade_agent.ledger.equity import Series
from binance_trade_agent.ledger.records import Epoch
from binance_trade_agent.reports.equity_curve import Worth, quote_assets, worth
from binance_trade_agent.reports.positions_now import PositionNow, positions_now


@dataclass(frozen=True, slots=True)
class Market:
    """What the market board says of some symbols, as far as it says anything."""

    quotes: Mapping[str, Quote]
    rules: Mapping[str, SymbolRules]


@dataclass(frozen=True, slots=True)
class Profit:
    """Profit of all symbols of one quote asset; unrealised: None where a price is unknown."""

    quote_asset: str
    realised: Decimal
    unrealised: Decimal | None


@dataclass(frozen=True, slots=True)
class Account:
    """One epoch.

    Attributes:
        epoch: None in a ledger without one.
        is_current: whether it is the one that is open.
        series: of its equity curve, None without points.
        held: positions that are not 0.
        profits: by quote asset, that of the curve first.
    """

    epoch: Epoch | None
    is_current: bool
    series: Series | None
    worth: Worth | None
    held: list[PositionNow]
    profits: list[Profit]
    quote_asset: str


def epochs_of(connection: sqlite3.Connection, number: int | None) -> tuple[list[Epoch], Epoch | None]:
    """All epochs, the latest first, and the one that is asked for: the latest where none is.

    Raises:
        ValueError: there is no such epoch.
    """
    known = queries.epochs(connection)[::-1]
    if number is None:
        return known, (known[0] if known else None)
    found = next((epoch for epoch in known if epoch.epoch == number), None)
    if found is None:
        raise ValueError(f"The ledger has no epoch {number}.")
    return known, found


def held_symbols(connection: sqlite3.Connection, epoch: int) -> list[str]:
    """Symbols whose position is not 0."""
    rows = connection.execute("SELECT symbol FROM positions WHERE epoch = ? AND quantity != '0'", (epoch,))
    return [row["symbol"] for row in rows]


async def market_of(board: MarketBoard, symbols: list[str]) -> Market:
    """What the board says of these symbols."""
    quotes = {symbol: quote for symbol in symbols if (quote := await board.quote(symbol)) is not None}
    rules = {symbol: known for symbol in symbols if (known := await board.rules(symbol)) is not None}
    return Market(quotes, rules)


def account(connection: sqlite3.Connection, epoch: Epoch | None, market: Market) -> Account:
    """Where an epoch stands."""
    if epoch is None:
        return Account(None, True, None, None, [], [], "")
    is_current = epoch.closed_ms is None
    assets = quote_assets(connection, epoch.epoch)
    series = Series(epoch.epoch, assets[0]) if assets else None
    held = positions_now(connection, epoch.epoch, quotes=market.quotes if is_current else None, rules=market.rules)
    profits = _profits(connection, epoch.epoch, held)
    main = series.quote_asset if series else profits[0].quote_asset if profits else ""
    return Account(
        epoch=epoch,
        is_current=is_current,
        series=series,
        worth=worth(connection, series) if series else None,
        held=held,
        profits=sorted(profits, key=lambda profit: (profit.quote_asset != main, profit.quote_asset)),
        quote_asset=main,
    )


def _profits(connection: sqlite3.Connection, epoch: int, held: list[PositionNow]) -> list[Profit]:
    realised: dict[str, Decimal] = {}
    for row in connection.execute("SELECT quote_asset, realised_pnl_quote FROM positions WHERE epoch = ?", (epoch,)):
        realised[row["quote_asset"]] = realised.get(row["quote_asset"], ZERO) + Decimal(row["realised_pnl_quote"])
    return [Profit(asset, amount, _unrealised(held, asset)) for asset, amount in realised.items()]


def _unrealised(held: list[PositionNow], quote_asset: str) -> Decimal | None:
    known = [position.pnl_quote for position in held if position.quote_asset == quote_asset]
    return None if None in known else sum((each for each in known if each is not None), ZERO)


def traded_symbols(connection: sqlite3.Connection, epoch: int) -> list[str]:
    """Symbols that were traded in an epoch, by name."""
    rows = connection.execute("SELECT symbol FROM positions WHERE epoch = ? ORDER BY symbol", (epoch,))
    return [row["symbol"] for row in rows]


def strategies(connection: sqlite3.Connection, epoch: int) -> list[str]:
    """Strategies that were in use in an epoch, by name."""
    rows = connection.execute(
        "SELECT strategy FROM runs WHERE epoch = :epoch UNION SELECT strategy_changes.strategy FROM strategy_changes"
        " JOIN runs USING (run_id) WHERE runs.epoch = :epoch ORDER BY 1",
        {"epoch": epoch},
    )
    return [row["strategy"] for row in rows]


def last_decisions(connection: sqlite3.Connection) -> list[Decision]:
    """The newest run's last decision on each symbol, as far as there is one."""
    runs = queries.runs(connection)
    if not runs:
        return []
    last = (queries.decision_at(connection, runs[-1].run_id, symbol, _FOR_EVER_MS) for symbol in runs[-1].symbols)
    return [decision for decision in last if decision is not None]


_FOR_EVER_MS = 2**63 - 1
