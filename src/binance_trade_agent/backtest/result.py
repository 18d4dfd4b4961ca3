"""What a backtest leaves: orders, fills, the equity at each tick, and what the rules said."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from binance_trade_agent.domain.decisions import Decision
from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.orders import Fill, Order
from binance_trade_agent.domain.positions import Position
from binance_trade_agent.history.table import CandleTable, FloatArray, IntArray
from binance_trade_agent.risk.state import Pause


@dataclass(frozen=True, slots=True)
class BacktestSetup:
    """What was asked for, as it goes into every report.

    Attributes:
        parameters: of the strategy, with the defaults filled in; with a symbol in front where it has its own.
        start_ms, end_ms: first tick, and the end of the last candle; candles before the start only warm up.
        settings: names and values of the other settings that differ from their defaults.
        fills: name of the fill rules, and their numbers in words.
    """

    strategy: str
    parameters: Mapping[str, str]
    symbols: tuple[str, ...]
    interval: str
    quote_asset: str
    start_ms: int
    end_ms: int
    opening_quote: Decimal
    settings: Mapping[str, str] = field(default_factory=dict)
    fills: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class BacktestResult:
    """The outcome. Money is exact, arrays are float64 for statistics and charts; all arrays have one length.

    Attributes:
        final_quote: equity at the end: quote asset, and positions at the bid.
        orders: all of them, in the order in which they were placed; `fills` in time order.
        positions: by symbol at the end, flat ones too.
        tick_times_ms: int64, market time of each tick, in order.
        equity_quote: at each tick, positions at the bid; exposure_quote: of it what positions were worth.
        last_bids: best bid at the end by symbol, quote per base.
        candles: what was traded on by symbol, from `start_ms` on.
        outcomes: how many decisions ended so, by Outcome; `refusals`: those by a risk rule, by its name.
        pauses: begun by limits on losses.
        slippage_quote: what fills cost against the middle of the book at their tick, with the spread; above 0.
        visited: ticks at which the agents ran, of all symbols; `ticks`: how many there were.
        warnings: what a person has to know about the data or the period, a sentence each.
        decisions: those in which an order was considered, in their order; empty unless they were to be kept.
    """

    setup: BacktestSetup
    final_quote: Decimal
    orders: Sequence[Order]
    fills: Sequence[Fill]
    positions: Mapping[str, Position]
    tick_times_ms: IntArray
    equity_quote: FloatArray
    exposure_quote: FloatArray
    last_bids: Mapping[str, Decimal]
    candles: Mapping[str, CandleTable]
    outcomes: Mapping[str, int]
    refusals: Mapping[str, int]
    pauses: Sequence[Pause] = ()
    slippage_quote: Decimal = ZERO
    visited: int = 0
    ticks: int = 0
    warnings: Sequence[str] = ()
    decisions: Sequence[Decision] = ()
