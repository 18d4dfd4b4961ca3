"""The first of an order's two steps: what it would come to, in words and numbers, and the id for the second one."""

from decimal import Decimal
from typing import Literal

from pydantic import BaseModel, Field

from binance_trade_agent.control.commands import CommandKind
from binance_trade_agent.desk.desk import Desk
from binance_trade_agent.desk.judging import Judged, judge, look
from binance_trade_agent.desk.tickets import LIFETIME_SECONDS
from binance_trade_agent.domain.manual_orders import OrderKind
from binance_trade_agent.domain.money import EXACT, plain
from binance_trade_agent.domain.orders import Side
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.domain.values import as_dict
from binance_trade_agent.mcp_server.fields import Number, sentence
from binance_trade_agent.mcp_server.offering import Call, ToolError, shared
from binance_trade_agent.mcp_server.trading import budget
from binance_trade_agent.mcp_server.trading.budget import Budget
from binance_trade_agent.mcp_server.trading.client import owner
from binance_trade_agent.ops.clock import monotonic_seconds, sleep_seconds, wall_ms
from binance_trade_agent.reports import order_words
from binance_trade_agent.reports.order_draft import Draft
from binance_trade_agent.reports.order_preview import Market, Preview

_LOOK_SECONDS = 5.0  # the trader reads book and candles within about two seconds of being told that somebody looks
_LOOK_EVERY_SECONDS = 0.1
_WORSE_FRACTION = Decimal("0.01")  # the price bound of a market order where neither caller nor settings give one


class RuleFinding(BaseModel):
    """What one risk rule found about the order."""

    rule: str
    allows: bool
    detail: str = Field(description="the comparison, with its numbers and the name of the setting")


class BudgetLeft(BaseModel):
    """What all assistants together may still order; null is without limit."""

    orders_this_hour: int | None
    quote_today: Number | None = Field(description="what purchases may still come to, in quote asset")


class OrderPreview(BaseModel):
    """An order on trial. Nothing is placed."""

    verdict: Literal["allowed", "refused"]
    why_not: str | None = Field(description="why it is refused, in a sentence")
    preview_id: str | None = Field(description="what confirm_order takes; null where it is refused")
    expires_in_seconds: int | None = Field(description="after so long the id is worth nothing")
    order: str = Field(description="the order in words")
    symbol: str
    side: Literal["BUY", "SELL"]
    type: Literal["market", "limit", "stop_limit", "oco"]
    quantity: Number = Field(description="in base asset")
    worst_price: Number | None = Field(
        description="price bound, quote per base: a market order is refused when the book gives a worse average price"
    )
    worth_quote: Number = Field(description="what it is worth, in quote asset")
    expected_price: Number | None = Field(description="average over the book now; null where nothing trades at once")
    slippage_pct: Number | None = Field(description="how much worse that is than the best price, in percent")
    fee: str
    protection: str = Field(description="what protects the position then")
    rounded: str | None = Field(description="what was rounded down to the symbol's step")
    findings: list[RuleFinding] = Field(description="what each risk rule says, in the order in which they are asked")
    budget: BudgetLeft


async def preview_order(call: Call, draft: Draft) -> OrderPreview:
    """Put a draft before the rules and, where they allow it, keep it for `confirm_order`.

    Raises:
        ToolError: it is no sound order, or nothing can be ordered now.
    """
    desk = shared(call).desk
    if not desk.is_running():
        raise ToolError("No trader runs, which would carry the order out.")
    await seen(desk, draft.symbol)
    found = await _bounded(desk, draft)
    if found.blockers or found.preview is None or found.market is None:
        raise ToolError(sentence(found.why_not))
    now_ms = wall_ms()
    left = await desk.read(lambda connection: budget.budget(connection, desk.settings, now_ms))
    why_not = found.why_not or left.why_not(budget.cost_quote(found.preview.order))
    name = None if why_not else _keep(call, found.preview, found.market.rules)
    return _told(found.preview, found.market.rules, left, why_not, name)


async def seen(desk: Desk, symbol: str) -> Market | None:
    """The market of a symbol, with book and candles; waits for the trader to read those, but not for long."""
    until = monotonic_seconds() + _LOOK_SECONDS
    while True:
        market = await look(desk, symbol)
        is_whole = market is not None and market.book is not None and market.candles is not None
        if is_whole or monotonic_seconds() > until:
            return market
        await sleep_seconds(_LOOK_EVERY_SECONDS)


async def _bounded(desk: Desk, draft: Draft) -> Judged:
    """The draft judged; a market order always with a price bound."""
    found = await judge(desk, draft)
    if found.preview is None or found.market is None:
        return found
    order, quote = found.preview.order, found.market.quote
    if order.kind is not OrderKind.MARKET or order.worst_price is not None:
        return found
    worse = 1 + _WORSE_FRACTION if order.side is Side.BUY else 1 - _WORSE_FRACTION
    expected = found.preview.average_price or order.price_at(quote.bid, quote.ask)
    worst = found.market.rules.round_price(EXACT.multiply(expected, worse))
    return await judge(desk, Draft(**{**as_dict(draft), "worst_price": plain(worst)}))


def _keep(call: Call, shown: Preview, rules: SymbolRules) -> str:
    words = order_words.in_words(shown, rules)
    payload = order_words.payload(shown.order)
    return shared(call).tickets.issue(CommandKind.ORDER, payload, owner(call), words).name


def _told(shown: Preview, rules: SymbolRules, left: Budget, why_not: str, name: str | None) -> OrderPreview:
    order = shown.order
    return OrderPreview(
        verdict="refused" if why_not else "allowed",
        why_not=sentence(why_not) if why_not else None,
        preview_id=name,
        expires_in_seconds=LIFETIME_SECONDS if name else None,
        order=order_words.in_words(shown, rules),
        symbol=order.symbol,
        side=order.side.value,
        type=order.kind.value,
        quantity=order.quantity,
        worst_price=order.worst_price,
        worth_quote=shown.worth_quote,
        expected_price=shown.average_price,
        slippage_pct=shown.slippage_pct,
        fee=order_words.fee_words(shown, rules),
        protection=order_words.protection_words(shown, rules),
        rounded=shown.note or None,
        findings=[
            RuleFinding(rule=one.rule, allows=bool(one.allows), detail=str(one.detail)) for one in shown.findings
        ],
        budget=BudgetLeft(orders_this_hour=left.orders_left, quote_today=left.quote_left),
    )
