"""A position on a symbol: what the bot's own fills have left it with, at average cost."""

from decimal import ROUND_HALF_EVEN, Decimal

from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.orders import Fill, Side
from binance_trade_agent.domain.values import Value

_COST_UNIT = Decimal("0.00000001")  # cost is kept to 8 decimals, the precision of every quote asset on Binance


class Position(Value, frozen=True):
    """Holdings of one symbol that the bot itself bought.

    Attributes:
        quantity: base asset held, after fees taken in base.
        cost_quote: what the held quantity cost in quote asset, fees in quote included.
        realised_pnl_quote: profit of all sales so far, in quote asset, after fees in base and quote. A fee in a third
            asset (BNB) is kept with its fill and is not in here.
        opened_ms: time of the fill that opened it, None while flat.
    """

    symbol: str
    quantity: Decimal = ZERO
    cost_quote: Decimal = ZERO
    realised_pnl_quote: Decimal = ZERO
    opened_ms: int | None = None
    updated_ms: int = 0

    @property
    def average_price(self) -> Decimal | None:
        """Cost of one unit of base in quote, None while flat."""
        return self.cost_quote / self.quantity if self.quantity else None

    def worth_quote(self, bid: Decimal | None) -> Decimal:
        """What it is worth at the bid, in quote asset; without one what it cost, for it is never worth nothing."""
        return self.cost_quote if bid is None else self.quantity * bid

    def unrealised_pnl_quote(self, mark_price: Decimal) -> Decimal:
        """What selling everything at `mark_price` would add, before fees, in quote asset."""
        return self.quantity * mark_price - self.cost_quote


def apply_fill(position: Position, fill: Fill, *, base_asset: str, quote_asset: str) -> Position:
    """The position after one fill, by the average-cost method.

    Selling more than is held (only possible when another program sold under our id) realises the proceeds of the
    excess against no cost and leaves a negative quantity, which reconciliation reports.
    """
    fee_base = fill.commission if fill.commission_asset == base_asset else ZERO
    fee_quote = fill.commission if fill.commission_asset == quote_asset else ZERO
    if fill.side is Side.BUY:
        return Position(
            position.symbol,
            quantity=position.quantity + fill.quantity - fee_base,
            cost_quote=position.cost_quote + fill.quote_quantity + fee_quote,
            realised_pnl_quote=position.realised_pnl_quote,
            opened_ms=position.opened_ms if position.quantity else fill.traded_ms,
            updated_ms=fill.traded_ms,
        )
    sold = fill.quantity + fee_base
    quantity = position.quantity - sold
    cost = _cost_of(position, sold)
    return Position(
        position.symbol,
        quantity=quantity,
        cost_quote=position.cost_quote - cost,
        realised_pnl_quote=position.realised_pnl_quote + fill.quote_quantity - fee_quote - cost,
        opened_ms=position.opened_ms if quantity else None,
        updated_ms=fill.traded_ms,
    )


def _cost_of(position: Position, sold: Decimal) -> Decimal:
    if sold >= position.quantity:
        return position.cost_quote
    share = position.cost_quote * sold / position.quantity
    return share.quantize(_COST_UNIT, ROUND_HALF_EVEN)
