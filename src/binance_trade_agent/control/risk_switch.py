"""Changing limits while the trader runs, and keeping to what was asked for over restarts.

The functions are for whoever wants to know or to ask: the trader, reports, pages. A changed limit is a setting that
holds instead of what the settings say, as long as these say what they said when it was asked for.
"""

import logging
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from binance_trade_agent.configuration import ConfigError, settled
from binance_trade_agent.control.carriers import Carried, Moment, done, refused
from binance_trade_agent.control.commands import Command, CommandState
from binance_trade_agent.domain.wording import iso_second
from binance_trade_agent.ledger import risk_changes
from binance_trade_agent.ledger.ledger import Ledger
from binance_trade_agent.ledger.risk_changes import RiskChange
from binance_trade_agent.ledger.strategy_changes import BY_SETTINGS
from binance_trade_agent.limits import limit_names, risk_settings
from binance_trade_agent.risk.settings import RiskSettings
from binance_trade_agent.settings import Settings, setting_names, shown, suggestion

NOT_SET = shown(None)
# Of these one is set: to set one is to unset the other, and they are asked for and given up together.
_QUOTE, _FRACTION = "TRADING_ORDER_QUOTE", "TRADING_ORDER_FRACTION"
_SIZES = frozenset({_QUOTE, _FRACTION})
_MAY_BE_UNSET = frozenset({*_SIZES, "TRADING_SIZING"})

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class InForce:
    """What holds.

    Attributes:
        settings: with what was changed.
        changes: by setting, what a person has changed and the settings say otherwise.
        trouble: why no change can be used any more, in sentences; empty when all can.
    """

    settings: Settings
    changes: Mapping[str, RiskChange] = field(default_factory=dict)
    trouble: str = ""


def changeable() -> tuple[str, ...]:
    """Names of the settings that can be changed while the trader runs."""
    return limit_names()


def checked(settings: Settings, wanted: Mapping[str, str]) -> Settings:
    """The settings with other values in some, if these can be changed and all settings together allow it.

    Args:
        settings: those that hold now.
        wanted: setting name -> value, written as in the settings; an empty one unsets a setting that need not be set.

    Raises:
        ConfigError: one sentence a mistake.
    """
    asked = {name.strip().upper(): text.strip() for name, text in wanted.items()}
    if not asked:
        raise ConfigError(f"no setting is named; these can be changed: {', '.join(changeable())}.")
    if mistakes := list(_not_changeable(asked)):
        raise ConfigError("\n".join(mistakes))
    return with_values(settings, asked)


def _not_changeable(asked: Mapping[str, str]) -> Iterator[str]:
    for name in asked:
        if name not in setting_names():
            yield f"{name} is not a setting{suggestion(name, changeable())}."
        elif name not in changeable():
            yield f"{name} cannot be changed while the trader runs: set it in the settings, and start the trader again."


def with_values(settings: Settings, texts: Mapping[str, str]) -> Settings:
    """The settings with these values, written as in the settings.

    Raises:
        ConfigError: the settings do not allow it; one sentence a mistake.
    """
    values = {name.upper(): getattr(settings, name) for name in settings.model_fields_set}
    unset = {name for name, text in texts.items() if name in _MAY_BE_UNSET and text in {"", NOT_SET}}
    given = {name: text for name, text in texts.items() if name not in unset}
    if len(_SIZES & given.keys()) == 1:
        unset |= _SIZES - given.keys()
    kept = {name: value for name, value in values.items() if name not in unset}
    origins = {**dict.fromkeys(kept, "the settings"), **dict.fromkeys(given, "the command")}
    return settled({**kept, **given}, origins)


def written(settings: Settings) -> dict[str, str]:
    """Of each setting that can be changed what it says, as in the settings."""
    return written_from({name: shown(getattr(settings, name.lower())) for name in changeable()})


def written_from(values: Mapping[str, str]) -> dict[str, str]:
    """The same from the values of all settings, as a run has kept them."""
    said = {name: values[name] for name in changeable() if name in values}
    if said.get(_FRACTION, NOT_SET) != NOT_SET and _QUOTE in said:
        said[_QUOTE] = NOT_SET  # its default is there, and nobody has set it
    return said


def changes_in_force(connection: sqlite3.Connection, configured: Mapping[str, str]) -> dict[str, RiskChange]:
    """By setting, what a person has changed and holds.

    Args:
        connection: of the ledger; it is only read.
        configured: what the settings say now (`written`).
    """
    asked = {
        name: change
        for name, change in risk_changes.latest_by_setting(connection).items()
        if change.is_by_command and name in configured
    }
    over = {name for name, change in asked.items() if change.configured != configured[name]}
    if over & _SIZES:
        over |= _SIZES
    return {name: change for name, change in asked.items() if name not in over and change.new != change.configured}


def in_force(connection: sqlite3.Connection, settings: Settings) -> InForce:
    """What holds where the settings say `settings`; what cannot be used any more gives way to them."""
    changes = changes_in_force(connection, written(settings))
    try:
        return InForce(_with(settings, changes), changes)
    except ConfigError as failure:
        return InForce(settings, trouble=_in_one_line(failure))


def effective_settings(connection: sqlite3.Connection, settings: Settings) -> Settings:
    """The settings with the limits that a person has changed and that hold."""
    return in_force(connection, settings).settings


def _with(settings: Settings, changes: Mapping[str, RiskChange]) -> Settings:
    return with_values(settings, {name: change.new for name, change in changes.items()}) if changes else settings


class RiskSwitch:
    """Changes limits on all symbols at once, between two ticks, and leaves a row for each setting.

    Args:
        settings: as they are configured; `restore` puts back what was asked for in an earlier run.

    Attributes:
        takers: are given the limits whenever they change.
    """

    def __init__(self, settings: Settings, ledger: Ledger) -> None:
        self._configured = settings
        self._written = written(settings)
        self._ledger = ledger
        self._now = InForce(settings)
        self.takers: list[Callable[[RiskSettings], None]] = []

    @property
    def limits(self) -> RiskSettings:
        """The limits that hold."""
        return risk_settings(self._now.settings)

    def changed(self) -> dict[str, str]:
        """Of each setting that a person has changed what holds, for the recording."""
        return {name: change.new for name, change in self._now.changes.items()}

    async def restore(self) -> None:
        """At a start: what was asked for by a command holds as long as the settings say what they said then."""
        self._now = await self._ledger.read(lambda connection: in_force(connection, self._configured))
        for name, change in self._now.changes.items():
            since = f"by a command by {change.requested_by}, in force since {iso_second(change.at_ms)}"
            log.info("%s %s, %s; the settings say %s", name, change.new, since, change.configured)
        if self._now.trouble:
            log.warning("changed limits cannot be used any more, so the settings hold: %s", self._now.trouble)
        for change in await self._given_up():
            asked = f"{change.new}, asked for by {change.requested_by}"
            log.warning("%s is %s by the settings, and no longer %s", change.setting, self._says(change), asked)

    async def begin_run(self, run_id: str, started_ms: int) -> None:
        """Note which changes the settings have ended, so that they are not taken up again."""
        ended = [
            RiskChange(
                run_id, started_ms, BY_SETTINGS, change.setting, change.new, self._says(change), self._says(change)
            )
            for change in await self._given_up()
        ]
        if ended:
            await self._ledger.write(lambda connection: risk_changes.record(connection, ended))

    async def carry_out(self, command: Command, moment: Moment) -> Carried:
        """What a `set_risk` comes to: the limits hold from now on, once its answer is written.

        What cannot be is refused as a whole; the limits stay.
        """
        try:
            after = checked(self._now.settings, command.payload)
        except ConfigError as failure:
            return refused(_in_one_line(failure))
        changes = self._differences(after, command, moment)
        if not changes:
            return done("nothing has changed: the limits say that already")

        def take_them() -> None:
            latest = {**self._now.changes, **{change.setting: change for change in changes}}
            self._now = InForce(
                after, {name: change for name, change in latest.items() if change.new != change.configured}
            )
            for take in self.takers:
                take(self.limits)

        return Carried(
            CommandState.DONE,
            "from now on: " + ", ".join(f"{change.setting} {change.old} -> {change.new}" for change in changes),
            beside=lambda connection: risk_changes.record(connection, changes),
            afterwards=take_them,
        )

    def _differences(self, after: Settings, command: Command, moment: Moment) -> list[RiskChange]:
        old, new = written(self._now.settings), written(after)
        return [
            RiskChange(
                moment.run_id,
                moment.now_ms,
                command.requested_by,
                name,
                old[name],
                new[name],
                self._written[name],
                command.command_id,
            )
            for name in old
            if old[name] != new[name]
        ]

    async def _given_up(self) -> list[RiskChange]:
        """What was asked for and does not hold, because the settings have changed."""
        latest = await self._ledger.read(risk_changes.latest_by_setting)
        return [
            change
            for name, change in latest.items()
            if change.is_by_command and change.new != change.configured and name not in self._now.changes
        ]

    def _says(self, change: RiskChange) -> str:
        return self._written.get(change.setting, NOT_SET)


def _in_one_line(failure: ConfigError) -> str:
    """Its sentences as an answer, which ends without a full stop."""
    return str(failure).replace("\n", " ").removesuffix(".")
