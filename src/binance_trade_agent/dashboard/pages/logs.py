"""The log: what trader and dashboard have logged, the newest first, filtered, as it comes or page by page."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from starlette.responses import HTMLResponse, Response, StreamingResponse

from binance_trade_agent.dashboard.region import PROBLEMS, REGION, DeskOf
from binance_trade_agent.dashboard.rendering import render
from binance_trade_agent.ops.clock import wall_ms
from binance_trade_agent.ops.log_file import log_folder
from binance_trade_agent.ops.log_pages import CursorError, LogEntry, LogQuery, checked_cursor, download, page
from binance_trade_agent.reports.wording import parse_utc

_SIZE = 100
_SHOWN_CHARACTERS = 600  # of a line; the rest is a click away
_ALL_CHARACTERS = 20_000  # of a text in its details; the download has all
# Control characters, and what changes the direction or the look of the text around it: none of it may act on a page.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
)

Source = Literal["trader", "dashboard"]
Level = Literal["", "debug", "info", "warning", "error", "critical"]
LEVELS = (
    ("", "everything"),
    ("info", "information and worse"),
    ("warning", "warnings and worse"),
    ("error", "errors and worse"),
)

router = APIRouter(default_response_class=HTMLResponse, responses=PROBLEMS)


@dataclass(frozen=True, slots=True)
class Filter:
    """The filter as the address says it; times are UTC, in ISO 8601. `query` is what it asks of the log."""

    source: Source = "trader"
    level: Level = ""
    symbol: str = ""
    text: str = ""
    order: str = ""
    run: str = ""
    since: str = ""
    until: str = ""

    @property
    def query(self) -> LogQuery:
        """Raises HTTPException, with a sentence, when a time is none."""
        return LogQuery(
            name=self.source,
            least_level=self.level,
            symbol=self.symbol.strip().upper(),
            text=self.text.strip(),
            client_order_id=self.order.strip(),
            run=self.run.strip(),
            from_ms=_time("from", self.since),
            until_ms=_time("to", self.until),
        )

    @property
    def given(self) -> dict[str, str]:
        """What of it is given, by the names of the address."""
        names = {"since": "from", "until": "to"}
        fields = {
            "source": "" if self.source == "trader" else self.source,
            "level": self.level,
            "symbol": self.symbol,
            "text": self.text,
            "order": self.order,
            "run": self.run,
            "since": self.since,
            "until": self.until,
        }
        return {names.get(name, name): value for name, value in fields.items() if value}

    def address(self, path: str = "/logs", **more: str) -> str:
        """`path` with this filter and `more`; an empty value of `more` takes a part of the filter away."""
        given = {name: value for name, value in {**self.given, **more}.items() if value}
        return f"{path}?{urlencode(given)}" if given else path


def _filter(
    source: Source = "trader",
    level: Level = "",
    symbol: Annotated[str, Query(max_length=60)] = "",
    text: Annotated[str, Query(max_length=300)] = "",
    order: Annotated[str, Query(max_length=60)] = "",
    run: Annotated[str, Query(max_length=60)] = "",
    since: Annotated[str, Query(alias="from", max_length=40)] = "",
    until: Annotated[str, Query(alias="to", max_length=40)] = "",
) -> Filter:
    return Filter(source, level, symbol, text, order, run, since, until)


FilterOf = Annotated[Filter, Depends(_filter)]
CursorOf = Annotated[str, Query(max_length=40)]


@router.get("/logs")
async def show_logs(request: Request, desk: DeskOf, chosen: FilterOf, before: CursorOf = "") -> Response:
    """The page: the newest lines as they come, or with `before` those older than a place in the log."""
    _ = chosen.query, _cursor(before)  # what is wrong is said here, not by a region
    return await render(
        request,
        "logs/page.html",
        title="Logs",
        chosen=chosen,
        before=before,
        levels=LEVELS,
        symbols=desk.settings.trading_symbols,
        is_kept=bool(desk.settings.log_file_mb),
    )


@router.get("/logs/lines", tags=[REGION])
async def show_lines(request: Request, desk: DeskOf, chosen: FilterOf, before: CursorOf = "") -> Response:
    """The lines themselves."""
    folder, query, cursor = log_folder(desk.ledger_path), chosen.query, _cursor(before)
    found = await desk.in_thread(lambda: page(folder, query, cursor, _SIZE))
    return await render(
        request,
        "logs/lines.html",
        found=found,
        chosen=chosen,
        before=before,
        lines=[Line.of(entry) for entry in found.entries],
        has_filter=bool(set(chosen.given) - {"source"}),
    )


@router.get("/logs/download", response_class=StreamingResponse)
async def download_log(desk: DeskOf, chosen: FilterOf) -> Response:
    """Every line that fits, as it stands in the files: one JSON object a line, the oldest first."""
    stamp = datetime.fromtimestamp(wall_ms() / 1000, UTC).strftime("%Y%m%dT%H%M%SZ")
    name = f"{chosen.source}-{stamp}.jsonl"
    return StreamingResponse(
        download(log_folder(desk.ledger_path), chosen.query),
        media_type="application/x-ndjson",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@dataclass(frozen=True, slots=True)
class Line:
    """An entry as it is shown: nothing in its texts acts on the page.

    Attributes:
        text: its first 600 characters; `rest` how many more there are.
        details: name and text of whatever else it says, the whole line first where it was cut.
    """

    entry: LogEntry
    text: str
    rest: int
    details: Sequence[tuple[str, str]]

    @classmethod
    def of(cls, entry: LogEntry) -> "Line":
        """The entry, made harmless."""
        rest = max(0, len(entry.text) - _SHOWN_CHARACTERS)
        named = [
            ("whole line", entry.text if rest else ""),
            ("exception", entry.exception),
            ("event", entry.event if entry.event != entry.text else ""),
            ("logger", entry.logger),
            ("run", entry.run),
            ("cycle", entry.cycle),
            ("tick (market time)", entry.tick),
            *entry.details.items(),
        ]
        details = [(visible(name[:100]), visible(_cut(text))) for name, text in named if text]
        return cls(entry, visible(entry.text[:_SHOWN_CHARACTERS]), rest, details)

    @property
    def symbol(self) -> str:
        """Its symbol, as it may be shown."""
        return visible(self.entry.symbol[:40])

    @property
    def order(self) -> str:
        """Its client order id, as it may be shown."""
        return visible(self.entry.client_order_id[:60])

    @property
    def level(self) -> str:
        """Its level; `unreadable` for what is no line of ours."""
        return visible(self.entry.level[:20]) or "unreadable"


def visible(text: str) -> str:
    """The text with a picture in the place of each character that would act instead of being seen."""
    return _INVISIBLE.sub(lambda found: _picture(found[0]), text)


def _picture(character: str) -> str:
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    return "\u2421" if code == 0x7F else f"\\u{code:04x}"


def _cut(text: str) -> str:
    more = len(text) - _ALL_CHARACTERS
    return text if more <= 0 else f"{text[:_ALL_CHARACTERS]}… ({more:,} more characters; the download has them)"


def _cursor(before: str) -> str | None:
    try:
        return checked_cursor(before) if before else None
    except CursorError as failure:
        raise HTTPException(422, f"before: {failure}") from None


def _time(name: str, text: str) -> int | None:
    """Milliseconds UTC; None for no time. A second or minute stands for its beginning."""
    if not text.strip():
        return None
    try:
        return parse_utc(text)
    except (ValueError, OverflowError, OSError):
        raise HTTPException(
            422, f"{name}: {text!r} is no time; write 2026-01-05T14:36, in UTC, or with a zone."
        ) from None
