"""Breakers: which loss begins a pause, how long it lasts, and that it does not matter who looks, or when."""

import asyncio
import logging
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from binance_trade_agent.agents.breakers import Breakers
from binance_trade_agent.ledger import journal
from binance_trade_agent.ledger.ledger import Ledger
from binance_trade_agent.ledger.verify import sentences
from binance_trade_agent.risk.settings import RiskSettings
from tests.ledger.bookkeeping import OPENING
from tests.ledger.limits_world import DAY_MS, HOUR_MS, NOON_MS, World, bought, sold

MINUTE_MS = 60_000
LIMITS = RiskSettings(
    max_drawdown_pct=Decimal(10),
    drawdown_pause_minutes=120,
    max_daily_loss_pct=Decimal(5),
    max_consecutive_losses=3,
    loss_pause_minutes=60,
)
DRAWDOWN_ONLY = RiskSettings(max_drawdown_pct=Decimal(10), drawdown_pause_minutes=120)


class Time:
    """A clock that stands where it was put."""

    def __init__(self, now_ms: int) -> None:
        self.ms = now_ms

    def now_ms(self) -> int:
        return self.ms


class Desk:
    """A ledger, breakers on it, and what they have said."""

    def __init__(self, world: World, limits: RiskSettings = LIMITS) -> None:
        self.world = world
        self.limits = limits
        self.time = Time(NOON_MS)
        self._breakers: Breakers | None = None
        self._ledger: Ledger | None = None

    async def look(self, at_ms: int) -> dict[str, tuple[int, int]]:
        """Look at that time; what pauses then, each with its beginning and end."""
        if self._breakers is None:
            self._ledger = await Ledger.open(self.world.path)
            self._breakers = Breakers(self._ledger, self.time, self.limits, "USDT")
        self.time.ms = at_ms
        await self._breakers.look()
        return self.pauses(at_ms)

    def pauses(self, at_ms: int) -> dict[str, tuple[int, int]]:
        state = self.world.state(at_ms)
        return {rule: (pause.since_ms, pause.until_ms) for rule, pause in state.pauses.items()}

    async def killed(self) -> None:
        """The next look is that of a new daemon."""
        if self._ledger is not None:
            await self._ledger.close()
        self._ledger = self._breakers = None


@pytest.fixture
async def ready(tmp_path):
    with World.opened(tmp_path / "ledger.db") as world:
        desk = Desk(world)
        yield desk
        await desk.killed()


@pytest.mark.parametrize(("equity", "pauses"), [(9_001, False), (9_000, True), (1, True)])
async def test_drawdown_at_its_limit_pauses_for_its_minutes_from_the_point_that_showed_it(ready, equity, pauses):
    ready.limits = DRAWDOWN_ONLY
    ready.world.worth(NOON_MS, 10_000)
    assert await ready.look(NOON_MS + 5) == {}
    fell_ms = NOON_MS + MINUTE_MS
    ready.world.worth(fell_ms, equity)
    expected = {"drawdown": (fell_ms, fell_ms + 120 * MINUTE_MS)} if pauses else {}
    assert await ready.look(fell_ms + 7) == expected
    assert await ready.look(fell_ms + 120 * MINUTE_MS - 1) == expected
    assert await ready.look(fell_ms + 120 * MINUTE_MS) == {}


async def test_after_a_drawdown_pause_the_fall_is_measured_from_then(ready):
    ready.limits = DRAWDOWN_ONLY
    for minute, equity in enumerate([10_000, 9_000, 8_000]):
        ready.world.worth(NOON_MS + minute * MINUTE_MS, equity)
        await ready.look(NOON_MS + minute * MINUTE_MS)
    end_ms = NOON_MS + 121 * MINUTE_MS
    assert await ready.look(end_ms) == {}
    ready.world.worth(end_ms, 8_000)
    assert await ready.look(end_ms) == {}
    ready.world.worth(end_ms + 1, 7_201)
    assert await ready.look(end_ms + 1) == {}
    ready.world.worth(end_ms + 2, 7_200)
    assert list(await ready.look(end_ms + 2)) == ["drawdown"]


async def test_days_loss_pauses_until_the_next_utc_midnight(ready):
    midnight_ms = NOON_MS + DAY_MS // 2
    ready.world.worth(NOON_MS - DAY_MS // 2 - 1, 10_000)
    ready.world.worth(NOON_MS, 9_501)
    assert await ready.look(NOON_MS) == {}
    ready.world.worth(NOON_MS + 1, 9_500)
    assert await ready.look(NOON_MS + 1) == {"daily_loss": (NOON_MS + 1, midnight_ms)}
    assert await ready.look(midnight_ms) == {}
    ready.world.worth(midnight_ms, 9_400)
    assert await ready.look(midnight_ms) == {}


def lose(world: World, number: int, price: int = 90, at_ms: int = NOON_MS) -> None:
    """A position that is bought at 100 and sold."""
    world.trade(bought(2 * number + 1, f"in-{number}", 100, at_ms))
    world.trade(sold(2 * number + 2, f"out-{number}", price, at_ms + number))


async def test_losses_in_a_row_pause_from_the_close_of_the_last(ready):
    for number, price in enumerate([90, 90, 110, 90, 90]):
        lose(ready.world, number, price)
    assert await ready.look(NOON_MS + 100) == {}
    lose(ready.world, 5)
    closed_ms = NOON_MS + 5
    assert await ready.look(NOON_MS + 200) == {"consecutive_losses": (closed_ms, closed_ms + HOUR_MS)}
    lose(ready.world, 6)
    assert await ready.look(NOON_MS + 300) == {"consecutive_losses": (closed_ms, closed_ms + HOUR_MS)}
    assert await ready.look(closed_ms + HOUR_MS) == {}
    for number in (7, 8):
        lose(ready.world, number, at_ms=closed_ms + HOUR_MS)
    assert await ready.look(closed_ms + 2 * HOUR_MS) == {}


async def test_limits_that_are_off_begin_nothing(ready):
    ready.limits = RiskSettings()
    ready.world.worth(NOON_MS, 10_000)
    ready.world.worth(NOON_MS + 1, 1)
    for number in range(9):
        lose(ready.world, number)
    assert await ready.look(NOON_MS + 10) == {}


async def test_withdrawal_is_no_drawdown_and_deposit_hides_none(ready):
    ready.limits = DRAWDOWN_ONLY
    ready.world.worth(NOON_MS, 10_000)
    ready.world.worth(NOON_MS + 1, 6_000, external=-4_000)
    assert await ready.look(NOON_MS + 1) == {}
    ready.world.worth(NOON_MS + 2, 10_000, external=1_100)
    assert list(await ready.look(NOON_MS + 2)) == []
    ready.world.worth(NOON_MS + 3, 9_990, external=1_100)
    assert list(await ready.look(NOON_MS + 3)) == ["drawdown"]


async def test_begin_and_end_are_said_once_with_their_numbers(ready, caplog):
    caplog.set_level(logging.INFO)
    ready.limits = DRAWDOWN_ONLY
    ready.world.worth(NOON_MS, 10_000)
    ready.world.worth(NOON_MS + 1000, "8950.5")
    await ready.look(NOON_MS + 1000)
    await ready.look(NOON_MS + 2000)
    await ready.look(NOON_MS + 3 * HOUR_MS)
    await ready.look(NOON_MS + 4 * HOUR_MS)
    said = [(record.levelname, record.message) for record in caplog.records if "breakers" in record.name]
    fell = "equity 8950.5 USDT is 10.495 % below its highest, 10000 USDT; the limit is 10 %"
    assert said == [
        ("WARNING", f"no position is entered until 2024-10-04T14:00:01Z: {fell}"),
        ("INFO", "the pause for drawdown is over since 2024-10-04T14:00:01Z"),
    ]


async def test_daemon_that_starts_says_what_pauses(ready, caplog):
    ready.world.worth(NOON_MS, 10_000)
    ready.world.worth(NOON_MS + 1000, 8_900)
    await ready.look(NOON_MS + 1000)
    await ready.killed()
    caplog.clear()
    assert sorted(await ready.look(NOON_MS + 2000)) == ["daily_loss", "drawdown"]
    assert len([record for record in caplog.records if "no position is entered until" in record.message]) == 2


async def test_pause_that_nobody_was_there_to_begin_and_is_over_still_ends_the_row_and_the_peak(ready, caplog):
    for number in range(3):
        lose(ready.world, number)
    ready.world.worth(NOON_MS, 10_000)
    ready.world.worth(NOON_MS + 1, 8_000)
    later_ms = NOON_MS + 2 * DAY_MS
    assert await ready.look(later_ms) == {}
    assert "its pause until 2024-10-04T13:00:00Z is over already: 3 exits in a row at a loss" in caplog.text
    ready.world.worth(later_ms, 8_000)
    assert await ready.look(later_ms) == {}
    state = ready.world.state(later_ms, 8_000)
    assert (state.losses_in_row, state.peak_quote) == (0, 8_000)


async def test_new_epoch_has_none_of_the_pauses_before_it(ready):
    ready.world.worth(NOON_MS, 10_000)
    ready.world.worth(NOON_MS + 1, 5_000)
    assert await ready.look(NOON_MS + 1)
    ready.world.do(lambda connection: journal.open_epoch(connection, NOON_MS + 2, "reset", OPENING))
    await ready.look(NOON_MS + 3)
    assert ready.world.do(lambda connection: connection.execute("SELECT max(epoch) FROM pauses").fetchone()[0]) == 1


steps = st.lists(
    st.one_of(
        st.tuples(st.just("worth"), st.integers(70, 110)),
        st.tuples(st.just("exit"), st.sampled_from([90, 100, 110])),
    ),
    max_size=14,
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps, st.data())
def test_killed_before_it_looked_or_after_the_same_pauses_come_of_it(happened, data):
    ends = [data.draw(st.sampled_from(["look", "twice", "killed", "killed after"])) for _ in happened]
    with TemporaryDirectory() as folder:
        steady = asyncio.run(lived(Path(folder) / "steady.db", happened, ["look"] * len(happened)))
        shaken = asyncio.run(lived(Path(folder) / "shaken.db", happened, ends))
    assert shaken == steady


async def lived(path: Path, happened: list[tuple[str, int]], ends: list[str]) -> list[tuple]:
    """Every pause that came of what happened, twenty minutes after one another, when each step ended like this."""
    with World.opened(path) as world:
        desk = Desk(world)
        for number, ((what, value), end) in enumerate(zip(happened, ends, strict=True), start=1):
            at_ms = NOON_MS + number * 20 * MINUTE_MS
            if what == "worth":
                world.worth(at_ms, value * 100, cycle=number)
            else:
                lose(world, number, value, at_ms - number)
            if end in {"killed", "killed after"}:
                if end == "killed after":
                    await desk.look(at_ms)
                await desk.killed()
                world.reopen()
                at_ms += MINUTE_MS  # it looks when it is back, before it records or trades anything
            for _ in range(2 if end == "twice" else 1):
                await desk.look(at_ms)
        await desk.killed()
        assert list(sentences(world.connection)) == []
        rows = world.connection.execute("SELECT rule, since_ms, until_ms, detail FROM pauses ORDER BY 1, 2")
        return [tuple(row) for row in rows]
