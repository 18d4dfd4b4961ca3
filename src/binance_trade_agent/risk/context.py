"""What a risk decision may look at, and the order that it judges."""

from decimal import Decimal

import msgspec

from binance_trade_agent.domain.manual_orders import Leg
from binance_trade_agent.domain.market import Depth, MarketView
from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.orders import OrderType, Side
from binance_trade_agent.domain.pause_scope import PauseScope
from binance_trade_agent.domain.positions import Position
from binance_trade_agent.domain.signals import Signal
from binance_trade_agent.domain.values import Value
from binance_trade_agent.risk.state import RiskState


class RiskContext(Value, frozen=True):
    """One symbol at one tick, with the account around it.

    Attributes:
        position: what the ledger holds of the symbol.
        open_positions: symbols, this one included, whose position is more than dust or that an open BUY order enters.
        free_quote: free balance of the quote asset.
        equity_quote: the quote asset in the wallet and the bot's own positions at the bid.
        last_filled_ms: market time of the symbol's last entry fill; None when there was none.
        now_ms: market time.
        pending_buy_quote: quote asset that orders of unknown outcome may still spend; `free_quote` contains it.
        pending_buy_base: base asset that open BUY orders of the symbol may add to the position.
        on_sale_base: what of the position persons have on sale, in base asset: nothing else may sell it.
        wallet_base: free and locked base asset in the wallet, and what open BUY orders may add.
        exposure_quote: the bot's positions on all symbols at the bid, and what open BUY orders may add to them.
        state: what the limits have counted and measured.
        depth: of the book; the best prices alone where the exchange was not asked for more. last_price: of the last
            trade; atr_quote: average true range of a candle. All in quote per base, None where they are not known.
        is_depth_asked, is_price_asked: whether the exchange was asked for depth and last price; see RiskPolicy.judge.
        stop_fraction: of the entry's price, at which its stop may sell at the lowest; None without a stop.
        open_order: an order of the symbol that is under way, in words; None without one.
        unknown_orders: orders of the account whose outcome is unknown.
        pause_scope: what a person's pause keeps back; None without one.
        is_killed: the kill switch is on.
        gate: why nothing may be entered for now, as (rule, words); None when something may.
    """

    signal: Signal
    view: MarketView
    position: Position
    open_positions: int
    free_quote: Decimal
    equity_quote: Decimal
    last_filled_ms: int | None
    now_ms: int
    pending_buy_quote: Decimal = ZERO
    wallet_base: Decimal = ZERO
    exposure_quote: Decimal = ZERO
    state: RiskState = msgspec.field(default_factory=RiskState)
    depth: Depth | None = None
    last_price: Decimal | None = None
    atr_quote: Decimal | None = None
    stop_fraction: Decimal | None = None
    open_order: str | None = None
    unknown_orders: int = 0
    pause_scope: PauseScope | None = None
    is_killed: bool = False
    is_depth_asked: bool = True
    is_price_asked: bool = True
    gate: tuple[str, str] | None = None
    pending_buy_base: Decimal = ZERO
    on_sale_base: Decimal = ZERO

    @property
    def held_base(self) -> Decimal:
        """Base asset that the ledger holds; 0 when it was oversold."""
        quantity = self.position.quantity
        return quantity if quantity > 0 else ZERO

    @property
    def free_base(self) -> Decimal:
        """Base asset that the ledger holds and nobody has on sale."""
        return max(ZERO, self.held_base - self.on_sale_base)


class ProposedOrder(Value, frozen=True, gc=False):
    """An order on trial: quantity in base asset, price in quote per base, value in quote.

    Attributes:
        price: best ask or bid of a MARKET order; what the others pay at most, or get at least.
        legs: of a person's order, what is sent: one order, or the two of a list, the one above the price first. Empty
            for the MARKET order that a signal leads to.
        worst_price: of a person's MARKET order, the worst average price that is accepted; None for any.
    """

    side: Side
    quantity: Decimal
    price: Decimal
    notional: Decimal
    legs: tuple[Leg, ...] = ()
    worst_price: Decimal | None = None

    @property
    def takes_market(self) -> bool:
        """Whether it trades at once at whatever price, as far as the book goes."""
        return not self.legs or self.legs[0].type is OrderType.MARKET
