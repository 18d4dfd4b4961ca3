"""A trader that follows many symbols, at real speed, beside the exchange on the same cores.

Run `.venv/bin/python benchmarks/many_symbols.py [--symbols 1,2,10] [--minutes 3] [--decisions 0,10000] [--plot SVG]
    [--freqtrade 2,10 --install] [--strategy macd_crossover --positions 500]`.
Candles of one minute, a tick each five seconds; what closes between two ticks is decided on at once. With RSI and at
most 50 positions most entries are made at ticks, as soon as another position is left; a strategy that waits for
crossings, and room for all, show what follows from a candle. The trader warms up until the second minute after its
first tick has begun, then it is measured. What each number is:

weight     what the exchange's log weighs, a minute
CPU        of the trader's process, all of it, in percent of a core; the exchange's likewise
tick CPU   of the process from the beginning of a tick to its end, mean (trade_agent_tick_cpu_seconds)
order      from taking the event that closes a candle from its connection to the order's request on the wire, by the
           buckets of trade_agent_candle_to_order_seconds; the first order of each decision, exits too
arrival    from the minute's end by the exchange's clock to when it had the order, of orders within ARRIVES_WITHIN_MS;
           the exchange's own work at the end of the minute is in it: 500 symbols trade and close then
start      from the process to the end of its first tick, which decides on all symbols
loop       the longest that a timer of the event loop came late, of one set 40 times a second

With --freqtrade its dry run does the same beside the same market, with candles and prices by REST through ccxt; its
loops are its ticks, its orders those of its log. With --decisions each ledger has so many decisions of an earlier run
beforehand, and symbols are 10.
"""

import argparse
import sqlite3
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from backtest.environments import PEERS
from backtest.workloads import CACHE
from binance_trade_agent.ops.clock import block_seconds, monotonic_seconds, wall_ms
from support.freqtrade_loop import THROTTLE_SECONDS, Freqtrade
from support.live import Exchange, Metrics, Spent, Trader, Use, names, quantile_ms, spent
from support.machine import print_head
from support.plots import Panel, write_panels
from support.processes import resident_mb

FREQTRADE = next(peer for peer in PEERS if peer.module == "freqtrade_backtest")
SYMBOLS = (1, 2, 10, 100, 500, 1_000)
SYMBOLS_OF_AGED = 10
START_SECONDS = 120
ARRIVES_WITHIN_MS = 10_000
MINUTE_MS = 60_000
SETTLED_MS = 5_000  # into a minute: its candles have closed
SAMPLE_SECONDS = 5.0
SETTINGS = {
    "TRADING_INTERVAL_SECONDS": "5",
    "TRADING_CANDLE_INTERVAL": "1m",
    "TRADING_ORDER_QUOTE": "50",
    "STRATEGY_NAME": "rsi_momentum",
    "RISK_MAX_OPEN_POSITIONS": "50",
    "RISK_MAX_POSITION_QUOTE": "10000",
    "RISK_COOLDOWN_SECONDS": "60",
    "RISK_MAX_TRADES_PER_HOUR": "0",
    "RISK_MAX_TRADES_PER_DAY": "0",
    "RISK_MAX_SYMBOL_TRADES_PER_HOUR": "0",
    "RISK_MAX_SYMBOL_TRADES_PER_DAY": "0",
    "RISK_MAX_CONSECUTIVE_LOSSES": "0",
}


@dataclass(frozen=True)
class Line:
    """What was measured of one run; percentiles are None without an order."""

    name: str
    symbols: int
    size: int
    weight: float
    by_path: Spent
    minutes: float
    cpu_pct: float
    exchange_cpu_pct: float
    ticks: int
    tick_cpu_ms: float
    tick_ms: float | None
    orders: int
    order_ms: tuple[float | None, ...]
    arrivals_ms: Sequence[int]
    start_seconds: float
    memory_mb: tuple[float, float]
    loop_ms: float | None


def main() -> None:
    """Measure and print."""
    wanted = _arguments()
    print_head(f"benchmarks/many_symbols.py {' '.join(sys.argv[1:])}")
    print(__doc__.partition("number is:\n\n")[2])
    print_title("symbols")
    lines, theirs = [], []
    settings = SETTINGS | {"STRATEGY_NAME": wanted.strategy, "RISK_MAX_OPEN_POSITIONS": str(wanted.positions)}
    for count in sizes(wanted.symbols):
        lines.append(run(f"{count:,}", count, wanted.minutes, settings))
        if count in sizes(wanted.freqtrade):
            theirs.append(run_freqtrade(count, wanted.minutes))
    print_paths([*lines, *theirs])
    aged: list[Line] = []
    if wanted.decisions:
        print_title("decisions")
        aged = [run(f"{past:,}", SYMBOLS_OF_AGED, wanted.minutes, settings, past) for past in sizes(wanted.decisions)]
    if wanted.plot:
        write_panels(wanted.plot, panels(lines, aged))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--symbols", default=",".join(map(str, SYMBOLS)), help="how many, one run each")
    parser.add_argument("--minutes", type=float, default=3.0, help="measured in each run")
    parser.add_argument("--decisions", default="", help="that a ledger has beforehand, one run each")
    parser.add_argument("--strategy", default=SETTINGS["STRATEGY_NAME"], help="the trader's")
    parser.add_argument("--positions", type=int, default=int(SETTINGS["RISK_MAX_OPEN_POSITIONS"]), help="at most open")
    parser.add_argument("--plot", type=Path, help="SVG file for the growth")
    parser.add_argument("--freqtrade", default="", help="at which of the numbers of symbols its loop is run too")
    parser.add_argument("--install", action="store_true", help="freqtrade, into the cache of the benchmarks")
    wanted = parser.parse_args()
    if wanted.install:
        FREQTRADE.install(CACHE)
    if wanted.freqtrade and not FREQTRADE.is_installed(CACHE):
        parser.error("freqtrade is not installed: add --install")
    return wanted


def sizes(text: str) -> list[int]:
    """The numbers of a list."""
    return [int(word) for word in text.split(",") if word]


def run(name: str, symbols: int, minutes: float, settings: Mapping[str, str], past: int | None = None) -> Line:
    """Start both, measure, print a line; `past` is how many decisions the ledger has beforehand."""
    with TemporaryDirectory() as folder:
        exchange = Exchange(Path(folder), symbols)
        try:
            if past:
                _write_past(Path(folder), exchange, symbols, past)
            trader = Trader(Path(folder), exchange, symbols, settings)
            try:
                line = measured(name, symbols, symbols if past is None else past, exchange, trader, minutes)
            finally:
                trader.stop()
        finally:
            exchange.stop()
    print_line(line)
    return line


def run_freqtrade(symbols: int, minutes: float) -> Line:
    """The same for freqtrade's dry run, which asks by REST; it counts no ticks itself, so its loops are those due."""
    with TemporaryDirectory() as folder:
        exchange = Exchange(Path(folder), symbols)
        try:
            bot = Freqtrade(FREQTRADE.python(CACHE), Path(folder), exchange, symbols)
            try:
                start_seconds = bot.wait_for_loop(START_SECONDS)
                wait_for_steady_state()
                number, began = exchange.last_request(), monotonic_seconds()
                ours, theirs, memory_mb, begun_ms = Use(bot.pid), Use(exchange.pid), resident_mb(bot.pid), wall_ms()
                block_seconds(60 * minutes)
                passed = (monotonic_seconds() - began) / 60
                by_path = spent(exchange.requests_after(number))
                loops = round(60 * passed / THROTTLE_SECONDS)
                cpu_pct = ours.pct()
                line = Line(
                    name="freqtrade",
                    symbols=symbols,
                    size=symbols,
                    weight=by_path.weight.total() / passed,
                    by_path=by_path,
                    minutes=passed,
                    cpu_pct=cpu_pct,
                    exchange_cpu_pct=theirs.pct(),
                    ticks=loops,
                    tick_cpu_ms=10 * cpu_pct * 60 * passed / loops,
                    tick_ms=None,
                    orders=0,
                    order_ms=(None, None, None),
                    arrivals_ms=_into_minutes(bot.orders_ms(), begun_ms),
                    start_seconds=start_seconds,
                    memory_mb=(memory_mb, resident_mb(bot.pid)),
                    loop_ms=None,
                )
            finally:
                bot.stop()
        finally:
            exchange.stop()
    print_line(line)
    return line


def wait_for_steady_state() -> None:
    """Until the second minute from now has begun: the one in which it started is over, and one more."""
    for _ in range(2):
        block_seconds(((SETTLED_MS - wall_ms()) % MINUTE_MS) / 1000 + 1)


def measured(name: str, symbols: int, size: int, exchange: Exchange, trader: Trader, minutes: float) -> Line:
    """Let it warm up, and measure."""
    start_seconds = trader.wait_for_first_tick(START_SECONDS)
    wait_for_steady_state()
    number = exchange.last_request()
    begun_ms, before = wall_ms(), trader.metrics()
    ours, theirs, began = Use(trader.pid), Use(exchange.pid), monotonic_seconds()
    memory_mb, loop_ms = resident_mb(trader.pid), 0.0
    while (left := began + 60 * minutes - monotonic_seconds()) > 0:
        block_seconds(min(left, SAMPLE_SECONDS))
        process = trader.vitals().process
        loop_ms = max(loop_ms, (process.longest_loop_lag_ms if left < 60 else process.loop_lag_ms) or 0.0)
    passed = (monotonic_seconds() - began) / 60
    cpu_pct, exchange_cpu_pct, after = ours.pct(), theirs.pct(), trader.metrics()
    by_path = spent(exchange.requests_after(number))
    ticks = _more(before, after, "tick_cpu_seconds_count")
    return Line(
        name=name,
        symbols=symbols,
        size=size,
        weight=by_path.weight.total() / passed,
        by_path=by_path,
        minutes=passed,
        cpu_pct=cpu_pct,
        exchange_cpu_pct=exchange_cpu_pct,
        ticks=round(ticks),
        tick_cpu_ms=1000 * _more(before, after, "tick_cpu_seconds_sum") / max(1, ticks),
        tick_ms=1000 * _more(before, after, "tick_duration_seconds_sum") / max(1, ticks),
        orders=round(_more(before, after, "candle_to_order_seconds_count")),
        order_ms=tuple(quantile_ms(before, after, "candle_to_order_seconds", share) for share in (0.5, 0.9, 0.99)),
        arrivals_ms=_into_minutes([order["time"] for order in exchange.state()["orders"]], begun_ms),
        start_seconds=start_seconds,
        memory_mb=(memory_mb, resident_mb(trader.pid)),
        loop_ms=loop_ms,
    )


def _more(before: Metrics, after: Metrics, name: str) -> float:
    return after.number(name) - before.number(name)


def _into_minutes(times_ms: Sequence[int], since_ms: int) -> list[int]:
    """How long after the end of a minute the orders came that came soon after it."""
    intos_ms = (at_ms % MINUTE_MS for at_ms in times_ms if at_ms >= since_ms)
    return sorted(into_ms for into_ms in intos_ms if into_ms < ARRIVES_WITHIN_MS)


def _write_past(folder: Path, exchange: Exchange, symbols: int, decisions: int) -> None:
    """A ledger of this exchange with so many decisions of an earlier run, ten symbols at a tick."""
    trader = Trader(folder, exchange, symbols, SETTINGS)
    try:
        trader.wait_for_first_tick(START_SECONDS)
    finally:
        trader.stop()
    with closing(sqlite3.connect(trader.ledger_path)) as connection, connection:
        connection.execute("PRAGMA cache_size = -200000")
        connection.execute("CREATE TEMP TABLE traded (number INTEGER PRIMARY KEY, symbol TEXT)")
        connection.executemany("INSERT INTO traded VALUES (?, ?)", enumerate(names(symbols).split(",")))
        connection.execute(_PAST_RUN)
        connection.execute(_PAST_DECISIONS, (decisions // symbols,))
        connection.execute(_PAST_EQUITY, (decisions // symbols,))


# The ticks of the past are five seconds apart and end an hour before the run that made the ledger.
_PAST_RUN = """
INSERT INTO runs (run_id, number, epoch, mode, strategy, symbols, settings_json, exchange, started_ms, ended_ms,
    started_wall_ms, ended_wall_ms, pid, end_reason)
SELECT 'past', number + 1, epoch, mode, strategy, symbols, settings_json, exchange, started_ms, ended_ms,
    started_wall_ms, ended_wall_ms, pid, 'the past' FROM runs ORDER BY number DESC LIMIT 1
"""
_TICKS = """
WITH RECURSIVE ticks (cycle) AS (SELECT 1 UNION ALL SELECT cycle + 1 FROM ticks WHERE cycle < ?1),
    latest AS (SELECT started_ms, epoch FROM runs WHERE run_id = 'past')
"""
_PAST_DECISIONS = f"""
INSERT INTO decisions (run_id, tick_ms, symbol, cycle, outcome, detail, bid, ask, candle_age_ms, book_age_ms, strategy,
    action, confidence, reason, indicators_json, candle_open_ms, candle_count)
{_TICKS}
SELECT 'past', started_ms - 3600000 - 5000 * (?1 - cycle), symbol, cycle, 'HELD', 'RSI 47.2', '100', '100.01', 1000, 50,
    'rsi_momentum', 'HOLD', 0.0, 'RSI 47.2', '{{"rsi": 47.2}}', started_ms - 3660000 - 5000 * (?1 - cycle), 200
FROM ticks, latest, traded
"""  # noqa: S608 (nothing from outside)
_PAST_EQUITY = f"""
INSERT INTO equity (run_id, tick_ms, cycle, equity_quote, cash_quote, positions_quote, realised_pnl_quote,
    unrealised_pnl_quote, quote_asset, epoch, peak_quote)
{_TICKS}
SELECT 'past', started_ms - 3600000 - 5000 * (?1 - cycle), cycle, '10000000', '10000000', '0', '0', '0', 'USDT', epoch,
    '10000000' FROM ticks, latest
"""  # noqa: S608 (nothing from outside)


def print_title(size: str) -> None:
    """The head of the table."""
    print(
        f"{size:>9} {'weight':>7} {'CPU %':>6} {'exch. %':>7} {'ticks':>5} {'tick CPU ms':>11} {'us/symbol':>9}"
        f" {'tick ms':>8} {'order p50/p90/p99 ms':>22} {'of':>5} {'arrival p50/p99 ms':>19} {'of':>5} {'start s':>7}"
        f" {'MB':>9} {'loop ms':>7}"
    )


def print_line(line: Line) -> None:
    """One run."""
    order = "/".join("-" if value is None else f"{value:.0f}" for value in line.order_ms)
    arrivals = line.arrivals_ms
    arrival = f"{_share(arrivals, 0.5)}/{_share(arrivals, 0.99)}" if arrivals else "-"
    print(
        f"{line.name:>9} {line.weight:7.0f} {line.cpu_pct:6.1f} {line.exchange_cpu_pct:7.1f} {line.ticks:5}"
        f" {line.tick_cpu_ms:11.1f} {1000 * line.tick_cpu_ms / line.symbols:9.0f} {_told(line.tick_ms):>8} {order:>22}"
        f" {line.orders:5} {arrival:>19} {len(arrivals):5} {line.start_seconds:7.2f}"
        f" {line.memory_mb[0]:4.0f}-{line.memory_mb[1]:.0f} {_told(line.loop_ms):>7}",
        flush=True,
    )


def _told(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def print_paths(lines: Sequence[Line]) -> None:
    """Where the weight of each run went."""
    print("\nRequest weight a minute by path, and requests a minute:")
    for line in lines:
        asked = sorted(line.by_path.count, key=lambda path: -line.by_path.weight[path])
        told = ", ".join(
            f"{path} {line.by_path.weight[path] / line.minutes:.1f} ({line.by_path.count[path] / line.minutes:.1f})"
            for path in asked
        )
        print(f"{line.name:>9}  {told}")


def _share(ordered: Sequence[int], share: float) -> int:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def panels(lines: Sequence[Line], aged: Sequence[Line]) -> list[Panel]:
    """What is drawn."""

    def points(values: Sequence[Line], of: str, part: int | None = None) -> list[tuple[float, float]]:
        found = [(line.size, getattr(line, of)) for line in values]
        told = [(size, value if part is None else value[part]) for size, value in found]
        return [(size, value) for size, value in told if value is not None]

    drawn = [
        Panel("Processor of a tick, ms", "symbols", {"": points(lines, "tick_cpu_ms")}),
        Panel(
            "Candle to order, ms",
            "symbols",
            {"p50": points(lines, "order_ms", 0), "p99": points(lines, "order_ms", 2)},
        ),
        Panel("Request weight a minute", "symbols", {"": points(lines, "weight")}),
        Panel("Memory, MB", "symbols", {"": points(lines, "memory_mb", 1)}),
        Panel("Start to the first tick's end, s", "symbols", {"": points(lines, "start_seconds")}),
    ]
    if aged:
        drawn.append(Panel("Processor of a tick, ms", "decisions in the ledger", {"": points(aged, "tick_cpu_ms")}))
    return drawn


if __name__ == "__main__":
    main()
