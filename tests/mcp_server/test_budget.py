"""What assistants may order, counted from the ledger's commands: whoever they are, and whatever has been restarted."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from binance_trade_agent.control import commands
from binance_trade_agent.control.commands import CommandKind
from binance_trade_agent.domain.candles import DAY_MS, MINUTE_MS
from binance_trade_agent.domain.manual_orders import manual_order
from binance_trade_agent.ledger.connection import open_existing
from binance_trade_agent.ledger.ledger import Ledger
from binance_trade_agent.mcp_server.trading.budget import (
    COMMANDS_PER_HOUR,
    Budget,
    BudgetError,
    budget,
    check,
    check_pace,
    cost_quote,
)
from binance_trade_agent.settings import Settings

HOUR_MS = 60 * MINUTE_MS
NOW_MS = 1_760_000_000_000
BUY = {"symbol": "BTCUSDT", "side": "BUY", "type": "market", "quantity": "0.001", "worst_price": "60000"}
SELL = {**BUY, "side": "SELL"}
CLAUDE = "mcp (claude 1.0)"


@dataclass
class Book:
    """A ledger's commands, and the settings that assistants order by."""

    path: Path
    settings: Settings

    def order(self, payload: dict[str, str] = BUY, *, at_ms: int = NOW_MS, by: str = CLAUDE) -> int:
        """Place an order as `confirm_order` does."""
        return commands.place(
            self.path,
            CommandKind.ORDER,
            requested_by=by,
            requested_wall_ms=at_ms,
            payload=payload,
            allow=lambda connection: check(connection, self.settings, at_ms, manual_order(payload)),
        )

    def person_orders(self, by: str) -> None:
        commands.place(self.path, CommandKind.ORDER, requested_by=by, requested_wall_ms=NOW_MS, payload=BUY)

    def answer(self, command_id: int, state: str, client_order_id: str | None = None) -> None:
        """As the trader does."""
        with closing(open_existing(self.path)) as connection:
            connection.execute(
                "UPDATE commands SET state = ?, client_order_id = ? WHERE command_id = ?",
                (state, client_order_id, command_id),
            )

    def left(self, at_ms: int = NOW_MS) -> Budget:
        with closing(open_existing(self.path)) as connection:
            return budget(connection, self.settings, at_ms)


def ledger(folder: Path) -> Path:
    async def write() -> None:
        async with await Ledger.open(folder / "ledger.db"):
            pass

    asyncio.run(write())
    return folder / "ledger.db"


@pytest.fixture
def book(tmp_path) -> Book:
    return Book(ledger(tmp_path), Settings(mcp_max_orders_per_hour=3, mcp_max_quote_per_day=Decimal(150)))


def test_the_orders_of_an_hour_are_as_many_as_the_setting_says(book):
    for minute in range(3):
        book.order(SELL, at_ms=NOW_MS + minute * MINUTE_MS)
    with pytest.raises(BudgetError, match=r"3 orders in the last hour and MCP_MAX_ORDERS_PER_HOUR is 3: .* in 57 min"):
        book.order(SELL, at_ms=NOW_MS + 3 * MINUTE_MS)
    with pytest.raises(BudgetError):
        book.order(SELL, at_ms=NOW_MS + HOUR_MS - 1)
    book.order(SELL, at_ms=NOW_MS + HOUR_MS)


def test_the_purchases_of_a_day_come_to_no_more_than_the_setting_says(book):
    for hour in (0, 2):
        book.order(BUY, at_ms=NOW_MS + hour * HOUR_MS)
    later_ms = NOW_MS + 4 * HOUR_MS
    with pytest.raises(
        BudgetError,
        match=r"it may cost 60.00, and of MCP_MAX_QUOTE_PER_DAY, 150.00, only 30.00 is left: 120.00 was ordered",
    ):
        book.order(BUY, at_ms=later_ms)
    book.order({**BUY, "quantity": "0.0005"}, at_ms=later_ms)
    book.order(SELL, at_ms=later_ms)
    book.order(BUY, at_ms=NOW_MS + DAY_MS)


def test_0_is_no_limit(book):
    book.settings = Settings(mcp_max_orders_per_hour=0, mcp_max_quote_per_day=Decimal(0))
    for _ in range(20):
        book.order(BUY)
    assert (book.left().orders_left, book.left().quote_left) == (None, None)


@pytest.mark.parametrize("by", ["cli", "dashboard (trader, 127.0.0.1)", "mcp", "dashboard (mcp ()"])
def test_what_people_order_is_not_counted(book, by):
    for _ in range(4):
        book.person_orders(by)
    assert (book.left().orders, book.left().quote) == (0, 0)


def test_all_assistants_share_it(book):
    for name in ("mcp (claude 1.0)", "mcp (another 2, confirmed by a person)", "mcp (unnamed)"):
        book.order(SELL, by=name)
    with pytest.raises(BudgetError):
        book.order(SELL, by="mcp (a fourth 1)")


def test_what_the_trader_refused_without_sending_anything_is_given_back(book):
    for _ in range(5):
        book.answer(book.order(), "REFUSED")
    assert book.left().orders == 0


def test_what_reached_the_ledger_counts_however_it_ended(book):
    book.answer(book.order(), "REFUSED", client_order_id="bta-BTCUSDT-rejected")
    book.answer(book.order(), "DONE", client_order_id="bta-BTCUSDT-filled")
    assert (book.left().orders, book.left().quote) == (2, Decimal(120))


@pytest.mark.parametrize(
    ("fields", "cost"),
    [
        ({"type": "limit", "price": "50000"}, 50),
        ({"type": "stop_limit", "price": "61000", "stop_price": "60500"}, 61),
        ({"type": "oco", "price": "50000", "stop_price": "60000", "stop_limit_price": "60100"}, Decimal("60.1")),
    ],
)
def test_a_purchase_costs_what_its_worst_limit_says(fields, cost):
    base = {"symbol": "BTCUSDT", "quantity": "0.001", **fields}
    assert cost_quote(manual_order({**base, "side": "BUY"})) == cost
    assert cost_quote(manual_order({**base, "side": "SELL"})) == 0


def test_a_market_purchase_without_a_price_bound_has_no_cost_that_is_known():
    with pytest.raises(ValueError, match="has no price bound"):
        cost_quote(manual_order({name: value for name, value in BUY.items() if name != "worst_price"}))


@pytest.fixture(scope="module")
def shared_ledger(tmp_path_factory) -> Iterator[Path]:
    return ledger(tmp_path_factory.mktemp("budget"))


Steps = st.lists(
    st.tuples(
        st.sampled_from([0, MINUTE_MS, 20 * MINUTE_MS, HOUR_MS - 1, HOUR_MS, 9 * HOUR_MS, DAY_MS]),
        st.sampled_from(["BUY", "SELL"]),
        st.integers(1, 80),  # quote asset
        st.sampled_from(["PENDING", "DONE", "REFUSED"]),
    ),
    max_size=12,
)


@settings(max_examples=30, deadline=None)
@given(steps=Steps)
def test_no_hour_and_no_day_ever_holds_more_and_nothing_that_fits_is_kept_back(shared_ledger, steps):
    book = Book(shared_ledger, Settings(mcp_max_orders_per_hour=3, mcp_max_quote_per_day=Decimal(100)))
    with closing(open_existing(book.path)) as connection:
        connection.execute("DELETE FROM commands")
    counted: list[tuple[int, int]] = []  # when, and what it cost
    at_ms = NOW_MS
    for gap_ms, side, worth, fate in steps:
        at_ms += gap_ms
        cost = worth if side == "BUY" else 0
        in_hour = sum(at_ms - placed_ms < HOUR_MS for placed_ms, _ in counted)
        in_day = sum(spent for placed_ms, spent in counted if at_ms - placed_ms < DAY_MS)
        fits = in_hour < 3 and (not cost or in_day + cost <= 100)
        payload = {**BUY, "side": side, "quantity": str(worth), "worst_price": "1"}
        try:
            command_id = book.order(payload, at_ms=at_ms)
        except BudgetError:
            assert not fits
            continue
        assert fits
        book.answer(command_id, fate, "bta-1" if fate == "DONE" else None)
        if fate != "REFUSED":
            counted.append((at_ms, cost))
        left = book.left(at_ms)
        assert left.orders == sum(at_ms - placed_ms < HOUR_MS for placed_ms, _ in counted)
        assert left.quote == sum(spent for placed_ms, spent in counted if at_ms - placed_ms < DAY_MS)


@pytest.mark.parametrize("payload", ["[]", "{", '{"side": "HODL"}', '{"symbol": 1}'])
def test_an_order_that_cannot_be_read_counts_and_keeps_no_preview_back(book, payload):
    number = book.order(SELL)
    with closing(open_existing(book.path)) as connection:
        connection.execute("UPDATE commands SET payload_json = ? WHERE command_id = ?", (payload, number))
    assert (book.left().orders, book.left().quote) == (1, 0)


def test_of_a_command_that_is_no_order_an_hour_takes_sixty(book):
    def pause(minute: int) -> None:
        at_ms = NOW_MS + minute * MINUTE_MS
        commands.place(
            book.path,
            CommandKind.PAUSE,
            requested_by=CLAUDE,
            requested_wall_ms=at_ms,
            allow=lambda connection: check_pace(connection, CommandKind.PAUSE, {}, at_ms),
        )

    for _ in range(COMMANDS_PER_HOUR - 1):
        pause(0)
    pause(10)
    with pytest.raises(BudgetError, match=r"^assistants have asked for pause 60 times .* the next one in 40 min$"):
        pause(20)
    pause(60)


def test_the_sixty_first_emergency_stop_of_an_hour_is_taken_where_it_stops_more(book):
    wanted = {"close_positions": "false"}

    def stop() -> int:
        return commands.place(
            book.path,
            CommandKind.KILL,
            requested_by=CLAUDE,
            requested_wall_ms=NOW_MS,
            payload=wanted,
            allow=lambda connection: check_pace(connection, CommandKind.KILL, wanted, NOW_MS),
        )

    for _ in range(COMMANDS_PER_HOUR):
        stop()
    with pytest.raises(BudgetError):
        stop()
    wanted["close_positions"] = "true"
    stop()
    with pytest.raises(BudgetError):
        stop()
    released = commands.place(book.path, CommandKind.RELEASE, requested_by="cli", requested_wall_ms=NOW_MS)
    book.answer(released, "DONE")
    stop()
