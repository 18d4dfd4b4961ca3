"""What the risk rules say: of an order on trial, and of the account as it stands."""

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from binance_trade_agent.desk.desk import Desk
from binance_trade_agent.desk.judging import Judged, judge, look, orderable, trader_of
from binance_trade_agent.domain.money import plain
from binance_trade_agent.mcp_server.awaiting import FRESH_SECONDS, awaited
from binance_trade_agent.mcp_server.fields import (
    Number,
    Percent,
    Quantity,
    QuoteAmount,
    RuleFinding,
    Side,
    Symbol,
    age_seconds,
    amount_field,
    how_much,
    maybe_utc,
    rule_finding,
    sentence,
)
from binance_trade_agent.mcp_server.offering import Call, ToolError, reads, shared
from binance_trade_agent.reports.order_draft import Draft
from binance_trade_agent.reports.order_preview import Market, Preview
from binance_trade_agent.reports.risk_limits import Limit, risk_limits

Amount = Annotated[Decimal, amount_field("more than 0")]


class OrderFigures(BaseModel):
    """What an order would come to by the book that is known. Prices in quote asset per unit of base asset."""

    quantity_base: Number = Field(description="rounded down to the symbol's step")
    note: str = Field(description="what was rounded; empty when nothing was")
    average_price: Number | None = Field(description="of what would trade at once; null for nothing")
    trades_now_base: Number
    worst_price: Number | None = Field(description="a market order is refused where the book is worse")
    slippage_pct: Number | None = Field(description="percent, against the best price")
    worth_quote: Number
    fee_quote: Number
    stop_price: Number | None = Field(description="where the position would be left with a loss")
    target_price: Number | None = Field(description="where it would be left with a profit")
    free_quote: Number = Field(description="what no other order may spend")
    free_base: Number = Field(description="of the position, what nobody has on sale")


class RiskVerdict(BaseModel):
    """What all risk rules think of an order. Nothing was placed or reserved."""

    symbol: str
    is_allowed: bool
    why_not: str | None = Field(description="the first thing that keeps it back")
    blockers: list[str] = Field(description="what keeps every order back, whatever it says")
    price_age_seconds: float | None = Field(description="of the prices it was judged by")
    order: OrderFigures | None = Field(description="null where what was asked for is no order")
    findings: list[RuleFinding] = Field(description="what each rule found, in the order in which they were asked")


class RiskLimit(BaseModel):
    """One limit as it stands."""

    name: str
    setting: str = Field(description="where it is set; empty for what is no setting")
    configured: str
    is_off: bool
    allows: bool | None = Field(description="whether entries may be made as far as this goes; null: not known")
    detail: str
    value: Number | None = Field(description="in `unit`")
    limit: Number | None = Field(description="in `unit`")
    unit: str
    left: Number | None = Field(description="from the value to the limit, in `unit`; below 0 it is passed")
    used_pct: Number | None = Field(description="the value in percent of the limit")
    since_utc: str | None = Field(description="since when it stops entries")
    until_utc: str | None


class SymbolRisk(BaseModel):
    """The limits on one symbol."""

    symbol: str
    stopped_by: list[str] = Field(description="names of what stops entries now, the account's limits included")
    limits: list[RiskLimit]


class RiskStatus(BaseModel):
    """Where every limit on entries stands."""

    profile: str | None = Field(description="RISK_PROFILE")
    as_of_utc: str | None
    quote_asset: str
    equity_quote: Number
    is_trader_running: bool
    account: list[RiskLimit] = Field(description="limits on all symbols together")
    symbols: list[SymbolRisk]


async def validate_trade_risk(
    call: Call,
    symbol: Symbol,
    side: Side,
    quantity: Quantity = None,
    quote_amount: QuoteAmount = None,
    percent_of_free: Percent = None,
    type: Annotated[Literal["market", "limit", "stop_limit", "oco"], Field(description="of the order")] = "market",  # noqa: A002
    price: Annotated[
        Amount | None, Field(description="the limit, quote per base; of an oco that of its target")
    ] = None,
    stop_price: Annotated[
        Amount | None, Field(description="what awakes a stop_limit or the stop of an oco, quote per base")
    ] = None,
    stop_limit_price: Annotated[Amount | None, Field(description="the limit of an oco's stop, quote per base")] = None,
    amount: Annotated[Amount | None, Field(description="the older way to say how much, in `unit`")] = None,
    unit: Annotated[
        Literal["base", "quote", "percent"],
        Field(description="of `amount`: base asset, quote asset, or percent of what is free"),
    ] = "quote",
) -> RiskVerdict:
    """What an order would come to, and what each risk rule says of it now.

    It places and reserves nothing, and its answer cannot be confirmed: place_buy_order and place_sell_order preview an
    order that can be.
    """
    desk = shared(call).desk
    prices = ("" if each is None else plain(each) for each in (price, stop_price, stop_limit_price))
    amounts = {"base": quantity, "quote": quote_amount, "percent": percent_of_free}
    if amount is not None:
        if any(amounts.values()):
            raise ToolError("Say how much by one of quantity, quote_amount and percent_of_free, and leave amount out.")
        amounts[unit] = amount
    draft = Draft(symbol, side, type, *how_much(*amounts.values()), *prices)
    if draft.symbol in await orderable(desk):
        await awaited(desk, lambda: look(desk, draft.symbol), _is_enough)
    judged = await judge(desk, draft, [] if desk.is_running() else ["no trader runs: it would carry the order out"])
    return verdict(judged)


async def get_risk_status(
    call: Call, symbol: Annotated[Symbol | None, Field(description="all that are traded without one")] = None
) -> RiskStatus:
    """Each limit on entries: its setting, its value now, how far it is, and what stops entries now."""
    desk = shared(call).desk
    return await _status(desk, symbol)


def verdict(judged: Judged) -> RiskVerdict:
    """What is thought of an order, as outputs write it."""
    found, market = judged.preview, judged.market
    return RiskVerdict(
        symbol=judged.draft.symbol,
        is_allowed=not judged.why_not,
        why_not=judged.why_not or None,
        blockers=list(judged.blockers),
        price_age_seconds=age_seconds(market.quote.read_wall_ms) if market else None,
        order=_figures(found) if found else None,
        findings=[rule_finding(each) for each in found.findings] if found else [],
    )


def _is_enough(market: Market) -> bool:
    """Whether an order can be judged by it: its prices are fresh, and the book is known too."""
    return market.book is not None and age_seconds(market.quote.read_wall_ms) <= FRESH_SECONDS


def _figures(found: Preview) -> OrderFigures:
    return OrderFigures(
        quantity_base=found.order.quantity,
        note=found.note,
        average_price=found.average_price,
        trades_now_base=found.now_base,
        worst_price=found.order.worst_price,
        slippage_pct=found.slippage_pct,
        worth_quote=found.worth_quote,
        fee_quote=found.fee_quote,
        stop_price=found.stop_price,
        target_price=found.target_price,
        free_quote=found.funds.free_quote,
        free_base=found.funds.free_base,
    )


async def _status(desk: Desk, symbol: str | None) -> RiskStatus:
    trader = trader_of(desk)
    try:
        found = await desk.with_reader(lambda reader: risk_limits(reader, desk.settings, trader, symbol))
    except ValueError as failure:
        raise ToolError(sentence(str(failure))) from None
    return RiskStatus(
        profile=found.profile,
        as_of_utc=maybe_utc(found.as_of_ms),
        quote_asset=found.quote_asset,
        equity_quote=found.equity_quote,
        is_trader_running=found.is_running,
        account=[_limit(each) for each in found.account],
        symbols=[
            SymbolRisk(
                symbol=each.symbol,
                stopped_by=each.stopped_by,
                limits=[_limit(limit) for limit in (*each.now, *each.seen)],
            )
            for each in found.symbols
        ],
    )


def _limit(each: Limit) -> RiskLimit:
    given: dict[str, Any] = {
        name: getattr(each, name) for name in RiskLimit.model_fields if name not in {"since_utc", "until_utc"}
    }
    return RiskLimit(**given, since_utc=maybe_utc(each.since_ms), until_utc=maybe_utc(each.until_ms))


TOOLS = (reads(validate_trade_risk, "An order on trial"), reads(get_risk_status, "Risk limits"))
