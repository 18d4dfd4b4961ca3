"""The faults that are switched on: which occasion meets which, and what is due at which time."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar
from weakref import WeakKeyDictionary

import msgspec

from binance_trade_agent.domain.values import replace
from binance_trade_agent.simulator.faults.kinds import (
    LASTING,
    EventBeforeResponse,
    EventFault,
    Fault,
    Latency,
    Occasion,
    RequestFault,
    SocketFault,
    StateFault,
    WsNoUpgrade,
)
from binance_trade_agent.simulator.outbox import Outbox

_Family = TypeVar("_Family", bound=Fault)


@dataclass(slots=True)
class Meeting:
    """What meets one request.

    Attributes:
        delay_ms: real milliseconds before it is carried out.
        hold_ms: real milliseconds that its answer is held, so that its events arrive first; None: not held.
        outcome: what is wrong with being carried out or answered; None: nothing.
    """

    delay_ms: int = 0
    hold_ms: int | None = None
    outcome: RequestFault | None = None


class Effects(Protocol):
    """Does to sockets and to the exchange what a fault says."""

    def begin(self, fault: Fault, occasion: Occasion | None) -> None:
        """Let it happen; `occasion` is what it met, None when it happens by itself."""
        ...

    def end(self, fault: Fault) -> None:
        """Undo a fault that lasts."""
        ...


@dataclass(slots=True)
class _Switched:
    """A fault that is on.

    Attributes:
        starts_ms, ends_ms: market time; no end is None.
        next_ms: when it happens by itself, None: not any more.
        passed, met: matching occasions so far, and those that it met.
        holds: whether a lasting effect is there now.
    """

    fault: Fault
    starts_ms: int
    ends_ms: int | None
    next_ms: int | None
    chance: random.Random
    passed: int = 0
    met: int = 0
    holds: bool = False

    def is_over(self, now_ms: int) -> bool:
        """Whether its time has ended."""
        return self.ends_ms is not None and now_ms >= self.ends_ms

    def is_spent(self) -> bool:
        """Whether it has happened as often as it may."""
        if self.fault.happens_by_itself and self.next_ms is None:
            return True
        return self.fault.most is not None and self.met >= self.fault.most

    def takes(self, now_ms: int) -> bool:
        """Count a matching occasion; True when the fault meets it."""
        most = self.fault.most
        if now_ms < self.starts_ms or self.is_over(now_ms) or (most is not None and self.met >= most):
            return False
        self.passed += 1
        probability = 1.0 if self.fault.probability is msgspec.UNSET else self.fault.probability
        if self.passed < self.fault.nth or self.chance.random() >= probability:
            return False
        self.met += 1
        return True


@dataclass(slots=True)
class Faults:
    """All faults that are on, by number.

    Attributes:
        now_ms: market time of the last `advance`.
        cause: what user events come of: the request that is being carried out, else a step of the market. Each is an
            object of its own, by which its events are known to be one batch.
    """

    effects: Effects
    now_ms: int
    cause: Occasion = field(default_factory=Occasion)
    _switched: dict[int, _Switched] = field(default_factory=dict)
    _last_number: int = 0
    _batches: WeakKeyDictionary[Outbox, tuple[Occasion, EventFault | None]] = field(default_factory=WeakKeyDictionary)

    def add(self, fault: Fault, *, origin_ms: int | None = None) -> int:
        """Switch a fault on; returns its number. What is due at once has happened when this returns.

        Args:
            fault: what goes wrong.
            origin_ms: market time from which the fault's times count; None: now. When a session goes on later than
                that, what happened at a moment before now does not happen again; what lasts, lasts on.
        """
        starts_ms = (self.now_ms if origin_ms is None else origin_ms) + fault.delay_ms
        ends_ms = None if fault.for_seconds is None else starts_ms + round(fault.for_seconds * 1000)
        switched = _Switched(fault, starts_ms, ends_ms, None, random.Random(fault.seed))  # noqa: S311 (no secret)
        if fault.happens_by_itself:
            switched.next_ms = self._first_ms(fault, starts_ms)
        self._last_number += 1
        self._switched[self._last_number] = switched
        self.advance(self.now_ms)
        return self._last_number

    def remove(self, number: int) -> bool:
        """Switch a fault off, and undo what lasts of it. False when none has ever had that number."""
        switched = self._switched.pop(number, None)
        if switched is not None:
            self._release(switched)
        return 0 < number <= self._last_number

    def clear(self) -> None:
        """Switch all off."""
        for number in list(self._switched):
            self.remove(number)

    def listed(self) -> list[dict[str, Any]]:
        """Every fault that is on, with its number and how often it has happened."""
        return [
            {"id": number, **msgspec.to_builtins(switched.fault), "met": switched.met}
            for number, switched in self._switched.items()
        ]

    def next_ms(self) -> int | None:
        """Market time at which the next fault happens or ends by itself."""
        times = [
            at_ms
            for switched in self._switched.values()
            for at_ms in (switched.next_ms, switched.ends_ms if switched.holds else None)
            if at_ms is not None
        ]
        return min(times, default=None)

    def advance(self, now_ms: int) -> None:
        """Let happen what is due by market time `now_ms`."""
        self.now_ms = max(self.now_ms, now_ms)
        for number, switched in list(self._switched.items()):
            self._let_happen(switched)
            if switched.holds and switched.is_over(self.now_ms):
                self._release(switched)
            if not switched.holds and (switched.is_spent() or switched.is_over(self.now_ms)):
                self._switched.pop(number, None)

    def meeting(self, method: str, path: str, outbox: Outbox | None = None) -> Meeting:
        """What meets a request. Faults of state and sockets that wait for this request happen here.

        Args:
            method: HTTP method, or `WS` for the WebSocket API.
            path: path, or method of the WebSocket API.
            outbox: the connection of the WebSocket API on which it came.
        """
        met = Meeting()
        if not self._switched:
            return met
        occasion = Occasion(method=method, path=path, target="ws-api" if outbox else "", outbox=outbox)
        self._meet_effects(occasion)
        for fault in self._met(occasion, RequestFault):
            match fault:
                case Latency():
                    met.delay_ms += fault.ms
                case EventBeforeResponse():
                    met.hold_ms = fault.ms
                case _:
                    met.outcome = fault
                    break
        return met

    def event_met(self, event: str, outbox: Outbox) -> EventFault | None:
        """What meets a user event on its way to a connection; faults of sockets that wait for it happen here."""
        cause, batch_fault = self._batches.get(outbox, (None, None))
        if not self._switched and cause is not self.cause:
            return None
        batch = Occasion(method=self.cause.method, path=self.cause.path, target="ws-api", outbox=outbox)
        if cause is not self.cause:
            batch_fault = next(self._met(batch, EventFault), None)
            self._batches[outbox] = (self.cause, batch_fault)
        occasion = replace(batch, event=event)
        self._meet_effects(occasion)
        return next(self._met(occasion, EventFault), batch_fault)

    def market_moves(self) -> None:
        """A step of the exchange begins to be told: when no request caused it, its events are a batch of their own."""
        if not self.cause.method:
            self.cause = Occasion()

    def stream_passes(self, name: str) -> None:
        """A message of a market stream is about to be sent: faults that wait for it happen."""
        if self._switched:
            self._meet_effects(Occasion(stream=name, target="streams"))

    def refused_upgrade(self, target: str, path: str) -> WsNoUpgrade | None:
        """What meets a new socket."""
        occasion = Occasion(method="GET", path=path, target=target)
        return next(self._met(occasion, WsNoUpgrade), None)

    def _first_ms(self, fault: Fault, starts_ms: int) -> int | None:
        """When a fault happens by itself for the first time from now on."""
        late_ms = self.now_ms - starts_ms
        if late_ms <= 0 or isinstance(fault, LASTING):
            return starts_ms
        if fault.every_seconds is None:
            return None
        every_ms = max(1, round(fault.every_seconds * 1000))
        return starts_ms + -(-late_ms // every_ms) * every_ms

    def _let_happen(self, switched: _Switched) -> None:
        """What is due by itself, as often as it is due."""
        fault = switched.fault
        while switched.next_ms is not None and switched.next_ms <= self.now_ms:
            at_ms = switched.next_ms
            every_ms = max(1, round((fault.every_seconds or 0) * 1000))
            goes_on = fault.every_seconds is not None and not switched.is_over(at_ms + every_ms)
            switched.next_ms = at_ms + every_ms if goes_on else None
            if switched.takes(at_ms):
                self._begin(switched, None)
            if fault.most is not None and switched.met >= fault.most:
                switched.next_ms = None

    def _meet_effects(self, occasion: Occasion) -> None:
        for switched in list(self._switched.values()):
            fault = switched.fault
            if not isinstance(fault, (SocketFault, StateFault)) or isinstance(fault, WsNoUpgrade):
                continue
            if fault.names_occasion and fault.matches(occasion) and switched.takes(self.now_ms):
                self._begin(switched, occasion)

    def _met(self, occasion: Occasion, family: type[_Family]) -> Iterator[_Family]:
        """Faults of a family that meet the occasion, in the order in which they were switched on."""
        for number, switched in list(self._switched.items()):
            fault = switched.fault
            if isinstance(fault, family) and fault.matches(occasion) and switched.takes(self.now_ms):
                if switched.is_spent():
                    self._switched.pop(number, None)
                yield fault

    def _begin(self, switched: _Switched, occasion: Occasion | None) -> None:
        switched.holds = isinstance(switched.fault, LASTING)
        self.effects.begin(switched.fault, occasion)

    def _release(self, switched: _Switched) -> None:
        if switched.holds:
            switched.holds = False
            self.effects.end(switched.fault)
