"""What no setting checks is checked here."""

from decimal import Decimal

import pytest


@pytest.mark.parametrize("reserve", ["1", "-0.001"])
def test_a_reserve_out_of_its_range_is_named(reserve, settings_of):
    with pytest.raises(ValueError, match=" must be ") as info:
        settings_of(fee_reserve_fraction=Decimal(reserve))
    assert str(info.value) == f"fee_reserve_fraction is {reserve}: it must be from 0 to below 1"
