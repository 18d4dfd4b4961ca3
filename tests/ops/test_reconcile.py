"""`trade-agent reconcile` while a trader works: both sides move, and only what stays different is a difference."""

from decimal import Decimal

import pytest

from binance_trade_agent.ledger.reconciliation import ExchangeFacts, LedgerFacts, Reconciliation, reconcile
from binance_trade_agent.ops.reconcile import what_stands


class Books:
    """Ledger and exchange, each with what it says of BTC when it is asked for the first, second, ... time."""

    def __init__(self, *said: tuple[str, str], trades: bool = True) -> None:
        self._said = [(Decimal(ours), Decimal(theirs)) for ours, theirs in said]
        self._trades = trades
        self.readings = self.comparisons = 0

    def _now(self, turn: int) -> tuple[Decimal, Decimal]:
        return self._said[min(turn, len(self._said) - 1)]

    def read(self) -> LedgerFacts:
        self.readings += 1
        return LedgerFacts({"BTC": self._now(self.comparisons)[0]}, (), ())

    async def compare(self, ours: LedgerFacts) -> Reconciliation:
        theirs = ExchangeFacts({"BTC": self._now(self.comparisons)[1]}, (), (), {})
        self.comparisons += 1
        return reconcile(ours, theirs, {"BTC"})

    async def differences(self) -> list[str]:
        result = await what_stands(self.read, self.compare, lambda: self._trades, settle_seconds=0)
        return [difference.text for difference in result.differences]


async def test_equal_sides_are_asked_once():
    books = Books(("1", "1"))
    assert await books.differences() == []
    assert (books.readings, books.comparisons) == (1, 1)


async def test_what_was_under_way_between_the_two_is_no_difference():
    books = Books(("1", "1.5"), ("1.5", "1.7"), ("1.7", "1.7"))
    assert await books.differences() == []
    assert books.comparisons == 3


async def test_what_stays_while_the_ledger_stands_still_is_told_after_one_comparison():
    books = Books(("1", "1.5"))
    assert len(await books.differences()) == 1
    assert (books.readings, books.comparisons) == (2, 1)


async def test_without_a_trader_there_is_nothing_to_wait_for():
    books = Books(("1", "1.5"), ("1.5", "1.5"), trades=False)
    assert len(await books.differences()) == 1
    assert (books.readings, books.comparisons) == (1, 1)


@pytest.mark.parametrize("surplus", ["0.5", "0.00000001"])
async def test_a_difference_that_moves_along_with_a_busy_trader_is_told_in_the_end(surplus):
    said = [(str(number), str(number + Decimal(surplus))) for number in range(1, 40)]
    books = Books(*said)
    assert len(await books.differences()) == 1
    assert books.comparisons == 10
