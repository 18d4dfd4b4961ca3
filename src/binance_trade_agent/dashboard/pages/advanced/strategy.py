"""The strategy in use, and asking for another one or for other parameters."""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Query, Request
from starlette.responses import HTMLResponse, Response

from binance_trade_agent.control.commands import CommandKind
from binance_trade_agent.control.strategy_switch import asked_choice
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
from binance_trade_agent.dashboard.region import PROBLEMS, REGION, DeskOf
from binance_trade_agent.dashboard.rendering import render
from binance_trade_agent.desk.desk import Desk
from binance_trade_agent.domain.nearest import nearest
from binance_trade_agent.domain.strategy_choice import StrategyChoice
from binance_trade_agent.ledger import strategy_changes
from binance_trade_agent.ledger.errors import LedgerError
from binance_trade_agent.ledger.strategy_changes import StrategyChange
from binance_trade_agent.setting_types import strategy_params
from binance_trade_agent.strategies.in_use import StrategiesInUse
from binance_trade_agent.strategies.registry import StrategyDescription, StrategyError, describe

ADDRESS = "/advanced/strategy"
_FIELD = "p:"  # a field of the form for a parameter: `p:rsi_period`, `p:ETHUSDT.rsi_period`

router = APIRouter(default_response_class=HTMLResponse, responses=PROBLEMS)


@dataclass(frozen=True, slots=True)
class InUse:
    """What decides.

    Attributes:
        choice: by the last change that the ledger has noted, else by the settings.
        change: that change; None before the first run.
        configured: what the settings of this process say.
    """

    choice: StrategyChoice
    change: StrategyChange | None
    configured: StrategyChoice


@router.get(ADDRESS)
async def show_strategy(request: Request, desk: DeskOf, name: Annotated[str, Query(max_length=100)] = "") -> Response:
    """The section; `name` is the strategy that the form is for, the one in use without it."""
    in_use, run, described = await in_use_of(desk), await newest_run(desk), await desk.in_thread(describe)
    chosen = _chosen(described, name, in_use.choice.name)
    return await show(
        request,
        "advanced/strategy.html",
        ADDRESS,
        strategies=described,
        chosen=chosen,
        given=in_use.choice.params if chosen.name == in_use.choice.name else {},
        symbols=traded(desk, run),
    )


@router.get(f"{ADDRESS}/now", tags=[REGION])
async def show_in_use(request: Request, desk: DeskOf) -> Response:
    """The strategy in use, since when and by whom."""
    return await render(
        request, "advanced/strategy_now.html", in_use=await in_use_of(desk), is_running=desk.is_running()
    )


@router.post(f"{ADDRESS}/review")
async def review(request: Request, desk: DeskOf) -> Response:
    """What the form asks for, checked, old and new; nothing is placed yet."""
    form = await request.form()
    fields = {key: value.strip() for key, value in form.items() if isinstance(value, str)}
    params = {key.removeprefix(_FIELD): value for key, value in fields.items() if key.startswith(_FIELD) and value}
    run = await newest_run(desk)
    choice = await checked_choice(desk, fields.get("name", ""), params, traded(desk, run))
    before = (await in_use_of(desk)).choice
    if choice == before:
        raise HTTPException(422, f"Nothing would change: {before} is in use already.")
    written = ",".join(f"{key}={value}" for key, value in choice.params.items())
    return await confirm(
        request,
        ADDRESS,
        changes=_differences(before, choice),
        fields={"name": choice.name, "params": written},
        heading="Change the strategy?",
        button="Change the strategy",
        effect=effect_of(run),
    )


@router.post(ADDRESS)
async def change(
    request: Request,
    desk: DeskOf,
    session: SessionOf,
    name: Annotated[str, Form(max_length=100)] = "",
    params: Annotated[str, Form(max_length=5_000)] = "",
) -> Response:
    """Ask the trader for it."""
    await checked_texts(desk, name, params, traded(desk, await newest_run(desk)))
    return await placed(request, desk, session, CommandKind.SET_STRATEGY, {"name": name.strip(), "params": params})


async def in_use_of(desk: Desk) -> InUse:
    """What decides now; without a ledger what would."""
    configured = StrategyChoice(desk.settings.strategy_name, desk.settings.strategy_params)

    def work(connection: sqlite3.Connection) -> StrategyChange | None:
        return strategy_changes.latest(connection)

    try:
        last = await desk.read(work)
    except LedgerError:
        last = None
    return InUse(last.choice if last else configured, last, configured)


def _chosen(described: list[StrategyDescription], name: str, in_use: str) -> StrategyDescription:
    """The strategy of a name; without one that in use, or the first where that is not there any more.

    Raises:
        HTTPException: 422, there is no such strategy.
    """
    by_name = {each.name: each for each in described}
    if not name:
        return by_name.get(in_use, described[0])
    if name not in by_name:
        near = nearest(name, by_name)
        raise HTTPException(422, f"{name!r} is not a strategy" + (f", did you mean {near}?" if near else "."))
    return by_name[name]


async def checked_texts(desk: Desk, name: str, params: str, symbols: Sequence[str]) -> StrategyChoice:
    """A choice from the two texts of a command, if it could be used on `symbols`.

    Raises:
        HTTPException: 422, see checked_choice.
    """
    try:
        choice = asked_choice(name, params)
    except (StrategyError, ValueError) as failure:
        raise HTTPException(422, _sentence(failure)) from None
    return await checked_choice(desk, choice.name, choice.params, symbols)


async def checked_choice(desk: Desk, name: str, params: Mapping[str, str], symbols: Sequence[str]) -> StrategyChoice:
    """The choice, if it could be used on `symbols`.

    Raises:
        HTTPException: 422, one sentence: there is no such strategy, or a parameter is not allowed.
    """
    try:
        choice = StrategyChoice(name, strategy_params(dict(params)))
        await desk.in_thread(lambda: StrategiesInUse(choice, symbols))
    except (StrategyError, ValueError) as failure:
        raise HTTPException(422, _sentence(failure)) from None
    return choice


def traded(desk: Desk, run: NewestRun | None) -> tuple[str, ...]:
    """Symbols of the trader that runs, which was perhaps started with other settings; else those of the settings."""
    return run.record.symbols if run is not None and run.is_running else desk.settings.trading_symbols


def _differences(before: StrategyChoice, after: StrategyChoice) -> list[Change]:
    changes = [Change("strategy", before.name, after.name)] if before.name != after.name else []
    old, missing = (before.params, "default") if before.name == after.name else ({}, "–")
    changes += [
        Change(key, old.get(key, missing), after.params.get(key, "default"))
        for key in sorted({*old, *after.params})
        if old.get(key) != after.params.get(key)
    ]
    return changes


def _sentence(failure: Exception) -> str:
    """As it is, since it may begin with the name of a parameter, and with its full stop."""
    return f"{str(failure).removesuffix('.')}."
