"""The effective configuration: every setting with its source, and what the trader has where that is something else."""

from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse, Response

from binance_trade_agent.dashboard.pages.advanced.limits import Known, known_limits
from binance_trade_agent.dashboard.pages.advanced.shared import show
from binance_trade_agent.dashboard.region import PROBLEMS, DeskOf
from binance_trade_agent.ledger.risk_changes import RiskChange
from binance_trade_agent.settings import Settings, allowed_values

ADDRESS = "/advanced/configuration"
Which = Literal["all", "set", "differing"]

router = APIRouter(default_response_class=HTMLResponse, responses=PROBLEMS)


@dataclass(frozen=True, slots=True)
class Row:
    """A setting.

    Attributes:
        value: in this process, secrets masked; origin: where from.
        of_trader: in the trader that runs, where that differs; None where it does not, or none runs.
        change: by which a person has brought that about.
    """

    name: str
    value: str
    origin: str
    description: str
    allowed: str
    of_trader: str | None
    change: RiskChange | None

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
    rows = [_row(known, *each) for each in desk.configuration.rows()]
    shown = [
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
        rows=shown,
        every=len(rows),
        differing=sum(row.of_trader is not None for row in rows),
        text=text,
        which=which,
        run=known.run,
    )


def _row(known: Known, name: str, value: str, origin: str) -> Row:
    field = Settings.model_fields[name.lower()]
    of_trader = None
    if known.run is not None and known.run.is_running:
        said = known.changes[name].new if name in known.changes else known.run.settings.get(name)
        of_trader = said if said is not None and said != value else None
    return Row(name, value, origin, field.description or "", allowed_values(name), of_trader, known.changes.get(name))
