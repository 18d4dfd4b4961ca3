"""After a session, and while one runs, every decision and every order can be explained from the ledger."""

import json
from decimal import Decimal
from pathlib import Path

import pytest
import pytest_asyncio

from binance_trade_agent.domain.decisions import Outcome
from binance_trade_agent.domain.signals import Action
from binance_trade_agent.domain.wording import iso_utc
from binance_trade_agent.ledger import queries
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.reports import latest, why, why_text
from tests.exchange_process import running_exchange
from tests.sessions.command import trade_agent
from tests.sessions.daemon_process import EAGER, daemon, session

pytestmark = pytest.mark.slow

SYMBOLS = ("BTCUSDT", "ETHUSDT")
# What the session is run with, in all, so that `risk` can be given the same.
SETTINGS = {
    **EAGER,
    "RISK_COOLDOWN_SECONDS": "60",
    "RISK_STOP_LOSS_PCT": "2",
    "RISK_TAKE_PROFIT_PCT": "4",
    "TRADING_DURATION_MINUTES": "40",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def folder(tmp_path_factory):
    """Of a session that is over; nothing here changes it."""
    folder = tmp_path_factory.mktemp("session")
    await session(folder, **SETTINGS)
    return folder


def decisions_and_orders(folder: Path):
    with LedgerReader.open(folder / "ledger.db") as reader:
        return reader.snapshot(
            lambda connection: (
                [each for run in queries.runs(connection) for each in queries.decisions(connection, run.run_id)],
                queries.orders(connection),
            )
        )


async def test_every_decision_of_a_session_says_what_was_seen_and_what_each_rule_found(folder):
    decisions, _ = decisions_and_orders(folder)
    assert {each.outcome for each in decisions} >= {Outcome.HELD, Outcome.EXECUTED}
    with LedgerReader.open(folder / "ledger.db") as reader:
        for decision in decisions:
            found = why.explain_at(reader, decision.symbol, iso_utc(decision.tick_ms))
            assert found.decision == decision
            text = "\n".join(why_text.lines(found))
            assert decision.detail in text
            if decision.bid is not None:
                assert 0 < len(decision.candles) <= decision.candle_count
                assert decision.candles[-1].open_time_ms == decision.signal.candle_open_ms
                assert f"{decision.candle_count} closed candles of 1m" in text
            if decision.signal and decision.signal.action is Action.BUY:
                refused = [finding for finding in decision.findings if not finding.allows]
                assert len(decision.findings) > 20  # every rule was asked
                assert (decision.outcome is Outcome.REFUSED) == bool(refused)
                assert all(f"REFUSED  {finding.rule}" in text for finding in refused)
                assert decision.rule == (refused[0].rule if refused else None)


async def test_every_order_of_a_session_leads_back_to_its_decision_or_to_what_it_protected(folder):
    _, orders = decisions_and_orders(folder)
    protective = 0
    with LedgerReader.open(folder / "ledger.db") as reader:
        for order in (entry.order for entry in orders):
            found = why.explain_order(reader, order.symbol, order.client_order_id)
            assert found.order.order == order
            assert found.order.events[-1].state == order.state
            if order.role.is_protective:
                protective += 1
                assert found.decision is None
                assert found.entry.decision.client_order_id == found.order.entry_id
                assert order.client_order_id in {sale.order.client_order_id for sale in found.entry.sales}
            elif found.decision is not None:
                assert found.decision.client_order_id == order.client_order_id
            else:
                assert order.exit is not None
            assert order.client_order_id in "\n".join(why_text.lines(found))
    assert protective > 0


async def test_the_latest_decisions_are_counted_by_why_they_ordered_nothing(folder):
    decisions, _ = decisions_and_orders(folder)
    with LedgerReader.open(folder / "ledger.db") as reader:
        found = {symbol: latest.latest(reader, symbol, len(decisions)) for symbol in SYMBOLS}
    assert sum(len(each.decisions) for each in found.values()) == len(decisions)
    held = sum(each.outcome is Outcome.HELD for each in decisions)
    assert sum(count.times for each in found.values() for count in each.counts if count.outcome == "HELD") == held
    assert all(len(each.counts) < len(each.decisions) for each in found.values())


async def test_limits_after_a_session_are_as_its_last_entry_on_trial_found_them(folder):
    said = await trade_agent(folder, "risk", "--json", **SETTINGS)
    assert said.code == 0, said.err
    document = json.loads(said.out)
    assert (document["is_running"], document["differing"]) == (False, {})
    decisions, _ = decisions_and_orders(folder)
    for shown in document["symbols"]:
        entries = [each for each in decisions if each.symbol == shown["symbol"] and each.findings and each.exit is None]
        last = max(entries, key=lambda each: each.tick_ms)
        found = {finding.rule: finding for finding in last.findings}
        for name in ("price_deviation", "volatility", "min_confidence", "max_order", "slippage"):
            (limit,) = [limit for limit in shown["seen"] if limit["name"] == name]
            assert limit["seen_ms"] == last.tick_ms
            assert (Decimal(limit["value"]), limit["detail"]) == (found[name].value, found[name].detail)


async def test_both_commands_answer_while_the_trader_runs(tmp_path):
    never = {"STRATEGY_NAME": "rsi_momentum", "STRATEGY_PARAMS": "rsi_oversold=1"}  # an entry would change the answer
    async with (
        running_exchange(speed=None) as exchange,
        daemon(tmp_path, SIMULATION_SPEED="60", TRADING_DURATION_MINUTES="0", **exchange.urls, **never) as running,
    ):
        await running.until_logged("Trading Cycle #2")
        explained = await trade_agent(tmp_path, "why", "BTCUSDT")
        limits = await trade_agent(tmp_path, "risk")
        assert running.process.returncode is None
    assert explained.code == 0, explained.err
    assert explained.out.startswith("BTCUSDT, the last decision: the tick at 2026-01-05 00:")
    assert limits.code == 0, limits.err
    assert limits.out.startswith("Entries are allowed now on BTCUSDT ETHUSDT.\n")
