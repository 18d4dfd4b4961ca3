"""A simulated computer on which one process lives, until it is killed."""

import asyncio
from collections.abc import Callable
from contextvars import ContextVar, Token
from typing import Any

MACHINE: "ContextVar[Machine | None]" = ContextVar("machine", default=None)


class Killed(BaseException):
    """The process is dead. Whatever it still tries to do raises this, and does nothing."""


class Machine:
    """What happens in the context of a machine is lost to the world from the moment of its `kill`.

    Attributes:
        name: for traces.
        address: from which its connections come.
        is_dead: whether it was killed.
    """

    def __init__(self, name: str, address: str = "10.0.0.1") -> None:
        self.name = name
        self.address = address
        self.is_dead = False
        self._tasks: dict[asyncio.Task[Any], None] = {}
        self._cuts: list[Callable[[], None]] = []

    def at_death(self, cut: Callable[[], None]) -> None:
        """Have `cut` called in the moment of the kill."""
        self._cuts.append(cut)

    def adopt(self, task: "asyncio.Task[Any]") -> None:
        """Note a task that runs here."""
        self._tasks[task] = None
        task.add_done_callback(self._ended)

    def enter(self) -> "Token[Machine | None]":
        """Let what follows in this context happen on this machine."""
        return MACHINE.set(self)

    def check(self) -> None:
        """Refuse to go on when dead.

        Raises:
            Killed: it is.
        """
        if self.is_dead:
            raise Killed(self.name)

    def kill(self) -> None:
        """End it at once, as kill -9 does: nothing that it does from now on has any effect."""
        if self.is_dead:
            return
        self.is_dead = True
        for cut in self._cuts:
            cut()
        for task in list(self._tasks):
            task.cancel()

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.pop(task, None)
        if self.is_dead and not task.cancelled():
            task.exception()  # nobody asks any more what became of it

    async def buried(self) -> None:
        """Return when nothing of it runs any more; tasks that cling to life are cancelled again and again."""
        while self._tasks:
            tasks = list(self._tasks)
            await asyncio.wait(tasks, timeout=1.0)
            for task in tasks:
                task.cancel()
