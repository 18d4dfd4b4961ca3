"""Signals & risk, over real HTTP on a ledger in which every kind of decision stands."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from binance_trade_agent.control import commands
from binance_trade_agent.control.commands import CommandKind
from binance_trade_agent.domain.decisions import Finding, Outcome
from binance_trade_agent.ledger import risk_changes
from binance_trade_agent.ledger.ledger import Ledger
from binance_trade_agent.ledger.risk_changes import RiskChange
from tests.dashboard.served import Served, served
from tests.dashboard.visitor import Visitor
from tests.ledger.bookkeeping import decision, run_record
from tests.reports.explained_day import (
    HELD,
    MINUTE_MS,
    SETTINGS,
    SOLD,
    STOP,
    tick_ms,
    write_explained_day,
)

HOSTILE = "<script>alert(1)</script>"
HOSTILE_SYMBOL = '"><img/src=x/onerror=alert(1)>'


@dataclass
class Day:
    """A dashboard on the explained day."""

    dashboard: Served
    reader: Visitor

    def words(self, path: str) -> str:
        reply = self.reader.get(path)
        assert reply.status == 200, reply.text
        return reply.words


@pytest.fixture(scope="module")
def day(tmp_path_factory) -> Iterator[Day]:
    folder = tmp_path_factory.mktemp("explained")
    asyncio.run(write_explained_day(folder / "ledger.db"))
    with served(folder) as dashboard:
        yield Day(dashboard, dashboard.trader())


@pytest.fixture
def own(tmp_path) -> Iterator[tuple[Path, Day]]:
    """One to change."""
    path = tmp_path / "ledger.db"
    asyncio.run(write_explained_day(path))
    with served(tmp_path) as dashboard:
        yield path, Day(dashboard, dashboard.trader())


def change(path: Path, write) -> None:
    async def run() -> None:
        async with await Ledger.open(path) as ledger:
            await write(ledger)

    asyncio.run(run())


class TestTheLastDecision:
    def test_is_told_in_a_sentence_with_its_signal_and_what_was_seen(self, day):
        said = day.words("/signals/parts/latest")
        assert "BTCUSDT" in said
        assert "Holds: RSI 27.4 &lt; 30" in said
        assert "rsi 27.4" in said
        assert "59,999.9 / 60,000.1" in said
        assert "1.5 s old" in said
        assert "Nothing has been decided on ETHUSDT yet." in said

    def test_links_to_everything_that_led_to_it(self, day):
        page = day.reader.get("/signals/parts/latest").text
        assert "/signals/BTCUSDT?at=2024-08-05T14%3A37%3A00.000Z" in page


class TestADecision:
    def test_a_refusal_shows_each_rule_with_value_limit_and_how_far_it_was(self, day):
        said = day.words("/signals/BTCUSDT?at=2024-08-05T14:31:00Z")
        assert "Wants to buy (RSI 27.4 &lt; 30, confidence 0.62) and was refused by spread" in said
        assert "allowed cooldown" in said
        assert "refused spread 0.8 % 0.5 % 160 % 160 % the spread is 0.8 %, at most 0.5 % allowed" in said

    def test_an_entry_shows_its_order_and_what_sold_it(self, day):
        said = day.words("/signals/BTCUSDT?at=14:32:30")
        assert "BUY 0.002 BTCUSDT at market" in said
        assert "What protected or sold it since" in said
        assert "SELL 0.00199 BTCUSDT once the price is at 58,800" in said
        assert "Sold without a decision" in said

    def test_ticks_can_be_walked(self, day):
        page = day.reader.get("/signals/BTCUSDT?at=14:32:30").text
        assert 'rel="prev" href="?at=2024-08-05T14%3A31%3A00.000Z"' in page
        assert 'rel="next" href="?at=2024-08-05T14%3A34%3A00.000Z"' in page
        assert 'rel="next"' not in day.reader.get("/signals/btcusdt").text

    @pytest.mark.parametrize(
        ("path", "sentence"),
        [
            ("/signals/BTCUSTD", "no symbol &#39;BTCUSTD&#39;, only"),
            ("/signals/ETHUSDT", "Nothing has been decided on ETHUSDT yet."),
            ("/signals/BTCUSDT?at=noon", "&#39;noon&#39; is not a time"),
            ("/signals/BTCUSDT?at=2023-01-01", "Nothing was decided on BTCUSDT up to"),
            ("/orders/bta-nothing", "The ledger has no order &#39;bta-nothing&#39;."),
        ],
    )
    def test_what_is_not_there_is_a_sentence(self, day, path, sentence):
        reply = day.reader.get(path)
        assert reply.status == 404
        assert sentence in reply.text


class TestAnOrder:
    def test_is_told_from_its_intent_to_its_end(self, day):
        said = day.words(f"/orders/{SOLD}")
        assert "filled" in said
        assert "Its life Intent" in said
        assert "0.002 60,000 0.000002 BTC taker 1" in said
        assert "Wants to buy" in said, "the decision that led to it"
        assert "− 2.64" in said, "what its stop realised"

    def test_one_that_no_decision_led_to_shows_what_it_protected(self, day):
        said = day.words(f"/orders/{STOP}")
        assert "No decision led to it" in said
        assert "Protects what was bought by" in said
        assert SOLD in said

    def test_one_that_is_still_held_says_so(self, day):
        assert "0.002006 are held now." in day.words(f"/orders/{HELD}")


class TestHistory:
    def test_all_decisions_stand_in_it_the_newest_first(self, day):
        page = day.reader.get("/signals/parts/history").text
        shown = [part.split('"')[0] for part in page.split("/signals/BTCUSDT?at=")[1:]]
        assert shown == [f"2024-08-05T14%3A{minute}%3A00.000Z" for minute in (37, 36, 35, 34, 32, 31, 30)]

    @pytest.mark.parametrize(
        ("query", "minutes"),
        [
            ("outcome=REFUSED", (31,)),
            ("rule=spread", (31,)),
            ("symbol=ETHUSDT", ()),
            ("since=2024-08-05T14:36", (37, 36)),
            ("until=2024-08-05T14:31", (30,)),
            ("outcome=EXECUTED&since=2024-08-05T14:33", (34,)),
        ],
    )
    def test_it_can_be_filtered(self, day, query, minutes):
        page = day.reader.get(f"/signals/parts/history?{query}").text
        assert [int(part[:2]) for part in page.split("T14%3A")[1:]] == list(minutes)
        assert ("No decision matches." in page) is (not minutes)

    def test_it_goes_on_page_by_page(self, own):
        path, day = own
        many = [decision(tick_ms(10) + each * 1_000, cycle=each + 10) for each in range(70)]
        change(path, lambda ledger: ledger.record_decisions(many))
        address, seen = "/signals", []
        while address:
            page = day.reader.get(address).text
            history = page.partition('id="decisions"')[2]
            seen += [part.split('"')[0] for part in history.split("/signals/BTCUSDT?at=")[1:]]
            follow = history.partition('rel="next" href="')[2]
            address = follow.partition("#")[0].replace("&amp;", "&")
        assert len(seen) == len(set(seen)) == 77
        assert seen == sorted(seen, reverse=True)

    @pytest.mark.parametrize(
        ("query", "sentence"),
        [
            ("outcome=REFUSE", "did you mean REFUSED?"),
            ("since=yesterday", "since: &#39;yesterday&#39; is not a date; write 2024-08-05"),
            ("before=nowhere", "it is no place in the list"),
            (f"before={'9' * 30}.1.X", "it is no place in the list"),
            ("span=year", "span:"),
        ],
    )
    def test_what_is_not_understood_is_a_sentence(self, day, query, sentence):
        reply = day.reader.get(f"/signals?{query}")
        assert reply.status == 422
        assert sentence in reply.text


class TestWhyItHasNotTraded:
    def test_outcomes_and_refusals_are_counted(self, day):
        said = day.words("/signals/parts/tally?span=all")
        assert "7 decisions" in said
        assert "refused 1" in said
        assert "held 2" in said
        assert "spread : the spread is 0.8 %" in said

    def test_the_sentence_says_since_when_and_why(self, day):
        said = day.words("/signals/parts/tally?span=hour")
        assert "No trade for 2 min, since BUY 0.002 BTCUSDT at 58,000, 2024-08-05 14:34:00 UTC: of 3 " in said

    def test_a_span_ends_at_the_last_tick(self, own):
        path, day = own
        change(path, lambda ledger: ledger.record_decisions([decision(tick_ms(7) + 60 * MINUTE_MS, cycle=99)]))
        assert "1 decisions" in day.words("/signals/parts/tally?span=hour")
        assert "8 decisions" in day.words("/signals/parts/tally?span=day")

    def test_a_symbol_without_decisions_says_so(self, day):
        assert "Nothing was decided on ETHUSDT" in day.words("/signals/parts/tally?symbol=ETHUSDT")


class TestLimits:
    def test_each_stands_with_value_limit_and_what_is_left(self, day):
        said = day.words("/signals/parts/standing?part=limits")
        assert "trades per hour 2 entries 20 entries 18 entries 10 % 10 % RISK_MAX_TRADES_PER_HOUR=20" in said

    def test_what_stops_entries_comes_first_with_since_when(self, own):
        path, day = own
        commands.place(path, CommandKind.KILL, requested_by="cli", requested_wall_ms=1)
        said = day.words("/signals/parts/standing")
        assert "No entries now" in said
        assert "kill switch the kill switch is on" in said
        assert "no trader runs" in said

    def test_alarms_that_block_and_those_that_do_not_are_told(self, own):
        path, day = own

        async def raise_them(ledger: Ledger) -> None:
            await ledger.raise_alarm("late_fill", "BTCUSDT", f"a fill {HOSTILE}", tick_ms(8), blocks=True)
            await ledger.raise_alarm("low_balance", "", "little BNB is left", tick_ms(8))

        change(path, raise_them)
        page = day.reader.get("/signals/parts/standing")
        assert "Entries are allowed on ETHUSDT, not on BTCUSDT" in page.words
        assert "BTCUSDT: late fill" in page.words
        assert "little BNB is left" in page.words
        assert "it keeps nothing from entering" in page.words
        assert HOSTILE not in page.text

    def test_a_limit_that_a_person_has_changed_is_marked(self, own):
        path, day = own
        changed = RiskChange("run-a", tick_ms(6), HOSTILE, "RISK_MAX_TRADES_PER_HOUR", "20", "2", "20", None)
        number = commands.place(path, CommandKind.SET_RISK, requested_by=HOSTILE, requested_wall_ms=1)

        async def note(ledger: Ledger) -> None:
            by_command = RiskChange(
                *(getattr(changed, name) for name in changed.__slots__ if name != "command_id"), command_id=number
            )
            await ledger.write(lambda connection: risk_changes.record(connection, [by_command]))

        change(path, note)
        page = day.reader.get("/signals/parts/standing?part=limits")
        assert "RISK_MAX_TRADES_PER_HOUR=2 changed from 20 by" in page.words
        assert "stops trades per hour" in page.words
        assert HOSTILE not in page.text


def test_hostile_values_are_text_and_nothing_else(own):
    path, day = own
    finding = Finding(HOSTILE, allows=False, detail=HOSTILE)

    async def write(ledger: Ledger) -> None:
        await ledger.begin_run(
            run_record(
                "run-z",
                symbols=("BTCUSDT", HOSTILE_SYMBOL),
                started_ms=tick_ms(20),
                settings_json=json.dumps(SETTINGS),
                exchange=HOSTILE,
            )
        )
        shared = {"run_id": "run-z", "rule": HOSTILE, "detail": HOSTILE, "findings": (finding,)}
        await ledger.record_decisions(
            [decision(tick_ms(21), Outcome.REFUSED, symbol=each, **shared) for each in ("BTCUSDT", HOSTILE_SYMBOL)]
        )

    change(path, write)
    for address in ("/signals", "/signals?symbol=%3Cscript%3Ealert(1)%3C/script%3E", "/signals/BTCUSDT"):
        page = day.reader.get(address)
        assert page.status == 200
        assert HOSTILE not in page.text
        assert HOSTILE.upper() not in page.text
        assert HOSTILE_SYMBOL not in page.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page.text
    link = day.reader.get("/signals/parts/latest").text.partition("%22%3E%3Cimg")[2]
    assert link, "the symbol's own page is linked by its address"


def test_without_a_ledger_the_page_says_so(tmp_path):
    with served(tmp_path) as dashboard:
        page = dashboard.trader().get("/signals")
        assert page.status == 200
        assert "no ledger" in page.words.lower()


def test_the_page_is_pushed_anew_when_the_ledger_changes(own):
    path, day = own
    address = "/signals/parts/latest"
    with day.reader.live() as tab:
        tab.send(json.dumps({"watch": [{"url": address, "on": "ledger"}]}))
        first = received(tab, address)
        change(path, lambda ledger: ledger.record_decisions([decision(tick_ms(30), cycle=50, detail="RSI 51")]))
        assert "RSI 51" in received(tab, address)
        assert "RSI 51" not in first


def received(tab, address: str) -> str:
    while True:
        message = json.loads(tab.recv(timeout=10))
        if message.get("url") == address:
            return message["html"]
