"""Why it has not traded: counts since the last trade, in a sentence, and how often the log says it."""

import logging
from decimal import Decimal

import pytest

from binance_trade_agent.control import commands
from binance_trade_agent.control.commands import CommandKind
from binance_trade_agent.domain.decisions import Outcome
from binance_trade_agent.domain.values import as_dict
from binance_trade_agent.ledger.ledger import Ledger
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.reports.idle import Idle, IdleTalk, idle
from binance_trade_agent.reports.status import lines, status
from tests.ledger.bookkeeping import BTCUSDT, OPENING, decision, fill, place, report, run_record, trading_ledger

MINUTE_MS = 60_000


def found(path, **most) -> Idle:
    with LedgerReader.open(path) as reader:
        return reader.snapshot(lambda connection: idle(connection, **most))


def refused(tick_ms: int, rule: str) -> object:
    return decision(tick_ms, Outcome.REFUSED, rule=rule, detail=f"{rule} after {tick_ms} ms")


async def trade(ledger: Ledger, at_ms: int) -> None:
    await place(ledger, tick_ms=at_ms)
    bought = fill(quantity=Decimal("0.002"), quote_quantity=Decimal(120), traded_ms=at_ms)
    await ledger.apply_report(report("FILLED", "0.002", bought), **BTCUSDT)


async def test_what_came_since_the_last_trade_is_counted(tmp_path):
    async with trading_ledger(tmp_path / "ledger.db") as ledger:
        await ledger.record_decisions([decision(1_000), refused(1_500, "spread")])
        await trade(ledger, 2_000)
        await ledger.record_decisions(
            [
                decision(62_000, detail="RSI 48.1 between 30 and 70"),
                decision(122_000, detail="RSI 51 between 30 and 70"),
                refused(182_000, "cooldown"),
                refused(242_000, "cooldown"),
                refused(302_000, "spread"),
                decision(362_000, Outcome.UNKNOWN),
            ]
        )
    seen = found(tmp_path / "ledger.db")
    assert str(seen) == (
        "No trade for 6 min, since BUY 0.002 BTCUSDT at 60,000, 1970-01-01 00:00:02 UTC: of 6 decisions 3 were refused "
        "(cooldown 2, spread 1), 2 said HOLD, 1 has an order of unknown outcome; most often: RSI … between 30 and 70 (2 times)."
    )
    assert (seen.outcomes, seen.rules) == ({"REFUSED": 3, "HELD": 2, "UNKNOWN": 1}, {"cooldown": 2, "spread": 1})
    assert as_dict(seen)["last_fill"]["traded_ms"] == 2_000


async def test_in_a_few_words_it_is_the_commonest_answer_and_the_rule_that_refuses_most(tmp_path):
    async with trading_ledger(tmp_path / "ledger.db") as ledger:
        await trade(ledger, 2_000)
        await ledger.record_decisions([decision(62_000, detail="score +0.1 within ±0.15: rsi HOLD, macd HOLD")])
        assert (await ledger.read(idle)).brief == "", "a minute without a trade is nothing to speak of"
        await ledger.record_decisions([refused(tick, "cooldown") for tick in (10_000_000, 10_060_000)])
        assert (await ledger.read(idle)).brief == (
            "No trade for 2 h 47 min: 1 × score +0.1 within ±0.15, 2 × limit cooldown"
        )


async def test_in_a_few_words_without_either_it_is_how_most_ended(tmp_path):
    async with trading_ledger(tmp_path / "ledger.db") as ledger:
        await ledger.record_decisions([decision(tick, Outcome.NO_DATA) for tick in (3_600_000, 7_209_000)])
        assert (await ledger.read(idle)).brief == "No trade for 2 h 0 min: 2 had no sound data"


async def test_runs_before_the_last_trade_are_not_gone_through(tmp_path):
    async with trading_ledger(tmp_path / "ledger.db") as ledger:
        await ledger.record_decisions([decision(1_500)])
        for number in range(3):
            await ledger.begin_run(run_record(f"run-{number}", started_ms=10_000 + number))
        await trade(ledger, 10_001)
        await ledger.record_decisions([decision(20_000, run_id="run-2")])
        statements: list[str] = []

        def traced(connection):
            connection.set_trace_callback(statements.append)
            try:
                return idle(connection)
            finally:
                connection.set_trace_callback(None)

        assert (await ledger.read(traced)).decisions == 1
    assert sum("FROM decisions" in statement for statement in statements) == 2, (
        "run-2, and run-1, which began before it"
    )


async def test_where_nothing_was_ever_traded_the_epoch_counts(tmp_path):
    async with trading_ledger(tmp_path / "ledger.db") as ledger:
        assert str(await ledger.read(idle)) == "Nothing was decided or traded yet."
        await ledger.record_decisions([decision(60_500)])
    assert str(found(tmp_path / "ledger.db")).startswith(
        "No trade for 1 min, and none before in this epoch: of 1 decision 1 said HOLD; most often: RSI 48.1"
    )
    assert str(found(tmp_path / "ledger.db")).endswith("(once).")


async def test_runs_of_an_earlier_epoch_do_not_count(tmp_path):
    async with trading_ledger(tmp_path / "ledger.db") as ledger:
        await ledger.record_decisions([decision(tick) for tick in range(1_000, 1_010)])
        await ledger.open_epoch(600, "the exchange was reset", OPENING)  # its time began anew
        for name in ("run-b", "run-c"):
            await ledger.begin_run(run_record(name))
        await ledger.record_decisions([decision(700, run_id="run-b"), decision(800, run_id="run-c")])
        seen = await ledger.read(idle)
    assert seen.since_ms == 600
    assert (
        seen.decisions == 12
    )  # the epoch may have begun in the middle of run-a, whose later ticks are taken to be its own


async def test_of_many_decisions_the_newest_are_counted_and_it_says_so(tmp_path):
    async with trading_ledger(tmp_path / "ledger.db") as ledger:
        await ledger.record_decisions([decision(1_000 + tick) for tick in range(30)])
    seen = found(tmp_path / "ledger.db", most=10)
    assert (seen.decisions, seen.is_cut) == (10, True)
    assert "of the newest 10 decisions 10 said HOLD" in str(seen)


async def test_what_keeps_entries_away_is_the_second_sentence_and_status_says_it_once(tmp_path):
    path = tmp_path / "ledger.db"
    async with trading_ledger(path) as ledger:
        await ledger.record_decisions([decision(2_000)])
        commands.place(path, CommandKind.KILL, requested_by="cli", requested_wall_ms=1)
        await ledger.raise_alarm("keys", "", "the keys are refused", 1_000, blocks=True)
    assert str(found(path)).endswith(
        " Entries are kept away now: the kill switch is on until `trade-agent release NAME`; keys: the keys are refused."
    )
    with LedgerReader.open(path) as reader:
        said = list(lines(status(reader, None, is_running=False)))
    assert f"Why no trade: {found(path).counted}" in said
    assert sum("the kill switch is on" in line.lower() for line in said) == 1


class TestTheLog:
    @pytest.fixture
    async def ledger(self, tmp_path):
        async with trading_ledger(tmp_path / "ledger.db") as ledger:
            yield ledger

    async def ticks(self, ledger: Ledger, talk: IdleTalk, minutes: range) -> None:
        for minute in minutes:
            await ledger.record_decisions([decision(minute * MINUTE_MS)])
            await talk.look(minute * MINUTE_MS)

    async def test_it_is_said_after_half_an_hour_and_then_hourly(self, ledger, caplog):
        caplog.set_level(logging.INFO)
        await self.ticks(ledger, IdleTalk(ledger), range(1, 160))
        said = [record.getMessage().partition(",")[0] for record in caplog.records if "No trade" in record.getMessage()]
        assert said == ["No trade for 30 min", "No trade for 1 h 30 min", "No trade for 2 h 30 min"]

    async def test_while_it_trades_nothing_is_said(self, ledger, caplog):
        caplog.set_level(logging.INFO)
        talk = IdleTalk(ledger)
        await self.ticks(ledger, talk, range(1, 20))
        await trade(ledger, 20 * MINUTE_MS)
        await self.ticks(ledger, talk, range(21, 50))
        assert "No trade" not in caplog.text
        await self.ticks(ledger, talk, range(50, 51))
        assert "No trade for 30 min" in caplog.text
