"""`trade-agent replay`: what came of it as text or JSON, and the exit code."""

import json
import logging
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from binance_trade_agent import exit_codes
from binance_trade_agent.backtest.replay.replay import Replay, ReplayError, replay
from binance_trade_agent.configuration import ConfigError
from binance_trade_agent.domain.wording import iso_second
from binance_trade_agent.history.errors import HistoryError
from binance_trade_agent.ledger.errors import LedgerError
from binance_trade_agent.ops.terminal import complain
from binance_trade_agent.strategies.registry import StrategyError


def replay_run(ledger_path: Path, named: str, *, as_json: bool) -> int:
    """Replay a run and print the first difference, then `N decisions, M differences`.

    Returns:
        0 without a difference, 1 with one, 2 when it cannot be replayed.
    """
    logging.disable(logging.CRITICAL)  # what the run had to say it has said
    try:
        found = replay(ledger_path, named)
    except (ConfigError, ReplayError, HistoryError, LedgerError, StrategyError) as failure:
        return complain(failure, exit_codes.WRONG_CONFIGURATION)
    finally:
        logging.disable(logging.NOTSET)
    print(_document(found) if as_json else "\n".join(_lines(found)))
    return exit_codes.FAILURE if found.differences else exit_codes.OK


def _lines(found: Replay) -> Iterator[str]:
    run = found.run
    yield f"run {run.run_id} (run {run.number}, {run.mode}, {run.strategy}, {' '.join(run.symbols)})"
    if found.from_ms is not None and found.to_ms is not None:
        yield f"recorded ticks from {iso_second(found.from_ms)} to {iso_second(found.to_ms)}"
    if found.not_recorded:
        yield f"{found.not_recorded:,} decisions of the ledger are not in the recording, and were not made again"
    if found.not_decided:
        yield f"{found.not_decided:,} looks came to no decision in the ledger: the run was ended before it was written"
    if found.first is not None:
        yield "the first difference:"
        yield from found.first.lines()
    yield f"{found.decisions:,} decisions, {found.differences:,} differences"


def _document(found: Replay) -> str:
    run = found.run
    return json.dumps(
        {
            "run_id": run.run_id,
            "number": run.number,
            "mode": run.mode,
            "symbols": run.symbols,
            "from_ms": found.from_ms,
            "to_ms": found.to_ms,
            "decisions": found.decisions,
            "differences": found.differences,
            "not_recorded": found.not_recorded,
            "not_decided": found.not_decided,
            "first": asdict(found.first) if found.first else None,
        },
        indent=2,
    )
