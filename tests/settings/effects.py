"""What a setting is for, as a test: with each of its values the real code does what the setting's meaning promises."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from binance_trade_agent.configuration import Configuration, load
from binance_trade_agent.domain.values import replace
from binance_trade_agent.settings import Settings


@dataclass(frozen=True)
class Trial:
    """Settings as a user gives them, by environment, and a folder that is empty."""

    environment: Mapping[str, str]
    folder: Path

    @property
    def configuration(self) -> Configuration:
        """What the daemon makes of them."""
        return load(environment=self.environment, folder=self.folder)

    @property
    def settings(self) -> Settings:
        """The same without where each came from."""
        return self.configuration.settings

    @property
    def in_folder(self) -> "Trial":
        """The same with its ledger in the folder, unless another is named."""
        return replace(self, environment={"LEDGER_PATH": str(self.folder / "ledger.db"), **self.environment})


Probe = Callable[[Trial], Any]
"""Runs the real code with the settings of a trial, and tells in short what it did."""


@dataclass(frozen=True)
class Effect:
    """What is seen with each value of a setting; None stands for `not set`.

    Attributes:
        beside: other settings that hold in each trial.
    """

    probe: Probe
    seen: Mapping[str | None, Any]
    beside: Mapping[str, str] = field(default_factory=dict)


class ShownBy:
    """Where a test that stands elsewhere shows the effect: `tests/file.py::test`, or a file that is no pytest."""

    def __init__(self, *places: str) -> None:
        self.places = places


def effect(probe: Probe, seen: Mapping[str | None, Any], **beside: str) -> Effect:
    """A line of a table of effects."""
    return Effect(probe, seen, beside)


async def seen(setting: str, value: str | None, case: Effect, folder: Path) -> Any:
    """What the probe tells when the setting has this value."""
    environment = {**case.beside, **({} if value is None else {setting: value})}
    told = case.probe(Trial(environment, folder))
    return await told if isinstance(told, Awaitable) else told
