"""The log of many symbols: what is new has its line, the rest is counted, and nothing is lost."""

from binance_trade_agent.domain.decisions import Decision, Outcome
from binance_trade_agent.reports.decision_sums import DecisionSums, sums_line


def decision(symbol: int, outcome: Outcome, rule: str | None = None) -> Decision:
    return Decision("run", 1_000, 1, f"SIM{symbol}USDT", outcome, "", rule=rule)


def news(sums: DecisionSums, decisions: list[Decision]) -> list[str]:
    return [each.symbol for each in decisions if sums.is_news(each)]


def test_holds_are_counted():
    sums = DecisionSums()
    assert news(sums, [decision(n, Outcome.HELD) for n in range(500)]) == []
    assert news(sums, [decision(500, Outcome.SKIPPED)]) == []
    counted = sums.take()
    assert counted == {"HOLD": 500, "nothing to do": 1}
    assert sums_line(counted, "more of this tick") == "⏸️ 500 HOLD, 1 nothing to do (more of this tick)"
    assert sums.take() == {}


def test_what_came_of_an_order_has_its_line_each_time():
    sums = DecisionSums()
    for outcome in (Outcome.EXECUTED, Outcome.ORDERED, Outcome.REJECTED, Outcome.UNFILLED, Outcome.UNKNOWN):
        assert news(sums, [decision(1, outcome)] * 3) == ["SIM1USDT"] * 3
    assert sums.take() == {}


def test_refusals_and_failures_have_a_line_where_they_begin():
    sums = DecisionSums()
    for outcome, rule in ((Outcome.REFUSED, "spread"), (Outcome.REFUSED, "drawdown"), (Outcome.NO_DATA, None)):
        assert news(sums, [decision(1, outcome, rule)] * 3) == ["SIM1USDT"]
    assert sums.take() == {"refused by spread": 2, "refused by drawdown": 2, "no sound data": 2}
    assert news(sums, [decision(1, Outcome.HELD), decision(1, Outcome.NO_DATA)]) == ["SIM1USDT"]


def test_of_many_that_begin_at_once_a_few_have_a_line():
    sums = DecisionSums()
    assert news(sums, [decision(n, Outcome.NO_DATA) for n in range(500)]) == [f"SIM{n}USDT" for n in range(5)]
    assert sums.take() == {"no sound data": 495}
