"""RiskManagementAgent: an approved intent, or a refusal with the rule and the numbers, and what every rule found."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from binance_trade_agent.agents.entry_gate import EntryGate
from binance_trade_agent.agents.risk_context import Conditions, EntryMarket, average_true_range, conditions, quoted
from binance_trade_agent.domain.clock import Clock
from binance_trade_agent.domain.decisions import Finding, Refusal, Verdict
from binance_trade_agent.domain.exits import LEAVES_ALL, ExitKind
from binance_trade_agent.domain.manual_orders import ManualOrder
from binance_trade_agent.domain.market import MarketView
from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.orders import OrderIntent, OrderType, Role, Side, client_order_id
from binance_trade_agent.domain.pause_scope import PauseScope
from binance_trade_agent.domain.signals import Action, Signal
from binance_trade_agent.domain.values import Value, changed
from binance_trade_agent.domain.words import words_of
from binance_trade_agent.ledger.account import account
from binance_trade_agent.ledger.books import Books
from binance_trade_agent.risk.context import ProposedOrder, RiskContext
from binance_trade_agent.risk.exits import ExitSettings, lowest_stop_fraction
from binance_trade_agent.risk.policy import ApprovedSize, Judgement, RiskPolicy
from binance_trade_agent.risk.settings import RiskSettings
from binance_trade_agent.risk.switches import Paused

# To look a member up by its name takes longer than to compare it.
_BUY, _SELL = Action.BUY, Action.SELL
_BUY_SIDE, _MARKET, _ENTRY, _EXIT = Side.BUY, OrderType.MARKET, Role.ENTRY, Role.EXIT
_STRATEGY = ExitKind.STRATEGY


@dataclass(frozen=True, slots=True)
class Identity:
    """What goes into every client order id, so that the same decision is recognised after a restart.

    Attributes:
        fence: number of this daemon's generation on the account; it marks the order, not the decision.
    """

    instance: str
    strategy: str
    fence: int = 0


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person has asked for: the number of the command, when it was placed (wall ms UTC), and who placed it."""

    number: int
    wall_ms: int
    by: str

    @property
    def words(self) -> str:
        """Why there is an order."""
        return f"ordered by {self.by} (command {self.number})"

    def order_id(self, identity: Identity, symbol: str, leg: str) -> str:
        """The client order id of a part of it: the same command gives the same one, after a crash too."""
        return client_order_id(
            instance=identity.instance,
            epoch=0,
            strategy="",
            symbol=symbol,
            tick_ms=self.wall_ms,
            leg=f"command {self.number}: {leg}",
            attempt=1,
            fence=identity.fence,
        )


class Review(Value, frozen=True):
    """The verdict on a signal, and what each rule found in the order in which they were asked.

    `on_sale_base` is what of the position was on sale by persons' orders, and is not sold by the verdict.
    """

    verdict: Verdict
    findings: tuple[Finding, ...]
    on_sale_base: Decimal = ZERO


class OrderReview(Value, frozen=True):
    """The verdict on a person's order: the orders to be sent, the two of a list with its id, or a refusal."""

    refusal: Refusal | None
    findings: tuple[Finding, ...]
    intents: tuple[OrderIntent, ...] = ()
    list_id: str | None = None


class RiskManagementAgent:
    """Puts a signal, the account as the ledger knows it, and the market before the risk policy.

    Args:
        settings: the limits.
        exits: where a position will be left, which an entry must have room for.
        gate: says why no position may be entered now.
        atr_period: candles that the average true range looks back; None: it is not measured, for nothing hangs on it
            (limits.py, measures_range).
        epoch: number of the epoch that is traded in.
        locked_by_others: what open orders of others lock in the account, by asset.
        promise: keeps free what an entry comes to of the orders that the exchange takes, for the present task; called
            when nothing that is known is against an entry, before anything is waited for.

    Attributes:
        marks: what the tick before saw of each symbol, set at the start of a tick. Other symbols are valued by it,
            because this tick may not have looked at them yet, and the verdict must not depend on who was faster.
    """

    def __init__(
        self,
        settings: RiskSettings,
        exits: ExitSettings,
        market: EntryMarket,
        books: Books,
        clock: Clock,
        identity: Identity,
        gate: EntryGate,
        *,
        atr_period: int | None,
        epoch: Callable[[], int],
        locked_by_others: Callable[[], Mapping[str, Decimal]],
        promise: Callable[[], None] = lambda: None,
    ) -> None:
        self._settings = settings
        self._policy = RiskPolicy(settings)
        self._exits = exits
        self._market = market
        self._books = books
        self._clock = clock
        self._identity = identity
        self._gate = gate
        self._atr_period = atr_period
        self._epoch = epoch
        self._locked_by_others = locked_by_others
        self._promise = promise
        self.marks: Mapping[str, MarketView] = {}

    def use(self, settings: RiskSettings) -> None:
        """Judge by other limits from now on."""
        self._settings = settings
        self._policy = RiskPolicy(settings)

    async def review(
        self,
        signal: Signal,
        view: MarketView,
        tick_ms: int,
        exit_kind: ExitKind | None = None,
        may_enter: Callable[[], Awaitable[None]] | None = None,
    ) -> Review:
        """The verdict on a signal, by the account's state at this moment.

        The exchange is asked for depth and last price when nothing that is known already refuses an entry and these are
        not known: most are refused at tick after tick, and each question costs request weight and time.

        Args:
            signal: BUY or SELL; with `exit_kind` taken for SELL, whatever it says.
            view: the market as it was seen.
            tick_ms: market time of the tick.
            exit_kind: what makes the bot leave the position; a SELL without it is the strategy's.
            may_enter: returns when nobody else enters by the account that an entry is judged by: it is read after that.
                Only entries that nothing known is against wait, when the exchange has said what it is asked for.

        Raises:
            LedgerError: the ledger could not be read.
            ValueError: the signal is HOLD and there is no `exit_kind`.
        """
        if exit_kind is not None and signal.action is not _SELL:
            signal = changed(signal, action=_SELL)
        if signal.action is _BUY:
            context, judged = await self._judged(signal, view, tick_ms, may_enter=may_enter)
        else:
            context = await self._context(signal, view, tick_ms)
            if exit_kind is _STRATEGY and context.pause_scope is PauseScope.EVERYTHING:
                finding = Paused().review(context)
                return Review(Refusal(finding.rule, words_of(finding, "detail")), (finding,))
            if exit_kind in LEAVES_ALL:
                context = changed(context, on_sale_base=ZERO)
            judged = self._policy.judge(context)
        if judged.size is None:
            assert judged.refusal is not None, "without a size some rule has refused"
            return Review(judged.refusal, judged.findings)
        return Review(self._intent(context, judged.size, exit_kind), judged.findings, context.on_sale_base)

    async def review_order(self, order: ManualOrder, view: MarketView, asked: Asked) -> OrderReview:
        """The verdict on an order of a person, by the account's state at this moment.

        Args:
            order: what is asked for.
            view: the market as it was seen.
            asked: the command; the same one gives the same orders.

        Raises:
            LedgerError: the ledger could not be read.
        """
        action = _BUY if order.side is _BUY_SIDE else _SELL
        signal = Signal(order.symbol, "", action, 1.0, asked.words, view.book.read_ms)
        price = order.price_at(view.book.bid, view.book.ask)
        proposed = ProposedOrder(
            order.side, order.quantity, price, order.quantity * price, order.legs, order.worst_price
        )
        context, judged = await self._judged(signal, view, self._clock.now_ms(), proposed)
        if judged.refusal is not None:
            return OrderReview(judged.refusal, judged.findings)
        is_list = len(order.legs) > 1
        list_id = asked.order_id(self._identity, order.symbol, "list") if is_list else None
        intents = tuple(
            OrderIntent(
                client_order_id=asked.order_id(self._identity, order.symbol, f"leg {number}"),
                symbol=order.symbol,
                side=order.side,
                type=leg.type,
                quantity=order.quantity,
                reference_price=price if leg.price is None else leg.price,
                tick_ms=context.now_ms,
                candle_open_ms=context.now_ms,
                reason=asked.words,
                price=leg.price,
                role=_ENTRY if action is _BUY else _EXIT,
                stop_price=leg.stop_price,
                list_id=list_id,
                exit=None if action is _BUY else ExitKind.MANUAL,
                atr_quote=context.atr_quote,
            )
            for number, leg in enumerate(order.legs)
        )
        return OrderReview(None, judged.findings, intents, list_id)

    async def _judged(
        self,
        signal: Signal,
        view: MarketView,
        tick_ms: int,
        order: ProposedOrder | None = None,
        may_enter: Callable[[], Awaitable[None]] | None = None,
    ) -> tuple[RiskContext, Judgement]:
        """What is found when all is known that the rules need, and by what; `order` is a person's.

        It is judged anew after anything was waited for. An order that has grown meanwhile may need the depth after all.
        """
        market: Conditions | None = None
        is_crowd = may_enter is not None
        while True:
            context = await self._context(signal, view, tick_ms, market)
            judged = self._policy.judge(context) if order is None else self._policy.judge_order(context, order)
            if judged.size is not None and signal.action is _BUY:
                self._promise()
            if judged.size is None or not (judged.unasked or may_enter):
                return context, judged
            market = await conditions(self._market, context, judged.unasked, at_once=is_crowd)
            if may_enter is not None:
                await may_enter()
                may_enter = None

    async def _context(
        self, signal: Signal, view: MarketView, tick_ms: int, market: Conditions | None = None
    ) -> RiskContext:
        """All that is looked at; without `market` of that what the view tells.

        The ledger is read last, at one moment: the market takes its time to answer.
        """
        # Others may have been waited for since the market was looked at, and the market has just been asked again.
        view = changed(view, book_age_ms=self._clock.now_ms() - view.book.read_ms)
        marks, locked = self.marks, self._locked_by_others()
        found = await self._books.consult(
            lambda books: account(
                books, signal, view, tick_ms, marks=marks, locked_by_others=locked, settings=self._settings
            )
        )
        said = market or quoted(view)
        if signal.action is not _BUY:
            return changed(found, depth=said.depth, is_depth_asked=said.is_depth_asked)
        atr_quote = None if self._atr_period is None else average_true_range(view.candles, self._atr_period)
        return changed(
            found,
            depth=said.depth,
            last_price=said.last_price,
            atr_quote=atr_quote,
            stop_fraction=lowest_stop_fraction(self._exits, view.book.ask, atr_quote),
            gate=self._gate.refusal(view.symbol),
            is_depth_asked=said.is_depth_asked,
            is_price_asked=said.is_price_asked,
        )

    def _intent(self, context: RiskContext, size: ApprovedSize, exit_kind: ExitKind | None) -> OrderIntent:
        is_entry = size.side is _BUY_SIDE
        return OrderIntent(
            client_order_id=self._order_id(context.view.symbol, context.now_ms, size.side),
            symbol=context.view.symbol,
            side=size.side,
            type=_MARKET,
            quantity=size.quantity,
            reference_price=size.reference_price,
            tick_ms=context.now_ms,
            candle_open_ms=context.signal.candle_open_ms,
            reason=words_of(size, "reason"),
            role=_ENTRY if is_entry else _EXIT,
            exit=None if is_entry else exit_kind or ExitKind.STRATEGY,
            atr_quote=context.atr_quote,
        )

    def _order_id(self, symbol: str, tick_ms: int, side: Side) -> str:
        return client_order_id(
            instance=self._identity.instance,
            epoch=self._epoch(),
            strategy=self._identity.strategy,
            symbol=symbol,
            tick_ms=tick_ms,
            leg="entry" if side is _BUY_SIDE else "exit",
            attempt=1,
            fence=self._identity.fence,
        )
