"""`python -m tests.torture.run`: many seeds, each a life and death of the daemon; a table at the end.

The same seed gives the same run, to the last step: a failing one is repeated, with all that happened, by the command
that is printed for it.
"""

import argparse
import gc
import itertools
import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from multiprocessing import get_context
from typing import Any

from binance_trade_agent.ops.clock import monotonic_seconds
from tests.torture.episode import Result, run_seed
from tests.torture.plan import plan_of
from tests.torture.plants import PLANTS

_PROGRESS_SECONDS = 10.0
_LONGEST_SEED_SECONDS = 120  # of real time; a seed takes about one
_SHOWN_FAILURES = 10
_SHOWN_LINES = 25


def main() -> int:
    """Run the seeds of the command line; 1 when one of them failed."""
    options = _options()
    if os.environ.get("PYTHONHASHSEED") != "0":
        os.execve(
            sys.executable,
            [sys.executable, "-m", "tests.torture.run", *sys.argv[1:]],
            {**os.environ, "PYTHONHASHSEED": "0"},
        )
    if options.plant is not None:
        PLANTS[options.plant]()
    if options.seed is not None:
        return _one(options.seed)
    return _many(options)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.torture.run", description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=200, help="how many seeds (200)")
    parser.add_argument("--minutes", type=float, help="run for so long instead")
    parser.add_argument("--first-seed", type=int, default=1, help="the first seed (1)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 2, help="processes (one a core)")
    parser.add_argument("--seed", type=int, help="one seed only, with everything that happens")
    parser.add_argument("--shared", action="store_true", help="only seeds with two daemons on one account")
    parser.add_argument("--plant", choices=sorted(PLANTS), help="with a bug on purpose, until a seed finds it")
    return parser.parse_args()


def _one(seed: int) -> int:
    result = run_seed(seed, is_printed=True)
    print("\n".join(_table([result], result.cpu_seconds)))
    print(f"trace hash {result.hash}")
    _say_failures([result])
    return 1 if result.violations else 0


def _many(options: argparse.Namespace) -> int:
    began = shown = monotonic_seconds()
    ends = None if options.minutes is None else began + options.minutes * 60
    seeds = _seeds(options)
    results: list[Result] = []
    with ProcessPoolExecutor(
        options.jobs, mp_context=get_context("spawn"), initializer=_prepare, initargs=(options.plant,)
    ) as pool:
        running: set[Future[Result]] = set()
        while True:
            while len(running) < 2 * options.jobs and (ends is None or monotonic_seconds() < ends):
                seed = next(seeds, None)
                if seed is None:
                    break
                running.add(pool.submit(_run_bounded, seed))
            if not running:
                break
            done, running = wait(running, timeout=_PROGRESS_SECONDS, return_when=FIRST_COMPLETED)
            results += [future.result() for future in done]
            if options.plant is not None and any(result.violations for result in results):
                ends = 0.0  # it is found: the seeds under way are the last
                seeds = iter(())
            if monotonic_seconds() - shown >= _PROGRESS_SECONDS:
                shown = monotonic_seconds()
                _say_progress(results, shown - began)
    print("\n".join(_table(results, monotonic_seconds() - began)))
    _say_failures(results)
    return 1 if any(result.violations for result in results) else 0


def _seeds(options: argparse.Namespace) -> Iterator[int]:
    seeds: Iterator[int] = itertools.count(options.first_seed)
    if options.shared:
        seeds = (seed for seed in seeds if plan_of(seed).is_shared)
    return seeds if options.minutes is not None else itertools.islice(seeds, options.seeds)


def _prepare(plant: str | None) -> None:
    if plant is not None:
        PLANTS[plant]()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends the pool
    gc.collect()
    gc.freeze()  # what was imported stays, and need not be looked at after each seed


def _run_bounded(seed: int) -> Result:
    def too_long(*_: Any) -> None:
        raise TimeoutError(f"seed {seed} did not end within {_LONGEST_SEED_SECONDS} s of real time")

    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(_LONGEST_SEED_SECONDS)
    try:
        return run_seed(seed)
    finally:
        signal.alarm(0)


def _say_progress(results: list[Result], seconds: float) -> None:
    failed = sum(bool(result.violations) for result in results)
    orders = sum(result.orders for result in results)
    print(f"{seconds:6.0f} s: {len(results)} seeds, {failed} failed, {orders} orders", flush=True)


def _table(results: list[Result], seconds: float) -> list[str]:
    def total(name: str) -> Any:
        return sum(getattr(result, name) for result in results)

    def counts(name: str) -> str:
        together: Counter[str] = sum((getattr(result, name) for result in results), Counter())
        return ", ".join(f"{kind} {number}" for kind, number in together.most_common()) or "none"

    restarts = sorted(seconds for result in results for seconds in result.restarts)
    cpu = total("cpu_seconds") / max(1, len(results))
    rows = {
        "seeds": f"{len(results)}, {sum(bool(result.violations) for result in results)} failed",
        "virtual time": f"{total('virtual_seconds') / 3600:.1f} h in {seconds:.0f} s ({cpu:.2f} s of CPU a seed)",
        "daemon lives": f"{total('lives')}: {counts('ends')}",
        "orders": f"{total('orders')} ({total('protections')} of them protect), {total('posts')} requests to place",
        "fills": f"{total('fills')}",
        "faults": counts("faults"),
        "crashes": counts("crashes"),
        "crash points passed": counts("passes"),
        "recoveries": f"{len(restarts)}, slowest {restarts[-1] if restarts else 0:.1f} s from start to trading",
        "unknown orders became": counts("resolved"),
        "longest unknown": f"{max((result.unknown_seconds for result in results), default=0):.1f} s",
        "slowest agreement": f"{max((result.converged_seconds for result in results), default=0):.1f} s after the chaos",
        "given up and found": f"{total('late_fills')}",
        "lost, doubled, differences": f"{total('lost')}, {total('doubled')}, {total('differences')}",
    }
    width = max(map(len, rows))
    return ["", *(f"{name:<{width}}  {text}" for name, text in rows.items())]


def _say_failures(results: list[Result]) -> None:
    failed = [result for result in results if result.violations]
    for result in failed[:_SHOWN_FAILURES]:
        print(f"\nseed {result.seed} failed; again: python -m tests.torture.run --seed {result.seed}")
        for violation in result.violations[:5]:
            print(f"  {_shortened(violation)}")
    if len(failed) > _SHOWN_FAILURES:
        rest = " ".join(str(result.seed) for result in failed[_SHOWN_FAILURES:])
        print(f"\nfailed as well: {rest}")


def _shortened(text: str) -> str:
    lines = text.splitlines()
    if len(lines) <= _SHOWN_LINES:
        return "\n  ".join(lines)
    return "\n  ".join([*lines[:3], "...", *lines[-_SHOWN_LINES + 4 :]])


if __name__ == "__main__":
    sys.exit(main())
