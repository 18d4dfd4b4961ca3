"""Our backtest and others on the same candles and the same rule: the same trades first, then the speed.

.venv/bin/python benchmarks/backtest_speed.py [--install] [--peers vectorbt_signals,nautilus] [--workloads w1,w2]
    [--cache FOLDER]

Each peer runs in an environment of its own under the cache folder; `--install` makes those that are missing (some GB,
from PyPI), without it only what is there runs. Candles are read before the clock starts; CPU seconds of the process
count, the least of some rounds. A peer whose trades are not those of `backtest/reference.py` gets no speed.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from backtest import ours
from backtest.environments import NEXT_OPEN, PEERS, Peer, PeerError
from backtest.reference import Outcome, difference, outcome
from backtest.workloads import CACHE, WORKLOADS, Candles, Workload
from support.machine import print_head

MAX_PRICE_ERROR = 1e-9
MAX_FINAL_ERROR = 0.1  # some peers keep 1 % of the cash idle, and the fees of 3,500 orders leave 3 % of it
COMPILED = 2.0  # a first run that took so many times the least is told


def main() -> None:
    """Install what was asked for, then measure and print each workload."""
    wanted = _arguments()
    peers = [peer for peer in PEERS if not wanted.peers or peer.module in wanted.peers]
    print_head(f"benchmarks/backtest_speed.py {' '.join(sys.argv[1:])}".rstrip())
    if wanted.install:
        _install(peers, wanted.cache)
    ready = [peer for peer in peers if peer.is_installed(wanted.cache)]
    for name in wanted.workloads:
        _compare(WORKLOADS[name], ready, wanted.cache)
    missing = [peer for peer in peers if peer not in ready]
    if missing and not wanted.install:
        print(f"Not installed: {', '.join(peer.title for peer in missing)}")
        print(f"Install: .venv/bin/python benchmarks/backtest_speed.py {' '.join(['--install', *sys.argv[1:]])}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--install", action="store_true", help="make the environments of the peers that have none")
    parser.add_argument("--peers", type=_names({peer.module for peer in PEERS}), default=[])
    parser.add_argument("--workloads", type=_names({"w1", "w2"}), default=["w1", "w2"])
    parser.add_argument("--cache", type=Path, default=CACHE, help=f"for candles and environments, default {CACHE}")
    return parser.parse_args()


def _names(allowed: set[str]) -> Callable[[str], list[str]]:
    def read(text: str) -> list[str]:
        names = text.split(",")
        unknown = sorted(set(names) - allowed)
        if unknown:
            raise argparse.ArgumentTypeError(f"{unknown[0]} is none of {', '.join(sorted(allowed))}")
        return names

    return read


def _install(peers: list[Peer], cache: Path) -> None:
    for peer in peers:
        if not peer.is_installed(cache):
            print(f"Installing {peer.title} into {peer.python(cache).parents[1]}", flush=True)
            try:
                peer.install(cache)
            except PeerError as error:
                print(f"  left out: {error}")


def _compare(workload: Workload, peers: list[Peer], cache: Path) -> None:
    candles = workload.candles(workload.symbols[0])
    expected = [outcome(candles, parameters) for parameters in workload.parameter_sets]
    orders = sum(2 * len(one.trades) + (one.open_entry is not None) for one in expected)
    sets = len(workload.parameter_sets)
    print(f"\n{workload.name}: {len(candles):,} candles, {sets} set{'s' * (sets > 1)} of parameters, {orders:,} orders")
    print(f"  {'':31} {'version':11} {'CPU s':>9} {'candles/CPU-s':>14} {'to ours':>8}  counted")
    best = _print_ours(workload, candles)
    for peer in peers:
        if workload.name in peer.workloads:
            try:
                line = peer.measured(workload, cache)
            except PeerError as error:
                print(f"  {peer.title:31} left out: {error}", flush=True)
                continue
            wrong = _wrong(peer, line, candles, expected)
            print(f"  {peer.title:31} {wrong or _figures(line, sets, best, peer.fills_at)}", flush=True)


def _print_ours(workload: Workload, candles: Candles) -> float | None:
    """Our own CPU seconds, None when there are none; what counts is what follows the candles that warm it up."""
    run = getattr(ours, f"run_{workload.name}", None)
    if run is None:
        return None
    try:
        line = run(workload)
    except NotImplementedError as error:
        print(f"  {'ours':31} left out: {error}")
        return None
    expected = [outcome(candles, one, line["first_fill"]) for one in workload.parameter_sets]
    wrong = _wrong(Peer("ours", "ours"), line, candles, expected)
    if wrong:
        sys.exit(f"  {'ours':31} {wrong}")
    print(f"  {'ours':31} {_figures(line, len(expected), line['cpu_seconds'], NEXT_OPEN)}", flush=True)
    return line["cpu_seconds"]


def _wrong(peer: Peer, line: dict, candles: Candles, expected: list[Outcome]) -> str | None:
    """The first thing in which a run is not the expected one, as a sentence."""
    runs = zip(line["trades"], line["prices"], line["final_quote"], expected, strict=True)
    for number, (trades, prices, final_quote, right) in enumerate(runs):
        name = f"{peer.title}, set {number}"
        sentence = difference(name, trades, right)
        if sentence:
            return sentence
        for pair, paid in zip(right.trades, prices, strict=False):
            opens = [float(candles.open[index]) for index in pair]
            off = max(abs(price / opened - 1) for price, opened in zip(paid, opens, strict=True))
            if peer.fills_at == NEXT_OPEN and off > MAX_PRICE_ERROR:
                return f"{name}: the trade {pair} was filled at {paid}, the opens are {opens}"
        if abs(final_quote / right.final_quote - 1) > MAX_FINAL_ERROR:
            return f"{name} ended with {final_quote:.2f}, expected is {right.final_quote:.2f}"
    return None


def _figures(line: dict, sets: int, best: float | None, fills_at: str) -> str:
    seconds = line["cpu_seconds"]
    ratio = "" if best is None else f"{best / seconds:.3g}"
    notes = line["counted"]
    if line["first_cpu_seconds"] > COMPILED * seconds:
        notes += f"; first run {line['first_cpu_seconds']:.2f} s"
    if fills_at != NEXT_OPEN:
        notes += f"; fills at the {fills_at}"
    return f"{line['version']:11} {seconds:9.4f} {line['candles'] * sets / seconds:14,.0f} {ratio:>8}  {notes}"


if __name__ == "__main__":
    main()
