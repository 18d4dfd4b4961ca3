"""What anybody's strategy may answer with, and how it is told what is wrong with it."""

import pytest

from binance_trade_agent.domain.signals import Action, Signal
from binance_trade_agent.domain.values import replace
from binance_trade_agent.strategies.answers import fault_in
from tests.domain.test_candle_series import candles

SOME = candles(3)
SOUND = Signal("BTCUSDT", "mine", Action.BUY, 0.5, "up", SOME[-1].open_time_ms, {"change": 1.5})


@pytest.mark.parametrize(
    ("wrong", "fault"),
    [
        ({}, None),
        ({"confidence": 1}, None),
        ({"reason": (str.upper, "up")}, None),
        ({"symbol": "ETHUSDT"}, "about ETHUSDT, asked about BTCUSDT"),
        ({"action": "BUY"}, "with the action 'BUY'"),
        ({"confidence": float("nan")}, "with a confidence of nan, which is not from 0 to 1"),
        ({"confidence": 1.01}, "with a confidence of 1.01, which is not from 0 to 1"),
        ({"confidence": "0.5"}, "with a confidence of '0.5', which is not from 0 to 1"),
        ({"strategy": 7}, "with a name or a reason that is no text"),
        ({"reason": 7}, "with a name or a reason that is no text"),
        ({"reason": (len, "up")}, "with a name or a reason that is no text"),
        ({"candle_open_ms": SOME[-2].open_time_ms}, "about another candle than the last one"),
        ({"candle_open_ms": None}, "about another candle than the last one"),
        ({"indicators": {"a": float("inf"), "b": 1.0, "c": None}}, "with no finite number for a, c"),
    ],
    ids=str,
)
def test_an_answer_is_a_signal_on_the_last_candle_or_told_what_it_is_not(wrong, fault):
    assert fault_in(replace(SOUND, **wrong), "BTCUSDT", SOME) == fault


def test_what_is_no_signal_is_named():
    assert fault_in(None, "BTCUSDT", SOME) == "NoneType instead of a Signal"
    assert fault_in(SOUND, "BTCUSDT", ()) is None


def test_a_reason_that_need_not_be_read_is_not_made():
    assert fault_in(replace(SOUND, reason=(len, 7)), "BTCUSDT", SOME, reads_reason=False) is None
    with pytest.raises(TypeError):
        fault_in(replace(SOUND, reason=(len, 7)), "BTCUSDT", SOME)
