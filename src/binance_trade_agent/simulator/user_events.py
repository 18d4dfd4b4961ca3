"""Who listens to which account: subscriptions of WebSocket API connections to the user data stream."""

import orjson

from binance_trade_agent.matching.transactions import Transaction
from binance_trade_agent.simulator.errors import ApiError
from binance_trade_agent.simulator.exchange import Exchange
from binance_trade_agent.simulator.outbox import Outbox
from binance_trade_agent.simulator.payloads import Json, user_events

_MOST_PER_CONNECTION = 65_535


class UserSubscriptions:
    """The subscriptions of one connection: at most one an account (binance-protocol.md 5.3)."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._accounts: dict[int, str] = {}
        self._next_id = 0

    @property
    def ids(self) -> list[int]:
        """Ids of the active subscriptions."""
        return list(self._accounts)

    def subscribe(self, account: str) -> int:
        """Subscribe to an account; returns the subscription's id.

        Raises:
            ApiError: -2035 subscribed already, -2042 too many in this connection's life.
        """
        if account in self._accounts.values():
            raise ApiError(-2035, "User Data Stream subscription already active.")
        if self._next_id >= _MOST_PER_CONNECTION:
            raise ApiError(-2042, "Maximum subscription ID reached for this connection.")
        number = self._next_id
        self._next_id += 1
        self._accounts[number] = account
        return number

    def unsubscribe(self, number: int | None, now_ms: int) -> None:
        """End one subscription, or all; each ends with an event of its own.

        Raises:
            ApiError: -2036 there is no such subscription.
        """
        if number is not None and number not in self._accounts:
            raise ApiError(-2036, "User Data Stream subscription not active.")
        for ended in [number] if number is not None else list(self._accounts):
            del self._accounts[ended]
            self._send(ended, {"e": "eventStreamTerminated", "E": now_ms})

    def announce(self, account: str, event: Json) -> None:
        """Pass on an event of an account to its subscription, if there is one."""
        for number, subscribed in self._accounts.items():
            if subscribed == account:
                self._send(number, event)

    def _send(self, number: int, event: Json) -> None:
        self._outbox.put(orjson.dumps({"subscriptionId": number, "event": event}).decode())


class UserEvents:
    """Passes the exchange's transactions on to all connections."""

    def __init__(self) -> None:
        self._connections: list[UserSubscriptions] = []

    def attach(self, exchange: Exchange) -> None:
        """Listen to an exchange."""

        def announce(transaction: Transaction) -> None:
            if self._connections and transaction.reports:
                for account, event in user_events(transaction, exchange.engine.accounts):
                    for connection in self._connections:
                        connection.announce(account, event)

        exchange.listeners.append(announce)

    def open(self, outbox: Outbox) -> UserSubscriptions:
        """A connection has come."""
        connection = UserSubscriptions(outbox)
        self._connections.append(connection)
        return connection

    def close(self, connection: UserSubscriptions) -> None:
        """A connection has gone, and its subscriptions with it."""
        self._connections.remove(connection)
