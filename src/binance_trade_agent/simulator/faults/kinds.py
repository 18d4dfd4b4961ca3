"""Every fault there is, with its fields (binance-protocol.md Appendix A).

Four families, by what a fault meets: requests, user events, sockets, and the state of the exchange. The fields that all
share say what is met: `Fault`. The class of a fault names its own.
"""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal

import msgspec

from binance_trade_agent.simulator.outbox import GOING_AWAY, Outbox

_Count = Annotated[int, msgspec.Meta(ge=1)]
_Whole = Annotated[int, msgspec.Meta(ge=0)]
_Milliseconds = Annotated[int, msgspec.Meta(ge=0, le=3_600_000)]
_Seconds = Annotated[float, msgspec.Meta(ge=0)]
_Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
_HttpStatus = Annotated[int, msgspec.Meta(ge=200, le=599)]
_CloseCode = Annotated[int, msgspec.Meta(ge=1000, le=4999)]
Target = Literal["ws-api", "streams"]


def bare_path(path: str) -> str:
    """A path without the root that all of REST has, and without a slash in front."""
    return path.removeprefix("/").removeprefix("api/v3/")


@dataclass(frozen=True, slots=True)
class Occasion:
    """Something that passes by: a request, an event or a message of a stream.

    Attributes:
        method: HTTP method, or `WS` for the WebSocket API; of an event, of the request that caused it.
        path: path of REST, method of the WebSocket API.
        stream: name of a market stream.
        event: a user event's `e`.
        target: which kind of socket.
        outbox: the connection that it is about, None: none, or several.
    """

    method: str = ""
    path: str = ""
    stream: str = ""
    event: str = ""
    target: str = ""
    outbox: Outbox | None = None


class Fault(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """What all faults share: which occasions they meet, how often, and when.

    Attributes:
        method: `GET`, `POST`, `PUT`, `DELETE`, or `WS` for the WebSocket API; None: any.
        path: path of REST without /api/v3/ in front, or method of the WebSocket API, with the shell's `*`; None: any.
        stream: name of a market stream; None: any.
        event: a user event's type, such as executionReport; None: any.
        target: kind of socket; None: both.
        nth: the first matching occasion that is met.
        count: how many are met from there on, None: all. Default: 1, or all where `probability`, `for_seconds` or
            `every_seconds` is given.
        probability: that an occasion is met whose turn it is.
        seed: of the numbers drawn for that; the same seed meets the same occasions.
        at_ms, at_seconds: market time of the start, from when the fault is switched on; in a schedule from the
            session's start.
        for_seconds: market time until the end; None: no end.
        every_seconds: market time after which it happens again; for faults that happen by themselves.
    """

    method: str | None = None
    path: str | None = None
    stream: str | None = None
    event: str | None = None
    target: Target | None = None
    nth: _Count = 1
    count: _Count | msgspec.UnsetType | None = msgspec.UNSET
    probability: _Share | msgspec.UnsetType = msgspec.UNSET
    seed: int = 0
    at_ms: _Whole | None = None
    at_seconds: _Seconds | None = None
    for_seconds: _Seconds | None = None
    every_seconds: Annotated[float, msgspec.Meta(gt=0)] | None = None

    def __post_init__(self) -> None:
        if self.at_ms is not None and self.at_seconds is not None:
            raise ValueError("at_ms and at_seconds exclude each other")

    @property
    def kind(self) -> str:
        """The fault's name."""
        return str(self.__struct_config__.tag)

    @property
    def most(self) -> int | None:
        """How many occasions are met, None for all."""
        if self.count is msgspec.UNSET:
            is_series = (
                self.probability is not msgspec.UNSET or self.for_seconds is not None or self.every_seconds is not None
            )
            return None if is_series else 1
        return self.count

    @property
    def delay_ms(self) -> int:
        """Market time between being switched on and the start."""
        return self.at_ms if self.at_ms is not None else round((self.at_seconds or 0) * 1000)

    @property
    def names_occasion(self) -> bool:
        """Whether it names something that passes by."""
        return any(name is not None for name in (self.method, self.path, self.stream, self.event))

    @property
    def happens_by_itself(self) -> bool:
        """Whether it needs no occasion: faults of sockets and state that name none."""
        return False

    def matches(self, occasion: Occasion) -> bool:
        """Whether an occasion is one of those."""
        return (
            self.method in {None, occasion.method}
            and (self.path is None or fnmatchcase(bare_path(occasion.path), self.path))
            and self.stream in {None, occasion.stream}
            and self.event in {None, occasion.event}
            and self.target in {None, occasion.target}
        )


class RequestFault(Fault):
    """Meets requests of REST and of the WebSocket API."""


class Http(RequestFault, tag="http"):
    """Not carried out, answered with this. In the WebSocket API `code` and `msg` of a JSON body become the error."""

    status: _HttpStatus = 503
    body: str | dict[str, Any] | list[Any] = ""
    headers: dict[str, str] = {}
    content_type: str | None = None
    retry_after_seconds: _Whole | None = None


class Html(RequestFault, tag="html"):
    """Not carried out, answered with a page for people."""

    status: _HttpStatus = 502


class Latency(RequestFault, tag="latency"):
    """Carried out `ms` real milliseconds later. It adds to whatever else meets the request."""

    ms: _Milliseconds = 1000


class EventBeforeResponse(RequestFault, tag="event_before_response"):
    """Carried out; the answer is held for `ms` real milliseconds, so that its user events arrive first.

    It adds to whatever else meets the request.
    """

    ms: _Milliseconds = 100


class DropBefore(RequestFault, tag="drop_before"):
    """The connection is closed, nothing is carried out."""


class DropAfter(RequestFault, tag="drop_after"):
    """Carried out, then the connection is closed without an answer."""


class TimeoutAfter(RequestFault, tag="timeout_after"):
    """Carried out, never answered."""


class UnknownExecuted(RequestFault, tag="unknown_executed"):
    """Carried out, answered with 504 and -1007."""


class UnknownNotExecuted(RequestFault, tag="unknown_not_executed"):
    """Not carried out, answered with 504 and -1007."""


class TruncateJson(RequestFault, tag="truncate_json"):
    """Carried out; the second half of the answer is missing."""


class EventFault(Fault):
    """Meets user events. `method` and `path` are of the request that caused the event.

    With `event` each event of that type is an occasion. Without, the events of one request are one occasion together,
    or those of one step of the market: all of them are met, or none.
    """

    @property
    def meets_batches(self) -> bool:
        """Whether the events of a request are one occasion."""
        return self.event is None

    def matches(self, occasion: Occasion) -> bool:
        """See Fault. The occasion of a batch names no event."""
        return self.meets_batches is (not occasion.event) and super().matches(occasion)


class EventDelay(EventFault, tag="event_delay"):
    """Arrives `ms` real milliseconds later, and what comes behind it on that connection not before it."""

    ms: _Milliseconds = 1000


class EventDrop(EventFault, tag="event_drop"):
    """Never arrives."""


class EventDuplicate(EventFault, tag="event_duplicate"):
    """Arrives twice."""


class EventReorder(EventFault, tag="event_reorder"):
    """Arrives after the one behind it, or after `ms` real milliseconds when none follows. Each event is an occasion."""

    ms: _Milliseconds = 500

    @property
    def meets_batches(self) -> bool:
        """See EventFault."""
        return False


class SocketFault(Fault):
    """Happens to the sockets of `target`; with `stream`, `path` or `event` when such a message passes."""

    @property
    def happens_by_itself(self) -> bool:
        """See Fault."""
        return not self.names_occasion


class WsClose(SocketFault, tag="ws_close"):
    """Closed with a close frame."""

    code: _CloseCode = GOING_AWAY


class WsAbort(SocketFault, tag="ws_abort"):
    """Cut with a TCP reset."""


class WsFreezeData(SocketFault, tag="ws_freeze_data"):
    """Nothing is sent any more, not even answers to what is carried out; pings are answered. What was due is lost."""


class WsFreezeAll(SocketFault, tag="ws_freeze_all"):
    """Nothing is sent or read any more, no ping is answered."""


class WsNoUpgrade(SocketFault, tag="ws_no_upgrade"):
    """A new connection is answered with this status."""

    status: _HttpStatus = 503

    @property
    def happens_by_itself(self) -> bool:
        """See Fault: it waits for a connection."""
        return False


class ServerShutdown(SocketFault, tag="server_shutdown"):
    """Announced with the event serverShutdown, closed `lead_ms` real milliseconds later."""

    lead_ms: _Milliseconds = 1000


class StateFault(Fault):
    """Changes the exchange; with `method` or `path` when such a request comes, before it is carried out."""

    @property
    def happens_by_itself(self) -> bool:
        """See Fault."""
        return not self.names_occasion


class Ban(StateFault, tag="ban"):
    """Every address is banned for so long."""

    seconds: _Count = 120


class Weight(StateFault, tag="weight"):
    """So much request weight is used in the running minute."""

    used: _Whole = 6000


class OrdersUsed(StateFault, tag="orders_used"):
    """So many orders are counted in the running windows of an account, None: of every account."""

    n: _Whole = 50
    account: str | None = None


class ClockSkew(StateFault, tag="clock_skew"):
    """The exchange's clock shows `ms` more (or less) than market time: in GET time, and to timestamps of requests."""

    ms: int = 0


class RevokeKey(StateFault, tag="revoke_key"):
    """An API key is unknown, None: every key that may trade."""

    key: str | None = None


class MonthlyReset(StateFault, tag="monthly_reset"):
    """All orders, trades and lists are gone, ids begin anew, balances are as at the start; keys stay."""


KINDS: dict[str, type[Fault]] = {
    str(kind.__struct_config__.tag): kind
    for family in (RequestFault, EventFault, SocketFault, StateFault)
    for kind in family.__subclasses__()
}

NOT_CARRIED_OUT = (Http, Html, DropBefore, UnknownNotExecuted)

# What they do lasts until they end or are switched off; what the others do is done.
LASTING = (ClockSkew, RevokeKey, WsFreezeData, WsFreezeAll)
