"""OneQuestion: who asks while the same question is under way waits for its answer."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from binance_trade_agent.exchange.errors import ExchangeError
from binance_trade_agent.ops.tasks import spawn

T = TypeVar("T")


class OneQuestion(Generic[T]):
    """A question that is asked once at a time, whoever wants the answer; one who gives up does not end it for others.

    Args:
        name: of the task.
        ask: asks; may raise ExchangeError.
    """

    def __init__(self, name: str, ask: Callable[[], Awaitable[T]]) -> None:
        self._name = name
        self._ask = ask
        self._asking: asyncio.Task[T | ExchangeError] | None = None

    async def answer(self) -> T:
        """The answer.

        Raises:
            ExchangeError: the exchange could not be asked.
        """
        if self._asking is None or self._asking.done():
            self._asking = spawn(self._asked(), name=self._name)
        answer = await asyncio.shield(self._asking)
        if isinstance(answer, ExchangeError):
            raise answer
        return answer

    async def _asked(self) -> T | ExchangeError:
        try:
            return await self._ask()
        except ExchangeError as failure:  # returned: a task that nobody waits for any more must not end in an error
            return failure
