"""GET with patience: what fails for the moment is asked again, and who asks us to wait is waited for."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp

from binance_trade_agent.exchange.errors import BannedError, RateLimitedError
from binance_trade_agent.exchange.rate_budget import RateBudget, Spending
from binance_trade_agent.exchange.weights import Cost
from binance_trade_agent.history.errors import HistoryError
from binance_trade_agent.ops.clock import sleep_seconds

_TRIES = 5
_FIRST_PAUSE_SECONDS = 0.5  # doubled after each failure
_LONGEST_WAIT_SECONDS = 300
_DEFAULT_RETRY_AFTER_SECONDS = 60
_SILENCING = {418, 429}
# A month of one-second candles has 60 MB.
_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=30)

Pause = Callable[[float], Awaitable[None]]


class UnreachableError(HistoryError):
    """A host does not answer, or not now; asking it for anything else is in vain too."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came: the status is below 500 and neither 418 nor 429."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@contextlib.asynccontextmanager
async def open_web(pause: Pause = sleep_seconds) -> AsyncIterator["Web"]:
    """A Web with its connections, which are closed at the end."""
    async with aiohttp.ClientSession(timeout=_TIMEOUT, headers={"User-Agent": "binance-trading-agent"}) as session:
        yield Web(session, pause)


class Web:
    """Asks public addresses. No request carries a key.

    Args:
        session: see `open_web`.
        pause: sleeps for so many seconds.
    """

    def __init__(self, session: aiohttp.ClientSession, pause: Pause) -> None:
        self._session = session
        self._pause = pause

    async def get(
        self,
        url: str,
        parameters: Mapping[str, str] | None = None,
        *,
        budget: RateBudget | None = None,
        cost: Cost | None = None,
    ) -> Answer:
        """The answer; a connection that breaks, 5xx, 418 and 429 are tried again, five times in all.

        Args:
            url: where.
            parameters: of the query.
            budget: that the request obeys, and that is told of the answer's headers.
            cost: what it takes from the budget.

        Raises:
            UnreachableError: it failed each time, or the host wants to be left alone for more than five minutes.
        """
        reason = ""
        for tried in range(_TRIES):
            if tried:
                await self._pause(_FIRST_PAUSE_SECONDS * 2 ** (tried - 1))
            try:
                async with _spending(budget, cost) as spending:
                    answer = await self._ask(url, parameters)
                    if spending is not None:
                        spending.note(answer.headers)
            except RateLimitedError as failure:
                raise UnreachableError(f"{_host(url)}: {failure}") from None
            except (aiohttp.ClientError, TimeoutError, OSError) as failure:
                reason = str(failure) or type(failure).__name__
                continue
            if answer.status in _SILENCING:
                reason = f"HTTP {answer.status}"
                await self._be_silent(url, answer, budget)
            elif answer.status >= 500:
                reason = f"HTTP {answer.status}"
            else:
                return answer
        raise UnreachableError(f"{_host(url)} did not answer in {_TRIES} tries: {reason}")

    async def _ask(self, url: str, parameters: Mapping[str, str] | None) -> Answer:
        async with self._session.get(url, params=parameters) as answer:
            return Answer(answer.status, answer.headers, await answer.read())

    async def _be_silent(self, url: str, answer: Answer, budget: RateBudget | None) -> None:
        """Wait as long as the host wants; with a budget, which the next request asks, all of them wait."""
        try:
            seconds = max(0, int(answer.headers.get("Retry-After", "")))
        except ValueError:
            seconds = _DEFAULT_RETRY_AFTER_SECONDS
        if budget is not None:
            kind = BannedError if answer.status == 418 else RateLimitedError
            await budget.block(kind(seconds, f"HTTP {answer.status}."))
        if seconds > _LONGEST_WAIT_SECONDS:
            banned = " has banned this address" if answer.status == 418 else " wants no more requests"
            raise UnreachableError(f"{_host(url)}{banned} for {seconds} s; go on with the download after that")
        if budget is None:
            await self._pause(seconds)


@contextlib.asynccontextmanager
async def _spending(budget: RateBudget | None, cost: Cost | None) -> AsyncIterator[Spending | None]:
    if budget is None or cost is None:
        yield None
        return
    async with budget.spend(cost) as spending:
        yield spending


def _host(url: str) -> str:
    return urlsplit(url).netloc
