"""An exchange that hypothesis throws things at: one for a module of tests, with its own event loop."""

import asyncio
import logging
import os
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from binance_trade_agent.simulator.limits import Limits
from tests.exchange_process import RunningExchange, running_exchange

# A long run by hand: FUZZ_FACTOR=50 pytest tests/simulator/robustness
FUZZ_FACTOR = int(os.environ.get("FUZZ_FACTOR", "1"))
PATIENCE_SECONDS = 5.0

_Result = TypeVar("_Result")


class _ErrorLog(logging.Handler):
    """Keeps what is logged as an error: no request may lead to one."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.sentences: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.sentences.append(self.format(record))


class Victim:
    """A running exchange, and the way into its event loop for tests that hypothesis runs."""

    def __init__(self, runner: asyncio.Runner, exchange: RunningExchange, errors: _ErrorLog) -> None:
        self.exchange = exchange
        self._runner = runner
        self._errors = errors

    def run(self, coroutine: Coroutine[Any, Any, _Result]) -> _Result:
        """Run in the loop of the exchange."""
        return self._runner.run(coroutine)

    async def refresh(self) -> None:
        """Forget orders, limits and bans, so that each example finds the same exchange."""
        assert self.exchange.simulation is not None
        self._errors.sentences.clear()
        self.exchange.simulation.failures.count = 0
        self.exchange.simulation.limits = Limits()
        await self.exchange.fault("monthly_reset")
        await self.exchange.fault("orders_used", n=0)

    async def examine(self) -> None:
        """Nothing inside may be broken, and nothing may have been logged as an error."""
        state = await self.exchange.state()  # which looks at the invariants
        assert self._errors.sentences == []
        assert state["failures"] == 0


@contextmanager
def victim(**options: Any) -> Iterator[Victim]:
    """An exchange with these options of ExchangeOptions."""
    errors = _ErrorLog()
    logging.getLogger().addHandler(errors)
    try:
        with asyncio.Runner() as runner:
            running = running_exchange(**options)
            exchange = runner.run(running.__aenter__())
            try:
                yield Victim(runner, exchange, errors)
            finally:
                runner.run(running.__aexit__(None, None, None))
    finally:
        logging.getLogger().removeHandler(errors)
