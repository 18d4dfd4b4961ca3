"""S21: SQLite locked by another process, the disk full or failing, a read-only file: no intent row, no order.

A fill that cannot be written stops entries, and is written when it can be.
"""

import asyncio
import random
from contextlib import asynccontextmanager

import pytest

from binance_trade_agent.domain.decisions import Outcome
from binance_trade_agent.domain.orders import OrderState, Side
from binance_trade_agent.domain.signals import Action
from binance_trade_agent.exchange.connect import SIMULATED_KEY, SIMULATED_SECRET
from binance_trade_agent.exchange.endpoints import simulated
from binance_trade_agent.exchange.user_stream import UserStream
from binance_trade_agent.ledger import queries
from binance_trade_agent.ledger.errors import LedgerError, LedgerUnavailable
from binance_trade_agent.ledger.ledger import Ledger
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.ledger.verify import sentences
from binance_trade_agent.ops import crash_points
from binance_trade_agent.ops.tasks import spawn, stop
from tests.agents.desk import desk
from tests.exchange_process import running_exchange
from tests.ledger.bookkeeping import trading_ledger
from tests.ledger.tiny_disk import fill_up, make_read_only, tiny_disk
from tests.sessions.daemon_process import EAGER, assert_equal_to_exchange, daemon, session
from tests.survival.ledger_troubles import LockedByAnotherProcess, about, every_trouble, folder_for
from tests.test_orchestrator import pipeline


@asynccontextmanager
async def troubled_desk(kind, tmp_path):
    """A desk that has bought once, and the trouble that is to come. Its ledger waits 20 ms for a lock, not 5 s."""
    with folder_for(kind, tmp_path) as folder:
        async with desk(folder) as ready:
            await waits_briefly(ready.ledger)
            assert (await ready.trade()).outcome is Outcome.EXECUTED
            await ready.wait(1_000)
            with about(kind, folder) as trouble:
                yield ready, trouble


async def waits_briefly(ledger):
    await ledger.read(lambda connection: connection.execute("PRAGMA busy_timeout = 20"))


async def assert_books_are_right(ready):
    await ready.assert_reconciled()
    assert await ready.ledger.read(lambda connection: list(sentences(connection))) == []


@every_trouble
async def test_s21_while_the_intent_cannot_be_written_no_order_is_sent(tmp_path, kind):
    async with troubled_desk(kind, tmp_path) as (ready, trouble):
        before, sent = await ready.orders(), await ready.times_sent()
        trouble.begins()
        for _ in range(6):  # half a minute of market time
            with pytest.raises(LedgerUnavailable, match=trouble.says):
                await ready.trade()
            await ready.wait(5_000)
        assert await ready.orders() == before
        assert await ready.times_sent() == sent
        trouble.ends()
        assert (await ready.trade()).outcome is Outcome.EXECUTED
        await ready.wait(1_000)
        assert (await ready.trade(Side.SELL)).outcome is Outcome.EXECUTED
        assert await ready.times_sent() == sent + 2
        await assert_books_are_right(ready)


@every_trouble
async def test_s21_an_order_whose_intent_was_just_written_is_sent_once_and_booked_when_it_can_be(tmp_path, kind):
    async with troubled_desk(kind, tmp_path) as (ready, trouble):
        sent = await ready.times_sent()
        with crash_points.listening(at("intent.committed", trouble)):
            decision = await ready.trade()
        assert decision.outcome is Outcome.ORDERED
        assert (await ready.entry(decision)).order.state is OrderState.SENT
        trouble.ends()
        await ready.recovery.catch_up()
        assert (await ready.entry(decision)).order.state is OrderState.FILLED
        assert await ready.times_sent() == sent + 1
        await assert_books_are_right(ready)


@every_trouble
async def test_s21_fills_of_an_answer_that_cannot_be_written_are_written_when_they_can_be(tmp_path, kind):
    async with troubled_desk(kind, tmp_path) as (ready, trouble):
        fills = len(await ready.ledger.fills())
        with crash_points.listening(at("order.answered", trouble)):
            decision = await ready.trade()
        assert decision.detail.startswith("what came of the order could not be written yet")
        with pytest.raises(LedgerUnavailable, match=trouble.says):
            await ready.recovery.catch_up()
        assert len(await ready.ledger.fills()) == fills
        assert not (await ready.entry(decision)).is_settled
        trouble.ends()
        await ready.recovery.catch_up()
        assert (await ready.entry(decision)).is_settled
        assert await ready.times_sent() == 2
        await assert_books_are_right(ready)


def at(point, trouble):
    """Let the trouble begin at a step of the order path."""
    return lambda passed: trouble.begins() if passed == point else None


@every_trouble
async def test_s21_a_fill_that_the_stream_brings_meanwhile_is_written_when_it_can_be(tmp_path, kind):
    async with troubled_desk(kind, tmp_path) as (ready, trouble), followed_stream(ready) as stream:
        intent = await ready.sent()
        trouble.begins()
        await ready.gateway.place_order(intent)
        await asyncio.wait_for(stream.failed.wait(), 20)
        assert (await ready.entry(intent)).filled_base == 0
        trouble.ends()
        stream.caught_up.clear()
        await asyncio.wait_for(stream.caught_up.wait(), 20)
        assert (await ready.entry(intent)).is_settled
        await assert_books_are_right(ready)


class Followed:
    """Whether an event could not be handled, and whether a new connection has caught up since."""

    def __init__(self, ready):
        self.ready = ready
        self.failed, self.caught_up = asyncio.Event(), asyncio.Event()

    async def on_event(self, event):
        try:
            await self.ready.keeper.on_event(event)
        except LedgerUnavailable:
            self.failed.set()
            raise

    async def on_connected(self):
        await self.ready.recovery.catch_up()
        self.caught_up.set()


@asynccontextmanager
async def followed_stream(ready):
    followed = Followed(ready)
    stream = UserStream(
        simulated(ready.exchange.url).websocket_api,
        SIMULATED_KEY,
        SIMULATED_SECRET,
        ready.clock,
        on_connected=followed.on_connected,
        on_event=followed.on_event,
        jitter=random.Random(1),
    )
    task = spawn(stream.run(), name="stream under test")
    try:
        await asyncio.wait_for(stream.is_live.wait(), 20)
        yield followed
    finally:
        await stop(task)


@every_trouble
async def test_s21_a_tick_enters_nothing_while_a_fill_is_not_written(tmp_path, kind):
    with folder_for(kind, tmp_path) as folder:
        async with pipeline(folder, BTCUSDT=Action.BUY) as ready:
            await waits_briefly(ready.desk.ledger)
            with about(kind, folder) as trouble:
                with crash_points.listening(at("order.answered", trouble)):
                    assert (await ready.tick())["BTCUSDT"].outcome is Outcome.ORDERED
                ready.strategy.opinions["ETHUSDT"] = Action.BUY
                decisions = await ready.tick()
                assert (decisions["BTCUSDT"].outcome, decisions["BTCUSDT"].rule) == (Outcome.REFUSED, "open_order")
                assert (decisions["ETHUSDT"].outcome, decisions["ETHUSDT"].rule) == (Outcome.REFUSED, "ledger")
                assert decisions["ETHUSDT"].client_order_id is None
                assert await ready.desk.times_sent() == 1
            ready.strategy.opinions["ETHUSDT"] = Action.HOLD
            assert (await ready.tick())["BTCUSDT"].rule == "open_order"
            await ready.desk.recovery.catch_up()
            assert (await ready.tick())["BTCUSDT"].outcome is Outcome.EXECUTED
            assert await ready.desk.times_sent() == 2
            await assert_books_are_right(ready.desk)


async def test_s21_a_read_only_disk_is_refused_at_the_start_in_one_sentence(tmp_path):
    with tiny_disk(tmp_path / "disk") as disk:
        async with trading_ledger(disk / "ledger.db"):
            pass
        make_read_only(disk)
        with pytest.raises(
            LedgerError, match=r"the ledger .*/ledger\.db cannot be used: .* is read-only; check its rights"
        ):
            await Ledger.open(disk / "ledger.db")
        with pytest.raises(LedgerError, match=r"cannot use .*/new\.db as the ledger: Read-only file system"):
            await Ledger.open(disk / "new.db")
        async with daemon(tmp_path, LEDGER_PATH=str(disk / "ledger.db")) as running:
            assert await running.ended() == 2
        assert len([line for line in running.log if "Read-only" in line or "read-only" in line]) == 1


async def test_s21_a_full_disk_is_told_at_the_start_and_in_no_traceback(tmp_path):
    with tiny_disk(tmp_path / "disk") as disk:
        async with trading_ledger(disk / "ledger.db"):
            pass
        fill_up(disk)
        async with daemon(tmp_path, LEDGER_PATH=str(disk / "ledger.db")) as running:
            assert await running.ended() == 1  # to be tried again
        assert [line for line in running.log if "No space left on device; free some space" in line], running.everything


@pytest.mark.slow
async def test_s21_a_daemon_whose_ledger_is_locked_in_the_middle_ends_well_and_lacks_nothing(tmp_path):
    path = tmp_path / "ledger.db"
    async with running_exchange(speed=None) as exchange:
        async with daemon(tmp_path, **EAGER, **exchange.urls) as running:
            await running.until_logged("Trading Cycle #4 ")
            with about(LockedByAnotherProcess, tmp_path) as lock:
                lock.begins()
                await running.until_logged("is locked by another process")  # said after 5 s
            assert await running.ended() == 0, running.everything
        with LedgerReader.open(path) as reader:
            assert reader.snapshot(lambda connection: list(sentences(connection))) == []
        await assert_equal_to_exchange(path, exchange)


@pytest.mark.slow
async def test_s21_a_daemon_whose_disk_has_too_little_left_enters_nothing_and_says_why(tmp_path):
    ended = await session(tmp_path, **EAGER, LEDGER_MIN_FREE_MB="1000000000")
    assert any("refused by disk: the disk of the ledger" in line for line in ended.log)
    with LedgerReader.open(tmp_path / "ledger.db") as reader:
        assert reader.snapshot(queries.orders) == []
