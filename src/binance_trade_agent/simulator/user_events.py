"""Who listens to which account: subscriptions of WebSocket API connections to the user data stream.

See binance-protocol.md 5.3 for subscriptions, 4.5 for their events.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import orjson

from binance_trade_agent.matching.transactions import Transaction
from binance_trade_agent.simulator.errors import ApiError
from binance_trade_agent.simulator.event_payloads import user_events
from binance_trade_agent.simulator.exchange import Exchange
from binance_trade_agent.simulator.faults.events import EventFaults
from binance_trade_agent.simulator.outbox import Outbox
from binance_trade_agent.simulator.payloads import Json
from binance_trade_agent.simulator.time_unit import TimeUnit, event_in

_MOST_ACTIVE = 1000
_MOST_PER_CONNECTION = 65_535


@dataclass(frozen=True, slots=True)
class _Subscription:
    account: str
    by_logon: bool


class UserSubscriptions:
    """The subscriptions of one connection: at most one an account."""

    def __init__(self, outbox: Outbox, unit: TimeUnit, faults: EventFaults) -> None:
        self._outbox = outbox
        self._faults = faults
        self._unit = unit
        self._active: dict[int, _Subscription] = {}
        self._next_id = 0
        self._held: list[str] | None = None

    @property
    def ids(self) -> list[int]:
        """Ids of the active subscriptions."""
        return list(self._active)

    def subscribe(self, account: str, *, by_logon: bool) -> int:
        """Subscribe to an account; returns the subscription's id.

        Args:
            account: whose events.
            by_logon: whether the account is that of the session's logon, so that the subscription ends with it.

        Raises:
            ApiError: -2035 subscribed already, -2042 too many at once or in this connection's life.
        """
        if any(subscription.account == account for subscription in self._active.values()):
            raise ApiError(-2035, "User Data Stream subscription already active.")
        if self._next_id >= _MOST_PER_CONNECTION or len(self._active) >= _MOST_ACTIVE:
            raise ApiError(-2042, "Maximum subscription ID reached for this connection.")
        number = self._next_id
        self._next_id += 1
        self._active[number] = _Subscription(account, by_logon)
        return number

    def unsubscribe(self, number: int | None, now_ms: int) -> None:
        """End one subscription, or all; each ends with an event of its own.

        Raises:
            ApiError: -2036 there is no such subscription, or none at all.
        """
        if number not in self._active and (number is not None or not self._active):
            raise ApiError(-2036, "User Data Stream subscription not active.")
        self._end([number] if number is not None else self.ids, now_ms)

    def end_of_logon(self, now_ms: int) -> None:
        """Nobody is logged on any more."""
        self._end([number for number, subscription in self._active.items() if subscription.by_logon], now_ms)

    def announce_shutdown(self, now_ms: int) -> None:
        """Tell the client that the connection is about to be closed."""
        event = event_in(self._unit, {"e": "serverShutdown", "E": now_ms})
        self._outbox.put(orjson.dumps({"event": event}).decode())

    def announce(self, account: str, event: Json) -> None:
        """Pass on an event of an account to its subscription, if there is one."""
        for number, subscription in self._active.items():
            if subscription.account == account:
                self._send(number, event)

    @contextmanager
    def behind_the_answer(self, *, events_first: bool = False) -> Iterator[None]:
        """Send what is announced within after what is sent within: a request's events come behind its answer.

        Args:
            events_first: let them come before it instead, as they do on Binance now and then.
        """
        self._held = None if events_first else []
        try:
            yield
        finally:
            held, self._held = self._held, None
            for text in held or ():
                self._outbox.put(text)

    def _end(self, numbers: list[int], now_ms: int) -> None:
        for number in numbers:
            del self._active[number]
            self._send(number, {"e": "eventStreamTerminated", "E": now_ms})

    def _send(self, number: int, event: Json) -> None:
        message = {"subscriptionId": number, "event": event_in(self._unit, event)}
        text = orjson.dumps(message).decode()
        self._faults.pass_on(event["e"], self._outbox, lambda: self._put(text))

    def _put(self, text: str) -> None:
        if self._held is None:
            self._outbox.put(text)
        else:
            self._held.append(text)


class UserEvents:
    """Passes the exchange's transactions on to all connections."""

    def __init__(self, faults: EventFaults) -> None:
        self._faults = faults
        self._connections: list[UserSubscriptions] = []

    def attach(self, exchange: Exchange) -> None:
        """Listen to an exchange."""

        def announce(transaction: Transaction) -> None:
            if self._connections:
                for account, event in user_events(transaction, exchange.engine.accounts):
                    for connection in self._connections:
                        connection.announce(account, event)

        exchange.listeners.append(announce)

    def open(self, outbox: Outbox, unit: TimeUnit) -> UserSubscriptions:
        """A connection has come that wants times in `unit`."""
        connection = UserSubscriptions(outbox, unit, self._faults)
        self._connections.append(connection)
        return connection

    def announce_shutdown(self, now_ms: int) -> None:
        """Tell every connection that it is about to be closed (binance-protocol.md 4.5, serverShutdown)."""
        for connection in self._connections:
            connection.announce_shutdown(now_ms)

    def close(self, connection: UserSubscriptions) -> None:
        """A connection has gone, and its subscriptions with it."""
        self._connections.remove(connection)
