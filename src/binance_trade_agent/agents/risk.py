"""RiskManagementAgent: an approved intent, or a refusal with the rule and the numbers."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from binance_trade_agent.agents.entry_gate import EntryGate
from binance_trade_agent.agents.recovery import rests
from binance_trade_agent.control.commands import is_paused
from binance_trade_agent.domain.decisions import Refusal, Verdict
from binance_trade_agent.domain.market import MarketView
from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.orders import Order, OrderIntent, OrderType, Role, Side, client_order_id
from binance_trade_agent.domain.positions import Position
from binance_trade_agent.domain.signals import Action, Signal
from binance_trade_agent.ledger.ledger import Ledger
from binance_trade_agent.risk.context import RiskContext
from binance_trade_agent.risk.policy import RiskPolicy


@dataclass(frozen=True, slots=True)
class Identity:
    """What goes into every client order id, so that the same decision is recognised after a restart.

    Attributes:
        fence: number of this daemon's generation on the account; it marks the order, not the decision.
    """

    instance: str
    strategy: str
    fence: int = 0


class RiskManagementAgent:
    """Puts a signal and the account as the ledger knows it before the risk policy.

    Args:
        gate: says why no position may be entered now.
        epoch: number of the epoch that is traded in.
        locked_by_others: what open orders of others lock in the account, by asset.

    Attributes:
        marks: what the tick before saw of each symbol, set at the start of a tick. Other symbols are valued by it,
            because this tick may not have looked at them yet, and the verdict must not depend on who was faster.
    """

    def __init__(
        self,
        policy: RiskPolicy,
        ledger: Ledger,
        identity: Identity,
        gate: EntryGate,
        *,
        epoch: Callable[[], int],
        locked_by_others: Callable[[], Mapping[str, Decimal]],
    ) -> None:
        self._policy = policy
        self._ledger = ledger
        self._identity = identity
        self._gate = gate
        self._epoch = epoch
        self._locked_by_others = locked_by_others
        self.marks: Mapping[str, MarketView] = {}

    async def review(self, signal: Signal, view: MarketView, tick_ms: int) -> Verdict:
        """The verdict on a BUY or SELL signal, by the account's state at this moment."""
        open_orders = await self._ledger.open_orders()
        under_way = (order for order in open_orders if order.symbol == view.symbol and not rests(order))
        if waiting := next(under_way, None):
            return Refusal("open_order", f"order {waiting.client_order_id} is {waiting.state}")
        if signal.action is Action.BUY and await is_paused(self._ledger):
            return Refusal("pause", "entries are paused until `resume`")
        if signal.action is Action.BUY and (reason := self._gate.refusal(view.symbol)):
            return Refusal(*reason)
        verdict = self._policy.review(await self._context(signal, view, tick_ms, open_orders))
        if isinstance(verdict, Refusal):
            return verdict
        return OrderIntent(
            client_order_id=self._order_id(view.symbol, tick_ms, verdict.side),
            symbol=view.symbol,
            side=verdict.side,
            type=OrderType.MARKET,
            quantity=verdict.quantity,
            reference_price=verdict.reference_price,
            tick_ms=tick_ms,
            candle_open_ms=signal.candle_open_ms,
            reason=verdict.reason,
            role=Role.ENTRY if verdict.side is Side.BUY else Role.EXIT,
        )

    async def _context(self, signal: Signal, view: MarketView, tick_ms: int, open_orders: list[Order]) -> RiskContext:
        positions = await self._ledger.positions()
        wallet = await self._ledger.wallet()
        views = {**self.marks, view.symbol: view}
        pending = sum((order.reserved_quote for order in open_orders), start=ZERO)
        locked = self._locked_by_others().get(view.rules.quote_asset, ZERO)
        held = {symbol for symbol, position in positions.items() if _is_open(position, views.get(symbol))}
        entering = {order.symbol for order in open_orders if order.side is Side.BUY}
        return RiskContext(
            signal=signal,
            view=view,
            position=positions.get(view.symbol, Position(view.symbol)),
            open_positions=len(held | entering),
            free_quote=wallet.get(view.rules.quote_asset, ZERO),
            equity_quote=equity_quote(wallet, views.values(), view.rules.quote_asset),
            last_filled_ms=await self._ledger.last_entry_fill_ms(view.symbol),
            now_ms=tick_ms,
            pending_buy_quote=pending + locked,
            wallet_base=wallet.get(view.rules.base_asset, ZERO),
        )

    def _order_id(self, symbol: str, tick_ms: int, side: Side) -> str:
        return client_order_id(
            instance=self._identity.instance,
            epoch=self._epoch(),
            strategy=self._identity.strategy,
            symbol=symbol,
            tick_ms=tick_ms,
            leg="entry" if side is Side.BUY else "exit",
            attempt=1,
            fence=self._identity.fence,
        )


def equity_quote(wallet: Mapping[str, Decimal], views: Iterable[MarketView], quote_asset: str) -> Decimal:
    """What the wallet is worth in quote asset, at the bids of `views`; what none of them prices counts as nothing."""
    held = (wallet.get(view.rules.base_asset, ZERO) * view.book.bid for view in views)
    return sum(held, start=wallet.get(quote_asset, ZERO))


def _is_open(position: Position, view: MarketView | None) -> bool:
    if view is None:  # not looked at in this run yet: anything held counts
        return position.quantity > 0
    return not view.rules.is_dust(position.quantity, view.book.bid)
