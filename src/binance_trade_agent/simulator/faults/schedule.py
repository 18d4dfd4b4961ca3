"""A storm of faults from a file, the same each time in market time (option `--faults`)."""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from binance_trade_agent.simulator.faults.kinds import Fault
from binance_trade_agent.simulator.faults.notation import read_fault
from binance_trade_agent.simulator.fields import read_fields


class ScheduleError(Exception):
    """A file of faults that cannot be used; the message is one sentence for the person who named it."""


class _Schedule(msgspec.Struct, forbid_unknown_fields=True):
    """What the file holds: a seed, and the tables `[[fault]]`; `[[faults]]` is read as well."""

    seed: int = 0
    fault: list[dict[str, Any]] = []
    faults: list[dict[str, Any]] = []


def read_schedule(path: Path) -> Sequence[Fault]:
    """The faults of a TOML file in their order. One that names no seed has one made of the file's seed and its place.

    Raises:
        ScheduleError: the file cannot be read, or an entry of it is wrong.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ScheduleError(f"fault file {path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise ScheduleError(f"fault file {path} is not TOML: {error}") from None
    try:
        schedule = read_fields(content, _Schedule, "the file")
    except ValueError as error:
        raise ScheduleError(f"fault file {path}: {error}") from None
    entries = schedule.fault + schedule.faults
    return [_entry(path, schedule.seed, place, entry) for place, entry in enumerate(entries, start=1)]


def _entry(path: Path, seed: int, place: int, entry: dict[str, Any]) -> Fault:
    try:
        return read_fault({"seed": seed * 1_000_003 + place, **entry})
    except ValueError as error:
        raise ScheduleError(f"fault file {path}, entry {place}: {error}") from None
