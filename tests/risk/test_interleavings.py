"""Several symbols share one limit: however their entries, fills and prices come about, an approval never passes it.

What is at risk is what is held at the bid and what open orders may still buy. It is summed here from the account itself,
not from what the rules were told.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from binance_trade_agent.domain.market import BookTicker, MarketView
from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.positions import Position
from binance_trade_agent.domain.signals import Action, Signal
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.risk.context import RiskContext
from binance_trade_agent.risk.policy import Judgement, RiskPolicy
from binance_trade_agent.risk.settings import RiskSettings, SizingSettings

SYMBOLS = {"AAAUSDT": "0.00001", "BBBUSDT": "0.01", "CCCUSDT": "1"}  # with their steps
FEE_FRACTION = Decimal("0.001")


@dataclass
class Pending:
    """An entry that has not filled completely."""

    quantity: Decimal
    price: Decimal

    @property
    def quote(self) -> Decimal:
        return self.quantity * self.price


@dataclass
class Account:
    """Quote asset, positions and entries under way on three symbols."""

    cash: Decimal = Decimal(10_000)
    bids: dict[str, Decimal] = field(default_factory=lambda: dict.fromkeys(SYMBOLS, Decimal(20)))
    held: dict[str, Decimal] = field(default_factory=lambda: dict.fromkeys(SYMBOLS, ZERO))
    pending: dict[str, Pending] = field(default_factory=dict)

    def rules(self, symbol: str) -> SymbolRules:
        step = Decimal(SYMBOLS[symbol])
        return SymbolRules(symbol, symbol[:3], "USDT", step_size=step, min_quantity=step, min_notional=Decimal(5))

    def ask(self, symbol: str) -> Decimal:
        return self.bids[symbol] * Decimal("1.001")

    def context(self, symbol: str, action: Action) -> RiskContext:
        """What the risk agent would say of it."""
        book = BookTicker(symbol, self.bids[symbol], Decimal(1), self.ask(symbol), Decimal(1), 0)
        worth = {each: self.held[each] * self.bids[each] for each in SYMBOLS}
        waiting = sum((order.quote for order in self.pending.values()), start=ZERO)
        open_now = {each for each in SYMBOLS if not self.rules(each).is_dust(self.held[each], self.bids[each])}
        return RiskContext(
            signal=Signal(symbol, "s", action, 1.0, "", 0),
            view=MarketView(symbol, self.rules(symbol), (), book, 0, 0),
            position=Position(symbol, quantity=self.held[symbol]),
            open_positions=len(open_now | set(self.pending)),
            free_quote=self.cash,
            equity_quote=self.cash + sum(worth.values()),
            last_filled_ms=None,
            now_ms=0,
            pending_buy_quote=waiting,
            wallet_base=self.held[symbol],
            exposure_quote=sum(worth.values()) + waiting,
            atr_quote=self.bids[symbol] / 100,
            open_order="order x is SENT" if symbol in self.pending else None,
        )

    def at_risk(self) -> tuple[Fraction, Fraction]:
        """What is held and what may yet be bought; and the equity. Exactly."""
        held = sum(Fraction(self.held[symbol]) * Fraction(self.bids[symbol]) for symbol in SYMBOLS)
        waiting = sum(Fraction(order.quantity) * Fraction(order.price) for order in self.pending.values())
        return held + waiting, held + Fraction(self.cash)

    def open_positions(self) -> set[str]:
        """Symbols that an order enters or of which so much is held that it can be sold."""
        sellable = {each: self.held[each] // Decimal(step) * Decimal(step) for each, step in SYMBOLS.items()}
        return {each for each in SYMBOLS if sellable[each] * self.bids[each] >= 5} | set(self.pending)

    def enter(self, symbol: str, policy: RiskPolicy) -> Judgement:
        """Judge an entry; an approved one is under way from then on."""
        judgement = policy.judge(self.context(symbol, Action.BUY))
        if judgement.size is not None:
            self.pending[symbol] = Pending(judgement.size.quantity, judgement.size.reference_price)
        return judgement

    def fill(self, symbol: str, part: Decimal, slip: Decimal) -> None:
        """Fill a part of what is under way, at a price so much worse."""
        order = self.pending[symbol]
        bought = order.quantity * part
        self.cash -= bought * order.price * slip
        self.held[symbol] += bought * (1 - FEE_FRACTION)
        order.quantity -= bought
        if not order.quantity:
            del self.pending[symbol]


symbols = st.sampled_from(sorted(SYMBOLS))


class Interleaving(RuleBasedStateMachine):
    """Ticks, fills and prices in any order."""

    @initialize(
        exposure_pct=st.decimals(1, 100, places=2),
        positions=st.integers(1, 3),
        sizing=st.sampled_from(["quote", "fraction", "volatility"]),
        size=st.decimals("0.02", 1, places=3),
    )
    def begin(self, exposure_pct, positions, sizing, size):
        self.account, self.exposure_pct, self.positions = Account(), exposure_pct, positions
        sizes = SizingSettings(sizing, size * 10_000, size, volatility_target_pct=size)
        limits = RiskSettings(max_exposure_pct=exposure_pct, max_open_positions=positions, sizing=sizes)
        self.policy = RiskPolicy(limits)

    @rule(symbol=symbols)
    def a_signal_to_buy(self, symbol):
        open_before = self.account.open_positions()
        if self.account.enter(symbol, self.policy).size is None:
            return
        at_risk, equity = self.account.at_risk()
        assert at_risk * 100 <= Fraction(self.exposure_pct) * equity
        waiting = sum((order.quote for order in self.account.pending.values()), start=ZERO)
        assert waiting <= self.account.cash
        # What was dust may have risen in price since; nothing is opened over the limit.
        assert symbol in open_before or len(open_before | {symbol}) <= self.positions

    @rule(symbol=symbols)
    def a_signal_to_sell(self, symbol):
        size = self.policy.judge(self.account.context(symbol, Action.SELL)).size
        if size is not None:
            assert size.quantity <= self.account.held[symbol]
            self.account.held[symbol] -= size.quantity
            self.account.cash += size.quantity * size.reference_price * (1 - FEE_FRACTION)

    @precondition(lambda self: self.account.pending)
    @rule(
        choice=st.integers(0, 2),
        part=st.sampled_from([Decimal(1), Decimal("0.5"), Decimal("0.01")]),
        slip=st.sampled_from([Decimal(1), Decimal("1.002"), Decimal("0.99")]),
    )
    def a_fill(self, choice, part, slip):
        under_way = sorted(self.account.pending)
        self.account.fill(under_way[choice % len(under_way)], part, slip)

    @precondition(lambda self: self.account.pending)
    @rule(choice=st.integers(0, 2))
    def an_end_without_the_rest(self, choice):
        under_way = sorted(self.account.pending)
        del self.account.pending[under_way[choice % len(under_way)]]

    @rule(symbol=symbols, factor=st.sampled_from(["0.5", "0.97", "1.01", "1.5", "3"]))
    def a_move_of_the_price(self, symbol, factor):
        self.account.bids[symbol] = (self.account.bids[symbol] * Decimal(factor)).quantize(Decimal("0.0001"))


TestInterleaving = Interleaving.TestCase


@pytest.fixture
def policy():
    """Entries of 300 USDT, at most 8 % of the equity at risk."""
    sizing = SizingSettings(order_quote=Decimal(300))
    return RiskPolicy(RiskSettings(max_exposure_pct=Decimal(8), sizing=sizing))


def test_entries_under_way_leave_no_room_for_one_more(policy):
    account = Account()
    assert account.enter("AAAUSDT", policy).size is not None
    assert account.enter("BBBUSDT", policy).size is not None
    refusal = account.enter("CCCUSDT", policy).refusal
    assert refusal.rule == "max_exposure"
    assert refusal.detail.endswith("more, at most 800 USDT allowed, 8 % of 10000 USDT (RISK_MAX_EXPOSURE_PCT)")


def test_an_entry_that_ended_without_a_fill_gives_its_room_back(policy):
    account = Account()
    account.enter("AAAUSDT", policy)
    account.enter("BBBUSDT", policy)
    account.fill("AAAUSDT", Decimal("0.5"), Decimal(1))
    del account.pending["AAAUSDT"]
    assert account.enter("CCCUSDT", policy).size is not None  # 150 held, 300 under way, 280 more: 730 of 800
