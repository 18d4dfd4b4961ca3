"""What is new in the ledger, in sentences: each thing once, whatever comes late."""

import sqlite3
from contextlib import closing
from decimal import Decimal

import msgspec
import pytest

from binance_trade_agent.control import commands
from binance_trade_agent.control.commands import CommandKind, CommandState
from binance_trade_agent.domain.candles import DAY_MS
from binance_trade_agent.domain.notify_events import NotifyEvent
from binance_trade_agent.ledger.backup import back_up
from binance_trade_agent.ledger.ledger import Ledger
from binance_trade_agent.ledger.lock import Holder, LedgerLock
from binance_trade_agent.ledger.records import EquityPoint
from binance_trade_agent.ledger.restore import restore
from binance_trade_agent.notifications import news as news_module
from binance_trade_agent.notifications.news import Cursor, in_this_ledger, news
from binance_trade_agent.risk.state import Pause
from tests.ledger.bookkeeping import BTCUSDT, OPENING, fill, place, report, run_record, trading_ledger


class Teller:
    """Asks a ledger again and again, with the cursor of the time before as it is kept in a file."""

    def __init__(self, ledger, cursor: Cursor | None = None) -> None:
        self._ledger = ledger
        self.cursor = cursor or Cursor()

    async def __call__(self) -> list[tuple[str, str]]:
        notices, cursor = await self._ledger.read(lambda connection: news(connection, self.cursor))
        self.cursor = msgspec.json.decode(msgspec.json.encode(cursor), type=Cursor)
        return [(notice.event.value, notice.text) for notice in notices]


@pytest.fixture
async def ledger(tmp_path):
    async with trading_ledger(tmp_path / "ledger.db") as ledger:
        yield ledger


@pytest.fixture
async def told(ledger) -> Teller:
    teller = Teller(ledger)
    await teller()
    return teller


async def bought(ledger, *trade_ids: int) -> None:
    """One order, of a fill each."""
    name = f"bta-BTCUSDT-{trade_ids[0]}"
    await place(ledger, name, tick_ms=1_000 + trade_ids[0])
    fills = [fill(number, name, exchange_order_id=trade_ids[0]) for number in trade_ids]
    executed = Decimal("0.001") * len(trade_ids)
    status = "FILLED" if len(trade_ids) == 2 else "PARTIALLY_FILLED"
    news_of = report(status, str(executed), *fills, order_id=name, exchange_order_id=trade_ids[0])
    await ledger.apply_report(news_of, **BTCUSDT)


async def test_an_order_that_filled_is_one_sentence_with_all_of_its_fills(ledger, told):
    await bought(ledger, 1, 2)
    assert await told() == [
        ("fills", "Entry: BUY 0.002 BTCUSDT at 60,000, 120.00 USDT, fee 0.000002 BTC."),
    ]
    assert await told() == []


async def test_what_a_person_or_an_assistant_has_ordered_is_told_as_theirs(ledger, told):
    asked = commands.place(ledger.path, CommandKind.ORDER, requested_by="cli", requested_wall_ms=1)
    await ledger.write(lambda connection: commands.name_order(connection, asked, "bta-BTCUSDT-1"))
    await bought(ledger, 1, 2)
    ((_, said),) = await told()
    assert said.startswith("By hand: BUY 0.002 BTCUSDT at 60,000")


async def test_a_fill_that_is_booked_late_is_told_too(ledger, told):
    await bought(ledger, 7)
    assert await told() == [
        ("fills", "Entry: BUY 0.001 of 0.002 BTCUSDT at 60,000, 60.00 USDT, fee 0.000001 BTC."),
    ]
    await bought(ledger, 3)
    assert len(await told()) == 1
    assert await told() == []


async def test_a_storm_is_told_by_its_sums_and_its_newest(ledger, told):
    for number in range(1, 61):
        await bought(ledger, number)
    said = await told()
    assert len(said) == 11
    assert said[0] == (
        "fills",
        "60 orders have traded, 60 BUY and 0 SELL, worth 3,600 USDT; the newest 10 of them:",
    )


async def test_however_many_fills_there_are_each_is_told_once(ledger, told, monkeypatch):
    monkeypatch.setattr(news_module, "FILLS_AT_ONCE", 7)
    for number in range(1, 41):
        await bought(ledger, number)
    said = []
    while found := await told():
        said.append(sum("Entry: BUY 0.001 of 0.002" in text for _, text in found))
    assert said == [7, 7, 7, 7, 7, 5]
    await bought(ledger, 50)
    assert len(await told()) == 1


async def test_of_a_ledger_with_more_fills_than_are_remembered_only_what_comes_later_is_told(ledger, told):
    many = [fill(number, "bta-BTCUSDT-many", exchange_order_id=1) for number in range(1, 1_001)]
    await place(ledger, "bta-BTCUSDT-many", tick_ms=1_001)
    await ledger.apply_report(report("PARTIALLY_FILLED", "1", *many, order_id="bta-BTCUSDT-many"), **BTCUSDT)
    assert len(await told()) == 1
    afresh = Teller(ledger)
    assert [event for event, _ in await afresh() if event == "fills"] == []
    await bought(ledger, 2_000)
    assert [event for event, _ in await afresh()] == ["fills"]


async def test_three_hundred_symbols_without_protection_are_all_told_and_all_over(ledger, told):
    for number in range(300):
        await ledger.raise_alarm("unprotected", f"S{number}USDT", "0.2 held: refused", 2_000 + number)
    assert len(await told()) == 300
    await ledger.clear_alarm("unprotected", "S0USDT", 9_000)
    assert await told() == [("unprotected", "The alarm unprotected (S0USDT) is over.")]


async def test_fills_of_a_new_epoch_are_new_though_their_numbers_are_known(ledger, told):
    await bought(ledger, 1)
    await told()
    await ledger.open_epoch(9_000, "the exchange was reset", OPENING)
    await place(ledger, "bta-BTCUSDT-later", tick_ms=9_100)
    again = fill(1, "bta-BTCUSDT-later")
    await ledger.apply_report(report("FILLED", "0.001", again, order_id="bta-BTCUSDT-later"), **BTCUSDT)
    assert [event for event, _ in await told()] == ["fills"]


async def test_starts_stops_and_a_run_that_was_cut_off(ledger, told):
    await ledger.end_run("run-a", 5_000, 6_000, "the duration is over")
    assert await told() == [("stop", "Trading has stopped: the duration is over.")]
    await ledger.begin_run(run_record("run-b"))
    assert await told() == [("start", "Trading has started: BTCUSDT, ETHUSDT with combined_default on simulated.")]
    await ledger.begin_run(run_record("run-c"))
    await ledger.end_run("run-c", 7_000, 8_000, "SIGTERM")
    assert [(event, text.partition(":")[0]) for event, text in await told()] == [
        ("stop", "The run of 1970-01-01 00"),
        ("start", "Trading has started"),
        ("stop", "Trading has stopped"),
    ]
    assert await told() == []


async def test_alarms_breakers_and_their_ends(ledger, told):
    await ledger.raise_alarm("difference", "BTCUSDT", "0.1 BTC are missing", 2_000, blocks=True)
    await ledger.raise_alarm("unprotected", "ETHUSDT", "0.2 held without protection: refused", 2_000)
    await ledger.begin_pauses([Pause("daily_loss", 2_000, 86_400_000, "equity 900 USDT is 10 % below 1000 USDT")])
    assert sorted(await told()) == [
        ("alarms", "Alarm, difference (BTCUSDT): 0.1 BTC are missing; it keeps entries away."),
        (
            "breakers",
            "No entries until 1970-01-02 00:00:00 UTC, by daily loss: equity 900 USDT is 10 % below 1000 USDT.",
        ),
        ("unprotected", "Alarm, unprotected (ETHUSDT): 0.2 held without protection: refused."),
    ]
    await ledger.raise_alarm("difference", "BTCUSDT", "0.1 BTC are missing", 3_000, blocks=True)  # counted once more
    assert await told() == []
    await ledger.clear_alarm("difference", "BTCUSDT", 4_000)
    assert await told() == [("alarms", "The alarm difference (BTCUSDT) is over.")]


async def test_the_emergency_stop_and_its_release(ledger, told):
    given = {"reason": "the news", "close_positions": "true"}
    commands.place(ledger.path, CommandKind.KILL, requested_by="dashboard", requested_wall_ms=1, payload=given)
    assert await told() == [
        (
            "kill",
            "Emergency stop by dashboard: nothing is entered and all positions are closed, until it is released: the news.",
        )
    ]
    number = commands.place(ledger.path, CommandKind.RELEASE, requested_by="cli", requested_wall_ms=2)
    assert await told() == []
    await commands.answer(ledger, number, CommandState.DONE, "the kill switch is off", 9_000)
    assert await told() == [("kill", "The emergency stop was released: entries are allowed again.")]


@pytest.mark.parametrize("payload", ["", "{", "[]", "null", '"x"', '{"reason": {"a": 1}, "close_positions": true}'])
async def test_an_emergency_stop_that_cannot_be_read_is_told(ledger, told, payload):
    commands.place(ledger.path, CommandKind.KILL, requested_by="somebody", requested_wall_ms=1)
    with closing(sqlite3.connect(ledger.path, isolation_level=None)) as connection:
        connection.execute("UPDATE commands SET payload_json = ?", (payload,))
    ((event, text),) = await told()
    assert event == "kill"
    assert text.startswith("Emergency stop by somebody: nothing is entered, until it is released")


async def test_a_release_does_not_say_that_entries_are_allowed_while_they_are_paused(ledger, told):
    commands.place(ledger.path, CommandKind.KILL, requested_by="cli", requested_wall_ms=1)
    await told()
    for kind in (CommandKind.PAUSE, CommandKind.RELEASE):
        asked = commands.place(ledger.path, kind, requested_by="cli", requested_wall_ms=2)
        await commands.answer(ledger, asked, CommandState.DONE, "done", 3_000)
    assert await told() == [("kill", "The emergency stop was released, but entries are paused.")]


async def test_after_a_restoration_runs_and_emergency_stops_are_told_though_their_numbers_were_told_before(
    ledger, told
):
    def kill(path, by, at_ms):
        commands.place(path, CommandKind.KILL, requested_by=by, requested_wall_ms=at_ms)

    backup = ledger.path.with_name("backup")
    back_up(ledger.path, backup)
    for number in range(2, 5):
        await ledger.begin_run(run_record(f"run-{number}", started_wall_ms=number))
        kill(ledger.path, "cli", number)
    assert len(await told()) == 7  # three starts, three runs that were cut off, the newest kill
    await ledger.close()
    with LedgerLock.acquire(ledger.path, Holder(1, "test", 0)):
        restore(ledger.path, backup, 1_000, lambda fresh: kill(fresh, "restore", 1_001))
    async with await Ledger.open(ledger.path) as restored:
        again = Teller(restored, await restored.read(lambda inside: in_this_ledger(inside, told.cursor)))
        assert await again() == []
        await restored.begin_run(run_record("run-b", started_wall_ms=2_000))
        kill(ledger.path, "dashboard", 2_001)
        assert [event for event, _ in await again()] == ["start", "kill"]
        same = await restored.read(lambda inside: in_this_ledger(inside, again.cursor))
        assert same == again.cursor


async def test_a_day_is_summed_up_at_the_first_tick_of_the_next(ledger, told):
    async def equity(at_ms: int, worth: str) -> None:
        await ledger.record_equity(
            EquityPoint("run-a", at_ms, 1, *map(Decimal, (worth, worth, "0", "0", "0")), quote_asset="USDT")
        )

    await equity(1_000, "10000")
    assert await told() == []
    await bought(ledger, 1, 2)
    await equity(DAY_MS - 1, "10012.5")
    await told()
    await equity(DAY_MS + 1, "10010")
    assert await told() == [
        (
            "daily",
            (
                "1970-01-01 (UTC): 2 fills (2 BUY, 0 SELL) worth 120.00 USDT; equity 10,012.50 USDT, +12.50 in the day; "
                "realised 0.00 USDT; open now: 0.001998 BTCUSDT."
            ),
        )
    ]
    assert await told() == []


def test_every_event_has_a_name():
    assert list(NotifyEvent) == ["start", "stop", "fills", "breakers", "alarms", "unprotected", "kill", "daily"]
