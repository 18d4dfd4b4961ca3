"""An hour of many symbols through a storm, on virtual time: `python -m tests.torture.storm_hour [--symbols 500]`.

One daemon follows and trades all symbols from their streams while the exchange fails by a schedule (by default
`config/faults/storm.toml`: lost answers, slow ones, sockets that break or fall silent, maintenance, a wrong clock, used
up limits, a restart). Every five minutes each candle that the daemon keeps is held against the exchange's. At the end the
faults stop, and whatever the ledger and the exchange then disagree on is printed. The exit code is 1 when a candle is
missing or differs when the daemon has had three minutes without an outage, when a difference is left, or when an
invariant was broken.

Memory is that of one process with both in it, and with the trace of what happened: what matters is that it stays.
"""

import argparse
import random
import resource
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from urllib.parse import parse_qsl

from binance_trade_agent.exchange.weights import cost
from binance_trade_agent.feed.candles import CandleFeed
from binance_trade_agent.ops.clock import monotonic_seconds
from binance_trade_agent.simulator.faults.schedule import read_schedule
from tests.torture.loop import run_virtual
from tests.torture.strategy import CoinStrategy
from tests.torture.world import World

STORM = Path(__file__).parents[2] / "config" / "faults" / "storm.toml"
MINUTE_MS = 60_000
LOOK_MINUTES = 5
RECOVERS_SECONDS = 180
CALM_MINUTES = 4  # after the last fault, before the books are compared
SETTINGS = {
    "TRADING_INTERVAL_SECONDS": "30",
    "TRADING_ORDER_QUOTE": "50",
    "RISK_MAX_OPEN_POSITIONS": "1000",
}
# What keeps candles from coming, or from being asked for: (first, last) second of storm.toml.
OUTAGES = ((600, 600), (900, 1020), (1200, 1200), (1500, 1620), (1800, 1800), (2400, 2400), (2700, 3000), (3300, 3300))


@dataclass
class Storm:
    """What was seen of the hour."""

    failures: list[str] = field(default_factory=list)
    weight: Counter[str] = field(default_factory=Counter)
    count: Counter[str] = field(default_factory=Counter)

    def on_request(self, method: str, target: str, _body: str) -> None:
        """Note what a request weighs."""
        path, _, query = target.partition("?")
        name = f"{method} {path.removeprefix('/api/v3/')}"
        self.count[name] += 1
        if method == "GET":
            self.weight[name] += cost("get", path.removeprefix("/api/v3/"), dict(parse_qsl(query))).weight


def main() -> int:
    """Run it and print what is seen."""
    parser = argparse.ArgumentParser(prog="python -m tests.torture.storm_hour", description=__doc__.splitlines()[0])
    parser.add_argument("--symbols", type=int, default=500)
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--faults", type=Path, default=STORM)
    wanted = parser.parse_args()
    storm = run_virtual(hour, wanted.symbols, wanted.minutes, wanted.seed, wanted.faults, seed=wanted.seed)
    print("\n".join(storm.failures) or "no lost candle, no difference, no broken invariant")
    return 1 if storm.failures else 0


async def hour(symbols: int, minutes: int, seed: int, faults: Path) -> Storm:
    """The hour."""
    storm = Storm()
    traded = tuple(f"SIM{number}USDT" for number in range(1, symbols + 1))
    coin = CoinStrategy(random.Random(f"coin {seed}"), buy=0.01, sell=0.1)
    async with World(seed, symbols=traded, usdt=Decimal(10_000_000), strategy=coin, **SETTINGS) as world:
        world.exchange.request_listeners.append(storm.on_request)
        daemon = world.start()
        if not await world.until(lambda: daemon.traded_at is not None or not daemon.is_alive, 300):
            storm.failures.append("the daemon has not started in five minutes")
        if daemon.traded_at is None:
            storm.failures.append(f"the daemon ended at its start: {daemon.end}")
            return storm
        begun_at, begun_ms = world.loop.elapsed_seconds, world.exchange.exchange.now_ms
        print(f"{symbols} symbols, first tick after {daemon.traded_at - daemon.began_at:.1f} s; weight of the start:")
        print(f"  {_listed(storm.weight)}")
        print(
            f"{'minute':>6} {'kept candles':>13} {'wrong':>6} {'decided':>8} {'orders':>7} {'weight':>7} {'MB':>6} real s"
        )
        for fault in read_schedule(faults):
            world.exchange.simulation.faults.add(fault, origin_ms=begun_ms)
        began_seconds = resource.getrusage(resource.RUSAGE_SELF).ru_utime
        for minute in range(LOOK_MINUTES, minutes + 1, LOOK_MINUTES):
            before = storm.weight.total()
            await world.sleep(begun_at + 60 * minute - world.loop.elapsed_seconds)
            await _mid_minute(world)
            _look(world, storm, traded, minute, world.loop.elapsed_seconds - begun_at, before, began_seconds)
        await _calm(world, storm, coin)
        _look(world, storm, traded, minutes + CALM_MINUTES, float("inf"), storm.weight.total(), began_seconds)
        print(f"asked: {_listed(storm.count)}")
        print(f"decided: {_listed(_outcomes(world))}")
    return storm


async def _mid_minute(world: World) -> None:
    """Wait for the middle of a minute: what has closed has come by then."""
    into = world.exchange.exchange.now_ms % MINUTE_MS
    await world.sleep(((1.5 * MINUTE_MS - into) % MINUTE_MS) / 1000)


async def _calm(world: World, storm: Storm, coin: CoinStrategy) -> None:
    """Let the storm end, and hold the books against the exchange."""
    coin.is_quiet = True
    world.quiet()
    await world.sleep(60 * CALM_MINUTES)
    await _mid_minute(world)
    left = await world.converged()
    storm.failures += [f"difference: {each}" for each in left]
    storm.failures += [f"broken: {each}" for each in world.invariants.violations]
    storm.failures += [f"logged: {each}" for each in world.trace.mistakes]


def _look(
    world: World,
    storm: Storm,
    traded: Sequence[str],
    minute: int,
    into_seconds: float,
    weight_before: int,
    began_seconds: float,
) -> None:
    """Hold all candles against the exchange's, and print a line."""
    wrong = list(_wrong_candles(world, traded))
    is_recovering = any(first <= into_seconds < last + RECOVERS_SECONDS for first, last in OUTAGES)
    if wrong and not is_recovering:
        storm.failures += [f"minute {minute}: {each}" for each in wrong[:5]]
        storm.failures += [f"minute {minute}: {len(wrong)} symbols in all"]
    kept = sum(len(ring.window()) for ring in _candles(world).rings.values())
    print(
        f"{minute:6} {kept:13,} {f'{len(wrong)}*' if is_recovering else len(wrong):>6}"
        f" {_number(world, 'decisions'):8,} {_number(world, 'orders'):7,} {storm.weight.total() - weight_before:7,}"
        f" {_resident_mb():6.0f} {resource.getrusage(resource.RUSAGE_SELF).ru_utime - began_seconds:6.0f}",
        flush=True,
    )


def _wrong_candles(world: World, traded: Sequence[str]) -> Iterator[str]:
    """A sentence for each symbol whose kept candles are not the exchange's newest closed ones."""
    now_ms = world.exchange.exchange.now_ms
    for symbol in traded:
        window = _candles(world).rings[symbol, "1m"].window()
        ours = [candle.open_time_ms for candle in window]
        theirs = [
            kline
            for kline in world.exchange.exchange.market.klines(symbol, "1m", limit=len(ours) + 1)
            if kline.close_time_ms < now_ms
        ][-len(ours) :]
        if ours != [kline.open_time_ms for kline in theirs]:
            missing = {kline.open_time_ms for kline in theirs}.difference(ours)
            yield f"{symbol}: {len(missing)} of {len(theirs)} candles are missing, the first {min(missing, default=None)}"
            continue
        for candle, kline in zip(window, theirs, strict=True):
            told = candle.open, candle.high, candle.low, candle.close, candle.volume
            if told != (kline.open, kline.high, kline.low, kline.close, kline.volume):
                yield f"{symbol}: the candle of {candle.open_time_ms} is {told}, the exchange's {kline}"
                break


def _candles(world: World) -> CandleFeed:
    assembly = world.daemons[-1].assembly
    assert assembly is not None, "it trades"
    return assembly._feed.candles  # type: ignore[union-attr, no-any-return]


def _number(world: World, table: str) -> int:
    return int(world.read(lambda inside: inside.execute(f"SELECT count(*) FROM {table}").fetchone()[0]))


def _outcomes(world: World) -> Counter[str]:
    rows = world.read(lambda inside: inside.execute("SELECT outcome, count(*) FROM decisions GROUP BY 1").fetchall())
    return Counter({row[0]: row[1] for row in rows})


def _listed(counted: Counter[str]) -> str:
    return ", ".join(f"{name} {number:,}" for name, number in counted.most_common()) or "nothing"


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
    return pages * resource.getpagesize() / 1e6


if __name__ == "__main__":
    began = monotonic_seconds()
    code = main()
    print(f"{monotonic_seconds() - began:.0f} s of real time")
    sys.exit(code)
