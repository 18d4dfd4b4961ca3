"""All figures of a backtest in one value. Definitions with their sources: docs/reference/statistics.md."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Self

import numpy as np

from binance_trade_agent.backtest.report.hold import hold_curve, hold_final, hold_growth
from binance_trade_agent.backtest.result import BacktestResult, BacktestSetup
from binance_trade_agent.domain.exits import ExitKind
from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.values import Value
from binance_trade_agent.history.table import FloatArray, IntArray
from binance_trade_agent.reports import performance
from binance_trade_agent.reports.performance import Drawdown
from binance_trade_agent.reports.round_trips import FeeWorth, OpenTrip, RoundTrip, round_trips
from binance_trade_agent.risk.state import Pause

_MONEY_UNIT = Decimal("0.00000001")
_PCT_UNIT = Decimal("0.000001")


class CurveFigures(Value, frozen=True):
    """What an equity curve amounts to, open positions included; None: not defined."""

    return_pct: float | None
    cagr_pct: float | None
    sharpe: float | None
    sortino: float | None
    calmar: float | None
    drawdown: Drawdown | None


class Hold(Value, frozen=True):
    """Buy and hold of the same symbols in equal parts.

    Attributes:
        fee_pct: what a purchase cost, by the run's own fees to six decimals; None when it paid none that are known,
            and none is taken.
        return_pct_by_symbol: of the part that was put into each.
    """

    final_quote: Decimal
    fee_pct: Decimal | None
    figures: CurveFigures
    return_pct_by_symbol: dict[str, float]


class TradeFigures(Value, frozen=True):
    """What round trips add up to: all of them, those of a symbol, or those with one kind of exit.

    Attributes:
        profit_quote: sum, after fees; expectancy_quote, expectancy_pct: of the average trade.
        fees_quote: None when the worth of one is unknown.
        best_pct, worst_pct: profit of the best and of the worst trade, in percent of its cost.
    """

    name: str
    trades: int
    won: int
    lost: int
    win_rate_pct: float | None
    profit_quote: Decimal
    profit_factor: float | None
    expectancy_quote: Decimal | None
    expectancy_pct: float | None
    sqn: float | None
    p_value: float | None
    best_pct: float | None
    worst_pct: float | None
    longest_wins: int
    longest_losses: int
    mean_duration_ms: int | None
    median_duration_ms: int | None
    longest_duration_ms: int | None
    fees_quote: Decimal | None


class Month(Value, frozen=True):
    """A calendar month: return of equity and of buy and hold, and the trades that ended in it."""

    month: str
    return_pct: float
    hold_pct: float | None
    trades: int
    profit_quote: Decimal


class Day(Value, frozen=True):
    """Equity at the end of a UTC day."""

    day: str
    equity_quote: float


class Report(Value, frozen=True):
    """A backtest in figures.

    Attributes:
        trades: of all round trips; by_symbol, by_exit: of parts of them.
        best, worst: the trades with the highest and the lowest profit in quote asset.
        time_in_market_pct: part of the time with a position; invested_pct: average part of equity in positions.
        volume_quote: bought and sold; turnover: the same in average equities.
        fees, fees_quote: of all fills, by asset and in all; None when the worth of one is unknown.
        hold: None without candles.
    """

    setup: BacktestSetup
    final_quote: Decimal
    profit_quote: Decimal
    figures: CurveFigures
    hold: Hold | None
    trades: TradeFigures
    best: RoundTrip | None
    worst: RoundTrip | None
    by_symbol: tuple[TradeFigures, ...]
    by_exit: tuple[TradeFigures, ...]
    months: tuple[Month, ...]
    days: tuple[Day, ...]
    time_in_market_pct: float | None
    invested_pct: float | None
    volume_quote: Decimal
    turnover: float | None
    fees: dict[str, Decimal]
    fees_quote: Decimal | None
    slippage_quote: Decimal
    orders: int
    fills: int
    ticks: int
    visited: int
    outcomes: dict[str, int]
    refusals: dict[str, int]
    pauses: tuple[Pause, ...]
    open_trips: tuple[OpenTrip, ...]
    warnings: tuple[str, ...]
    round_trips: tuple[RoundTrip, ...]

    @classmethod
    def of(cls, result: BacktestResult) -> Self:
        """The report of a backtest."""
        setup = result.setup
        trips, still_open = _trips(result)
        times_ms, equity = whole_curve(result)
        volume = sum((fill.quote_quantity for fill in result.fills), ZERO)
        fees, fees_quote = _fees([*trips, *still_open])
        hold, hold_equity = _hold(result, _pct(fees_quote, volume) if fees_quote and volume else None)
        spans = [(trip.opened_ms, trip.closed_ms) for trip in trips]
        spans += [(trip.opened_ms, setup.end_ms) for trip in still_open]
        return cls(
            setup=setup,
            final_quote=result.final_quote,
            profit_quote=result.final_quote - setup.opening_quote,
            figures=_curve_figures(times_ms, equity),
            hold=hold,
            trades=_trade_figures("all", trips),
            best=max(trips, key=lambda trip: trip.profit_quote, default=None),
            worst=min(trips, key=lambda trip: trip.profit_quote, default=None),
            by_symbol=tuple(
                _trade_figures(symbol, [trip for trip in trips if trip.symbol == symbol]) for symbol in setup.symbols
            ),
            by_exit=_by_exit(trips),
            months=_months(times_ms, equity, hold_equity, trips),
            days=_days(times_ms, equity),
            time_in_market_pct=performance.time_in_market_pct(spans, setup.start_ms, setup.end_ms),
            invested_pct=performance.invested_pct(result.equity_quote, result.exposure_quote),
            volume_quote=volume,
            turnover=performance.turnover(float(volume), equity),
            fees=fees,
            fees_quote=fees_quote,
            slippage_quote=result.slippage_quote,
            orders=len(result.orders),
            fills=len(result.fills),
            ticks=result.ticks,
            visited=result.visited,
            outcomes=_ranked(result.outcomes),
            refusals=_ranked(result.refusals),
            pauses=tuple(result.pauses),
            open_trips=tuple(still_open),
            warnings=(*result.warnings, *_unknown_fees(setup, fees, fees_quote)),
            round_trips=tuple(trips),
        )


def whole_curve(result: BacktestResult) -> tuple[IntArray, FloatArray]:
    """Times and equity from the opening amount over all ticks to the end of the last candle."""
    setup = result.setup
    ends = np.array([setup.start_ms, setup.end_ms], dtype=np.int64)
    times_ms = np.concatenate((ends[:1], result.tick_times_ms, ends[1:]))
    return times_ms, _with_ends(setup.opening_quote, result.equity_quote, result.final_quote)


def whole_hold_curve(result: BacktestResult, final_quote: Decimal, fee_pct: Decimal | None) -> FloatArray:
    """What buy and hold was worth at the times of `whole_curve`."""
    opening = result.setup.opening_quote
    on_ticks = hold_curve(result.tick_times_ms, result.candles, opening, (fee_pct or ZERO) / 100)
    return _with_ends(opening, on_ticks, final_quote)


def _with_ends(first: Decimal, between: FloatArray, last: Decimal) -> FloatArray:
    return np.concatenate((np.array([float(first)]), between, np.array([float(last)])))


def _trips(result: BacktestResult) -> tuple[list[RoundTrip], list[OpenTrip]]:
    quote = result.setup.quote_asset
    assets = {symbol: (symbol.removesuffix(quote), quote) for symbol in result.setup.symbols}
    return round_trips(
        result.fills,
        result.orders,
        assets,
        prices=result.last_bids,
        candles=result.candles,
        fee_worth=_fee_worth(result),
    )


def _fee_worth(result: BacktestResult) -> FeeWorth:
    """What a third asset was worth: the open of its candle, where it is one of the symbols."""

    def worth(asset: str, at_ms: int) -> Decimal | None:
        table = result.candles.get(f"{asset}{result.setup.quote_asset}")
        row = -1 if table is None else int(np.searchsorted(table.open_times_ms, at_ms, side="right")) - 1
        return None if table is None or row < 0 else table.price(table.open[row])

    return worth


def _curve_figures(times_ms: IntArray, equity: FloatArray) -> CurveFigures:
    return CurveFigures(
        return_pct=performance.return_pct(equity),
        cagr_pct=performance.cagr_pct(times_ms, equity),
        sharpe=performance.sharpe(times_ms, equity),
        sortino=performance.sortino(times_ms, equity),
        calmar=performance.calmar(times_ms, equity),
        drawdown=performance.drawdown(times_ms, equity),
    )


def _hold(result: BacktestResult, fee_pct: Decimal | None) -> tuple[Hold | None, FloatArray | None]:
    growth = hold_growth(result.candles, result.last_bids, (fee_pct or ZERO) / 100)
    if not growth:
        return None, None
    times_ms, _ = whole_curve(result)
    final = hold_final(result.setup.opening_quote, growth)
    equity = whole_hold_curve(result, final, fee_pct)
    hold = Hold(
        final_quote=final,
        fee_pct=fee_pct,
        figures=_curve_figures(times_ms, equity),
        return_pct_by_symbol={symbol: float(100 * (grown - 1)) for symbol, grown in growth.items()},
    )
    return hold, equity


def _trade_figures(name: str, trips: Sequence[RoundTrip]) -> TradeFigures:
    profits = np.array([float(trip.profit_quote) for trip in trips])
    percents = np.array([float(trip.profit_pct) for trip in trips if trip.profit_pct is not None])
    durations = np.array([trip.duration_ms for trip in trips])
    total = sum((trip.profit_quote for trip in trips), ZERO)
    fees = [trip.fees_quote for trip in trips]
    wins, losses = performance.longest_streaks(profits)
    return TradeFigures(
        name=name,
        trades=len(trips),
        won=int((profits > 0).sum()),
        lost=int((profits < 0).sum()),
        win_rate_pct=performance.win_rate_pct(profits),
        profit_quote=total,
        profit_factor=performance.profit_factor(profits),
        expectancy_quote=(total / len(trips)).quantize(_MONEY_UNIT, ROUND_HALF_EVEN) if trips else None,
        expectancy_pct=performance.expectancy(percents),
        sqn=performance.sqn(profits),
        p_value=performance.mean_p_value(profits),
        best_pct=float(percents.max()) if len(percents) else None,
        worst_pct=float(percents.min()) if len(percents) else None,
        longest_wins=wins,
        longest_losses=losses,
        mean_duration_ms=int(durations.mean()) if trips else None,
        median_duration_ms=int(np.median(durations)) if trips else None,
        longest_duration_ms=int(durations.max()) if trips else None,
        fees_quote=_sum_known(fees),
    )


def _by_exit(trips: Sequence[RoundTrip]) -> tuple[TradeFigures, ...]:
    kinds: dict[ExitKind | None, list[RoundTrip]] = {}
    for trip in trips:
        kinds.setdefault(trip.exit, []).append(trip)
    most_first = sorted(kinds.items(), key=lambda entry: (-len(entry[1]), entry[0] or ""))
    return tuple(_trade_figures(kind or "not said", of_kind) for kind, of_kind in most_first)


def _months(
    times_ms: IntArray, equity: FloatArray, hold: FloatArray | None, trips: Iterable[RoundTrip]
) -> tuple[Month, ...]:
    ended: dict[str, list[Decimal]] = {}
    for trip in trips:  # what ends at midnight belongs to the month that ends then, as its equity does
        ended.setdefault(str(np.datetime64(trip.closed_ms - 1, "ms").astype("M8[M]")), []).append(trip.profit_quote)
    returns = performance.monthly_returns(times_ms, equity)
    held = {} if hold is None else {each.month: each.return_pct for each in performance.monthly_returns(times_ms, hold)}
    return tuple(
        Month(
            month=each.month,
            return_pct=each.return_pct,
            hold_pct=held.get(each.month),
            trades=len(ended.get(each.month, ())),
            profit_quote=sum(ended.get(each.month, ()), ZERO),
        )
        for each in returns
    )


def _days(times_ms: IntArray, equity: FloatArray) -> tuple[Day, ...]:
    days_ms, closing = performance.daily_equity(times_ms, equity)
    names = np.datetime_as_string(days_ms.astype("M8[ms]"), unit="D").tolist()
    return tuple(Day(name, value) for name, value in zip(names, closing.tolist(), strict=True))


def _fees(trips: Iterable[RoundTrip | OpenTrip]) -> tuple[dict[str, Decimal], Decimal | None]:
    fees: dict[str, Decimal] = {}
    worths = []
    for trip in trips:
        worths.append(trip.fees_quote)
        for asset, amount in trip.fees.items():
            fees[asset] = fees.get(asset, ZERO) + amount
    return dict(sorted(fees.items())), _sum_known(worths)


def _sum_known(amounts: Sequence[Decimal | None]) -> Decimal | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known, ZERO) if len(known) == len(amounts) else None


def _unknown_fees(setup: BacktestSetup, fees: Mapping[str, Decimal], fees_quote: Decimal | None) -> list[str]:
    if fees_quote is not None:
        return []
    own = {setup.quote_asset, *(symbol.removesuffix(setup.quote_asset) for symbol in setup.symbols)}
    others = " and ".join(asset for asset in fees if asset not in own)
    return [f"Fees in {others} are in no profit here, because its price in {setup.quote_asset} is not known."]


def _pct(part: Decimal, whole: Decimal) -> Decimal:
    return (100 * part / whole).quantize(_PCT_UNIT, ROUND_HALF_EVEN)


def _ranked(counts: Mapping[str, int]) -> dict[str, int]:
    return {str(name): counts[name] for name in sorted(counts, key=lambda name: (-counts[name], str(name)))}
