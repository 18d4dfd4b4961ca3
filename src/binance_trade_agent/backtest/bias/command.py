"""`trade-agent check-bias`: the strategies and the candles by name, the findings as text or JSON, an exit code."""

import contextlib
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from binance_trade_agent import exit_codes
from binance_trade_agent.backtest.bias import check_bias
from binance_trade_agent.backtest.bias.findings import Finding
from binance_trade_agent.backtest.bias.recording import Recording
from binance_trade_agent.domain.checks import Verdict
from binance_trade_agent.history.errors import HistoryError
from binance_trade_agent.history.store import open_data
from binance_trade_agent.ops.terminal import complain
from binance_trade_agent.strategies.base import Strategy
from binance_trade_agent.strategies.own import OWN_FOLDER
from binance_trade_agent.strategies.registry import (
    BadStrategyParams,
    StrategyError,
    create_strategy,
    parse_params,
    strategy_names,
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be checked, and on which candles.

    Attributes:
        strategies: names separated by commas, or `all`.
        params: of the one strategy, in their text form; empty for its defaults.
        data: a file or a folder, see `open_data`.
        start_ms, end_ms: the candles that open in [start_ms, end_ms); None for no bound.
        most_rows: how many rows of a strategy are looked at.
    """

    strategies: str
    params: str
    symbol: str
    interval: str
    data: Path
    start_ms: int | None
    end_ms: int | None
    most_rows: int


def check_recorded(asked: Asked, *, as_json: bool, folder: Path = OWN_FOLDER) -> int:
    """Print what was found of each strategy. Returns 0, 1 when one failed, 2 when something is not there.

    Args:
        asked: what is to be checked.
        as_json: whether to print one JSON document.
        folder: where own strategies are.
    """
    try:
        with contextlib.redirect_stdout(sys.stderr):  # own code may print; a JSON document has to stay one
            strategies = list(_strategies(asked, folder))
        table = open_data(asked.data, asked.symbol, asked.interval, asked.start_ms, asked.end_ms)
    except (StrategyError, HistoryError) as failure:
        return complain(failure, exit_codes.WRONG_CONFIGURATION)
    recording = Recording.of(table)
    document: list[dict[str, object]] = []
    if not as_json:
        print(f"{asked.symbol} {asked.interval}: {recording.said()}")
    for strategy in strategies:
        with contextlib.redirect_stdout(sys.stderr):
            findings = list(check_bias(strategy, recording, most_rows=asked.most_rows))
        if not as_json:
            _print(strategy, findings)
        document.append(_document(strategy, findings))
    failed = [str(entry["name"]) for entry in document if entry["verdict"] == Verdict.FAILED]
    if as_json:
        print(json.dumps(_heading(asked, recording) | {"strategies": document}, indent=2))
    else:
        print(f"{len(failed)} of {len(document)} failed: {', '.join(failed)}" if failed else "no bias was found")
    return exit_codes.FAILURE if failed else exit_codes.OK


def _strategies(asked: Asked, folder: Path) -> Iterator[Strategy[Any]]:
    names = strategy_names(folder) if asked.strategies == "all" else asked.strategies.split(",")
    params = parse_params(asked.params)
    if params and len(names) > 1:
        raise BadStrategyParams("--params are those of one strategy: name one with --strategy")
    for name in names:
        yield create_strategy(name.strip(), params, folder)


def _print(strategy: Strategy[Any], findings: Sequence[Finding]) -> None:
    params = ", ".join(f"{name}={value:g}" for name, value in strategy.params.model_dump().items())
    print(f"\n{strategy.name} ({params})")
    for finding in findings:
        for line in finding.lines():
            print(line)
    sys.stdout.flush()


def _document(strategy: Strategy[Any], findings: Sequence[Finding]) -> dict[str, object]:
    verdicts = {finding.checked.verdict for finding in findings}
    worst = next(verdict for verdict in (Verdict.FAILED, Verdict.WARNING, Verdict.OK) if verdict in verdicts)
    return {
        "name": strategy.name,
        "parameters": strategy.params.model_dump(),
        "verdict": worst,
        "checks": [finding.document() for finding in findings],
    }


def _heading(asked: Asked, recording: Recording) -> dict[str, object]:
    return {
        "symbol": asked.symbol,
        "interval": asked.interval,
        "candles": len(recording.frame),
        "start_ms": recording.open_ms(0),
        "end_ms": recording.open_ms(len(recording.frame) - 1) + recording.interval_ms,
        "pieces": len(recording.pieces),
    }
