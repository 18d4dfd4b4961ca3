"""The signal agent: the strategy speaks, and the ledger's position says whether there is anything to do."""

import threading
from decimal import Decimal

import pytest

from binance_trade_agent.agents.signal import SignalAgent, StrategyFailedError
from binance_trade_agent.domain.market import BookTicker, CandleView, MarketView
from binance_trade_agent.domain.positions import Position
from binance_trade_agent.domain.signals import Action, Signal
from binance_trade_agent.domain.strategy_choice import StrategyChoice
from binance_trade_agent.domain.values import replace
from binance_trade_agent.strategies.in_use import StrategiesInUse
from binance_trade_agent.strategies.registry import create_strategy
from binance_trade_agent.strategies.rsi_momentum import RsiMomentum
from tests.agents.desk import always
from tests.domain.test_candle_series import candles
from tests.risk.conftest import RULES

VIEW = MarketView(
    "BTCUSDT", RULES, (), BookTicker("BTCUSDT", Decimal(49_990), Decimal(1), Decimal(50_000), Decimal(1), 0), 0, 0
)


class Always:
    """A strategy of one opinion."""

    name, warm_up = "always", 300

    def __init__(self, action: Action) -> None:
        self._action = action

    def evaluate(self, symbol, candles) -> Signal:
        return Signal(symbol, "always", self._action, 0.5, f"{len(candles)} candles", 0)


@pytest.mark.parametrize(
    ("action", "held", "reason"),
    [
        (Action.SELL, "0", "no position to sell"),
        (Action.SELL, "-0.00009", "no position to sell"),
        (Action.SELL, "0.00009", "only dust to sell, 0.00009 BTC"),
        (Action.SELL, "0.00011", None),
        (Action.BUY, "0", None),
        (Action.BUY, "0.00009", None),
    ],
)
async def test_sell_without_a_position_worth_selling_leaves_nothing_to_do(action, held, reason):
    agent = SignalAgent(always(Always(action)))
    signal = await agent.evaluate(VIEW)
    assert signal.reason == "0 candles"
    assert agent.nothing_to_do(signal, VIEW, Position("BTCUSDT", Decimal(held))) == reason


async def test_built_in_strategies_answer_in_the_loop_and_others_in_a_thread():
    threads = []

    class Telling(RsiMomentum):
        def evaluate(self, symbol, *_):
            threads.append(threading.current_thread())
            return Signal(symbol, self.name, Action.HOLD, 0.0, "", 0)

    own = Telling(create_strategy("rsi_momentum").params)
    built_in = Telling(own.params)
    built_in.__class__ = type("BuiltIn", (Telling,), {"__module__": RsiMomentum.__module__})
    for strategy in (own, built_in):
        await SignalAgent(always(strategy)).evaluate(VIEW)
    assert [thread is threading.main_thread() for thread in threads] == [False, True]


class Listening:
    """A strategy that tells what it was shown beside the candles."""

    name = "listening"

    def evaluate(self, symbol, candles, *larger) -> Signal:
        return Signal(symbol, self.name, Action.HOLD, 0.0, f"{len(candles)} and {larger}", 0)


async def test_larger_candles_are_shown_to_the_strategy_when_there_are_any():
    agent = SignalAgent(always(Listening()))
    assert (await agent.evaluate(VIEW)).reason == "0 and ()"
    confirming = replace(VIEW, larger_candles=(), larger_interval="1h")
    assert (await agent.evaluate(confirming)).reason == "0 and ((), '1h')"


async def test_bad_strategy_by_the_parameters_of_one_symbol_harms_that_symbol_only():
    def create(_name, params):
        return Bad() if params.get("is_bad") else Always(Action.BUY)

    class Bad:
        name, warm_up = "bad", 300

        def evaluate(self, _symbol, _candles):
            raise ArithmeticError("no band")

    choice = StrategyChoice("mixed", {"ETHUSDT.is_bad": "1"})
    agent = SignalAgent(StrategiesInUse(choice, ("BTCUSDT", "ETHUSDT"), create).of)
    with pytest.raises(StrategyFailedError, match="ArithmeticError: no band"):
        await agent.evaluate(replace(VIEW, symbol="ETHUSDT"))
    assert (await agent.evaluate(VIEW)).action is Action.BUY


async def test_strategy_that_takes_the_place_of_one_that_hangs_is_heard():
    wake = threading.Event()

    class Hanging:
        name = "hanging"

        def evaluate(self, _symbol, _candles):
            wake.wait(60)

    strategies = {"BTCUSDT": Hanging()}
    agent = SignalAgent(strategies.__getitem__, deadline_seconds=0.05)
    try:
        with pytest.raises(StrategyFailedError, match="did not answer"):
            await agent.evaluate(VIEW)
        with pytest.raises(StrategyFailedError, match="still has not answered"):
            await agent.evaluate(VIEW)
        strategies["BTCUSDT"] = Always(Action.BUY)
        agent._deadline_seconds = 5
        assert (await agent.evaluate(VIEW)).action is Action.BUY
    finally:
        wake.set()


class TestForeseen:
    """What a built-in strategy will say, before the market is looked at as a whole."""

    async def test_it_is_what_evaluate_says_then_without_asking_again_and_what_was_said_last(self):
        asked = []

        class Counting(RsiMomentum):
            __module__ = RsiMomentum.__module__

            def evaluate(self, symbol, candles, *_):
                asked.append(len(candles))
                action = Action.BUY if len(candles) == 1 else Action.HOLD
                return Signal(symbol, self.name, action, 0.0, "", candles[-1].open_time_ms)

        agent = SignalAgent(always(Counting(create_strategy("rsi_momentum").params)))
        first, second = candles(1), candles(2)
        assert agent.foresee(CandleView("BTCUSDT", first, None, "")) == (Action.BUY, Action.HOLD)
        assert (await agent.evaluate(replace(VIEW, candles=first))).action is Action.BUY
        assert agent.foresee(CandleView("BTCUSDT", first, None, "")) == (Action.BUY, Action.BUY)
        assert agent.foresee(CandleView("BTCUSDT", second, None, "")) == (Action.HOLD, Action.BUY)
        assert asked == [1, 2]

    async def test_a_strategy_of_the_users_own_is_not_asked_beforehand(self):
        agent = SignalAgent(always(Always(Action.BUY)))
        assert agent.foresee(CandleView("BTCUSDT", candles(3), None, "")) is None

    async def test_its_words_are_made_when_somebody_reads_them(self):
        said = []

        class Wordy(RsiMomentum):
            __module__ = RsiMomentum.__module__

            def reason(self, row):
                said.append(row)
                return super().reason(row)

        strategy, some = Wordy(create_strategy("rsi_momentum").params), candles(400)
        agent = SignalAgent(always(strategy))
        agent.foresee(CandleView("BTCUSDT", some, None, ""))
        signal = await agent.evaluate(replace(VIEW, candles=some))
        assert said == []
        assert signal.indicators
        assert signal.reason == strategy.reason({**signal.indicators, "action": 0.0})

    async def test_what_fails_is_not_foreseen_and_evaluate_says_why(self):
        class Broken(RsiMomentum):
            __module__ = RsiMomentum.__module__

            def evaluate(self, *_):
                raise ValueError("no answer")

        agent, some = SignalAgent(always(Broken(create_strategy("rsi_momentum").params))), candles(3)
        assert agent.foresee(CandleView("BTCUSDT", some, None, "")) is None
        with pytest.raises(StrategyFailedError, match="no answer"):
            await agent.evaluate(replace(VIEW, candles=some))
