"""What stops and goes: pause, resume, the strategy, the emergency stop; and what ends a position or an order."""

import re
import sqlite3
from typing import Annotated, Literal

from pydantic import Field

from binance_trade_agent.control.commands import OF_ACCOUNT, CommandKind
from binance_trade_agent.control.persons_pause import why_not_by_assistant
from binance_trade_agent.domain.claims import going_on
from binance_trade_agent.mcp_server.fields import Parameters, Symbol, parameter_list, sentence
from binance_trade_agent.mcp_server.offering import Call, ToolError, acts, shared
from binance_trade_agent.mcp_server.trading.answers import ANSWER_SECONDS, Answer, answered
from binance_trade_agent.mcp_server.trading.budget import BudgetError, check_pace
from binance_trade_agent.mcp_server.trading.client import requested_by
from binance_trade_agent.ops import vitals
from binance_trade_agent.ops.clock import wall_ms

Reason = Annotated[str, Field(description="why, in a few words, for the record", max_length=500)]
StrategyName = Annotated[str, Field(description="one of list_strategies", min_length=1, max_length=200)]


async def pause(
    call: Call,
    scope: Annotated[
        Literal["entries", "everything"],
        Field(description="entries: no new positions; everything: no decision on any order. Protection always stays"),
    ] = "entries",
) -> Answer:
    """Pause trading until resume. What protects positions goes on."""
    return await _asked(call, CommandKind.PAUSE, {"scope": scope})


async def resume(call: Call) -> Answer:
    """Take a pause of an assistant back; a person's only a person ends. The emergency stop is not released by it."""
    return await _asked(call, CommandKind.RESUME, {})


async def set_strategy(call: Call, name: StrategyName, parameters: Parameters | None = None) -> Answer:
    """Let another strategy decide, or the same with other parameters, from the next tick on and over restarts."""
    _needs_trader(call, "which would say whether it can be used")
    return await _asked(call, CommandKind.SET_STRATEGY, {"name": name.strip(), "params": parameter_list(parameters)})


async def set_emergency_stop(
    call: Call,
    reason: Annotated[str, Field(description="why, in a few words, for the record", min_length=1, max_length=500)],
    close_positions: Annotated[bool, Field(description="sell all positions at market too")] = False,
    enabled: Annotated[bool, Field(description="true; it is released by a person only")] = True,
    whole_account: Annotated[bool, Field(description="stop the other daemons of this account too")] = False,
) -> Answer:
    """Stop trading at once, in every process and over restarts.

    Orders that rest and protect nothing are cancelled, and nothing is entered any more. Only a person can release it,
    on the page or by `trade-agent release NAME`.
    """
    if not enabled:
        raise ToolError("An assistant cannot release the emergency stop: a person does, by `trade-agent release NAME`.")
    why = _one_line(reason)
    if not why:
        raise ToolError("Say why, in a word; nothing was stopped.")
    payload = {"reason": why, "close_positions": str(close_positions).lower()}
    if whole_account:
        _needs_trader(call, "which would ask the other daemons of its account")
        payload[OF_ACCOUNT] = "true"
    return await _asked(call, CommandKind.KILL, payload)


async def close_position(call: Call, symbol: Symbol, reason: Reason = "") -> Answer:
    """Sell all that the bot holds of a symbol, at market, at once.

    Its stop, its target and what persons have on sale of it are cancelled first. This is outside the budget for orders:
    it only takes risk away.
    """
    _needs_trader(call, "which would sell it")
    payload = {"symbol": symbol.strip().upper(), "reason": _one_line(reason), "expires_wall_ms": _expires()}
    return await _asked(call, CommandKind.CLOSE, payload)


async def cancel_order(
    call: Call,
    order_id: Annotated[str, Field(description="client order id, as in get_open_orders", min_length=1, max_length=60)],
) -> Answer:
    """Cancel an order that rests on the exchange; of a list both are cancelled.

    What protects a position is not cancelled: close the position instead.
    """
    _needs_trader(call, "which would cancel it")
    payload = {"client_order_id": order_id.strip(), "expires_wall_ms": _expires()}
    return await _asked(call, CommandKind.CANCEL, payload)


async def _asked(call: Call, kind: CommandKind, payload: dict[str, str]) -> Answer:
    """Place a command and wait for its answer; what nobody takes waits in the ledger for the next start.

    Raises:
        ToolError: a person's pause keeps it back, or too many were asked for. Nothing was placed.
    """

    def allow(connection: sqlite3.Connection) -> None:
        if why_not := why_not_by_assistant(connection, kind, payload):
            raise ToolError(sentence(why_not))
        try:
            check_pace(connection, kind, payload, wall_ms())
        except BudgetError as failure:
            raise ToolError(sentence(str(failure))) from None

    desk = shared(call).desk
    command_id = await desk.place(kind, payload, by=requested_by(call), allow=allow)
    if desk.is_running():
        return await answered(desk, command_id)
    then = "it will carry this out when it starts"
    if kind is CommandKind.KILL:
        then = "the emergency stop is on; what rests on the exchange and what is held stay until one starts"
        if others := vitals.others_of_account(desk.ledger_path):
            then += f"; {going_on(others, kind.value)}, given where one of them runs"
    return Answer(state="pending", answer=f"No trader runs; {then}.", command_id=command_id)


def _needs_trader(call: Call, why: str) -> None:
    if not shared(call).desk.is_running():
        raise ToolError(f"No trader runs, {why}; nothing was asked for.")


def _expires() -> str:
    return str(wall_ms() + round(ANSWER_SECONDS * 1000))


def _one_line(text: str) -> str:
    """One line of what can be printed."""
    return re.sub(r"\s+", " ", "".join(each if each.isprintable() else " " for each in text)).strip()


TOOLS = (
    acts(pause, "Pause", is_destructive=False, is_idempotent=True),
    acts(resume, "Resume", is_destructive=False, is_idempotent=True),
    acts(set_strategy, "Change the strategy", is_destructive=False, is_idempotent=True),
    acts(set_emergency_stop, "Emergency stop", is_destructive=True, is_idempotent=True),
    acts(close_position, "Close a position", is_destructive=True),
    acts(cancel_order, "Cancel an order", is_destructive=True, is_idempotent=True),
)
