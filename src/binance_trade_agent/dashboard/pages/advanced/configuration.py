"""The effective configuration: every setting with its source, and what the trader has where that is something else."""

from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse, Response

from binance_trade_agent.dashboard.pages.advanced.limits import Known, known_limits
from binance_trade_agent.dashboard.pages.advanced.shared import show
from binance_trade_agent.dashboard.pages.advanced.strategy import InUse, in_use_of
from binance_trade_agent.dashboard.region import PROBLEMS, DeskOf
from binance_trade_agent.settings import Settings, allowed_values, shown

ADDRESS = "/advanced/configuration"
Which = Literal["all", "set", "differing"]

router = APIRouter(default_response_class=HTMLResponse, responses=PROBLEMS)


@dataclass(frozen=True, slots=True)
class Row:
    """A setting.

    Attributes:
        value: in this process, secrets masked; origin: where from.
        of_trader: in the trader that runs, where that differs; None where it does not, or none runs.
        by: who has brought that about by a command; empty where nobody did.
    """

    name: str
    value: str
    origin: str
    description: str
    allowed: str
    of_trader: str | None
    by: str

    def has(self, text: str) -> bool:
        """Whether the words are in it, large and small letters alike."""
        said = f"{self.name} {self.value} {self.origin} {self.description}".lower()
        return all(word in said for word in text.lower().split())


@router.get(ADDRESS)
async def show_configuration(
    request: Request,
    desk: DeskOf,
    text: Annotated[str, Query(max_length=100)] = "",
    which: Which = "all",
) -> Response:
    """The section."""
    known = await known_limits(desk)
    of_trader = _of_trader(known, await in_use_of(desk))
    rows = [_row(of_trader, *each) for each in desk.configuration.rows()]
    found = [
        row
        for row in rows
        if row.has(text)
        and (which != "set" or row.origin != "default")
        and (which != "differing" or row.of_trader is not None)
    ]
    return await show(
        request,
        "advanced/configuration.html",
        ADDRESS,
        rows=found,
        every=len(rows),
        differing=sum(row.of_trader is not None for row in rows),
        text=text,
        which=which,
        run=known.run,
    )


def _of_trader(known: Known, in_use: InUse) -> dict[str, tuple[str, str]]:
    """What the trader that runs has, and by whose command; nothing where none runs."""
    if known.run is None or not known.run.is_running:
        return {}
    says = {name: (value, "") for name, value in known.run.settings.items()}
    says.update({name: (change.new, change.requested_by) for name, change in known.changes.items()})
    if in_use.change is not None and in_use.change.is_by_command:
        says["STRATEGY_NAME"] = in_use.choice.name, in_use.change.requested_by
        says["STRATEGY_PARAMS"] = shown(dict(in_use.choice.params)), in_use.change.requested_by
    return says


def _row(of_trader: dict[str, tuple[str, str]], name: str, value: str, origin: str) -> Row:
    field = Settings.model_fields[name.lower()]
    there, by = of_trader.get(name, (value, ""))
    is_other = there != value
    return Row(
        name,
        value,
        origin,
        field.description or "",
        allowed_values(name),
        there if is_other else None,
        by if is_other else "",
    )
