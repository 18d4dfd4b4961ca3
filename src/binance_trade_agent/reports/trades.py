"""From fills to trades (an order with its fills), and from trades to figures. Pure functions."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.orders import Fill, Side
from binance_trade_agent.domain.positions import Position, apply_fill

_PRICE_UNIT = Decimal("0.00000001")
_RATIO_UNIT = Decimal("0.0001")

Assets = tuple[str, str]  # base, quote


@dataclass(frozen=True, slots=True)
class Trade:
    """An order of ours as far as it filled.

    Attributes:
        price: average, quote per base, to eight decimals.
        quantity_base, value_quote: sums of its fills, before fees.
        fees: by asset.
        realised_pnl_quote: what a sale added, at average cost, after fees in base and quote; None for a buy.
        traded_ms: time of its last fill, market time.
    """

    client_order_id: str
    symbol: str
    quote_asset: str
    side: Side
    price: Decimal
    quantity_base: Decimal
    value_quote: Decimal
    fees: dict[str, Decimal]
    realised_pnl_quote: Decimal | None
    fills: int
    traded_ms: int


@dataclass(frozen=True, slots=True)
class Figures:
    """What trades add up to, all in one quote asset.

    Attributes:
        name: the symbol, or the quote asset for all of its symbols together.
        buys, sells: orders that filled.
        fees: by asset, as taken.
        buy_sell_ratio: buys for each sell; None without sells.
        won_sells: sells with a profit; win_rate_fraction: their part of all sells, None without sells.
    """

    name: str
    quote_asset: str
    buys: int
    sells: int
    fills: int
    bought_quote: Decimal
    sold_quote: Decimal
    volume_quote: Decimal
    fees: dict[str, Decimal]
    buy_sell_ratio: Decimal | None
    won_sells: int
    win_rate_fraction: Decimal | None
    realised_pnl_quote: Decimal


def replay(
    fills: Iterable[Fill], assets: Mapping[str, Assets], before: Mapping[str, Position] | None = None
) -> tuple[list[Trade], dict[str, Position]]:
    """The trades that an epoch's fills make up, in time order, and the positions that they leave.

    Args:
        fills: of one epoch, for each symbol in the order of their trade ids.
        assets: base and quote asset of each symbol.
        before: positions before the first of the fills, flat where there is none.
    """
    positions: dict[str, Position] = dict(before or {})
    by_order: dict[str, list[tuple[Fill, Decimal]]] = {}
    for fill in fills:
        base, quote = assets[fill.symbol]
        earlier = positions.get(fill.symbol, Position(fill.symbol))
        after = apply_fill(earlier, fill, base_asset=base, quote_asset=quote)
        positions[fill.symbol] = after
        realised = after.realised_pnl_quote - earlier.realised_pnl_quote
        by_order.setdefault(fill.client_order_id, []).append((fill, realised))
    trades = [trade_of(parts, assets[parts[0][0].symbol][1]) for parts in by_order.values()]
    # What was bought and sold in the same millisecond stays in the order of its trade ids.
    return sorted(trades, key=lambda trade: (trade.traded_ms, trade.symbol)), positions


def figures_by_symbol(trades: Iterable[Trade]) -> list[Figures]:
    """The figures of each symbol, by name."""
    by_symbol: dict[str, list[Trade]] = {}
    for trade in trades:
        by_symbol.setdefault(trade.symbol, []).append(trade)
    return [_figures(symbol, by_symbol[symbol]) for symbol in sorted(by_symbol)]


def figures_in_all(trades: Iterable[Trade]) -> list[Figures]:
    """The figures of all symbols together, for each quote asset: amounts in different assets do not add up."""
    by_quote: dict[str, list[Trade]] = {}
    for trade in trades:
        by_quote.setdefault(trade.quote_asset, []).append(trade)
    return [_figures(asset, by_quote[asset]) for asset in sorted(by_quote)]


def trade_of(parts: Sequence[tuple[Fill, Decimal]], quote_asset: str) -> Trade:
    """The trade that an order's fills make up; with each fill what it has realised."""
    fills = [fill for fill, _ in parts]
    first = fills[0]
    quantity = sum((fill.quantity for fill in fills), ZERO)
    value = sum((fill.quote_quantity for fill in fills), ZERO)
    realised = sum((amount for _, amount in parts), ZERO)
    return Trade(
        client_order_id=first.client_order_id,
        symbol=first.symbol,
        quote_asset=quote_asset,
        side=first.side,
        price=(value / quantity).quantize(_PRICE_UNIT, ROUND_HALF_EVEN),
        quantity_base=quantity,
        value_quote=value,
        fees=_sums((fill.commission_asset, fill.commission) for fill in fills),
        realised_pnl_quote=realised if first.side is Side.SELL else None,
        fills=len(fills),
        traded_ms=max(fill.traded_ms for fill in fills),
    )


def _figures(name: str, trades: Sequence[Trade]) -> Figures:
    buys = [trade for trade in trades if trade.side is Side.BUY]
    sells = [trade for trade in trades if trade.side is Side.SELL]
    profits = [trade.realised_pnl_quote or ZERO for trade in sells]
    won = sum(profit > 0 for profit in profits)
    bought = sum((trade.value_quote for trade in buys), ZERO)
    sold = sum((trade.value_quote for trade in sells), ZERO)
    return Figures(
        name=name,
        quote_asset=trades[0].quote_asset,
        buys=len(buys),
        sells=len(sells),
        fills=sum(trade.fills for trade in trades),
        bought_quote=bought,
        sold_quote=sold,
        volume_quote=bought + sold,
        fees=_sums(pair for trade in trades for pair in trade.fees.items()),
        buy_sell_ratio=_ratio(len(buys), len(sells)),
        won_sells=won,
        win_rate_fraction=_ratio(won, len(sells)),
        realised_pnl_quote=sum(profits, ZERO),
    )


def _ratio(part: int, whole: int) -> Decimal | None:
    return (Decimal(part) / whole).quantize(_RATIO_UNIT, ROUND_HALF_EVEN) if whole else None


def _sums(pairs: Iterable[tuple[str, Decimal]]) -> dict[str, Decimal]:
    sums: dict[str, Decimal] = {}
    for asset, amount in pairs:
        sums[asset] = sums.get(asset, ZERO) + amount
    return {asset: sums[asset] for asset in sorted(sums) if sums[asset]}
