"""Limits that make no sense are refused with the setting's name."""

from decimal import Decimal

import pytest


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"order_fraction": Decimal("0.1")},
            "exactly one of TRADING_ORDER_QUOTE and TRADING_ORDER_FRACTION must be set",
        ),
        ({"order_quote": None}, "exactly one of TRADING_ORDER_QUOTE and TRADING_ORDER_FRACTION must be set"),
        ({"order_quote": Decimal(0)}, "TRADING_ORDER_QUOTE is 0: it must be above 0"),
        (
            {"order_quote": None, "order_fraction": Decimal("1.5")},
            "TRADING_ORDER_FRACTION is 1.5: it must be above 0 and at most 1",
        ),
        ({"max_position_quote": Decimal(-1)}, "RISK_MAX_POSITION_QUOTE is -1: it must be above 0"),
        ({"max_open_positions": 0}, "RISK_MAX_OPEN_POSITIONS is 0: it must be at least 1"),
        ({"cooldown_seconds": -1}, "RISK_COOLDOWN_SECONDS is -1: it must be at least 0"),
        ({"fee_reserve_fraction": Decimal(1)}, "fee_reserve_fraction is 1: it must be from 0 to below 1"),
    ],
)
def test_a_limit_out_of_its_range_is_named(changes, sentence, settings_of):
    with pytest.raises(ValueError, match=" must be ") as info:
        settings_of(**changes)
    assert str(info.value) == sentence
