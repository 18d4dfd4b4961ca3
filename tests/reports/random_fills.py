"""Ledgers of random trades, whose fills arrive in any order, and what they have to add up to, worked out plainly."""

from collections import defaultdict
from contextlib import closing
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import strategies as st

from binance_trade_agent.control.commands import CommandKind, place
from binance_trade_agent.domain.candles import DAY_MS
from binance_trade_agent.domain.decisions import Outcome
from binance_trade_agent.domain.exits import ExitKind
from binance_trade_agent.domain.orders import Fill, OrderState, OrderType, Role, Side
from binance_trade_agent.domain.positions import Position, apply_fill
from binance_trade_agent.domain.signals import Action
from binance_trade_agent.domain.values import replace
from binance_trade_agent.ledger import fills, journal, orders
from binance_trade_agent.ledger.connection import in_transaction, open_or_create
from binance_trade_agent.reports.order_strategies import BY_HAND, UNKNOWN
from tests.ledger.bookkeeping import OPENING, decision, fill, intent, run_record, signal

ASSETS = {"BTCUSDT": ("BTC", "USDT"), "ETHBTC": ("ETH", "BTC")}
START_MS = 20_000 * DAY_MS
DECIDED, PROTECTING = ("rsi", "macd"), ""


@dataclass
class Order:
    """An order to come: whose it is (a strategy, BY_HAND, or PROTECTING), its fills, and after how many it is over."""

    order_id: str
    symbol: str
    side: Side
    whose: str
    tick_ms: int
    fills: list[Fill] = field(default_factory=list)
    over_after: int = 0


@st.composite
def trading(draw, most_orders=8):
    """Orders with their fills, and these in the order of their arrival."""
    made = []
    for number in range(draw(st.integers(1, most_orders))):
        symbol, side = draw(st.sampled_from(sorted(ASSETS))), draw(st.sampled_from(Side))
        whose = draw(st.sampled_from([*DECIDED, BY_HAND, PROTECTING]))
        order = Order(f"bta000-{symbol}-1-{number:014x}", symbol, side, whose, START_MS + number * 60_000)
        for _ in range(draw(st.integers(1, 3))):
            order.fills.append(_fill(draw, order, number))
        order.over_after = draw(st.integers(1, len(order.fills)))
        made.append(order)
    ids = draw(st.permutations(range(1, 1 + sum(len(order.fills) for order in made))))
    for order in made:
        order.fills = [replace(each, trade_id=ids.pop()) for each in order.fills]
    arriving = draw(st.permutations([each for order in made for each in order.fills]))
    return made, arriving


def _fill(draw, order, number):
    quantity, price = Decimal(draw(st.integers(1, 5))) / 1000, Decimal(draw(st.integers(1, 9))) * 100
    return fill(
        0,
        order.order_id,
        order.side,
        symbol=order.symbol,
        exchange_order_id=number,
        price=price,
        quantity=quantity,
        quote_quantity=quantity * price,
        commission=Decimal(draw(st.integers(0, 3))) / 10_000,
        commission_asset=draw(st.sampled_from([*ASSETS[order.symbol], "BNB"])),
        traded_ms=START_MS + draw(st.integers(0, 2)) * DAY_MS + draw(st.integers(0, 3)),
    )


class RandomLedger:
    """A ledger with an epoch, a run and these orders, into which fills are booked one by one."""

    def __init__(self, path: Path, made: list[Order]) -> None:
        self.path = path
        self.connection = open_or_create(path)
        self.connection.execute("PRAGMA synchronous = OFF")
        self._orders = {order.order_id: order for order in made}
        self._arrived: dict[str, int] = defaultdict(int)
        self._write(lambda inside: journal.open_epoch(inside, 500, "test", OPENING))
        self._write(lambda inside: journal.begin_run(inside, run_record()))
        for order in made:
            self._commit(order)

    def book(self, arriving: Fill) -> None:
        """Book a fill; the order is over once as many have come as it was to have."""
        base, quote = ASSETS[arriving.symbol]
        order = self._orders[arriving.client_order_id]
        self._arrived[order.order_id] += 1
        number = arriving.exchange_order_id  # which the order's answer or event has told
        self._write(
            lambda inside: orders.transition(
                inside, order.order_id, OrderState.SENT, order.tick_ms, exchange_order_id=number
            )
        )
        self._write(lambda inside: fills.book_fill(inside, 1, arriving, base_asset=base, quote_asset=quote))
        if self._arrived[order.order_id] == order.over_after:
            self._write(lambda inside: orders.transition(inside, order.order_id, OrderState.FILLED, order.tick_ms))

    def _commit(self, order: Order) -> None:
        role = Role.ENTRY if order.side is Side.BUY else Role.STOP_LOSS if order.whose == PROTECTING else Role.EXIT
        wanted = intent(
            order.order_id,
            order.side,
            order.tick_ms,
            symbol=order.symbol,
            type=OrderType.MARKET,
            role=role,
            exit=None if order.side is Side.BUY else ExitKind.STOP_LOSS,
        )
        if order.whose in DECIDED:
            cause = decision(
                order.tick_ms,
                Outcome.ORDERED,
                symbol=order.symbol,
                client_order_id=order.order_id,
                signal=replace(signal(Action(order.side), order.symbol), strategy=order.whose),
            )
            self._write(lambda inside: orders.commit_intent(inside, cause, wanted, order.tick_ms))
            return
        command = None
        if order.whose == BY_HAND:
            command = place(self.path, CommandKind.ORDER, requested_by="test", requested_wall_ms=1)
        self._write(lambda inside: orders.commit_protection(inside, "run-a", [wanted], order.tick_ms, command))

    def _write(self, work) -> None:
        in_transaction(work)(self.connection)


class LedgerFolder:
    """A random ledger in a folder of its own, for as long as the context lasts."""

    def __init__(self, made: list[Order]) -> None:
        self._made = made
        self._folder = TemporaryDirectory()

    def __enter__(self) -> RandomLedger:
        self._ledger = RandomLedger(Path(self._folder.name) / "ledger.db", self._made)
        return self._ledger

    def __exit__(self, *_: object) -> None:
        with closing(self._ledger.connection):
            pass
        self._folder.cleanup()


def expected(made: list[Order]) -> dict[tuple[str, int, str], dict]:
    """What fills add up to by symbol, day and strategy, by the plainest way there is."""
    sums = defaultdict(lambda: defaultdict(Decimal))
    whose = owners(made)
    by_id = {order.order_id: order for order in made}
    for symbol, (base, quote) in ASSETS.items():
        position, profits = Position(symbol), defaultdict(Decimal)
        for each in in_order(made, symbol):
            after = apply_fill(position, each, base_asset=base, quote_asset=quote)
            realised, position = after.realised_pnl_quote - position.realised_pnl_quote, after
            part = sums[symbol, each.traded_ms // DAY_MS, whose[each.client_order_id]]
            part["fills"] += 1
            part["bought" if each.side is Side.BUY else "sold"] += each.quote_quantity
            part["realised"] += realised
            part[f"fee {each.commission_asset}"] += each.commission
            profits[each.client_order_id] += realised
        for order_id in profits:
            order = by_id[order_id]
            part = sums[symbol, max(each.traded_ms for each in order.fills) // DAY_MS, whose[order_id]]
            part["buys" if order.side is Side.BUY else "sells"] += 1
            if order.side is Side.SELL:
                part["won"] += profits[order_id] > 0
                part["lost"] += profits[order_id] < 0
    return {key: {name: value for name, value in part.items() if value} for key, part in sums.items()}


def owners(made: list[Order]) -> dict[str, str]:
    """Whose each order is: what protects belongs to the last purchase before it."""
    whose, by_id = {}, {order.order_id: order for order in made}
    for symbol in ASSETS:
        last_bought = UNKNOWN
        for each in in_order(made, symbol):
            order = by_id[each.client_order_id]
            if order.side is Side.BUY:
                last_bought = order.whose or UNKNOWN
                whose[order.order_id] = last_bought
            else:
                whose.setdefault(order.order_id, order.whose or last_bought)
    return whose


def in_order(made: list[Order], symbol: str) -> list[Fill]:
    """The fills of a symbol by trade id."""
    return sorted(
        (each for order in made if order.symbol == symbol for each in order.fills), key=lambda each: each.trade_id
    )
