"""What the control port is sent, and what it answers."""

from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Literal

import msgspec
import orjson
from aiohttp import web

from binance_trade_agent.domain.nearest import nearest
from binance_trade_agent.matching.book import Level
from binance_trade_agent.simulator.fields import read_fields
from binance_trade_agent.simulator.options import OptionsError
from binance_trade_agent.simulator.outbox import GOING_AWAY

_JSON_TYPE = "application/json"
Number = str | int | float


class ClockBody(msgspec.Struct, forbid_unknown_fields=True):
    """POST /sim/clock: how the clock runs, and where to; see clocks.py."""

    mode: Literal["real", "manual", "stepped"] | None = None
    now: Annotated[int, msgspec.Meta(ge=0)] | None = None
    advance: Annotated[int, msgspec.Meta(ge=0)] | None = None


class BookBody(msgspec.Struct, forbid_unknown_fields=True):
    """POST /sim/book: rows of [price, quantity], best price first."""

    symbol: str
    bids: list[tuple[Number, Number]] = []
    asks: list[tuple[Number, Number]] = []


class TradeBody(msgspec.Struct, forbid_unknown_fields=True):
    """POST /sim/trade."""

    symbol: str
    price: Number
    qty: Number
    taker: Literal["BUY", "SELL"]


class ResetBody(msgspec.Struct, forbid_unknown_fields=True):
    """POST /sim/reset."""

    fixture: str


class KickBody(msgspec.Struct, forbid_unknown_fields=True):
    """POST /sim/kick."""

    target: Literal["ws-api", "streams"]
    code: Annotated[int, msgspec.Meta(ge=1000, le=4999)] = GOING_AWAY


async def read_json(request: web.Request) -> dict[str, Any]:
    """The body as an object; an empty one is an empty object.

    Raises:
        ValueError: it is none.
    """
    try:
        body = orjson.loads(await request.read() or b"{}")
    except orjson.JSONDecodeError as error:
        raise ValueError(f"the body is not JSON: {error}") from None
    if not isinstance(body, dict):
        raise ValueError("the body must be a JSON object")  # noqa: TRY004 (answered with 400 like other mistakes)
    return body


async def read_clock(request: web.Request) -> ClockBody:
    """The body of POST /sim/clock.

    Raises:
        ValueError: one sentence.
    """
    return read_fields(await read_json(request), ClockBody, "clock")


def answer(payload: Any) -> web.Response:
    """An answer with JSON."""
    return web.Response(body=orjson.dumps(payload), content_type=_JSON_TYPE)


@web.middleware
async def no_pages(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """What names an Origin comes from a page in a browser of this machine, which has nothing to command here: 403."""
    if "Origin" in request.headers:
        return _mistake(403, "this was asked for by a page in a browser: refused")
    return await handler(request)


@web.middleware
async def mistakes_as_json(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """A mistake is answered with 400 and one sentence in `error`, an unknown path with 404 and the known ones."""
    try:
        return await handler(request)
    except (ValueError, OptionsError) as error:
        return _mistake(400, str(error))
    except web.HTTPMethodNotAllowed as error:
        return _mistake(405, f"{request.path} knows {', '.join(sorted(error.allowed_methods))}, not {error.method}")
    except web.HTTPRequestEntityTooLarge as error:
        return _mistake(413, f"the body of {request.path} is too large: {error.text}")
    except web.RequestPayloadError:
        return _mistake(400, f"the body of {request.path} is not encoded as its headers say")
    except web.HTTPNotFound:
        known = sorted({str(route.resource.canonical) for route in request.app.router.routes() if route.resource})
        hint = f"; did you mean {near}?" if (near := nearest(request.path, known)) else ""
        return _mistake(404, f"there is no {request.path} here, known are {', '.join(known)}{hint}")


def positive(value: Any, name: str) -> Decimal:
    """A number above 0.

    Raises:
        ValueError: it is none.
    """
    number = decimal(value, name)
    if number <= 0:
        raise ValueError(f"{name} must be above 0, not {value!r}")
    return number


def decimal(value: Any, name: str) -> Decimal:
    """A finite number, exact when it is given as text.

    Raises:
        ValueError: it is none.
    """
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise ValueError(f"{name} must be a number, not {value!r}") from None
    if not number.is_finite():
        raise ValueError(f"{name} must be a finite number, not {value!r}")
    return number


def levels(rows: Sequence[tuple[Number, Number]], name: str) -> list[Level]:
    """Rows of a book as levels.

    Raises:
        ValueError: a price or quantity is not above 0, or the prices are not in order.
    """
    found = [(positive(price, f"{name} price"), positive(quantity, f"{name} quantity")) for price, quantity in rows]
    if found != sorted(found, reverse=name == "bids"):
        raise ValueError(f"{name} must come best price first")
    return found


def _mistake(status: int, sentence: str) -> web.Response:
    return web.Response(status=status, body=orjson.dumps({"error": sentence}), content_type=_JSON_TYPE)
