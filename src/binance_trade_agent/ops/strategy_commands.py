"""`trade-agent strategies new` and `check`: a file to start from, and whether a strategy keeps to the rules."""

import keyword
from importlib import resources
from pathlib import Path

from binance_trade_agent import exit_codes
from binance_trade_agent.domain.checks import Verdict
from binance_trade_agent.ops.clock import monotonic_seconds
from binance_trade_agent.ops.terminal import complain
from binance_trade_agent.simulator.market.candle_files import read_candle_file
from binance_trade_agent.simulator.market.feed import FeedError
from binance_trade_agent.strategies.own import NAME_PATTERN, OWN_FOLDER
from binance_trade_agent.strategies.registry import StrategyError, create_strategy, describe, parse_params

_SYNTHETIC_ROWS = 2400  # besides those that are needed


def new_strategy(name: str, folder: Path = OWN_FOLDER) -> int:
    """Write a strategy to start from to `folder`/`name`.py. Returns 0, or 2 with a sentence when it may not."""
    path = folder / f"{name}.py"
    if objection := _objection(name, path, folder):
        return complain(objection, exit_codes.WRONG_CONFIGURATION)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(_starting_point(name))
    except OSError as failure:
        return complain(f"{path} cannot be written: {failure.strerror}.", exit_codes.WRONG_CONFIGURATION)
    print(f"Wrote {path}. Change its rules, in `vote`, and how it explains them, in `reason`. Then:")
    print(f"    trade-agent strategies check {name}")
    print("    trade-agent strategies compare")
    print(f"    trade-agent run --strategy-name {name}")
    return exit_codes.OK


def check_strategy(name: str, data: Path | None, params: str, folder: Path = OWN_FOLDER) -> int:
    """Print a line for each check of a strategy.

    Args:
        name: as for `create_strategy`.
        data: a file of candles (see `read_candle_file`); None checks on synthetic ones.
        params: in their text form, `rsi_period=10,rsi_oversold=25`.
        folder: where own strategies are.

    Returns:
        0 when all passed, 1 when one failed, 2 when there is no such strategy, parameter or data.
    """
    from binance_trade_agent.strategies import check
    from binance_trade_agent.strategies.check.candles import check_candles
    from binance_trade_agent.strategies.frame import candle_frame

    try:
        strategy = create_strategy(name, parse_params(params), folder)
        recorded = candle_frame(read_candle_file(data).candles) if data else None
    except (StrategyError, FeedError) as failure:
        return complain(failure, exit_codes.WRONG_CONFIGURATION)
    least = check.rows_needed(strategy)
    if data is None or recorded is None:
        frames = check_candles(least + _SYNTHETIC_ROWS)
    elif len(recorded) >= least:
        frames = {data.name: recorded}
    else:
        said = f"{data} holds {len(recorded)} candles: {name} is checked on {least} at least."
        return complain(said, exit_codes.WRONG_CONFIGURATION)
    failed = 0
    for finding in check.check_strategy(strategy, frames, monotonic_seconds):
        print(finding, flush=True)
        failed += finding.verdict is Verdict.FAILED
    print(f"{failed} failed" if failed else f"{name} passed every check")
    return exit_codes.FAILURE if failed else exit_codes.OK


def _objection(name: str, path: Path, folder: Path) -> str | None:
    """Why a new strategy may not have this name."""
    if not NAME_PATTERN.fullmatch(name) or keyword.iskeyword(name):
        return (
            f"{name!r} cannot be the name of a strategy: take a lower-case letter, then lower-case letters, digits or "
            "_, such as my_idea."
        )
    if path.exists():
        return f"{path} is there already; it is left as it is."
    for entry in describe(folder):
        if entry.name == name:
            return (
                f"{name} is the name of {f'the strategy in {entry.place}' if entry.place else 'a built-in strategy'}."
            )
    return None


def _starting_point(name: str) -> str:
    """The text of `strategies/template.py` under another name."""
    text = (resources.files("binance_trade_agent.strategies") / "template.py").read_text(encoding="utf-8")
    class_name = "".join(part.capitalize() for part in name.split("_"))
    return (
        text.replace("Template", class_name)
        .replace('"template"', f'"{name}"')
        .replace("check template", f"check {name}")
    )
