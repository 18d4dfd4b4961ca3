"""Values that hypothesis draws: amounts as the exchange writes them, with at most eight decimals."""

from decimal import Decimal

from hypothesis import strategies as st

STEPS = st.sampled_from([Decimal(1).scaleb(-places) for places in range(9)])


def amounts(least: str = "0", most: str = "1000000", places: int = 8) -> st.SearchStrategy[Decimal]:
    """Decimals from `least` to `most`."""
    return st.decimals(Decimal(least), Decimal(most), places=places, allow_nan=False, allow_infinity=False)
