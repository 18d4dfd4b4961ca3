"""Every strategy over recorded candles: the real daemon on its own exchange, at full speed, and what came of it.

.venv/bin/python benchmarks/replay.py DATA_FOLDER [--interval 5m] [--tick 300] [--strategies a,b] [--start ISO]
    [--minutes N] [--candles 1m] [--set RISK_MAX_DRAWDOWN_PCT=3 ...]

For each strategy one session on `SYMBOL-<candles>.csv.gz` of BTCUSDT and ETHUSDT: trades, profit after fees, deepest
fall of equity, pauses, refusals by rule, and every limit checked again from the fills alone (support/limits_kept.py).
These are not the results to expect of a strategy: no parameter was looked for, and the past is not the future.
"""

import argparse
import gzip
import sqlite3
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

from binance_trade_agent.ledger import queries
from binance_trade_agent.reports.trades import figures_in_all, replay
from binance_trade_agent.strategies.registry import strategy_names
from support.limits_kept import broken_limits
from support.machine import print_head
from support.processes import TRADE_AGENT, finished, start

SYMBOLS = ("BTCUSDT", "ETHUSDT")
FULL_SPEED = "1000000"
ZERO = Decimal(0)


def main() -> None:
    """Replay and print."""
    wanted = _arguments()
    files = [wanted.data.resolve() / f"{symbol}-{wanted.candles}.csv.gz" for symbol in SYMBOLS] if wanted.data else []
    if not all(file.is_file() for file in files) or not files:
        print("benchmarks/replay.py: no folder with recorded candles was given; left out")
        return
    print_head(f"benchmarks/replay.py {' '.join(sys.argv[1:])}")
    settings = {
        "SIMULATION_REPLAY": ",".join(str(file) for file in files),
        "SIMULATION_SPEED": FULL_SPEED,
        "TRADING_CANDLE_INTERVAL": wanted.interval,
        "TRADING_INTERVAL_SECONDS": str(wanted.tick),
        "TRADING_DURATION_MINUTES": str(wanted.minutes or _minutes_left(files[0], wanted.start)),
        "LOG_LEVEL": "ERROR",
        "SIMULATION_START": wanted.start,
        **dict(pair.split("=", 1) for pair in wanted.set),
    }
    names = wanted.strategies.split(",") if wanted.strategies else strategy_names()
    with ThreadPoolExecutor(wanted.jobs) as pool:
        for text in pool.map(lambda name: _session(name, settings), names):
            print(text, flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--candles", default="1m", help="of the files")
    parser.add_argument("--interval", default="5m", help="candles that the strategy looks at")
    parser.add_argument("--tick", type=int, default=300, help="seconds from one tick to the next")
    parser.add_argument("--minutes", type=int, default=0, help="of market time; 0: to the end of the data")
    parser.add_argument("--start", default="2024-07-28T00:00:00+00:00", help="ISO time; candles before it are history")
    parser.add_argument("--strategies", help="names, all without this")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting")
    return parser.parse_args()


def _minutes_left(file: Path, start: str) -> int:
    """Whole minutes of market time from `start` to the last candle of the file."""
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        *_, last = lines
    return (int(last.split(",")[0]) // 1000 - round(datetime.fromisoformat(start).timestamp())) // 60


def _session(name: str, settings: Mapping[str, str]) -> str:
    with TemporaryDirectory() as place:
        ledger = Path(place) / "ledger.db"
        command = [TRADE_AGENT, "run"]
        cpu = finished(start(command, Path(place), {**settings, "STRATEGY_NAME": name, "LEDGER_PATH": str(ledger)}))
        with closing(sqlite3.connect(ledger)) as connection:
            connection.row_factory = sqlite3.Row
            return _told(name, connection, cpu)


def _told(name: str, connection: sqlite3.Connection, cpu: float) -> str:
    trades, _ = replay(queries.fills(connection), queries.symbol_assets(connection))
    figures = figures_in_all(trades)
    points = [
        Decimal(row[0]) + Decimal(row[1])
        for row in connection.execute("SELECT cash_quote, positions_quote FROM equity ORDER BY tick_ms, cycle")
    ]
    ticks = connection.execute("SELECT count(DISTINCT tick_ms) FROM decisions").fetchone()[0]
    refusals = connection.execute(
        "SELECT rule, count(*) FROM decisions WHERE outcome = 'REFUSED' GROUP BY rule ORDER BY 2 DESC"
    )
    outcomes = connection.execute("SELECT outcome, count(*) FROM decisions GROUP BY outcome ORDER BY 2 DESC")
    exits = connection.execute(
        "SELECT exit, count(*) FROM orders WHERE side = 'SELL' AND executed_base != '0' GROUP BY exit ORDER BY 2 DESC"
    )
    pauses = connection.execute("SELECT rule, count(*) FROM pauses GROUP BY rule")
    broken = broken_limits(connection)
    before, after = points[0], points[-1]
    lines = [
        f"{name}: {ticks} ticks, {cpu:.0f} s of processor (daemon)",
        *(
            f"  trades {f.buys} buys, {f.sells} sells; won {f.won_sells}; {f.volume_quote:,.0f} {f.quote_asset} traded"
            for f in figures
        ),
        (
            f"  equity {before:,.2f} to {after:,.2f}: {after - before:+,.2f} after fees, "
            f"deepest fall {_drawdown_pct(points):.2f} %"
        ),
        f"  outcomes {_listed(outcomes)}",
        f"  refusals {_listed(refusals)}",
        f"  exits by {_listed(exits)}",
        f"  pauses {_listed(pauses)}",
        f"  limits broken: {len(broken)}" + "".join(f"\n    {sentence}" for sentence in broken[:10]),
    ]
    return "\n".join(lines)


def _listed(rows: sqlite3.Cursor) -> str:
    return ", ".join(f"{row[0]} {row[1]}" for row in rows) or "none"


def _drawdown_pct(points: list[Decimal]) -> Decimal:
    peak, deepest = points[0], ZERO
    for point in points:
        peak = max(peak, point)
        deepest = max(deepest, (peak - point) * 100 / peak)
    return deepest


if __name__ == "__main__":
    main()
