"""Limits and sizes that can be changed while the trader runs: what holds, and asking for others."""

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import HTMLResponse, Response

from binance_trade_agent.configuration import ConfigError
from binance_trade_agent.control.commands import CommandKind
from binance_trade_agent.control.risk_switch import (
    NOT_SET,
    changeable,
    changes_in_force,
    checked,
    with_values,
    written,
    written_from,
)
from binance_trade_agent.dashboard.access.guard import SessionOf
from binance_trade_agent.dashboard.pages.advanced.shared import (
    Change,
    NewestRun,
    confirm,
    effect_of,
    newest_run,
    show,
)
from binance_trade_agent.dashboard.pages.command_life import placed
from binance_trade_agent.dashboard.region import PROBLEMS, DeskOf
from binance_trade_agent.desk.desk import Desk
from binance_trade_agent.ledger.errors import LedgerError
from binance_trade_agent.ledger.risk_changes import RiskChange
from binance_trade_agent.settings import Settings, allowed_values

ADDRESS = "/advanced/risk"
_WAS = "was:"  # what stood in a field at first: who left it so did not ask for it, even if it is something else by now
# By how their names begin, the first that fits.
_GROUPS = (
    ("Size of an entry", ("TRADING_",)),
    ("How much is at risk", ("RISK_MAX_ORDER", "RISK_MAX_POSITION", "RISK_MAX_EXPOSURE", "RISK_MAX_OPEN")),
    ("Which signals are followed, and how often", ("RISK_MIN_", "RISK_COOLDOWN", "RISK_MAX_TRADES", "RISK_MAX_SYMBOL")),
    (
        "When it stops for a while",
        ("RISK_MAX_CONSECUTIVE", "RISK_LOSS", "RISK_MAX_DAILY", "RISK_MAX_DRAWDOWN", "RISK_DRAWDOWN"),
    ),
    ("What the market has to be like", ("RISK_",)),
)

router = APIRouter(default_response_class=HTMLResponse, responses=PROBLEMS)


@dataclass(frozen=True, slots=True)
class Limit:
    """A setting that can be changed. Values are written as in the settings.

    Attributes:
        now: what holds; configured: what the settings say.
        allowed: what it may be, in words; choices: where it is one of a few words.
        change: by whom and when it came to be what it is; None where the settings hold.
    """

    name: str
    now: str
    configured: str
    description: str
    allowed: str
    choices: tuple[str, ...]
    change: RiskChange | None

    @property
    def typed(self) -> str:
        """What stands in its field."""
        return _typed(self.now)


@dataclass(frozen=True, slots=True)
class Known:
    """What holds now.

    Attributes:
        run: whose settings `configured` are, when it goes on; else they are those of this process.
    """

    run: NewestRun | None
    configured: Mapping[str, str]
    changes: Mapping[str, RiskChange]

    @property
    def now(self) -> dict[str, str]:
        """Of each setting what holds."""
        return {**self.configured, **{name: change.new for name, change in self.changes.items()}}


@router.get(ADDRESS)
async def show_limits(request: Request, desk: DeskOf) -> Response:
    """The section."""
    known = await known_limits(desk)
    return await show(request, "advanced/limits.html", ADDRESS, groups=_grouped(known), run=known.run)


@router.post(f"{ADDRESS}/review")
async def review(request: Request, desk: DeskOf) -> Response:
    """What the form asks for, checked, old and new; nothing is placed yet."""
    known = await known_limits(desk)
    now = known.now
    fields = await _fields(request)
    wanted = {
        name: text
        for name, text in fields.items()
        if name in now and text not in {_typed(now[name]), now[name], fields.get(_WAS + name)}
    }
    if not wanted:
        raise HTTPException(422, "Nothing would change: every value is what it is already.")
    after = _checked(desk.settings, now, wanted)
    return await confirm(
        request,
        ADDRESS,
        changes=[Change(name, now[name], new) for name, new in after.items() if new != now.get(name, "")],
        fields=wanted,
        heading="Change the limits?",
        button="Change the limits",
        effect=effect_of(known.run),
    )


@router.post(ADDRESS)
async def change(request: Request, desk: DeskOf, session: SessionOf) -> Response:
    """Ask the trader for them: every field is a setting and its value."""
    wanted = await _fields(request)
    if not wanted:
        raise HTTPException(422, "No setting is named; nothing was changed.")
    _checked(desk.settings, (await known_limits(desk)).now, wanted)
    return await placed(request, desk, session, CommandKind.SET_RISK, wanted)


async def known_limits(desk: Desk) -> Known:
    """What holds: by the settings of the trader that runs, else by those of this process, and what was changed."""
    run = await newest_run(desk)
    configured = written_from(run.settings) if run is not None and run.is_running else written(desk.settings)

    def work(connection: sqlite3.Connection) -> dict[str, RiskChange]:
        return changes_in_force(connection, configured)

    try:
        return Known(run, configured, await desk.read(work))
    except LedgerError:
        return Known(run, configured, {})


def _typed(value: str) -> str:
    return "" if value == NOT_SET else value


def _checked(settings: Settings, now: Mapping[str, str], wanted: Mapping[str, str]) -> dict[str, str]:
    """What all settings that can be changed would say.

    Raises:
        HTTPException: 422, one sentence a mistake.
    """
    try:
        base = with_values(settings, now)
    except ConfigError:  # the trader was started with other settings, which do not go with these: it checks by itself
        return {**now, **wanted}
    try:
        return written(checked(base, wanted))
    except ConfigError as failure:
        raise HTTPException(422, str(failure).replace("\n", " ").replace(" (in the command)", "")) from None


async def _fields(request: Request) -> dict[str, str]:
    form = await request.form()
    return {name: value.strip()[:200] for name, value in form.items() if isinstance(value, str) and name != "csrf"}


def _grouped(known: Known) -> list[tuple[str, list[Limit]]]:
    groups: dict[str, list[Limit]] = {heading: [] for heading, _ in _GROUPS}
    for limit in _limits(known):
        heading = next(heading for heading, begins in _GROUPS if limit.name.startswith(begins))
        groups[heading].append(limit)
    return [(heading, limits) for heading, limits in groups.items() if limits]


def _limits(known: Known) -> Iterator[Limit]:
    now = known.now
    for name in changeable():
        if name in now:
            field = Settings.model_fields[name.lower()]
            yield Limit(
                name,
                now[name],
                known.configured[name],
                field.description or "",
                allowed_values(name),
                _choices(field.annotation),
                known.changes.get(name),
            )


def _choices(annotation: Any) -> tuple[str, ...]:
    """The words of a setting that is one of a few words."""
    if get_origin(annotation) is Literal:
        return tuple(map(str, get_args(annotation)))
    return next(filter(None, map(_choices, get_args(annotation))), ())
