"""Where the limits stand, from the ledger alone: the same whoever asks, after whatever came in whatever order."""

import sqlite3
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from binance_trade_agent.domain.orders import Side
from binance_trade_agent.ledger import journal, position_marks
from binance_trade_agent.ledger.exits import latest_exits
from binance_trade_agent.ledger.pauses import active_pauses, begin_pause
from binance_trade_agent.ledger.verify import sentences
from binance_trade_agent.risk.state import ExitResult, Pause
from tests.ledger.bookkeeping import OPENING, fill, run_record
from tests.ledger.limits_world import ASSETS, DAY_MS, HOUR_MS, NOON_MS, Model, World, bought, equity_point, sold

MIDNIGHT_MS = NOON_MS - DAY_MS // 2


@pytest.fixture
def world(tmp_path):
    with World.opened(tmp_path / "ledger.db") as opened:
        yield opened


def test_new_ledger_has_counted_and_measured_nothing(world):
    state = world.state(NOON_MS, 10_000)
    assert (state.entries_day, state.losses_in_row, state.exits, state.pauses) == (0, 0, (), {})
    assert (state.peak_quote, state.day_quote, state.drawdown_pct, state.daily_loss_pct) == (None, None, 0, 0)


def test_orders_count_not_their_fills_and_sales_do_not(world):
    world.trade(bought(1, "a", 100, NOON_MS))
    world.trade(bought(2, "a", 101, NOON_MS + 1))
    world.trade(bought(1, "b", 10, NOON_MS, symbol="ETHUSDT"))
    world.trade(sold(3, "c", 100, NOON_MS + 2))
    state = world.state(NOON_MS + 10)
    assert (state.entries_hour, state.symbol_entries_hour) == (2, 1)
    assert world.state(NOON_MS + 10, symbol="BNBUSDT").symbol_entries_day == 0


@pytest.mark.parametrize(
    ("passed_ms", "hour", "day"),
    [(0, 1, 1), (HOUR_MS - 1, 1, 1), (HOUR_MS, 0, 1), (DAY_MS - 1, 0, 1), (DAY_MS, 0, 0), (-5_000, 1, 1)],
)
def test_an_entry_counts_for_an_hour_and_for_24_also_over_midnight(world, passed_ms, hour, day):
    world.trade(bought(1, "a", 100, NOON_MS))
    state = world.state(NOON_MS + passed_ms)
    assert (state.entries_hour, state.entries_day) == (hour, day)


def test_late_fill_counts_by_when_it_was_traded(world):
    world.trade(bought(9, "b", 100, NOON_MS))
    world.trade(bought(4, "a", 100, NOON_MS - 2 * HOUR_MS))
    state = world.state(NOON_MS)
    assert (state.entries_hour, state.entries_day) == (1, 2)


def test_exit_is_what_its_fills_realised_at_average_cost_after_fees(world):
    fees = {"commission": Decimal("0.5"), "commission_asset": "USDT"}
    world.trade(fill(1, "bta-a", Side.BUY, quantity=Decimal(2), quote_quantity=Decimal(200), traded_ms=1, **fees))
    world.trade(fill(2, "bta-b", Side.SELL, quantity=Decimal(1), quote_quantity=Decimal(120), traded_ms=5, **fees))
    world.trade(fill(3, "bta-c", Side.SELL, quantity=Decimal("0.5"), quote_quantity=Decimal(40), traded_ms=6, **fees))
    world.trade(fill(4, "bta-c", Side.SELL, quantity=Decimal("0.5"), quote_quantity=Decimal(45), traded_ms=7, **fees))
    assert latest_exits(world.connection, 1, 5) == [
        ExitResult("bta-c", "BTCUSDT", Decimal("-16.25"), Decimal("100.25"), 7),
        ExitResult("bta-b", "BTCUSDT", Decimal("19.25"), Decimal("100.25"), 5),
    ]
    assert [result.client_order_id for result in latest_exits(world.connection, 1, 1)] == ["bta-c"]
    assert latest_exits(world.connection, 1, 0) == []


def closed(world: World, *prices: int, from_number: int = 0) -> None:
    """Buy one at 100 and sell it, an hour after the other, at each of these prices."""
    for number, price in enumerate(prices, start=from_number):
        at_ms = NOON_MS + number * HOUR_MS
        world.trade(bought(2 * number + 1, f"in-{number}", 100, at_ms))
        world.trade(sold(2 * number + 2, f"out-{number}", price, at_ms + 1))


@pytest.mark.parametrize(
    ("prices", "losses"),
    [
        ([], 0),
        ([110], 0),
        ([90], 1),
        ([110, 90, 90], 2),
        ([90, 90, 110], 0),
        ([90, 110, 90], 1),
        ([90, 100, 90], 2),
        ([90] * 7, 5),
    ],
)
def test_losses_in_a_row_since_the_last_profit_up_to_as_many_as_are_asked_for(world, prices, losses):
    closed(world, *prices)
    assert world.state(NOON_MS + DAY_MS, losses=5).losses_in_row == losses
    assert world.state(NOON_MS + DAY_MS, losses=0).losses_in_row == 0


def test_losses_count_anew_when_the_pause_for_them_is_over(world):
    closed(world, 90, 90, 90)
    end_ms = NOON_MS + 3 * HOUR_MS
    world.pause(Pause("consecutive_losses", end_ms - HOUR_MS, end_ms, "three losses"))
    assert world.state(end_ms - 1).losses_in_row == 3
    assert world.state(end_ms).losses_in_row == 0
    closed(world, 90, from_number=3)
    assert world.state(end_ms + HOUR_MS).losses_in_row == 1


def test_peak_is_the_highest_point_and_the_fall_is_measured_from_it(world):
    for number, equity in enumerate([10_000, 10_500, 9_900]):
        world.worth(NOON_MS + number, equity)
    state = world.state(NOON_MS + 5, 9_450)
    assert (state.peak_quote, state.drawdown_pct) == (10_500, 10)


@pytest.mark.parametrize(("came", "equity"), [(5_000, 14_500), (-5_000, 4_500)])
def test_deposit_is_no_profit_and_withdrawal_no_loss(world, came, equity):
    world.worth(NOON_MS, 10_000)
    world.do(lambda connection: journal.post_external(connection, "USDT", Decimal(came), NOON_MS + 1, "seen"))
    before_its_point = world.state(NOON_MS + 1, equity)
    world.worth(NOON_MS + 2, equity, external=came)
    for state in (before_its_point, world.state(NOON_MS + 3, equity)):
        assert (state.peak_quote, state.day_quote) == (10_000 + came, 10_000 + came)
        assert state.peak_quote - state.equity_quote == 500


@pytest.mark.parametrize(
    ("points", "day_start"),
    [
        ([(-1, 9_000), (0, 9_500), (5, 9_800)], 9_000),
        ([(0, 9_500), (5, 9_800)], 9_500),
        ([(-DAY_MS, 9_000), (5, 9_800)], 9_000),
        ([(-DAY_MS - 1, 9_000), (5, 9_800)], 9_800),
        ([(-DAY_MS - 1, 9_000)], None),
        ([(-2, 9_000), (-1, 9_100)], 9_100),
    ],
    ids=["last of the day before", "first of the day", "24 hours before", "too old", "nothing near", "two before"],
)
def test_day_begins_with_the_last_point_of_the_day_before_or_its_first(world, points, day_start):
    for at_ms, equity in points:
        world.worth(MIDNIGHT_MS + at_ms, equity)
    assert world.state(MIDNIGHT_MS + 100, 8_000).day_quote == day_start
    assert world.state(MIDNIGHT_MS + DAY_MS - 1, 8_000).day_quote == day_start


def drawdown_pause(since_ms: int, until_ms: int) -> Pause:
    return Pause("drawdown", since_ms, until_ms, "fell")


def test_peak_begins_anew_with_the_first_point_at_or_after_the_end_of_its_pause(world):
    world.worth(NOON_MS, 10_000)
    world.worth(NOON_MS + 1, 8_000)
    world.pause(drawdown_pause(NOON_MS + 1, NOON_MS + 100))
    world.worth(NOON_MS + 99, 8_200)
    assert world.state(NOON_MS + 99, 8_200).peak_quote == 10_000
    # The tick after the end decides before its own point is there: it is measured from what equity is then.
    assert world.state(NOON_MS + 100, 8_100).peak_quote == 8_100
    world.worth(NOON_MS + 100, 8_100)
    world.worth(NOON_MS + 101, 7_900)
    assert world.state(NOON_MS + 102, 7_900).peak_quote == 8_100


def test_late_and_repeated_points_leave_the_peaks_that_an_orderly_curve_has(world):
    world.worth(NOON_MS, 10_000, cycle=1)
    world.worth(NOON_MS + 20, 9_000, cycle=3)
    world.worth(NOON_MS + 10, 11_000, cycle=2)
    assert world.state(NOON_MS + 30, 9_000).peak_quote == 11_000
    world.worth(NOON_MS + 10, 9_500, cycle=2)
    assert world.state(NOON_MS + 30, 9_000).peak_quote == 10_000
    world.worth(NOON_MS, 9_100, cycle=1)
    assert world.state(NOON_MS + 30, 9_000).peak_quote == 9_500
    assert list(sentences(world.connection)) == []


def test_points_in_another_quote_asset_are_another_curve(world):
    world.worth(NOON_MS, 10_000)
    world.worth(NOON_MS + 1, "0.2", quote_asset="BTC")
    world.worth(NOON_MS + 2, 9_000)
    assert world.state(NOON_MS + 3, 9_000).peak_quote == 10_000


def test_new_epoch_begins_with_nothing(world):
    world.worth(NOON_MS, 10_000)
    closed(world, 90)
    world.pause(drawdown_pause(NOON_MS, NOON_MS + 10 * DAY_MS))
    world.do(lambda connection: journal.open_epoch(connection, NOON_MS + 1, "reset", OPENING))
    world.worth(NOON_MS + 2, 500)
    for epoch, peak, pauses, exits in [(1, 10_000, 1, 1), (2, 500, 0, 0)]:
        connection = world.connection
        assert len(active_pauses(connection, epoch, NOON_MS + 3)) == pauses
        assert len(latest_exits(connection, epoch, 9)) == exits
        (row,) = connection.execute("SELECT peak_quote FROM equity WHERE epoch = ?", (epoch,))
        assert row["peak_quote"] == str(peak)
    assert list(sentences(world.connection)) == []


def test_a_pause_is_begun_once_and_of_one_rule_the_longest_counts(world):
    pause = drawdown_pause(NOON_MS, NOON_MS + 100)
    assert [world.pause(pause), world.pause(pause)] == [True, False]
    longer = drawdown_pause(NOON_MS + 5, NOON_MS + 200)
    world.pause(longer)
    assert active_pauses(world.connection, 1, NOON_MS + 10) == {"drawdown": longer}
    assert active_pauses(world.connection, 1, NOON_MS + 199) == {"drawdown": longer}
    assert active_pauses(world.connection, 1, NOON_MS + 200) == {}


times = st.integers(0, 60).map(lambda hours: MIDNIGHT_MS - DAY_MS + hours * HOUR_MS)
amounts = st.decimals("0.01", "1000", places=2)
events = st.one_of(
    st.tuples(
        st.just("trade"), st.sampled_from(sorted(ASSETS)), st.integers(1, 30), st.sampled_from(Side), amounts, times
    ),
    st.tuples(st.just("external"), st.decimals("-500", "500", places=2)),
    st.tuples(st.just("point"), times, st.integers(0, 2), st.sampled_from(["run-a", "run-b"]), amounts),
    st.tuples(st.just("pause"), st.sampled_from(["drawdown", "daily_loss", "consecutive_losses"]), times, times),
    st.tuples(st.just("reopen")),
)


class Both:
    """The ledger and the model, to which the same happens."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.model = Model()

    def trade(self, symbol: str, trade_id: int, side: Side, price: Decimal, at_ms: int) -> None:
        """A fill, by its trade id of an order of three, of which each trades on one side only."""
        order_id = f"bta-{symbol}-{side}-{trade_id // 3}"
        known = self.model.fills.get((symbol, trade_id))
        values = {"price": price, "quantity": Decimal(1), "quote_quantity": price, "traded_ms": at_ms}
        traded = known or fill(trade_id, order_id, side, symbol=symbol, **values)
        assert self.world.trade(traded) == (known is None)
        self.model.fills[symbol, trade_id] = traded

    def external(self, amount: Decimal) -> None:
        """A deposit, or a withdrawal."""
        reference = f"seen {len(list(self.world.connection.execute('SELECT 1 FROM postings')))}"
        self.world.do(lambda connection: journal.post_external(connection, "USDT", amount, 1, reference))
        self.model.external += amount

    def point(self, at_ms: int, cycle: int, run_id: str, equity: Decimal) -> None:
        """A point of the equity curve, with what has come from outside by now."""
        point = equity_point(at_ms, equity, self.model.external, cycle=cycle, run_id=run_id)
        self.world.point(point)
        self.model.points[run_id, at_ms, cycle] = point

    def pause(self, rule: str, one_ms: int, other_ms: int) -> None:
        """A pause between two moments."""
        pause = Pause(rule, min(one_ms, other_ms), max(one_ms, other_ms) + 1, "the test says so")
        assert self.world.pause(pause) == ((rule, pause.since_ms) not in self.model.pauses)
        self.model.pauses.setdefault((rule, pause.since_ms), pause)

    def reopen(self) -> None:
        """A restart."""
        self.world.reopen()


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(events, max_size=30), times, st.integers(0, 12), st.integers(0, 6))
def test_state_is_that_of_a_plain_model_whatever_happens_in_whatever_order(happened, now_ms, exits, losses):
    # Marks after every third fill, so that replays begin at marks.
    with (
        TemporaryDirectory() as folder,
        patch.object(position_marks, "MARK_EVERY", 3),
        World.opened(Path(folder) / "ledger.db") as world,
    ):
        world.do(lambda connection: journal.begin_run(connection, run_record("run-b")))
        both = Both(world)
        for name, *values in happened:
            getattr(both, name)(*values)
        for symbol in ASSETS:
            found = world.state(now_ms, 700, symbol, exits=exits, losses=losses)
            assert found == both.model.state(now_ms, Decimal(700), symbol, exits=exits, losses=losses)
        assert list(sentences(world.connection)) == []
        assert [*latest_exits(world.connection, 1, 99)] == both.model.exits()


def steps(world: World, now_ms: int) -> int:
    """How many steps of SQLite's machine the limits' state takes."""
    count = 0

    def step() -> int:
        nonlocal count
        count += 1
        return 0

    world.connection.set_progress_handler(step, 1)
    world.state(now_ms, 10_000)
    world.connection.set_progress_handler(None, 0)
    return count


def write_past(world: World, connection: sqlite3.Connection, days: int) -> None:
    """Ten trades there and back a day, most at a loss, with points of equity, deposits and pauses."""
    for number in range(days * 10):
        at_ms = NOON_MS + number * DAY_MS // 10
        world.book(connection, bought(2 * number + 1, f"in-{number}", 100, at_ms))
        world.book(connection, sold(2 * number + 2, f"out-{number}", 90 if number % 7 else 130, at_ms + 1))
        journal.record_equity(connection, equity_point(at_ms, Decimal(10_000 - number % 50), cycle=number))
        if number % 10 == 0:
            journal.post_external(connection, "USDT", Decimal(1), at_ms, f"seen {number}")
            begin_pause(connection, 1, Pause("drawdown", at_ms, at_ms + HOUR_MS, "fell"))
            begin_pause(connection, 1, Pause("consecutive_losses", at_ms, at_ms + 1, "lost"))
    connection.execute("UPDATE orders SET settled = 1")  # all of them are over


def test_work_does_not_grow_with_the_age_of_the_ledger(tmp_path):
    taken = {}
    for days in (20, 200):
        with World.opened(tmp_path / f"{days}.db") as world:
            world.do(lambda connection, world=world, days=days: write_past(world, connection, days))
            taken[days] = steps(world, NOON_MS + days * DAY_MS)
    assert taken[200] < taken[20] * 1.2
