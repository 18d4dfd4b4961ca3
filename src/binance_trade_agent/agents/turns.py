"""Turns: who decides on money. One symbol at a time reads the account and commits an entry by what it has read.

Where the market stands still while the daemon works, turns come in the symbols' order and last until all that follows
from a decision is done, so that the same seed gives the same orders. On a market that goes on by itself symbols act
side by side: only entries need a turn, who is ready first has it, and it is over when the intent is in the books. From
then on the order counts in the account, though its answer is not there yet.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Protocol, Self

# The exchange takes 50 orders in ten seconds; an entry and the two orders that protect it are three of them.
ENTRIES_AT_ONCE = 16
_QUIET_AT_ONCE = 8  # of decisions that lead to nothing: an entry's next step does not come behind hundreds of them


class Turn(Protocol):
    """One decision's. Leaving the context ends it, whatever has come of the decision."""

    async def looked(self, *, may_act: bool) -> None:
        """What the strategy says is known. Who will not act lets those go first who may."""
        ...

    async def comes(self) -> None:
        """Wait until money may be decided on, for an exit too."""
        ...

    async def may_enter(self, beforehand: Callable[[], Awaitable[None]]) -> None:
        """Wait until an entry may be decided on. `beforehand` is done first, where others can act meanwhile."""
        ...

    def pass_on(self) -> None:
        """The verdict is final: an entry's intent is in the books, or an exit was approved."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Row:
    """Turns in their order. Who has left is passed over, so that a turn comes when all before it have left."""

    def __init__(self) -> None:
        self._turns: list[_InOrder] = []
        self._first = 0  # that has not left
        self._all_left = asyncio.Event()

    def turn(self) -> Turn:
        """The next place in the row."""
        self._all_left.clear()
        self._turns.append(_InOrder(self, len(self._turns)))
        return self._turns[-1]

    async def over(self) -> None:
        """Nobody comes any more: wait until all have left."""
        if self._first < len(self._turns):
            await self._all_left.wait()

    def is_first(self, place: int) -> bool:
        """Whether all before this place have left."""
        return self._first >= place

    def close_up(self) -> None:
        """Let the first that has not left come."""
        while self._first < len(self._turns) and self._turns[self._first].has_left:
            self._first += 1
        if self._first < len(self._turns):
            self._turns[self._first].is_first.set()
        else:
            self._all_left.set()


class _InOrder:
    def __init__(self, row: Row, place: int) -> None:
        self.has_left = False
        self.is_first = asyncio.Event()
        self._row = row
        self._place = place

    async def looked(self, *, may_act: bool) -> None:
        """All go in their order."""

    async def comes(self) -> None:
        if not self._row.is_first(self._place):
            await self.is_first.wait()

    async def may_enter(self, beforehand: Callable[[], Awaitable[None]]) -> None:
        """It has come already."""

    def pass_on(self) -> None:
        """It lasts until the end."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.has_left = True
        self._row.close_up()


class Entrance:
    """Where entries of all ticks come by: one is decided on at a time, so many are under way at once.

    Attributes:
        places: held by each entry until its order is answered and its position protected.
        quiet: held by each decision that is to lead to nothing.
    """

    def __init__(self) -> None:
        self.places = asyncio.Semaphore(ENTRIES_AT_ONCE)
        self.quiet = asyncio.Semaphore(_QUIET_AT_ONCE)
        self._deciding = asyncio.Lock()
        self._entering = 0
        self._is_clear = asyncio.Event()
        self._is_clear.set()

    async def enter(self) -> None:
        """Wait until nobody else enters."""
        self._entering += 1
        self._is_clear.clear()
        try:
            await self._deciding.acquire()
        except BaseException:
            self._one_less()
            raise

    def entered(self) -> None:
        """Let the next one enter."""
        self._deciding.release()
        self._one_less()

    async def clear(self) -> None:
        """Wait until nobody enters or wants to."""
        while self._entering:
            await self._is_clear.wait()

    def _one_less(self) -> None:
        self._entering -= 1
        if not self._entering:
            self._is_clear.set()


class Crowd:
    """Turns side by side.

    Args:
        told: called by each decision whose verdict is final while what follows from it goes on.
    """

    def __init__(self, entrance: Entrance, told: Callable[[], None] = lambda: None) -> None:
        self.entrance = entrance
        self.told = told
        self.all_looked = asyncio.Event()
        self._looking = self._left = 1  # more may come
        self._is_over = asyncio.Event()

    def turn(self) -> Turn:
        """One more."""
        self._left += 1
        self._looking += 1
        return _SideBySide(self)

    async def over(self) -> None:
        """Nobody comes any more: wait until all have passed their turns on."""
        self.has_looked()
        self.one_less()
        await self._is_over.wait()

    def has_looked(self) -> None:
        """One has, or will not any more."""
        self._looking -= 1
        if not self._looking:
            self.all_looked.set()

    def one_less(self) -> None:
        """One was passed on."""
        self._left -= 1
        if not self._left:
            self._is_over.set()


class _SideBySide:
    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd
        self._has_looked = self._is_quiet = self._has_place = self._enters = self._is_over = False

    async def looked(self, *, may_act: bool) -> None:
        crowd, self._has_looked = self._crowd, True
        crowd.has_looked()
        if not may_act:
            await crowd.all_looked.wait()
            await crowd.entrance.quiet.acquire()
            self._is_quiet = True
            await crowd.entrance.clear()

    async def comes(self) -> None:
        """Exits of different symbols have nothing to do with one another."""

    async def may_enter(self, beforehand: Callable[[], Awaitable[None]]) -> None:
        entrance = self._crowd.entrance
        await entrance.places.acquire()
        self._has_place = True
        await beforehand()
        await entrance.enter()
        self._enters = True

    def pass_on(self) -> None:
        if not self._is_over:
            self._crowd.told()
            self._give_up()

    def _give_up(self) -> None:
        entrance = self._crowd.entrance
        if self._enters:
            self._enters = False
            entrance.entered()
        if self._is_quiet:
            self._is_quiet = False
            entrance.quiet.release()
        if not self._has_looked:
            self._has_looked = True
            self._crowd.has_looked()
        if not self._is_over:
            self._is_over = True
            self._crowd.one_less()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._give_up()
        if self._has_place:
            self._has_place = False
            self._crowd.entrance.places.release()


def turns(symbols: Sequence[str]) -> dict[str, Turn]:
    """A turn for each symbol, in their order."""
    row = Row()
    return {symbol: row.turn() for symbol in symbols}
