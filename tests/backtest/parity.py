"""The same candles traded twice: by the daemon on the simulated exchange that replays them, and in a backtest.

By hand, on recorded candles (a file a symbol, or a folder with such files):

    python -m tests.backtest.parity /work/shared/data --symbols BTCUSDT,ETHUSDT --start 2024-03-05 --minutes 1440 \
        --strategy rsi_momentum RISK_TRAILING_STOP_PCT=1
"""

import argparse
import asyncio
import contextlib
import io
import logging
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from binance_trade_agent import daemon
from binance_trade_agent.backtest.fills import FillSettings
from binance_trade_agent.backtest.plan import BacktestPlan
from binance_trade_agent.backtest.run import run_backtest
from binance_trade_agent.configuration import Configuration, load
from binance_trade_agent.domain.decisions import Decision, Outcome
from binance_trade_agent.domain.money import plain
from binance_trade_agent.domain.orders import Fill, Order
from binance_trade_agent.domain.strategy_choice import StrategyChoice
from binance_trade_agent.history.files import read_table, symbol_and_interval
from binance_trade_agent.history.rules import rules_of
from binance_trade_agent.ledger import queries
from binance_trade_agent.ledger.reader import LedgerReader
from tests.exchange_process import running_exchange

# Where there is nothing to be done a backtest need not go: those decisions are counted, not compared one by one.
_COUNTED = {Outcome.HELD, Outcome.NO_DATA, Outcome.SKIPPED}


@dataclass(frozen=True)
class Traded:
    """What came of one of the two.

    Attributes:
        orders: with the fills of each.
        decisions: those at which there was something to be done.
        outcomes: of all decisions, how many ended so.
        equity_quote: at each tick.
    """

    orders: Sequence[tuple[Order, Sequence[Fill]]]
    decisions: Sequence[Decision]
    outcomes: Mapping[str, int]
    equity_quote: Sequence[Decimal] | Sequence[float]


def by_daemon(folder: Path, files: Sequence[Path], start_ms: int, ticks: int, **settings: str) -> Traded:
    """Let the daemon trade on the replay of `files`: `ticks` ticks, one at each opening of a candle."""
    return asyncio.run(_daemon(folder, files, start_ms, ticks, settings))


async def _daemon(
    folder: Path, files: Sequence[Path], start_ms: int, ticks: int, settings: Mapping[str, str]
) -> Traded:
    start = datetime.fromtimestamp(start_ms / 1000, UTC).isoformat()
    async with running_exchange(replay=tuple(files), start=start, speed=None) as exchange:
        urls = {"EXCHANGE_URL": exchange.url, "EXCHANGE_CONTROL_URL": exchange.control_url}
        configuration = configured(folder, files, ticks, **urls, **settings)
        with contextlib.redirect_stdout(io.StringIO()):
            assert await daemon._run(configuration) == 0
        await exchange.state()  # fails when the exchange contradicts itself
    end_ms = start_ms + ticks * interval_ms(files)
    with LedgerReader.open(configuration.settings.ledger_path) as reader:
        return reader.snapshot(lambda connection: _of_ledger(connection, end_ms))


def _of_ledger(connection: Any, end_ms: int) -> Traded:
    (run,) = queries.runs(connection)
    orders = [entry.order for entry in queries.orders(connection)]
    fills = [fill for fill in queries.fills(connection) if fill.traded_ms < end_ms]
    decisions = sorted(queries.decisions(connection, run.run_id), key=lambda each: each.tick_ms)
    points = queries.equity(connection, run.run_id)[1:-1]  # without those before the first and after the last tick
    return Traded(
        [_with_fills(order, fills) for order in orders if order.created_ms < end_ms],
        [each for each in decisions if each.outcome not in _COUNTED],
        Counter(str(each.outcome) for each in decisions),
        [point.equity_quote for point in points],
    )


def by_backtest(
    folder: Path, files: Sequence[Path], start_ms: int, ticks: int, *, every_candle: bool = False, **settings: str
) -> Traded:
    """Test the same: the candles of `files`, the settings of the daemon, and fills as on the simulated exchange."""
    configuration = configured(folder, files, ticks, **settings)
    end_ms = start_ms + ticks * interval_ms(files)
    whole = [read_table(path) for path in files]
    tables = {table.symbol: table.rows(0, table.row_from(end_ms)) for table in whole}
    chosen = configuration.settings
    plan = BacktestPlan(
        chosen,
        StrategyChoice(chosen.strategy_name, chosen.strategy_params),
        {symbol: rules_of(None, symbol, table.price(table.open[0])) for symbol, table in tables.items()},
        FillSettings(rules="simulated"),
        start_ms=start_ms,
    )
    result = run_backtest(plan, tables, every_candle=every_candle, keeps_decisions=True)
    return Traded(
        [_with_fills(order, result.fills) for order in result.orders],
        [each for each in result.decisions if each.outcome not in _COUNTED],
        result.outcomes,
        result.equity_quote.tolist(),
    )


def _with_fills(order: Order, fills: Sequence[Fill]) -> tuple[Order, Sequence[Fill]]:
    return order, [fill for fill in fills if fill.client_order_id == order.client_order_id]


def configured(folder: Path, files: Sequence[Path], ticks: int, **settings: str) -> Configuration:
    """The daemon's settings, with a ledger in `folder`."""
    length_ms = interval_ms(files)
    known = {
        "LEDGER_PATH": str(folder / "ledger.db"),
        "TRADING_SYMBOLS": ",".join(symbol_and_interval(path)[0] for path in files),
        "TRADING_CANDLE_INTERVAL": symbol_and_interval(files[0])[1],
        "TRADING_INTERVAL_SECONDS": str(length_ms // 1000),
        "TRADING_DURATION_MINUTES": str(ticks * length_ms / 60_000),
        "SIMULATION_SPEED": "1000000",
        "RECORD_KEEP_MB": "0",
    }
    return load(environment={**known, **settings}, folder=folder)


def interval_ms(files: Sequence[Path]) -> int:
    """Length of the candles of the files."""
    from binance_trade_agent.domain.candles import INTERVAL_MS

    return INTERVAL_MS[symbol_and_interval(files[0])[1]]


def differences(daemon: Traded, backtest: Traded) -> list[str]:
    """What the two did differently, a line each, the first first: nothing when they did the same."""
    pairs = [
        ("decision", _decisions(daemon), _decisions(backtest)),
        ("order", _orders(daemon), _orders(backtest)),
        ("outcomes", [dict(sorted(daemon.outcomes.items()))], [dict(sorted(backtest.outcomes.items()))]),
    ]
    found = []
    for what, ours, theirs in pairs:
        for number in range(max(len(ours), len(theirs))):
            one, other = (side[number] if number < len(side) else "nothing" for side in (ours, theirs))
            if one != other:
                found.append(f"{what} {number + 1}\n  daemon   {one}\n  backtest {other}")
                break
    equity = [float(value) for value in daemon.equity_quote]
    if len(equity) != len(backtest.equity_quote):
        found.append(f"equity: {len(equity)} ticks, {len(backtest.equity_quote)} in the backtest")
    elif not np.allclose(equity, backtest.equity_quote, rtol=1e-12, atol=0):
        tick = int(np.argmax(~np.isclose(equity, backtest.equity_quote, rtol=1e-12, atol=0)))
        found.append(f"equity at tick {tick + 1}: {equity[tick]}, {backtest.equity_quote[tick]} in the backtest")
    return found


def _decisions(traded: Traded) -> list[str]:
    return [_told(each) for each in sorted(traded.decisions, key=lambda each: (each.tick_ms, each.symbol))]


def _told(decision: Decision) -> str:
    """Without how sure the strategy was: the daemon's candles have its own trades in them, so that differs by a hair."""
    parts = (decision.signal.action if decision.signal else None, decision.outcome, decision.exit, decision.rule)
    said = " ".join(str(part) for part in parts if part)
    return f"{_time(decision.tick_ms)} {decision.symbol} {said}, bid {_number(decision.bid)}"


def _orders(traded: Traded) -> list[str]:
    """Each order with its fills as a line, by tick, by symbol, and as the exchange has taken them, a list as one."""
    firsts: dict[str | None, int] = {}
    for order, _ in traded.orders:
        number = order.exchange_order_id or 0
        firsts[order.list_id] = min(number, firsts.get(order.list_id, number))
    keys = [
        (order.created_ms, order.symbol, firsts[order.list_id] if order.list_id else order.exchange_order_id or 0)
        for order, _ in traded.orders
    ]
    lines = [_line(order, fills) for order, fills in traded.orders]
    return [line for _, line in sorted(zip(keys, lines, strict=True))]


def _line(order: Order, fills: Sequence[Fill]) -> str:
    prices = "".join(
        f" {name} {plain(price)}" for name, price in (("at", order.price), ("stop", order.stop_price)) if price
    )
    said = f"{_time(order.created_ms)} {order.symbol} {order.role} {order.type} {order.side} {plain(order.quantity)}"
    parts = (
        f"{_time(fill.traded_ms)} {plain(fill.quantity)} @ {plain(fill.price)} "
        f"fee {plain(fill.commission)} {fill.commission_asset}{' maker' if fill.is_maker else ''}"
        for fill in fills
    )
    return f"{said}{prices} {order.state}: {', '.join(parts)}"


def _number(value: Decimal | None) -> str:
    return "-" if value is None else plain(value)


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").removesuffix("+00:00")


def main(arguments: Sequence[str]) -> int:
    """Print `N orders, 0 differences`, or what differs first."""
    parser = argparse.ArgumentParser(prog="python -m tests.backtest.parity", description=__doc__)
    parser.add_argument("data", type=Path, nargs="+", help="candle files, or a folder with SYMBOL-INTERVAL.csv.gz")
    parser.add_argument("--symbols", default="BTCUSDT,ETHUSDT", help="of a folder")
    parser.add_argument("--interval", default="1m", help="of a folder")
    parser.add_argument("--start", required=True, help="first tick, ISO, UTC")
    parser.add_argument("--minutes", type=int, default=1440)
    parser.add_argument("--strategy", default="rsi_momentum")
    parser.add_argument("--every-candle", action="store_true")
    parser.add_argument("settings", nargs="*", default=[], help="NAME=VALUE as in the environment")
    given, settings = parser.parse_known_args(arguments)
    names = [each for each in map(str, given.data) if "=" in each]
    data = [path for path in given.data if "=" not in str(path)]
    if data[0].is_dir():
        data = [data[0] / f"{symbol}-{given.interval}.csv.gz" for symbol in given.symbols.split(",")]
    environment = {"STRATEGY_NAME": given.strategy, **dict(each.split("=", 1) for each in [*names, *settings])}
    start_ms = round(datetime.fromisoformat(given.start).replace(tzinfo=UTC).timestamp() * 1000)
    ticks = given.minutes * 60_000 // interval_ms(data)
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        traded = by_daemon(Path(folder), data, start_ms, ticks, **environment)
        tested = by_backtest(Path(folder), data, start_ms, ticks, every_candle=given.every_candle, **environment)
    found = differences(traded, tested)
    print(
        f"{given.strategy}: {len(traded.orders)} orders, {sum(len(f) for _, f in traded.orders)} fills, {len(found)} differences"
    )
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
