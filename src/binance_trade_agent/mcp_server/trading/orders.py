"""Orders of assistants, in two steps: a preview, and its confirmation by the preview's id."""

from decimal import Decimal
from typing import Annotated, Literal

from mcp.server.elicitation import AcceptedElicitation, ElicitationResult
from mcp.server.mcpserver.resolve import Elicit, Resolve
from pydantic import BaseModel, Field

from binance_trade_agent.control.commands import CommandKind
from binance_trade_agent.desk.tickets import Ticket, TicketError
from binance_trade_agent.domain.manual_orders import manual_order
from binance_trade_agent.domain.money import plain
from binance_trade_agent.mcp_server.fields import (
    Percent,
    Quantity,
    QuoteAmount,
    Symbol,
    amount_field,
    how_much,
    sentence,
)
from binance_trade_agent.mcp_server.offering import Call, ToolError, acts, shared
from binance_trade_agent.mcp_server.trading import budget
from binance_trade_agent.mcp_server.trading.answers import ANSWER_SECONDS, OrderOutcome, order_answered
from binance_trade_agent.mcp_server.trading.budget import BudgetError
from binance_trade_agent.mcp_server.trading.client import can_ask, owner, requested_by
from binance_trade_agent.mcp_server.trading.previews import OrderPreview, preview_order
from binance_trade_agent.ops.clock import wall_ms
from binance_trade_agent.reports.order_draft import Draft

Type = Literal["market", "limit", "stop_limit", "oco"]


Price = Annotated[Decimal | None, amount_field("the limit, quote per base; of an oco that of its target")]
StopPrice = Annotated[Decimal | None, amount_field("what awakes a stop_limit or the stop of an oco, quote per base")]
StopLimitPrice = Annotated[Decimal | None, amount_field("the limit of an oco's stop, quote per base")]
WorstPrice = Annotated[
    Decimal | None,
    amount_field("of a market order: refused at a worse average price, quote per base; set for you"),
]
PreviewId = Annotated[str, Field(description="the preview_id of a preview", min_length=1, max_length=100)]


class Confirmation(BaseModel):
    """A person's word."""

    place: bool = Field(description="Place this order")


async def place_buy_order(
    call: Call,
    symbol: Symbol,
    quantity: Quantity = None,
    quote_amount: QuoteAmount = None,
    percent_of_free: Percent = None,
    type: Type = "market",  # noqa: A002 (its name to clients)
    price: Price = None,
    stop_price: StopPrice = None,
    stop_limit_price: StopLimitPrice = None,
    worst_price: WorstPrice = None,
) -> OrderPreview:
    """Preview a purchase: what it would come to, and what every risk rule says.

    A limit order needs price, a stop_limit stop_price and price, an oco price, stop_price and stop_limit_price. Nothing
    is placed yet: confirm_order with the preview_id places it, once, within 60 s. Where the verdict is `refused`,
    why_not says what to change.
    """
    amounts = (quantity, quote_amount, percent_of_free)
    return await preview_order(
        call, _draft(symbol, "BUY", type, amounts, price, stop_price, stop_limit_price, worst_price)
    )


async def place_sell_order(
    call: Call,
    symbol: Symbol,
    quantity: Quantity = None,
    quote_amount: QuoteAmount = None,
    percent_of_free: Percent = None,
    type: Type = "market",  # noqa: A002 (its name to clients)
    price: Price = None,
    stop_price: StopPrice = None,
    stop_limit_price: StopLimitPrice = None,
    worst_price: WorstPrice = None,
) -> OrderPreview:
    """Preview a sale of what the bot holds: what it would come to, and what every risk rule says.

    To leave a position at once, close_position is shorter. Prices by type: see place_buy_order. Nothing is placed yet:
    confirm_order with the preview_id places it, once, within 60 s.
    """
    amounts = (quantity, quote_amount, percent_of_free)
    return await preview_order(
        call, _draft(symbol, "SELL", type, amounts, price, stop_price, stop_limit_price, worst_price)
    )


async def _ask_person(call: Call, preview_id: PreviewId) -> Confirmation | Elicit[Confirmation]:
    """Ask the person behind the client, where there is a way to; else the two steps have to do."""
    ticket = _ticket(call, preview_id)
    if ticket.command_id is not None or not can_ask(call):
        return Confirmation(place=True)
    return Elicit(f"{ticket.words} Place it?", Confirmation)


async def confirm_order(
    call: Call, preview_id: PreviewId, person: Annotated[ElicitationResult[Confirmation], Resolve(_ask_person)]
) -> OrderOutcome:
    """Place the order of a preview that is not older than 60 s, and wait for what comes of it.

    The same id places it once, however often it is sent: sent again it says where the order stands. Where the client
    can ask its person, that person decides.
    """
    desk, tickets = shared(call).desk, shared(call).tickets
    ticket = _ticket(call, preview_id)
    if not (isinstance(person, AcceptedElicitation) and person.data.place):
        async with ticket.turn:
            if ticket.command_id is None:
                tickets.withdraw(ticket)
                return OrderOutcome(state="declined", answer="The person did not agree; nothing was placed.")
    if ticket.command_id is None and not desk.is_running():
        raise ToolError("No trader runs, which would carry the order out; nothing was placed.")
    by = requested_by(call, "confirmed by a person" if can_ask(call) else "")

    async def place(known: Ticket) -> int:
        now_ms = wall_ms()
        payload = {**known.payload, "expires_wall_ms": str(now_ms + round(ANSWER_SECONDS * 1000))}
        order = manual_order(payload)
        return await desk.place(
            known.kind,
            payload,
            by=by,
            allow=lambda connection: budget.check(connection, desk.settings, now_ms, order),
        )

    try:
        command_id = await tickets.redeem(preview_id, owner(call), place)
    except TicketError as failure:
        raise ToolError(sentence(str(failure))) from None
    except BudgetError as failure:
        raise ToolError(f"{sentence(str(failure))} Nothing was placed.") from None
    return await order_answered(desk, command_id)


def _ticket(call: Call, preview_id: str) -> Ticket:
    """The ticket of a preview; raises ToolError with a sentence where it can be confirmed no more."""
    try:
        ticket = shared(call).tickets.find(preview_id, owner(call))
    except TicketError as failure:
        raise ToolError(sentence(str(failure))) from None
    assert ticket.kind is CommandKind.ORDER
    return ticket


def _draft(
    symbol: str,
    side: str,
    kind: str,
    amounts: tuple[Decimal | None, Decimal | None, Decimal | None],
    *prices: Decimal | None,
) -> Draft:
    """What is asked for; raises ToolError where it does not say how much, or says it twice."""
    texts = ("" if price is None else plain(price) for price in prices)
    return Draft(symbol.strip().upper(), side, kind, *how_much(*amounts), *texts)


TOOLS = (
    acts(place_buy_order, "Preview a purchase", is_destructive=False),
    acts(place_sell_order, "Preview a sale", is_destructive=False),
    acts(confirm_order, "Place a previewed order", is_destructive=True, is_idempotent=True),
)
