"""A decision in the ledger: what it was made on is packed, which nobody who reads it notices."""

import sqlite3
from contextlib import closing
from decimal import Decimal

from binance_trade_agent.domain.candles import MINUTE_MS, Candle
from binance_trade_agent.domain.decisions import Outcome
from binance_trade_agent.domain.signals import Action
from binance_trade_agent.ledger import queries
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.ledger.rows import decision_columns, decision_row
from binance_trade_agent.ledger.verify import sentences
from binance_trade_agent.limits import risk_settings
from binance_trade_agent.risk.policy import RiskPolicy
from binance_trade_agent.settings import Settings
from tests.ledger.bookkeeping import decision, signal, trading_ledger
from tests.risk.conftest import _context as context_of


def candles(first: str) -> tuple[Candle, ...]:
    open_ms = 1_795_824_480_000
    return tuple(
        Candle(
            open_ms + number * MINUTE_MS,
            open_ms + (number + 1) * MINUTE_MS - 1,
            *(Decimal(first) + Decimal(step) / 1000 for step in (3, 17, -9, number)),
            Decimal("1353.605") * (number + 1),
        )
        for number in range(3)
    )


def refused():
    """What the settings that nobody changed make of an entry when five positions are open."""
    policy = RiskPolicy(risk_settings(Settings()))
    context = context_of(Action.BUY, bid="64844.86", ask="64846.18", open_positions=5, book_age_ms=51)
    judged = policy.judge(context)
    assert judged.refusal is not None
    return decision(
        signal=signal(),
        outcome=Outcome.REFUSED,
        rule=judged.refusal.rule,
        detail=judged.refusal.detail,
        findings=judged.findings,
        candles=candles("64846.18"),
    )


def bytes_of(made) -> tuple[int, int]:
    """Of what a decision was made on: as text, and as it is written."""
    texts = decision_columns(made)
    row = decision_row(made)
    assert [row[name] for name in ("findings_json", "indicators_json", "candles_json")] == [None] * 3
    return sum(len(texts[name] or "") for name in ("findings_json", "indicators_json", "candles_json")), len(
        row["packed"]
    )


def test_a_refusal_takes_an_eighth_and_a_hold_half_of_the_text():
    """Where the rules' texts have moved on and this fails, a dictionary with the texts of now is due (packing.py)."""
    text, written = bytes_of(refused())
    assert text > 3_500
    assert written < text / 8
    text, written = bytes_of(decision(signal=signal(Action.HOLD), candles=candles("3.812")))
    assert written < text / 2


async def test_it_reads_as_it_was_made(tmp_path):
    path, made = tmp_path / "ledger.sqlite3", refused()
    async with trading_ledger(path) as ledger:
        await ledger.record_decisions([made])
    with LedgerReader.open(path) as reader:
        assert reader.snapshot(lambda connection: queries.decisions(connection, "run-a")) == [made]
        assert reader.snapshot(lambda connection: queries.last_entry_review(connection, "run-a", "BTCUSDT")) == made


async def test_one_of_before_is_read_beside_those_of_now(tmp_path):
    path, made = tmp_path / "ledger.sqlite3", refused()
    async with trading_ledger(path) as ledger:
        await ledger.record_decisions([made, decision(2_000)])
    texts = decision_columns(made)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(
            "UPDATE decisions SET packed = NULL, findings_json = ?, indicators_json = ?, candles_json = ?"
            " WHERE tick_ms = 1000",
            [texts[name] for name in ("findings_json", "indicators_json", "candles_json")],
        )
    with LedgerReader.open(path) as reader:
        found = reader.snapshot(lambda connection: queries.decisions(connection, "run-a"))
        assert found == [decision(2_000), made]
        assert reader.snapshot(lambda connection: queries.last_entry_review(connection, "run-a", "BTCUSDT")) == made
        assert reader.snapshot(lambda connection: list(sentences(connection))) == []


async def test_verifying_finds_one_that_the_disk_has_changed(tmp_path):
    path = tmp_path / "ledger.sqlite3"
    async with trading_ledger(path) as ledger:
        await ledger.record_decisions([refused()])
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        (packed,) = connection.execute("SELECT packed FROM decisions").fetchone()
        connection.execute("UPDATE decisions SET packed = ?", (packed[:-1] + bytes([packed[-1] ^ 1]),))
    with LedgerReader.open(path) as reader:
        (found,) = reader.snapshot(lambda connection: list(sentences(connection)))
    assert found.startswith("decision on BTCUSDT at 1000 of run run-a: what a decision was made on is damaged")
