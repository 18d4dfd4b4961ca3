"""What a backtest of a strategy would know that a live run would not: `trade-agent check-bias`, on recorded candles.

`trade-agent strategies check` asks the same of made-up candles and stops at the first row. Here it is counted: how many
rows of a recording say something else once later candles are there (look-ahead), and how many say something else with
the few candles that a live tick looks at (start-up).
"""

import inspect
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from binance_trade_agent.backtest.bias.findings import Finding
from binance_trade_agent.backtest.bias.look_ahead import look_ahead
from binance_trade_agent.backtest.bias.recording import Recording, Rows
from binance_trade_agent.backtest.bias.start_up import start_up
from binance_trade_agent.domain.checks import Checked, Verdict
from binance_trade_agent.strategies.base import Strategy
from binance_trade_agent.strategies.own import place_of, told


def check_bias(strategy: Strategy[Any], recording: Recording, *, most_rows: int) -> Iterator[Finding]:
    """A finding for each check, as they are made.

    Args:
        strategy: with the parameters that it is to be checked with.
        recording: the candles.
        most_rows: how many rows are looked at, as long as those with a signal and those beside them are more.
    """
    rows: list[Rows] = []

    def signals() -> Finding:
        rows.append(Rows.of(strategy, recording, most_rows))
        return rows[0].spoken()

    said = _finding("signals", signals, strategy)
    if not rows:
        yield said
        return
    ahead = _finding("look-ahead", lambda: look_ahead(rows[0]), strategy)
    yield ahead
    sees_ahead = ahead.checked.verdict is Verdict.FAILED
    yield _finding("start-up", lambda: start_up(rows[0], sees_ahead=sees_ahead), strategy)
    yield said


def _finding(subject: str, check: Callable[[], Finding], strategy: Strategy[Any]) -> Finding:
    try:
        with warnings.catch_warnings(action="ignore"):  # numpy's, about a division that ends in a NaN
            return check()
    except (Exception, SystemExit) as failure:  # noqa: BLE001 (anybody's code)
        place = place_of(failure, Path(inspect.getfile(type(strategy))).parent)
        text = f"it raises {told(failure)}{f', at {place}' if place else ''}"
        return Finding(Checked(subject, Verdict.FAILED, text))
