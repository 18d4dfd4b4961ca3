"""`trade-agent optimize`: the plan and the candles by name, the search, and the report wherever it is wanted."""

import functools
import hashlib
import inspect
import signal
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from binance_trade_agent import __version__, exit_codes
from binance_trade_agent.agents.market_data import LEAST_HISTORY
from binance_trade_agent.backtest.command import STANDARD_OUTPUT, Asked, loaded, refuse_unwritable
from binance_trade_agent.backtest.optimize import progress, report, samplers
from binance_trade_agent.backtest.optimize.dask_workers import dask_workers
from binance_trade_agent.backtest.optimize.evaluate import backtests, detail_key
from binance_trade_agent.backtest.optimize.goals import goals_named
from binance_trade_agent.backtest.optimize.memory import Memory
from binance_trade_agent.backtest.optimize.model import GoneError, OptimizeError, Span, Workers
from binance_trade_agent.backtest.optimize.optimisation import USUAL_TOP, Optimisation, optimise
from binance_trade_agent.backtest.optimize.search import Question
from binance_trade_agent.backtest.optimize.space import Space, space_of
from binance_trade_agent.backtest.optimize.windows import USUAL_HOLDOUT, Window, held_back, walking_forward
from binance_trade_agent.backtest.optimize.workers import Candles, Workload, local_workers
from binance_trade_agent.backtest.plan import BacktestError, BacktestPlan
from binance_trade_agent.domain.wording import iso_second
from binance_trade_agent.history.errors import HistoryError
from binance_trade_agent.history.table import CandleTable
from binance_trade_agent.ops.clock import monotonic_seconds
from binance_trade_agent.ops.terminal import complain
from binance_trade_agent.strategies.registry import StrategyError, create_strategy


@dataclass(frozen=True, slots=True)
class Wanted:
    """How to search.

    Attributes:
        space: `--space` texts (see `space_of`); goals: names; sampler: a name, None for the usual one.
        trials: how many sets, None for the usual number; batch: sets that are proposed before one of them is known.
        holdout: part of the period that is kept back, None for a quarter; without walk_forward only.
        walk_forward: number of windows, None for one; with train_days, test_days and anchored.
        storage: file that the search goes on from; jobs: processes, None for as many as are worth it; dask: address.
    """

    space: Sequence[str] = ()
    goals: Sequence[str] = ("sharpe",)
    sampler: str | None = None
    trials: int | None = None
    seed: int = 0
    batch: int = 10
    pruner: str = "none"
    min_trades: int = 10
    top: int = USUAL_TOP
    holdout: float | None = None
    walk_forward: int | None = None
    train_days: float | None = None
    test_days: float | None = None
    anchored: bool = False
    storage: Path | None = None
    jobs: int | None = None
    dask: str | None = None


@dataclass(frozen=True, slots=True)
class Outputs:
    """Files that the report goes to besides the terminal, None for none.

    Attributes:
        options: those that a backtest repeats; settings: those among them that the daemon has too.
    """

    json_path: Path | None = None
    csv_path: Path | None = None
    options: Sequence[str] = field(default=())
    settings: Sequence[str] = field(default=())


def run_optimize(asked: Asked, wanted: Wanted, outputs: Outputs) -> int:
    """Search, print the report and write its files.

    Returns:
        0 found something, also when it was ended by Ctrl-C or SIGTERM; 1 nothing worth something, or workers or files
        that failed; 2 a mistake in what was asked for, said in one sentence.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        refuse_unwritable({"--json": outputs.json_path, "--csv": outputs.csv_path})
        setting, found = _found(asked, wanted, outputs)
        _tell(setting, found, outputs)
    except GoneError as failure:
        return complain(failure, exit_codes.FAILURE)
    except (OptimizeError, BacktestError, HistoryError, StrategyError) as failure:
        return complain(failure, exit_codes.WRONG_CONFIGURATION)
    except OSError as failure:
        return complain(
            f"{failure.filename or 'the report'} cannot be written: {failure.strerror}.", exit_codes.FAILURE
        )
    except KeyboardInterrupt:
        return complain("ended before anything was found.", exit_codes.FAILURE)
    return exit_codes.FAILURE if report.best_params(found) is None else exit_codes.OK


def _found(asked: Asked, wanted: Wanted, outputs: Outputs) -> tuple[report.Setting, Optimisation]:
    goals = goals_named(wanted.goals)
    sampler = wanted.sampler or (samplers.TPE if len(goals) == 1 else samplers.NSGA2)
    choice = asked.settings.strategy_name, asked.settings.strategy_params
    space = space_of(*choice, wanted.space, grid=sampler == samplers.GRID)
    make_sampler = functools.partial(
        samplers.sampler_of,
        sampler,
        space,
        goals=len(goals),
        trials=wanted.trials,
        seed=wanted.seed,
        batch=wanted.batch,
        pruner=wanted.pruner,
    )
    _, trials = make_sampler()  # what does not go together is said before candles are read
    plan, tables, details = loaded(asked)
    period = _period(plan, tables, space)
    windows = _windows(wanted, period)
    candles: Candles = tables | {detail_key(symbol): table for symbol, table in details.items()}
    workload = Workload(functools.partial(backtests, plan, tuple(wanted.goals)), candles)
    question = Question(space, goals, wanted.min_trades, prunes=wanted.pruner != "none")
    with ExitStack() as ends:
        workers = ends.enter_context(_workers(wanted, workload, len(windows) * (trials + wanted.top + 2)))
        memory = ends.enter_context(_memory(wanted, workers, plan, space, candles))
        shown = ends.enter_context(progress.shown(goals, monotonic_seconds))
        found = optimise(question, windows, make_sampler, memory, top=wanted.top, progress=shown)
    interval = next(iter(tables.values())).interval
    data = "; ".join(map(_data_text, tables.values()))
    repeated = outputs.options, outputs.settings
    return report.Setting(tuple(tables), interval, period, data, sampler, wanted.seed, *repeated), found


def _period(plan: BacktestPlan, tables: Candles, space: Space) -> Span:
    """From the first tick at which every symbol has candles to warm up on, or as asked, to the end of the candles."""
    ends_ms = [int(table.open_times_ms[-1]) + table.interval_ms for table in tables.values()]
    before_ms = min(max(ends_ms), max(ends_ms) if plan.end_ms is None else plan.end_ms)
    warm_up = max(LEAST_HISTORY, space.warm_up)
    if plan.start_ms is None:
        for symbol, table in tables.items():
            if len(table) <= warm_up:
                said = f"{symbol} has {len(table)} {table.interval} candles, and strategy {space.strategy} needs"
                raise OptimizeError(f"{said} {warm_up} before the first tick: give it more, or --start.")
        return Span(max(int(table.open_times_ms[warm_up]) for table in tables.values()), before_ms)
    first_ms = max(int(table.open_times_ms[0]) for table in tables.values())
    if plan.start_ms >= before_ms:
        raise OptimizeError(
            f"there are no candles from {iso_second(plan.start_ms)} on: they end {iso_second(before_ms)}."
        )
    return Span(max(plan.start_ms, first_ms), before_ms)


def _windows(wanted: Wanted, period: Span) -> list[Window]:
    if wanted.walk_forward is None:
        if wanted.train_days is not None or wanted.test_days is not None or wanted.anchored:
            raise OptimizeError("--train-days, --test-days and --anchored belong to --walk-forward.")
        return held_back(period, USUAL_HOLDOUT if wanted.holdout is None else wanted.holdout)
    if wanted.holdout is not None:
        raise OptimizeError("--holdout and --walk-forward exclude each other: every window keeps its test days back.")
    return walking_forward(
        period,
        wanted.walk_forward,
        train_days=wanted.train_days,
        test_days=wanted.test_days,
        anchored=wanted.anchored,
    )


def _workers(wanted: Wanted, workload: Workload, expected: int) -> AbstractContextManager[Workers]:
    if wanted.dask is None:
        return local_workers(workload, wanted.jobs, expected=expected, now_seconds=monotonic_seconds)
    if wanted.jobs is not None:
        raise OptimizeError("--dask and --jobs exclude each other: the cluster has its own workers.")
    return dask_workers(workload, wanted.dask)


def _memory(wanted: Wanted, workers: Workers, plan: BacktestPlan, space: Space, candles: Candles) -> Memory:
    if wanted.storage is None:
        return Memory(workers, wanted.goals)
    return Memory.of(workers, wanted.goals, wanted.storage, depends_on(plan, space, candles))


def depends_on(plan: BacktestPlan, space: Space, candles: Candles) -> Mapping[str, str]:
    """What every outcome of a search depends on, for the file that it goes on from."""
    settings = {
        name: str(value)
        for name, value in plan.settings.model_dump().items()
        if name.startswith(("trading_", "risk_")) and name not in {"trading_mode", "trading_duration_minutes"}
    }
    account = (sorted(settings.items()), plan.fills, plan.opening_quote, sorted(plan.rules.items()))
    fixed = ",".join(f"{name}={value}" for name, value in sorted(space.fixed.items()))
    code = Path(inspect.getfile(type(create_strategy(space.strategy, plan.choice.params_of("")))))
    ranges = [f"{parameter.name}={','.join(parameter.values)}" for parameter in space.parameters]
    return {
        "version": __version__,
        "strategy": f"{space.strategy} {fixed}".rstrip() + f" [{_digest(code.read_bytes())}]",
        "space": f"{', '.join(map(str, space.parameters))} [{_digest(repr(ranges).encode())}]",
        "data": "; ".join(f"{_data_text(table)} [{_table_digest(table)}]" for table in candles.values()),
        "digest of settings": _digest(repr(account).encode()),
    }


def _data_text(table: CandleTable) -> str:
    first_ms, last_ms = int(table.open_times_ms[0]), int(table.open_times_ms[-1])
    return f"{table.symbol} {table.interval}, {len(table):,} candles, {iso_second(first_ms)} to {iso_second(last_ms)}"


def _table_digest(table: CandleTable) -> str:
    columns = (table.open_times_ms, table.open, table.high, table.low, table.close, table.volume)
    return _digest(*(column.tobytes() for column in columns))


def _digest(*parts: bytes) -> str:
    digest = hashlib.blake2b(digest_size=8)
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def _tell(setting: report.Setting, found: Optimisation, outputs: Outputs) -> None:
    """Print the report, and write it where it is wanted.

    Raises:
        OSError: a file cannot be written.
    """
    if outputs.csv_path is not None:
        outputs.csv_path.write_text(report.as_csv(found), encoding="utf-8")
    if outputs.json_path == STANDARD_OUTPUT:
        print(report.as_json(setting, found))
        return
    if outputs.json_path is not None:
        outputs.json_path.write_text(report.as_json(setting, found) + "\n", encoding="utf-8")
    print(report.as_text(setting, found))
