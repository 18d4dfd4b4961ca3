"""A decision that says what the symbol's last one says is counted with that one and not written again."""

from binance_trade_agent.domain.candles import MINUTE_MS
from binance_trade_agent.domain.decisions import Outcome
from binance_trade_agent.domain.signals import Action
from binance_trade_agent.domain.values import replace
from binance_trade_agent.ledger import queries
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.ledger.repeats import Repeats
from binance_trade_agent.reports import decision_pages, why_text
from binance_trade_agent.reports.decision_pages import Filters
from binance_trade_agent.reports.idle import idle
from binance_trade_agent.reports.session import session_report
from binance_trade_agent.reports.why import explain_at
from tests.ledger.bookkeeping import decision, signal, trading_ledger

HOLD = signal(Action.HOLD)
BUY = signal(Action.BUY)


def held(tick: int, said=HOLD, **changes):
    return decision(1_000 * tick, signal=said, cycle=tick, **changes)


def refused(tick: int, rule: str, said=BUY):
    return held(tick, said, outcome=Outcome.REFUSED, rule=rule)


def kept(ticks, has_position=()):
    """The ticks whose decisions are written, one after the other."""
    repeats, written = Repeats(), []
    for made in ticks:
        new, again = repeats.sorted_out([made], has_position)
        assert len(new) + len(again) == 1
        repeats.note(new)
        written += [each.tick_ms // 1_000 for each in new]
    return written


def test_the_same_about_the_same_candle_is_not_written_again():
    assert kept([held(1), held(2), held(3, signal(Action.HOLD)), held(4)]) == [1]


def test_what_is_new_is_written():
    next_candle = replace(HOLD, candle_open_ms=HOLD.candle_open_ms + MINUTE_MS)
    assert kept([held(1), held(2, next_candle), held(3, next_candle)]) == [1, 2]
    assert kept([refused(1, "spread"), refused(2, "spread"), refused(3, "drawdown"), refused(4, "spread")]) == [1, 3, 4]
    assert kept([held(1), held(2, outcome=Outcome.SKIPPED), held(3, outcome=Outcome.SKIPPED), held(4)]) == [1, 2, 4]
    assert kept([held(1), held(2, run_id="run-b")]) == [1, 2]


def test_orders_failures_and_positions_are_written_each_time():
    for outcome in set(Outcome) - {Outcome.HELD, Outcome.SKIPPED, Outcome.REFUSED}:
        assert kept([held(tick, outcome=outcome) for tick in (1, 2, 3)]) == [1, 2, 3]
    assert kept([held(tick, said=None) for tick in (1, 2, 3)]) == [1, 2, 3]
    assert kept([held(tick) for tick in (1, 2, 3)], has_position={"BTCUSDT"}) == [1, 2, 3]


def test_it_is_written_anew_after_a_quarter_of_an_hour():
    quarter = 15 * 60
    assert kept([held(1), held(quarter), held(quarter + 1), held(quarter + 2)]) == [1, quarter + 1]


def test_after_a_trade_all_is_written_anew_once_there_was_none_for_two_minutes():
    repeats, written = Repeats(), []
    trades = {10, 20, 100, 400}  # before these seconds' decisions
    for second in range(1, 541):
        if second in trades:
            repeats.forget()
        new, _ = repeats.sorted_out([held(second)], ())
        repeats.note(new)
        written += [each.tick_ms // 1_000 for each in new]
    assert written == [1, 100 + 120, 400 + 120]


async def test_reports_count_it_and_say_since_when_and_until_when(tmp_path):
    path, repeats = tmp_path / "ledger.sqlite3", Repeats()
    ticks = [held(1), held(2), held(3), refused(4, "spread"), refused(5, "spread")]
    async with trading_ledger(path) as ledger:
        for made in ticks:
            new, again = repeats.sorted_out([made], ())
            await ledger.record_decisions(new, again)
            repeats.note(new)
        await ledger.end_run("run-a", 9_000, 9_000, "over")
    with LedgerReader.open(path) as reader:
        assert [each.tick_ms for each in reader.snapshot(lambda c: queries.decisions(c, "run-a"))] == [4_000, 1_000]
        assert reader.snapshot(lambda c: queries.decided_ticks(c, "run-a", "BTCUSDT")) == (1_000, 5_000)
        explained = explain_at(reader, "BTCUSDT", "1970-01-01T00:00:03Z")
        assert (explained.decision.tick_ms, explained.decision.again, explained.decision.again_ms) == (1_000, 2, 3_000)
        text = "\n".join(why_text.lines(explained))
        assert "  the same at 2 later ticks, the last at 1970-01-01 00:00:03" in text
        report = session_report(reader, "run-a")
        assert (report.cycles, report.decisions) == (5, {"BTCUSDT": {"HELD": 3, "REFUSED": 2}})
        tally = reader.snapshot(lambda c: decision_pages.tally(c, Filters()))
        assert (tally.decisions, tally.outcomes, tally.rules) == (5, {"HELD": 3, "REFUSED": 2}, {"spread": 2})
        found = reader.snapshot(idle)
        assert (found.decisions, found.outcomes, found.now_ms) == (5, {"HELD": 3, "REFUSED": 2}, 5_000)
        assert [count.times for count in found.reasons] == [3, 2]
        page = reader.snapshot(lambda c: decision_pages.decision_page(c, Filters(rule="spread")))
        assert [(row.tick_ms, row.again) for row in page.rows] == [(4_000, 1)]
