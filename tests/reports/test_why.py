import json
from decimal import Decimal

import pytest

from binance_trade_agent.domain.decisions import Outcome
from binance_trade_agent.domain.exits import ExitKind
from binance_trade_agent.domain.strategy_choice import StrategyChoice
from binance_trade_agent.ledger import strategy_changes
from binance_trade_agent.ledger.ledger import Ledger
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.ledger.strategy_changes import StrategyChange
from binance_trade_agent.reports import latest, why, why_text
from tests.ledger.bookkeeping import decision, place, run_record
from tests.reports.explained_day import (
    COOLDOWN_PASSED,
    HELD,
    HOLD_REASONS,
    SOLD,
    STOP,
    TARGET,
    TOO_WIDE,
    enter,
    tick_ms,
    write_explained_day,
)


@pytest.fixture
async def path(tmp_path):
    path = tmp_path / "ledger.sqlite3"
    await write_explained_day(path)
    return path


@pytest.fixture
def reader(path):
    with LedgerReader.open(path) as opened:
        yield opened


def text_of(found):
    return "\n".join(why_text.lines(found))


class TestTheDecisionThatIsTaken:
    def test_without_a_time_it_is_the_last_one(self, reader):
        found = why.explain_last(reader, "BTCUSDT")
        assert found.decision.tick_ms == tick_ms(7)
        assert "the last decision: the tick at 2024-08-05 14:37:00 UTC, no later one" in found.taken

    @pytest.mark.parametrize(
        ("asked", "minute"),
        [
            ("14:32", 2),
            ("14:32:00", 2),
            ("14:31:59", 1),
            ("14:33", 2),  # nothing was decided at 14:33
            ("23:59", 7),
            ("2024-08-05T14:31", 1),
            ("2024-08-05T16:31+02:00", 1),
            ("2024-08-06", 7),
        ],
    )
    def test_a_time_takes_the_tick_at_or_before_it(self, reader, asked, minute):
        assert why.explain_at(reader, "BTCUSDT", asked).decision.tick_ms == tick_ms(minute)

    def test_it_is_said_which_tick_was_taken_and_which_comes_next(self, reader):
        found = why.explain_at(reader, "BTCUSDT", "14:33")
        assert found.taken == (
            "the latest tick up to 2024-08-05 14:33:00: the tick at 2024-08-05 14:32:00 UTC, "
            "the next one at 2024-08-05 14:34:00"
        )

    @pytest.mark.parametrize(
        ("asked", "sentence"),
        [
            (
                "14:29",
                "up to 2024-08-05 14:29:00 UTC: the first tick was at 2024-08-05 14:30:00, the last at .*14:37:00",
            ),
            ("25:00", "'25:00' is not a time of day"),
            ("noon", "'noon' is not a time; write 14:38, 14:38:20 or 2024-08-05T14:37"),
        ],
    )
    def test_a_time_without_a_tick_is_told_with_what_there_is(self, reader, asked, sentence):
        with pytest.raises(ValueError, match=sentence):
            why.explain_at(reader, "BTCUSDT", asked)

    def test_a_symbol_that_was_never_traded_is_told_with_the_nearest(self, reader):
        with pytest.raises(ValueError, match="no symbol 'BTCUSD', only BTCUSDT, ETHUSDT; did you mean BTCUSDT"):
            why.explain_last(reader, "BTCUSD")

    def test_a_symbol_on_which_nothing_was_decided_yet_says_so(self, reader):
        with pytest.raises(ValueError, match="nothing has been decided on ETHUSDT yet"):
            why.explain_last(reader, "ETHUSDT")

    async def test_the_newest_run_is_the_last_though_its_market_begins_earlier(self, path):
        """Another simulated market is another epoch, and may begin at an earlier time."""
        async with await Ledger.open(path) as ledger:
            await ledger.open_epoch(1_000, "another market", {"USDT": Decimal(5)})
            await ledger.begin_run(run_record("run-b"))
            await ledger.record_decisions([decision(60_000, run_id="run-b")])
        with LedgerReader.open(path) as reader:
            assert why.explain_last(reader, "BTCUSDT").decision.run_id == "run-b"
            assert why.explain_at(reader, "BTCUSDT", "00:05").decision.run_id == "run-b"
            with pytest.raises(ValueError, match="first tick was at 1970-01-01 00:01:00, the last at 1970-01-01 00:01"):
                why.explain_at(reader, "BTCUSDT", "00:00:10")


class TestADecision:
    def test_a_refusal_shows_every_rule_with_its_numbers(self, reader):
        found = why.explain_at(reader, "BTCUSDT", "14:31")
        assert found.decision.findings == (COOLDOWN_PASSED, TOO_WIDE)
        assert (found.order, found.sales) == (None, [])
        text = text_of(found)
        assert "REFUSED by spread: the spread is 0.8 %, at most 0.5 % allowed (RISK_MAX_SPREAD_PCT)" in text
        rules = text.partition("Rules, in the order in which they were asked\n")[2].splitlines()
        assert rules == [
            "  verdict  rule      value  limit",
            "  allowed  cooldown                no entry yet (RISK_COOLDOWN_SECONDS)",
            "  REFUSED  spread    0.8 %  0.5 %  the spread is 0.8 %, at most 0.5 % allowed (RISK_MAX_SPREAD_PCT)",
        ]

    def test_the_market_that_was_seen_is_shown(self, reader):
        text = text_of(why.explain_at(reader, "BTCUSDT", "14:31"))
        assert "500 closed candles of 1m, the last 1:" in text
        assert "2024-08-05 14:30:00  60,010  60,020.5  59,990  60,000.1  12.345" in text
        assert "the last candle was 1.5 s old, the book was 0.02 s old" in text
        assert "bid 59,999.9, ask 60,000.1" in text

    def test_the_signal_is_shown_with_its_indicators_and_parameters(self, reader):
        found = why.explain_at(reader, "BTCUSDT", "14:32")
        assert (found.strategy.name, found.strategy.params) == ("rsi_momentum", {"rsi_period": "10"})
        text = text_of(found)
        assert "strategy  rsi_momentum by the settings of the run, rsi_period=10" in text
        assert "signal    BUY, confidence 0.62" in text
        assert "reason    RSI 27.4 < 30" in text
        assert "rsi       27.4" in text

    @pytest.mark.parametrize(
        ("asked", "outcome", "sentence"),
        [
            ("14:35", Outcome.NO_DATA, "NO_DATA: the last closed 1m candle is 130 s old"),
            ("14:36", Outcome.FAILED, "FAILED: strategy rsi_momentum raised ZeroDivisionError"),
        ],
    )
    def test_one_that_saw_nothing_explains_itself_too(self, reader, asked, outcome, sentence):
        found = why.explain_at(reader, "BTCUSDT", asked)
        assert found.decision.outcome is outcome
        text = text_of(found)
        assert sentence in text
        assert "nothing of the market is recorded with it" in text
        assert "none: the strategy was not asked, or gave no sound answer" in text
        assert text.endswith("none was asked")

    def test_what_was_sold_before_the_next_one_is_told(self, reader):
        assert text_of(why.explain_at(reader, "BTCUSDT", "14:32")).endswith(
            "Sold without a decision, from this tick to the next\n"
            "  2024-08-05 14:32:30  stop_loss  0.00199 @ 58,790, realised -2.64 (bta-BTCUSDT-stop)"
        )
        assert all(why.explain_at(reader, "BTCUSDT", at).sold_meanwhile == [] for at in ("14:31", "14:34"))

    async def test_a_refusal_from_before_findings_were_kept_names_its_rule(self, path):
        async with await Ledger.open(path) as ledger:
            await ledger.record_decisions(
                [decision(tick_ms(8), Outcome.REFUSED, rule="pause", detail="entries are paused")]
            )
        with LedgerReader.open(path) as reader:
            assert text_of(why.explain_last(reader, "BTCUSDT")).endswith("REFUSED  pause  entries are paused")

    async def test_an_order_from_before_findings_were_kept_does_not_say_that_no_rule_was_asked(self, path):
        async with await Ledger.open(path) as ledger:
            await ledger.record_decisions([decision(tick_ms(8), Outcome.ORDERED, client_order_id="bta-old")])
        with LedgerReader.open(path) as reader:
            text = text_of(why.explain_last(reader, "BTCUSDT"))
        assert "what they found was not kept then" in text
        assert "none was asked" not in text

    async def test_a_strategy_that_was_changed_while_it_ran_is_told_with_who_asked(self, path):
        change = StrategyChange(
            "run-a",
            tick_ms(2),
            "dashboard",
            StrategyChoice("macd_crossover", {"macd_fast": "8", "ETHUSDT.macd_fast": "9"}),
            StrategyChoice("rsi_momentum"),
        )
        async with await Ledger.open(path) as ledger:
            await ledger.write(lambda connection: strategy_changes.record(connection, change))
        with LedgerReader.open(path) as reader:
            before, after = (why.explain_at(reader, "BTCUSDT", time).strategy for time in ("14:31", "14:32"))
        assert (before.name, before.origin) == ("rsi_momentum", "by the settings of the run")
        assert (after.name, after.params) == ("macd_crossover", {"macd_fast": "8"})
        assert after.origin == "by dashboard since 2024-08-05 14:32:00 UTC"


class TestAnOrder:
    @pytest.mark.parametrize("name", [SOLD, "bta-BTCUSDT-f", "41"])
    def test_it_is_found_by_its_id_a_beginning_or_the_exchanges_number(self, reader, name):
        found = why.explain_order(reader, "BTCUSDT", name)
        assert found.order.order.client_order_id == SOLD
        assert found.decision.tick_ms == tick_ms(2)

    def test_it_has_its_life_and_its_fills_with_fees(self, reader):
        story = why.explain_order(reader, "BTCUSDT", SOLD).order
        assert [event.state for event in story.events] == ["INTENT", "SENT", "FILLED"]
        assert (story.trade.price, story.trade.fees) == (Decimal(60_000), {"BTC": Decimal("0.000002")})
        assert story.trade.realised_pnl_quote is None

    def test_an_entry_shows_what_protected_it_and_what_it_came_to(self, reader):
        found = why.explain_order(reader, "BTCUSDT", SOLD)
        assert {sale.order.client_order_id for sale in found.sales} == {STOP, TARGET}
        stop = next(sale for sale in found.sales if sale.order.client_order_id == STOP)
        # 116.9921 - 0.1169921 for what cost 120 * 0.00199 / 0.001998
        assert stop.trade.realised_pnl_quote == Decimal("-2.64441162")
        text = text_of(found)
        assert "STOP_LOSS     0.00199  stop 58,800   FILLED   0.00199     -2.64  stop_loss  bta-BTCUSDT-stop" in text
        assert "TAKE_PROFIT   0.00199  limit 62,400  EXPIRED        0" in text
        assert "are held now" not in text

    def test_an_entry_that_nothing_protects_says_so_and_what_is_held(self, reader):
        found = why.explain_order(reader, "BTCUSDT", HELD)
        assert found.held_base == Decimal("0.002006")  # 0.000008 of it is dust of the position before
        assert text_of(found).endswith("  0.002006 are held now\n  no order so far")

    async def test_an_entry_that_was_not_sold_before_the_next_says_which_added_to_it(self, path):
        async with await Ledger.open(path) as ledger:
            await enter(ledger, 9, "bta-BTCUSDT-third", trade_id=4, price="57000")
        with LedgerReader.open(path) as reader:
            first, second, third = (
                why.explain_order(reader, "BTCUSDT", name) for name in (SOLD, HELD, "bta-BTCUSDT-third")
            )
        assert (first.added_by, second.added_by, third.added_by) == (None, "bta-BTCUSDT-third", None)
        assert (first.held_base, second.held_base, third.held_base) == (None, None, Decimal("0.004004"))
        assert "  not sold before bta-BTCUSDT-third added to it" in text_of(second)

    def test_a_protective_order_leads_back_to_the_entry_and_its_decision(self, reader):
        found = why.explain_order(reader, "BTCUSDT", STOP)
        assert found.decision is None
        assert found.order.entry_id == SOLD
        assert found.entry.decision.tick_ms == tick_ms(2)
        text = text_of(found)
        assert "No decision led to it: it was placed between ticks" in text
        assert "It closed the position because of stop_loss: protects the position, stop 58800" in text
        assert "BTCUSDT, the order bta-BTCUSDT-first: the tick at 2024-08-05 14:32:00 UTC" in text

    def test_one_that_sold_nothing_was_to_close_the_position(self, reader):
        assert "It was to close the position because of take_profit" in text_of(
            why.explain_order(reader, "BTCUSDT", TARGET)
        )

    @pytest.mark.parametrize(
        ("name", "sentence"),
        [
            ("bta-", "4 orders on BTCUSDT begin with 'bta-': .*; write more of it"),
            ("bta-BTCUSDT-stpo", "BTCUSDT has no order 'bta-BTCUSDT-stpo'; the nearest is bta-BTCUSDT-stop"),
            ("4711", "BTCUSDT has no order '4711'; its latest is bta-BTCUSDT-second"),
            ("", "4 orders on BTCUSDT begin with ''"),
        ],
    )
    def test_one_that_is_not_there_is_told_with_the_nearest(self, reader, name, sentence):
        with pytest.raises(ValueError, match=sentence):
            why.explain_order(reader, "BTCUSDT", name)

    async def test_one_on_another_symbol_is_told_with_its_symbol(self, path):
        async with await Ledger.open(path) as ledger:
            await place(ledger, "bta-ETHUSDT-1", symbol="ETHUSDT", tick_ms=tick_ms(8))
        with LedgerReader.open(path) as reader, pytest.raises(ValueError, match="it is one on ETHUSDT"):
            why.explain_order(reader, "BTCUSDT", "bta-ETHUSDT-1")


class TestTheLatestDecisions:
    def test_they_are_the_last_ones_newest_last(self, reader):
        found = latest.latest(reader, "BTCUSDT", 3)
        assert [(line.tick_ms, line.outcome) for line in found.decisions] == [
            (tick_ms(5), "NO_DATA"),
            (tick_ms(6), "FAILED"),
            (tick_ms(7), "HELD"),
        ]

    def test_each_has_a_line_with_what_came_of_it(self, reader):
        lines = list(latest.lines(latest.latest(reader, "BTCUSDT", 20)))
        assert lines[0] == "The last 7 decisions on BTCUSDT, times UTC"
        assert lines[2].startswith("  2024-08-05 14:31:00  BUY   0.62  REFUSED   spread: the spread is 0.8 %")
        assert lines[3].startswith("  2024-08-05 14:32:00  BUY   0.62  EXECUTED  0.002 @ 60000 (bta-BTCUSDT-first)")

    def test_what_a_stop_sold_between_two_of_them_stands_in_its_place(self, reader):
        found = latest.latest(reader, "BTCUSDT", 20)
        assert list(latest.lines(found))[4] == (
            "  2024-08-05 14:32:30  -           SOLD      "
            "stop_loss: 0.00199 @ 58,790, realised -2.64 (bta-BTCUSDT-stop)"
        )
        assert [sale.order.client_order_id for sale in found.sales] == [STOP]
        assert latest.latest(reader, "BTCUSDT", 4).sales == [], "before the first of them"

    async def test_a_sale_that_the_signal_did_not_ask_for_says_that_it_is_an_exit(self, path):
        async with await Ledger.open(path) as ledger:
            sold = decision(tick_ms(9), Outcome.EXECUTED, exit=ExitKind.TIME_STOP, detail="0.002 @ 60000")
            await ledger.record_decisions([sold])
        with LedgerReader.open(path) as reader:
            lines = list(latest.lines(latest.latest(reader, "BTCUSDT", 1)))
        assert lines[0] == "The last decision on BTCUSDT, times UTC"
        assert lines[1].endswith("EXECUTED  exit because of time_stop: 0.002 @ 60000")

    def test_reasons_that_differ_in_a_number_are_counted_together(self, reader):
        found = latest.latest(reader, "BTCUSDT", 20)
        assert len(HOLD_REASONS) == 2
        assert (found.counts[0].outcome, found.counts[0].reason, found.counts[0].times) == (
            "HELD",
            "RSI … between 30 and 70",
            2,
        )
        assert sum(count.times for count in found.counts) == len(found.decisions)

    async def test_they_go_back_over_runs(self, path):
        async with await Ledger.open(path) as ledger:
            await ledger.begin_run(run_record("run-b", started_ms=tick_ms(8)))
            await ledger.record_decisions([decision(tick_ms(9), run_id="run-b")])
        with LedgerReader.open(path) as reader:
            found = latest.latest(reader, "BTCUSDT", 3)
        assert [line.run_id for line in found.decisions] == ["run-a", "run-a", "run-b"]

    def test_a_symbol_without_one_says_so(self, reader):
        found = latest.latest(reader, "ETHUSDT", 3)
        assert list(latest.lines(found)) == ["Nothing has been decided on ETHUSDT yet."]


def test_json_is_one_document_with_exact_amounts_as_strings(reader):
    document = json.loads(why.as_json(why.explain_order(reader, "BTCUSDT", STOP)))
    assert document["order"]["trade"]["realised_pnl_quote"] == "-2.64441162"
    assert document["entry"]["decision"]["findings"][1]["value"] == "0.01"
    assert document["entry"]["decision"]["candles"][0]["close"] == "60000.1"
    assert document["decision"] is None
    lines = json.loads(why.as_json(latest.latest(reader, "BTCUSDT", 2)))
    assert [line["outcome"] for line in lines["decisions"]] == ["FAILED", "HELD"]
