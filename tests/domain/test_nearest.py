import pytest

from binance_trade_agent.domain.nearest import nearest

NAMES = ("BTCUSDT", "ETHUSDT", "BNBUSDT")


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("BTCUSD", "BTCUSDT"),
        ("BCTUSDT", "BTCUSDT"),
        ("ethusdt", "ETHUSDT"),
        ("eth", "ETHUSDT"),
        ("12345", None),
        ("", None),
    ],
)
def test_the_likeliest_name_is_found_or_none(name, found):
    assert nearest(name, NAMES) == found


def test_beginning_of_a_name_beats_likeness():
    assert nearest("rsi", ("risk", "rsi_momentum")) == "rsi_momentum"


def test_nothing_is_near_when_nothing_is_allowed():
    assert nearest("BTCUSDT", ()) is None
