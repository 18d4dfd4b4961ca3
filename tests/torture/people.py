"""What persons ask of the daemon while everything goes wrong: orders, cancels, closes, pauses, the kill switch."""

import random
import sqlite3
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from binance_trade_agent.control.commands import CommandKind, CommandState, latest_commands, place
from binance_trade_agent.domain.money import ZERO, plain
from binance_trade_agent.domain.orders import Side
from binance_trade_agent.ledger import queries
from binance_trade_agent.ops.clock import wall_ms

if TYPE_CHECKING:
    from tests.torture.world import World

INSTANCE = "default"
_KINDS = {"order": 10, "cancel": 5, "close": 2, "pause": 1, "resume": 2, "kill": 1, "release": 3}
_SYMBOLS = ("BTCUSDT", "ETHUSDT")
_QUANTITIES = {"BTCUSDT": ("0.0004", "0.001", "0.003", "0.00099"), "ETHUSDT": ("0.004", "0.02", "0.05", "0.0999")}
_AWAY = (Decimal("0.0003"), Decimal("0.001"), Decimal("0.01"))


class People:
    """Asks by dice of its own, in the world's ledger, as another process does."""

    def __init__(self, world: "World", symbols: Sequence[str] = _SYMBOLS, instance: str = INSTANCE) -> None:
        self._world = world
        self._symbols = symbols
        self.instance = instance
        self._chance = random.Random(f"people {world.seed}")

    def ask_something(self) -> None:
        """Place a command by chance."""
        (kind,) = self._chance.choices(tuple(_KINDS), tuple(_KINDS.values()))
        payload = getattr(self, f"_{kind}")()
        if payload is not None:
            self.ask(CommandKind(kind), payload)

    def ask(self, kind: CommandKind, payload: dict[str, str]) -> None:
        """Place this command."""
        self._world.trace.add("asked", f"{kind} {payload}")
        place(self._world.settings.ledger_path, kind, requested_by="ann", requested_wall_ms=wall_ms(), payload=payload)

    def _order(self) -> dict[str, str] | None:
        chance = self._chance
        symbol, side = chance.choice(self._symbols), chance.choice(tuple(Side))
        kind = chance.choice(("market", "limit", "limit", "stop_limit", "oco"))
        last = self._world.exchange.exchange.market.last_price(symbol)
        if last is None:
            return None
        up, down, far = (_tick(last * (1 + away)) for away in (*self._two(), Decimal("-0.02")))
        payload = {"symbol": symbol, "side": side.value, "type": kind, "quantity": chance.choice(_QUANTITIES[symbol])}
        sells = side is Side.SELL
        target, stop = (up, down) if sells else (down, up)
        if kind == "limit":
            return payload | {"price": plain(chance.choice((target, stop, far)))}
        if kind == "stop_limit":
            return payload | {"price": plain(stop), "stop_price": plain(stop)}
        if kind == "oco":
            return payload | {"price": plain(target), "stop_price": plain(stop), "stop_limit_price": plain(stop)}
        return payload

    def _two(self) -> tuple[Decimal, Decimal]:
        return self._chance.choice(_AWAY), -self._chance.choice(_AWAY)

    def _cancel(self) -> dict[str, str] | None:
        def unsettled(connection: sqlite3.Connection) -> list[str]:
            orders = [entry.order for entry in queries.unsettled_orders(connection, queries.epoch_number(connection))]
            persons = [order for order in orders if order.is_persons_to_rest]
            return [order.client_order_id for order in persons or orders]

        names = self._world.read(unsettled)
        return {"client_order_id": self._chance.choice(names)} if names else None

    def _close(self) -> dict[str, str]:
        return {"symbol": self._chance.choice((*self._symbols, ""))}

    def _pause(self) -> dict[str, str]:
        return {"scope": self._chance.choice(("entries", "everything"))}

    def _resume(self) -> dict[str, str]:
        return {}

    def _kill(self) -> dict[str, str]:
        return {"close_positions": self._chance.choice(("true", "false"))}

    def _release(self) -> dict[str, str]:
        return {"name": self.instance}


def _tick(price: Decimal) -> Decimal:
    return price.quantize(Decimal("0.01"))


def unanswered(connection: sqlite3.Connection) -> Iterator[str]:
    """Commands that still wait."""
    for command in latest_commands(connection, 10_000):
        if command.state is CommandState.PENDING:
            yield f"command {command.command_id} ({command.kind}) is not answered"


def promised_twice(connection: sqlite3.Connection) -> Iterator[str]:
    """Symbols of which more base asset rests on sale, each list once, than the bot holds."""
    number = queries.epoch_number(connection)
    sales: dict[str, dict[str, Decimal]] = {}
    for entry in queries.unsettled_orders(connection, number):
        order = entry.order
        if order.side is Side.SELL and order.is_on_exchange:
            lists = sales.setdefault(order.symbol, {})
            name = order.list_id or order.client_order_id
            lists[name] = max(order.left_base, lists.get(name, ZERO))
    for symbol, lists in sales.items():
        held, on_sale = queries.position(connection, number, symbol).quantity, sum(lists.values(), start=ZERO)
        if on_sale > held:
            yield f"{symbol}: {on_sale} rests on sale, {held} is held"
