"""What is held, and what it is worth at the last bid that the ledger knows."""

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from binance_trade_agent.domain.positions import Position
from binance_trade_agent.ledger import queries
from binance_trade_agent.ledger.records import EquityPoint, RunRecord
from binance_trade_agent.reports.trades import Assets


@dataclass(frozen=True, slots=True)
class Holding:
    """A position and its worth. What no bid was seen for is None: unknown, not zero.

    Attributes:
        mark_price: the bid, quote per base; mark_ms: the tick that saw it, market time.
    """

    symbol: str
    base_asset: str
    quote_asset: str
    quantity_base: Decimal
    cost_quote: Decimal
    realised_pnl_quote: Decimal
    mark_price: Decimal | None
    mark_ms: int | None
    value_quote: Decimal | None
    unrealised_pnl_quote: Decimal | None


@dataclass(frozen=True, slots=True)
class Equity:
    """The first and the last worth that was noted, in quote asset, and their ticks (market ms)."""

    first_quote: Decimal
    first_ms: int
    last_quote: Decimal
    last_ms: int
    change_quote: Decimal


def holdings(
    connection: sqlite3.Connection,
    positions: Iterable[Position],
    assets: Mapping[str, Assets],
    runs: Iterable[RunRecord],
) -> list[Holding]:
    """The positions at the last bid that any of the runs saw; later runs come first."""
    newest_first = sorted(runs, key=lambda run: run.number, reverse=True)
    return [_holding(connection, position, assets[position.symbol], newest_first) for position in positions]


def equity(points: Iterable[EquityPoint]) -> Equity | None:
    """First and last of the points, which are in time order; None when nothing was noted."""
    noted = list(points)
    if not noted:
        return None
    first, last = noted[0], noted[-1]
    return Equity(
        first_quote=first.equity_quote,
        first_ms=first.tick_ms,
        last_quote=last.equity_quote,
        last_ms=last.tick_ms,
        change_quote=last.equity_quote - first.equity_quote,
    )


def _holding(
    connection: sqlite3.Connection, position: Position, assets: Assets, newest_first: Iterable[RunRecord]
) -> Holding:
    bids = (queries.last_bid(connection, run.run_id, position.symbol) for run in newest_first)
    mark_price, mark_ms = next((bid for bid in bids if bid), (None, None))
    return Holding(
        symbol=position.symbol,
        base_asset=assets[0],
        quote_asset=assets[1],
        quantity_base=position.quantity,
        cost_quote=position.cost_quote,
        realised_pnl_quote=position.realised_pnl_quote,
        mark_price=mark_price,
        mark_ms=mark_ms,
        value_quote=None if mark_price is None else position.quantity * mark_price,
        unrealised_pnl_quote=None if mark_price is None else position.unrealised_pnl_quote(mark_price),
    )
