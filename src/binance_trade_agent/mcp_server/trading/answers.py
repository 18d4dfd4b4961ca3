"""What came of a command: the trader's answer, waited for, and the order and fills that it led to."""

import sqlite3
from typing import Literal

from pydantic import BaseModel, Field

from binance_trade_agent.control import commands
from binance_trade_agent.control.commands import Command, CommandKind, CommandState
from binance_trade_agent.desk.desk import Desk
from binance_trade_agent.ledger import queries
from binance_trade_agent.mcp_server.fields import Number, at_utc, sentence
from binance_trade_agent.ops.clock import monotonic_seconds, sleep_seconds

ANSWER_SECONDS = 30.0
_ASK_EVERY_SECONDS = 0.05

State = Literal["done", "refused", "pending"]


class Answer(BaseModel):
    """What came of what was asked for."""

    state: State = Field(description="done, refused by the trader, or pending: the trader has not answered yet")
    answer: str = Field(description="the same in a sentence")
    command_id: int = Field(description="under which it is kept for good, with the client's name")


class OneFill(BaseModel):
    """A trade of the order. Price in quote per base, quantity in base asset."""

    trade_id: int
    price: Number
    quantity: Number
    fee: Number
    fee_asset: str
    traded_utc: str = Field(description="market time, UTC")


class OrderOutcome(BaseModel):
    """What came of a confirmed order."""

    state: Literal["done", "refused", "pending", "declined"] = Field(
        description="done: the trader placed it; refused: it did not; declined: a person said no, and nothing was "
        "placed; pending: the trader has not answered yet, and the same call asks again"
    )
    answer: str = Field(description="the same in a sentence, with what has been executed")
    command_id: int | None = Field(default=None, description="under which it is kept for good, with the client's name")
    order_id: str | None = Field(default=None, description="client order id; of a list that of one of the two")
    order_state: str | None = Field(default=None, description="such as FILLED, ACCEPTED (it rests), CANCELED")
    executed: Number | None = Field(default=None, description="in base asset")
    fills: list[OneFill] = Field(default_factory=list)


async def answered(desk: Desk, command_id: int) -> Answer:
    """Wait for the trader's answer, but not for ever."""
    found = await _waited(desk, command_id)
    return Answer(state=_state(found), answer=_said(found), command_id=command_id)


async def order_answered(desk: Desk, command_id: int) -> OrderOutcome:
    """The same for an order, with what was traded."""
    found = await _waited(desk, command_id)
    outcome = OrderOutcome(state=_state(found), answer=_said(found), command_id=command_id)
    name = found.client_order_id
    return outcome if name is None else await desk.read(lambda connection: _with_order(connection, outcome, name))


def _with_order(connection: sqlite3.Connection, outcome: OrderOutcome, name: str) -> OrderOutcome:
    entry = queries.order_entry(connection, name)
    if entry is None:
        return outcome
    fills = [
        OneFill(
            trade_id=fill.trade_id,
            price=fill.price,
            quantity=fill.quantity,
            fee=fill.commission,
            fee_asset=fill.commission_asset,
            traded_utc=at_utc(fill.traded_ms),
        )
        for fill in queries.fills_of_order(connection, name)
    ]
    order = entry.order
    changes = {"order_id": name, "order_state": str(order.state), "executed": order.executed_base, "fills": fills}
    return outcome.model_copy(update=changes)


async def _waited(desk: Desk, command_id: int) -> Command:
    until = monotonic_seconds() + ANSWER_SECONDS
    while True:
        found = await desk.read(lambda connection: commands.command(connection, command_id))
        assert found is not None, "a command never leaves the ledger"
        if found.state is not CommandState.PENDING or monotonic_seconds() > until or not desk.is_running():
            return found
        await sleep_seconds(_ASK_EVERY_SECONDS)


def _state(found: Command) -> State:
    if found.state is CommandState.PENDING:
        return "pending"
    return "done" if found.state is CommandState.DONE else "refused"


def _said(found: Command) -> str:
    if found.state is CommandState.PENDING:
        if found.kind is CommandKind.KILL:
            return "The emergency stop is on; the trader has not said yet how far its work has come."
        return "The trader has not answered yet; it carries this out, or refuses it, when it looks."
    return sentence(found.answer)
