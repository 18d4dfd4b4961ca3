"""An order of a person in words: what the confirmation says, and the payload that says the same to the trader."""

from collections.abc import Mapping
from decimal import Decimal

from binance_trade_agent.cache.market_board import Quote
from binance_trade_agent.control.commands import Command, CommandKind
from binance_trade_agent.domain.manual_orders import ManualOrder, OrderKind, manual_order
from binance_trade_agent.domain.money import plain
from binance_trade_agent.domain.orders import Side
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.reports.order_preview import Preview
from binance_trade_agent.reports.positions_now import PositionNow
from binance_trade_agent.reports.wording import exact, money

KINDS: Mapping[OrderKind, str] = {
    OrderKind.MARKET: "market",
    OrderKind.LIMIT: "limit",
    OrderKind.STOP_LIMIT: "stop-limit",
    OrderKind.OCO: "OCO (target and stop)",
}
_PRICES = ("price", "stop_price", "stop_limit_price", "worst_price")


def payload(order: ManualOrder) -> dict[str, str]:
    """The command's payload, text by text, without its expiry."""
    prices = {name: getattr(order, name) for name in _PRICES}
    return {
        "symbol": order.symbol,
        "side": order.side.value,
        "type": order.kind.value,
        "quantity": plain(order.quantity),
        **{name: plain(value) for name, value in prices.items() if value is not None},
    }


def price_words(order: ManualOrder) -> str:
    """At which prices: `at market, at most 65,210 on average`, `at 70,000 or better`."""
    buys = order.side is Side.BUY
    if order.kind is OrderKind.MARKET:
        if order.worst_price is None:
            return "at market, whatever the book gives"
        return f"at market, on average at {'most' if buys else 'least'} {exact(order.worst_price)}"
    price = exact(order.price or Decimal(0))
    if order.kind is OrderKind.LIMIT:
        return f"at {price} or {'less' if buys else 'more'}"
    stop = exact(order.stop_price or Decimal(0))
    reached = f"once the price has {'risen' if buys else 'fallen'} to {stop}"
    if order.kind is OrderKind.STOP_LIMIT:
        return f"{reached}, at {price} or {'less' if buys else 'more'}"
    limit = exact(order.stop_limit_price or Decimal(0))
    return f"at {price}, or {reached} at {limit} or {'less' if buys else 'more'}: one cancels the other"


def in_words(shown: Preview, rules: SymbolRules) -> str:
    """The order in one sentence."""
    order = shown.order
    verb = "Buy" if order.side is Side.BUY else "Sell"
    worth = f"worth about {money(shown.worth_quote)} {rules.quote_asset}"
    return f"{verb} {exact(order.quantity)} {rules.base_asset} ({order.symbol}) {price_words(order)}, {worth}."


def fee_words(shown: Preview, rules: SymbolRules) -> str:
    """`about 0.10 USDT, 0.1 %: what the latest 12 fills paid, taken in BTC`."""
    rate = f"{plain((shown.fee.fraction * 100).normalize())} %"
    if not shown.fee.fills:
        source = "the usual rate, an assumption: no such fill is in the ledger yet"
    else:
        fills = f"the latest {shown.fee.fills} fills" if shown.fee.fills > 1 else "the latest fill"
        source = f"what {fills} paid, in {shown.fee.asset}"
    return f"about {exact(round(shown.fee_quote, 4))} {rules.quote_asset}, {rate}: {source}"


def protection_words(shown: Preview, rules: SymbolRules) -> str:
    """What protects the position then."""
    order = shown.order
    if order.side is Side.SELL:
        left = shown.funds.held_base - order.quantity
        if left <= 0:
            return "nothing is left to protect: what protects the position is cancelled first"
        return f"{exact(left)} {rules.base_asset} are left and stay protected by what the settings on exits say"
    levels = {"a stop-loss": shown.stop_price, "a take-profit": shown.target_price}
    known = [f"{what} at about {exact(price)}" for what, price in levels.items() if price is not None]
    if not known:
        return "nothing: neither a stop-loss nor a take-profit is set (RISK_STOP_LOSS_PCT, RISK_TAKE_PROFIT_PCT)"
    return f"once it has bought, {' and '.join(known)} for the whole position"


def rows(shown: Preview, rules: SymbolRules) -> list[tuple[str, str]]:
    """What the confirmation repeats, name and value."""
    order = shown.order
    found = [
        ("Side", "BUY" if order.side is Side.BUY else "SELL"),
        ("Symbol", order.symbol),
        ("Quantity", f"{exact(order.quantity)} {rules.base_asset}"),
        ("Type", KINDS[order.kind]),
        ("Price", price_words(order)),
    ]
    if shown.average_price is not None:
        found.append(("Expected now", expected_words(shown, rules)))
    amount, asset = shown.reserved
    found += [
        ("Worth", f"about {money(shown.worth_quote)} {rules.quote_asset}"),
        ("Fee", fee_words(shown, rules)),
        ("Reserved", f"{money(amount) if asset == rules.quote_asset else exact(amount)} {asset}"),
        ("Protection", protection_words(shown, rules)),
    ]
    return found


def expected_words(shown: Preview, rules: SymbolRules) -> str:
    """What would trade at once by the book, and at which price."""
    if shown.average_price is None:
        return "nothing trades at once"
    average = exact(_ticks(shown.average_price, rules))
    slippage = f"{plain(round(shown.slippage_pct or Decimal(0), 4))} % from the best price"
    if shown.now_base < shown.order.quantity:
        part = f"{exact(shown.now_base)} of {exact(shown.order.quantity)} {rules.base_asset}"
        return f"{part} at {average} on average, {slippage}; the rest waits"
    return f"{average} on average, {slippage}"


def closing(held: PositionNow, quote: Quote | None) -> list[str]:
    """What closing a position means."""
    said = [f"{exact(held.quantity_base)} {held.base_asset} are sold at market, as far as the lot allows."]
    if quote is not None:
        worth = held.quantity_base * quote.bid
        pnl = worth - held.cost_quote
        sign = "a gain" if pnl >= 0 else "a loss"
        asset = held.quote_asset
        said.append(
            f"At the last bid, {exact(quote.bid)}, that is {money(worth)} {asset}: {sign} of {money(abs(pnl))} {asset} "
            "before the fee."
        )
    said.append("The stop and the target of the position, and what persons have on sale of it, are cancelled first.")
    return said


def command_words(command: Command) -> str:
    """What a command asks for."""
    given = command.payload
    if command.kind is CommandKind.CANCEL:
        return f"cancel {given.get('client_order_id', '')}"
    if command.kind is CommandKind.CLOSE:
        return f"close {given.get('symbol') or 'all positions'}"
    try:
        return str(manual_order(given))
    except ValueError as failure:
        return f"an order that is not sound: {failure}"


def _ticks(price: Decimal, rules: SymbolRules) -> Decimal:
    """An average price with two more digits than the tick has."""
    if not rules.tick_size:
        return price
    return round(price, max(0, -int(rules.tick_size.normalize().as_tuple().exponent)) + 1)
