"""The books of a backtest and the ledger are given the same: every answer of both is the same after each step."""

import asyncio
import random
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binance_trade_agent.backtest.books import MemoryBooks
from binance_trade_agent.backtest.drive import run_now
from binance_trade_agent.domain.decisions import Decision, Outcome
from binance_trade_agent.domain.exits import ExitKind
from binance_trade_agent.domain.market import BookTicker, MarketView
from binance_trade_agent.domain.orders import Fill, OrderIntent, OrderReport, OrderState, OrderType, Role, Side
from binance_trade_agent.domain.signals import Action, Signal
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.domain.values import replace
from binance_trade_agent.ledger.account import account
from binance_trade_agent.ledger.accounting import Account
from binance_trade_agent.ledger.books import BooksView
from binance_trade_agent.ledger.connection import open_or_create
from binance_trade_agent.ledger.errors import LedgerError
from binance_trade_agent.ledger.ledger import Ledger
from binance_trade_agent.ledger.records import EquityPoint
from binance_trade_agent.ledger.risk_state import losses_in_row, risk_state
from binance_trade_agent.risk.settings import RiskSettings
from binance_trade_agent.risk.state import Pause
from tests.ledger.bookkeeping import run_record

RUN_ID = "run-a"
DAY_MS, HOUR_MS, MINUTE_MS = 86_400_000, 3_600_000, 60_000
NOON_MS = 20_000 * DAY_MS + DAY_MS // 2
OPENING = {"USDT": Decimal(10_000), "BNB": Decimal("0.5")}
RULES = {
    symbol: SymbolRules(
        symbol, base, "USDT", step_size=Decimal("0.001"), min_quantity=Decimal("0.001"), min_notional=Decimal(5)
    )
    for symbol, base in (("BTCUSDT", "BTC"), ("ETHUSDT", "ETH"))
}
SYMBOLS = tuple(RULES)
LIMITS = RiskSettings(max_position_quote=Decimal(500), max_open_positions=5, max_consecutive_losses=3)
RULES_OF_LOSS = ("drawdown", "daily_loss", "consecutive_losses")
STATUSES = ("NEW", "PARTIALLY_FILLED", "FILLED", "CANCELED", "EXPIRED", "REJECTED", "INVENTED_LATER")


class _Inline:
    """Takes the place of ledger.connection.WriterConnection: the same work, in this thread."""

    def __init__(self, connection) -> None:
        self._connection = connection

    async def run(self, work):
        return work(self._connection)


@pytest.fixture(scope="module")
def empty(tmp_path_factory) -> Path:
    """A ledger that is ready to trade."""
    path = tmp_path_factory.mktemp("books") / "empty.db"
    with closing(open_or_create(path)) as connection:
        ledger = Ledger(path, _Inline(connection))
        run_now(ledger.open_epoch(NOON_MS, "new market", OPENING))
        run_now(ledger.begin_run(run_record(RUN_ID)))
    return path


@contextmanager
def ledger_of(empty: Path) -> Iterator[Ledger]:
    """A copy of it that does not wait for the disk."""
    path = empty.with_name("tried.db")
    path.unlink(missing_ok=True)
    shutil.copy(empty, path)
    with closing(open_or_create(path)) as connection:
        connection.execute("PRAGMA journal_mode = MEMORY")
        connection.execute("PRAGMA synchronous = OFF")
        yield Ledger(path, _Inline(connection))


@dataclass
class Both:
    """Ledger and memory, and the world that tells them what happens."""

    ledger: Ledger
    memory: MemoryBooks
    chance: random.Random
    now_ms: int = NOON_MS
    intents: list[OrderIntent] = field(default_factory=list)
    numbers: dict[str, int] = field(default_factory=dict)
    fills: list[Fill] = field(default_factory=list)
    last_number: int = 100
    last_trade: int = 100
    left_out: list[int] = field(default_factory=list)

    def do(self, name: str, *arguments, **named):
        """Let both do the same; their answers, or what they raise, are the same."""
        ledger, memory = (_outcome(getattr(books, name), *arguments, **named) for books in (self.ledger, self.memory))
        assert memory == ledger, name
        return memory

    def rarely(self, times: int = 20) -> bool:
        """Once in so many times."""
        return self.chance.randrange(times) == 0

    def intent(self, symbol: str, role: Role) -> OrderIntent:
        """An order that is new; rarely one of before."""
        if self.intents and self.rarely():
            return self.chance.choice(self.intents)
        number = len(self.intents) + 1
        made = OrderIntent(
            client_order_id=f"bta000-{symbol}-1-{number * 0x3779B97F4A7C15 % 2**56:014x}",
            symbol=symbol,
            side=Side.BUY if role is Role.ENTRY else Side.SELL,
            type=OrderType.MARKET,
            quantity=self.chance.choice([Decimal("0.01"), Decimal("0.025"), Decimal("0.0015")]),
            reference_price=Decimal(1000 + number),
            tick_ms=self.now_ms,
            candle_open_ms=self.now_ms - MINUTE_MS,
            reason=f"reason {number}",
            role=role,
            stop_price=Decimal(900 + number) if role is Role.STOP_LOSS else None,
            list_id="list" if role is Role.TAKE_PROFIT else None,
            exit=None if role is Role.ENTRY else self.chance.choice([ExitKind.STRATEGY, ExitKind.TRAILING_STOP]),
            atr_quote=self.chance.choice([None, Decimal("12.5")]),
        )
        self.intents.append(made)
        return made

    def number_of(self, order_id: str) -> int:
        """The exchange's number of an order: given once; rarely lower than one before, or another one later."""
        if order_id not in self.numbers or self.rarely(50):
            self.last_number += 10
            number = self.last_number - (len(self.numbers) + 12 if self.rarely(50) else 0)
            while number in self.numbers.values():  # never that of another order
                number -= 1
            self.numbers[order_id] = number
        return self.numbers[order_id]

    def traded(self, intent: OrderIntent, number: int, share: Decimal) -> Fill:
        """A trade that is new, or comes late, or is known; rarely one that is known with another price."""
        kind = self.chance.choice(["new"] * 10 + ["skip", "late", "known"])
        if kind == "known" and self.fills:
            known = self.chance.choice(self.fills)
            return replace(known, price=known.price + 1) if self.rarely(10) else known
        if kind == "late" and self.left_out:
            trade_id = self.left_out.pop()
        else:
            self.last_trade += 1
            if kind == "skip":
                self.left_out.append(self.last_trade)
                self.last_trade += 1
            trade_id = self.last_trade
        price = self.chance.choice([Decimal("990.5"), Decimal(1000), Decimal("1033.33")])
        quantity = intent.quantity * share
        fill = Fill(
            symbol=intent.symbol,
            trade_id=trade_id,
            exchange_order_id=number,
            client_order_id=intent.client_order_id,
            side=intent.side,
            price=price,
            quantity=quantity,
            quote_quantity=price * quantity,
            commission=quantity * self.chance.choice([Decimal(0), Decimal("0.001")]),
            commission_asset=self.chance.choice([RULES[intent.symbol].base_asset, "USDT", "BNB"]),
            is_maker=False,
            traded_ms=self.now_ms - self.chance.choice([0, 0, 0, 5 * MINUTE_MS]),
        )
        self.fills.append(fill)
        return fill

    def some_names(self) -> list[str]:
        """Ids of up to two of the latest orders, rarely with one that nobody knows."""
        names = [intent.client_order_id for intent in self.intents[-5:]]
        found = self.chance.sample(names, k=min(len(names), self.chance.randint(0, 2)))
        return [*found, "unknown"] if self.rarely() else found

    def report(self, intent: OrderIntent, status: str, *shares: str, executed: str) -> None:
        """The exchange says what of an order it has executed, and names trades of these shares of it."""
        number = self.number_of(intent.client_order_id)
        told = OrderReport(
            symbol=intent.symbol,
            exchange_order_id=number,
            client_order_id=intent.client_order_id,
            side=intent.side,
            status=status,
            quantity=intent.quantity,
            executed_base=intent.quantity * Decimal(executed),
            executed_quote=intent.quantity * Decimal(executed) * 1000,
            at_ms=self.now_ms,
            detail=self.chance.choice(["", "told"]),
            fills=tuple(self.traded(intent, number, Decimal(share)) for share in shares),
        )
        # A known trade of another symbol would be booked with this one's assets.
        told = replace(told, fills=tuple(fill for fill in told.fills if fill.symbol == intent.symbol))
        self.do("apply_report", told, base_asset=RULES[intent.symbol].base_asset, quote_asset="USDT")


def _outcome(method, *arguments, **named):
    try:
        return run_now(method(*arguments, **named))
    except LedgerError as error:
        return type(error)


def trade(both: Both) -> None:
    """A market order that fills, at once or in parts, or is left when it was only committed or sent."""
    intent = both.intent(both.chance.choice(SYMBOLS), both.chance.choice([Role.ENTRY, Role.EXIT]))
    decision = Decision(RUN_ID, intent.tick_ms, 1, intent.symbol, Outcome.ORDERED, "")
    ordered, is_sending = replace(decision, client_order_id=intent.client_order_id), not both.rarely(10)
    both.do("commit_intent", ordered, intent, both.now_ms, is_sending=is_sending)
    if is_sending and both.rarely(2):
        both.do("transition", intent.client_order_id, OrderState.SENT, both.now_ms)  # as is late, or told again
    shares = both.chance.choice([["1"], ["1"], ["0.4", "0.6"], ["0.4"], []])
    executed = str(sum(map(Decimal, shares)))
    both.report(intent, "FILLED" if executed == "1" else "PARTIALLY_FILLED", *shares, executed=executed)


def protect(both: Both) -> None:
    """A stop, alone or with a target, or in the place of other orders; the exchange takes it, or is not asked yet."""
    symbol = both.chance.choice(SYMBOLS)
    roles = both.chance.choice([[Role.STOP_LOSS], [Role.STOP_LOSS], [Role.TAKE_PROFIT, Role.STOP_LOSS]])
    intents = [both.intent(symbol, role) for role in roles]
    old, is_sending = both.some_names(), not both.rarely(5)
    if old and len(intents) == 1:
        both.do("commit_replacement", RUN_ID, old, intents, both.now_ms, is_sending=is_sending)
    else:
        both.do("commit_protection", RUN_ID, intents, both.now_ms, is_sending=is_sending)
    if is_sending:
        for intent in intents:
            both.report(intent, "NEW", executed="0")


def hear(both: Both) -> None:
    """The exchange says something of any order, true or not."""
    if both.intents:
        shares = both.chance.choice([["1"], ["0.4"], ["0.4", "0.2"], []])
        executed = both.chance.choice(["0", "0.4", "1"])
        both.report(both.chance.choice(both.intents), both.chance.choice(STATUSES), *shares, executed=executed)


def move(both: Both) -> None:
    for name in both.some_names():
        state, detail = both.chance.choice(list(OrderState)), both.chance.choice(["", "why"])
        both.do("transition", name, state, both.now_ms, detail=detail)


def cancel(both: Both) -> None:
    names = both.some_names()
    if both.chance.randrange(2):
        both.do("request_cancel", names, both.now_ms)
    elif names:
        both.do("withdraw_cancel", names[0])


def pause(both: Both) -> None:
    rule = both.chance.choice([*RULES_OF_LOSS, "drawdown", "drawdown"])
    until_ms = both.now_ms + both.chance.choice([0, 10 * MINUTE_MS, 5 * HOUR_MS])
    both.do("begin_pauses", [Pause(rule, both.now_ms, until_ms, "enough")])


def worth(both: Both) -> None:
    both.do("record_equity", point(both.now_ms, Decimal(both.chance.randint(9_000, 11_000))))


def point(tick_ms: int, equity_quote: Decimal) -> EquityPoint:
    """A third of it in positions; the wallet's other coins are worth something too."""
    held = (equity_quote / 3).quantize(Decimal("0.01"))
    amounts = [equity_quote + 77, equity_quote - held, held, Decimal(0), Decimal(0)]
    return EquityPoint(RUN_ID, tick_ms, 1, *amounts, quote_asset="USDT")


def alarm(both: Both) -> None:
    subject = both.chance.choice(SYMBOLS)
    if both.chance.randrange(2):
        both.do("raise_alarm", "late_fill", subject, f"at {both.now_ms}", both.now_ms, blocks=both.rarely(2))
    else:
        both.do("clear_alarm", "late_fill", subject, both.now_ms)


STEPS = [trade] * 7 + [protect] * 3 + [hear] * 4 + [move, cancel, alarm] + [pause, worth] * 2
PASSES = [0, 0, MINUTE_MS, 20 * MINUTE_MS, 7 * HOUR_MS]


def answers(books: BooksView, both: Both) -> dict:
    """Everything that a view is asked, at the present time."""
    now_ms = both.now_ms
    found = {
        "positions": [dict(books.positions(asset)) for asset in (None, "USDT", "BTC")],
        "wallet": dict(books.wallet()),
        "unsettled": list(books.unsettled_orders()),
        "entries": [sorted(books.entries_since(now_ms - span)) for span in (HOUR_MS, DAY_MS)],
        "exits": list(books.exits_backwards()),
        "external": books.external_sum("USDT"),
        "mark": [
            books.latest_mark("USDT"),
            books.peak_now("USDT", now_ms, Decimal(5)),
            books.day_start("USDT", now_ms),
        ],
        "no marks": [
            books.latest_mark("BTC"),
            books.peak_now("BTC", now_ms, Decimal(5)),
            books.day_start("BTC", now_ms),
        ],
        "pauses": dict(books.active_pauses(now_ms)),
        "losses": losses_in_row(books, now_ms, 5),
        "switches": (books.is_paused(), books.pause_scope(), books.is_killed()),
    }
    for rule in RULES_OF_LOSS:
        found[rule] = [books.is_paused_at(rule, now_ms - MINUTE_MS), books.last_pause_end_ms(rule, now_ms)]
    for symbol, rules in RULES.items():
        bid = Decimal(1000)
        view = MarketView(symbol, rules, (), BookTicker(symbol, bid, bid, bid, bid, now_ms), 0, 0)
        signal = Signal(symbol, "s", Action.BUY, 1, "", 0)
        found[symbol] = [
            books.position(symbol),
            books.holding(symbol, rules),
            list(books.unsettled_orders(symbol)),
            books.last_order_on_exchange(symbol),
            books.trade_cursor(symbol),
            books.last_entry_fill_ms(symbol),
            [books.is_known(symbol, number) for number in both.numbers.values()],
            account(books, signal, view, now_ms, marks={}, locked_by_others={}, settings=LIMITS),
            risk_state(books, symbol, now_ms, Decimal(9_999), quote_asset="USDT"),
        ]
    return found


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32), steps=st.integers(1, 30))
def test_memory_and_ledger_answer_the_same_after_each_step(empty, seed, steps):
    with ledger_of(empty) as ledger:
        both = Both(ledger, MemoryBooks("USDT", OPENING), random.Random(seed))
        for _ in range(steps):
            both.now_ms += both.chance.choice(PASSES)
            step = both.chance.choice(STEPS)
            step(both)
            told, known = (run_now(books.consult(lambda view: answers(view, both))) for books in (ledger, both.memory))
            for question in told:
                assert known[question] == told[question], (step.__name__, question)
            for intent in both.intents:
                both.do("order", intent.client_order_id)
            for symbol, rules in RULES.items():
                both.do("held", symbol, rules)
            both.do("open_orders")
            both.do("alarms")
        both.memory.check()


def limits(books: BooksView, now_ms: int) -> list:
    """What limits on losses ask of the equity curve."""
    mark = books.latest_mark("USDT")
    assert mark is not None
    answers = mark.tick_ms, mark.adjusted_quote, mark.peak_quote, books.day_start("USDT", now_ms)
    return [*answers, books.peak_now("USDT", now_ms, Decimal(5))]


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_first_highest_and_last_of_a_stretch_tell_as_much_as_every_point(empty, seed):
    chance = random.Random(seed)
    with ledger_of(empty) as ledger:
        memory = MemoryBooks("USDT", OPENING)
        now_ms, ends_ms = NOON_MS, 0
        for _ in range(12):
            # One stretch: the next midnight and the end of the last pause are in others.
            midnight_ms = now_ms // DAY_MS * DAY_MS + DAY_MS
            last_ms = min(end for end in (midnight_ms, ends_ms) if end > now_ms) - 1
            count = chance.randint(1, 6)
            times = sorted({now_ms, last_ms, *(chance.randint(now_ms, last_ms) for _ in range(count))})
            points = [(at_ms, Decimal(chance.randint(9_000, 11_000))) for at_ms in times]
            for at_ms, equity in points:
                run_now(ledger.record_equity(point(at_ms, equity)))
            for at_ms, equity in sorted({points[0], max(points, key=lambda each: each[1]), points[-1]}):
                memory.mark(at_ms, equity)
            now_ms = last_ms + 1
            expected = run_now(ledger.consult(lambda view, at_ms=last_ms: limits(view, at_ms)))
            assert limits(memory, last_ms) == expected
            if ends_ms <= now_ms and chance.randrange(2):
                ends_ms = last_ms + chance.choice([1, 20 * MINUTE_MS, 30 * HOUR_MS])
                for books in (ledger, memory):
                    run_now(books.begin_pauses([Pause("drawdown", last_ms, ends_ms, "enough")]))


def test_pause_that_is_over_at_once_begins_a_new_peak_at_the_last_point(empty):
    with ledger_of(empty) as ledger:
        memory = MemoryBooks("USDT", OPENING)
        for books in (ledger, memory):
            for minute, equity in enumerate((10_000, 9_000)):
                run_now(books.record_equity(point(NOON_MS + minute * MINUTE_MS, Decimal(equity))))
            run_now(books.begin_pauses([Pause("drawdown", NOON_MS + MINUTE_MS, NOON_MS + MINUTE_MS, "enough")]))
        told, known = (
            run_now(books.consult(lambda view: limits(view, NOON_MS + MINUTE_MS))) for books in (ledger, memory)
        )
        assert known == told
        assert known[2] == 9_000


def test_points_come_in_the_order_of_time():
    memory = MemoryBooks("USDT", OPENING)
    memory.mark(NOON_MS, Decimal(10_000))
    memory.mark(NOON_MS, Decimal(9_000))  # the last word on a tick counts
    assert limits(memory, NOON_MS)[1:3] == [9_000, 9_000]
    with pytest.raises(ValueError, match="came after one at"):
        memory.mark(NOON_MS - 1, Decimal(10_000))


def test_accounts_that_do_not_add_up_are_found():
    memory = MemoryBooks("USDT", OPENING)
    memory.check()
    memory.accounts[Account.FEES]["BNB"] = Decimal("0.1")
    with pytest.raises(LedgerError, match=r"the accounts of BNB add up to 0\.1, not to 0"):
        memory.check()


def test_what_never_waits_needs_no_event_loop():
    async def answer(lock: asyncio.Lock) -> int:
        async with lock:
            return 7

    class Later:
        def __await__(self):
            yield self

    async def wait() -> None:
        await Later()

    assert run_now(answer(asyncio.Lock())) == 7
    with pytest.raises(RuntimeError, match="nothing is waited for"):
        run_now(wait())
