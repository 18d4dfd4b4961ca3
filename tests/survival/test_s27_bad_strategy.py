"""S27: a strategy that raises, hangs or answers rubbish: its own symbol is suspended, the others go on, nothing is ordered."""

import threading

import numpy as np
import pytest

from binance_trade_agent.agents.signal import SignalAgent
from binance_trade_agent.domain.decisions import Outcome
from binance_trade_agent.domain.signals import Action, Signal
from binance_trade_agent.domain.values import replace
from binance_trade_agent.strategies.base import Strategy, Votes
from binance_trade_agent.strategies.params import StrategyParams
from tests.agents.desk import always
from tests.test_orchestrator import FAILURES_IN_A_ROW, TICKS_OF_REST, pipeline

SHORT_SECONDS = 0.2


class Wicked:
    """Buys both symbols; on BTCUSDT something else comes of it."""

    name = "wicked"

    def __init__(self, deed) -> None:
        self.deed = deed
        self.calls = 0

    def evaluate(self, symbol, candles):
        signal = Signal(symbol, self.name, Action.BUY, 0.5, "up", candles[-1].open_time_ms, {"rsi": 20.0})
        if symbol != "BTCUSDT":
            return signal
        self.calls += 1
        return self.deed(signal)


class Voting(Strategy[StrategyParams]):
    """A strategy as the guide has it, that votes as the test says."""

    name = "voting"
    Params = StrategyParams

    def __init__(self, direction: float, strength: float, indicator: float) -> None:
        super().__init__(StrategyParams())
        self._row = (direction, strength, indicator)

    @property
    def warm_up(self) -> int:
        return 300

    def vote(self, frame) -> Votes:
        direction, strength, indicator = (np.full(len(frame), value, dtype=float) for value in self._row)
        return Votes(direction, strength, {"band": indicator})

    def reason(self, row) -> str:
        return f"band {row['band']}"


def raising(failure: BaseException):
    def deed(_: Signal):
        raise failure

    return deed


RAISED_HERE = f"{__file__}:{raising.__code__.co_firstlineno + 2}"


RUBBISH = {
    "nothing": (lambda _: None, "strategy wicked answered NoneType instead of a Signal"),
    "a word": (lambda _: "BUY", "strategy wicked answered str instead of a Signal"),
    "NaN for confidence": (
        lambda signal: replace(signal, confidence=float("nan")),
        "strategy wicked answered with a confidence of nan, which is not from 0 to 1",
    ),
    "too sure": (
        lambda signal: replace(signal, confidence=1.5),
        "strategy wicked answered with a confidence of 1.5, which is not from 0 to 1",
    ),
    "no confidence": (
        lambda signal: replace(signal, confidence=None),
        "strategy wicked answered with a confidence of None, which is not from 0 to 1",
    ),
    "NaN among the indicators": (
        lambda signal: replace(signal, indicators={"rsi": 20.0, "upper": float("nan"), "lower": float("inf")}),
        "strategy wicked answered with no finite number for upper, lower",
    ),
    "no action": (lambda signal: replace(signal, action="LONG"), "strategy wicked answered with the action 'LONG'"),
    "another symbol": (
        lambda signal: replace(signal, symbol="DOGEUSDT"),
        "strategy wicked answered about DOGEUSDT, asked about BTCUSDT",
    ),
    "an old candle": (
        lambda signal: replace(signal, candle_open_ms=signal.candle_open_ms - 60_000),
        "strategy wicked answered about another candle than the last one",
    ),
    "a reason that is no text": (
        lambda signal: replace(signal, reason=b"up"),
        "strategy wicked answered with a name or a reason that is no text",
    ),
    "an error": (
        raising(ArithmeticError("no band")),
        f"strategy wicked raised ArithmeticError: no band, at {RAISED_HERE}",
    ),
    "a timeout of its own": (
        raising(TimeoutError("no model")),
        f"strategy wicked raised TimeoutError: no model, at {RAISED_HERE}",
    ),
    "the end of everything": (raising(SystemExit(3)), f"strategy wicked raised SystemExit: 3, at {RAISED_HERE}"),
    "the end of an iterator": (
        raising(StopIteration("empty")),
        f"strategy wicked raised StopIteration: empty, at {RAISED_HERE}",
    ),
}


@pytest.mark.parametrize("kind", RUBBISH)
async def test_s27_rubbish_for_an_answer_fails_its_own_symbol_and_orders_nothing(tmp_path, kind):
    deed, sentence = RUBBISH[kind]
    async with pipeline(tmp_path) as ready:
        ready.orchestrator._signals = SignalAgent(always(Wicked(deed)))
        decisions = await ready.tick()
        assert (decisions["BTCUSDT"].outcome, decisions["BTCUSDT"].detail) == (Outcome.FAILED, sentence)
        assert decisions["ETHUSDT"].outcome is Outcome.EXECUTED
        assert await ready.desk.times_sent() == 1
        await ready.desk.ledger.record_decisions(list(decisions.values()))
        await ready.desk.assert_reconciled()


@pytest.mark.parametrize(
    ("votes", "outcome", "says"),
    [
        ((1, 0.5, 1), Outcome.EXECUTED, ""),
        ((1, float("nan"), 1), Outcome.FAILED, "confidence of nan"),
        ((float("nan"), 0.5, 1), Outcome.FAILED, "voted something else than 1 (buy), -1 (sell) or 0 (neither)"),
        ((2, 0.5, 1), Outcome.FAILED, "voted something else than 1 (buy), -1 (sell) or 0 (neither)"),
        ((1, 0.5, float("nan")), Outcome.HELD, "band undefined"),
        ((1, 0.5, float("inf")), Outcome.HELD, "band undefined"),
    ],
)
async def test_s27_votes_that_are_no_votes_are_never_an_order(tmp_path, votes, outcome, says):
    async with pipeline(tmp_path) as ready:
        ready.orchestrator._signals = SignalAgent(always(Voting(*votes)))
        decision = (await ready.tick(("BTCUSDT",)))["BTCUSDT"]
        assert decision.outcome is outcome
        assert says in decision.detail
        assert await ready.desk.times_sent() == (outcome is Outcome.EXECUTED)


async def test_s27_hanging_strategy_is_left_behind_at_its_deadline_and_not_asked_again_until_it_ends(tmp_path):
    release = threading.Event()

    def hang(signal: Signal) -> Signal:
        release.wait(30)
        return signal

    async with pipeline(tmp_path) as ready:
        wicked = Wicked(hang)
        ready.orchestrator._signals = SignalAgent(always(wicked), deadline_seconds=SHORT_SECONDS)
        sentences = []
        for _ in range(FAILURES_IN_A_ROW - 1):
            decisions = await ready.tick()
            assert decisions["ETHUSDT"].outcome is Outcome.EXECUTED
            assert decisions["BTCUSDT"].outcome is Outcome.FAILED
            sentences.append(decisions["BTCUSDT"].detail)
        assert sentences[0] == f"strategy wicked did not answer in {SHORT_SECONDS} s"
        assert set(sentences[1:]) == {"strategy wicked still has not answered; it is not asked again until it does"}
        assert wicked.calls == 1
        assert await ready.desk.times_sent() == FAILURES_IN_A_ROW - 1  # of the other symbol

        release.set()
        for thread in threading.enumerate():
            if thread.name == "runner":
                thread.join(10)
        assert (await ready.tick())["BTCUSDT"].outcome is Outcome.EXECUTED
        assert wicked.calls == 2
        await ready.desk.assert_reconciled()


async def test_s27_symbol_that_fails_again_and_again_rests_says_so_once_and_comes_back(tmp_path, caplog):
    async with pipeline(tmp_path) as ready:
        wicked = Wicked(raising(ArithmeticError("no band")))
        ready.orchestrator._signals = SignalAgent(always(wicked))
        for _ in range(FAILURES_IN_A_ROW):
            assert (await ready.tick())[
                "BTCUSDT"
            ].detail == f"strategy wicked raised ArithmeticError: no band, at {RAISED_HERE}"
        wicked.deed = lambda signal: signal
        resting = set()
        for _ in range(TICKS_OF_REST):
            decisions = await ready.tick()
            assert decisions["BTCUSDT"].outcome is Outcome.FAILED
            assert decisions["ETHUSDT"].outcome in {Outcome.EXECUTED, Outcome.REFUSED}
            resting.add(decisions["BTCUSDT"].detail)
        until = 1 + FAILURES_IN_A_ROW + TICKS_OF_REST
        assert resting == {f"suspended after {FAILURES_IN_A_ROW} failures in a row; tried again in cycle {until}"}
        assert wicked.calls == FAILURES_IN_A_ROW
        assert (await ready.tick())["BTCUSDT"].outcome is Outcome.EXECUTED
        said = [text for text in caplog.messages if text.startswith("BTCUSDT is ")]
        assert said == [
            f"BTCUSDT is suspended after {FAILURES_IN_A_ROW} failures in a row; tried again in cycle {until}",
            "BTCUSDT is tried again",
        ]


async def test_s27_risk_rule_that_raises_is_a_refusal(tmp_path, monkeypatch):
    async with pipeline(tmp_path, BTCUSDT=Action.BUY, ETHUSDT=Action.BUY) as ready:
        rule = ready.orchestrator._risk._policy._entry_rules[1]
        review = type(rule).review

        def broken(self, context):
            if context.view.symbol == "BTCUSDT":
                raise ZeroDivisionError("division by zero")
            return review(self, context)

        monkeypatch.setattr(type(rule), "review", broken)
        decisions = await ready.tick()
        assert (decisions["BTCUSDT"].outcome, decisions["BTCUSDT"].rule) == (Outcome.REFUSED, rule.name)
        assert decisions["BTCUSDT"].detail == "raised ZeroDivisionError: division by zero"
        assert decisions["ETHUSDT"].outcome is Outcome.EXECUTED
