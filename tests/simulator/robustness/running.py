"""An exchange that hypothesis throws things at: one for a module of tests, with its own event loop."""

import asyncio
import logging
import os
from collections import Counter
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from binance_trade_agent.simulator.exchange import MAIN_ACCOUNT
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
    """A running exchange, and the way into its event loop for tests that hypothesis runs.

    Attributes:
        answers: how many there were of each status; shown by `pytest -s`.
    """

    def __init__(self, runner: asyncio.Runner, exchange: RunningExchange, errors: _ErrorLog) -> None:
        self.exchange = exchange
        self.answers: Counter[int] = Counter()
        self._runner = runner
        self._errors = errors

    def run(self, coroutine: Coroutine[Any, Any, _Result]) -> _Result:
        """Run in the loop of the exchange."""
        return self._runner.run(coroutine)

    def refresh(self) -> None:
        """Forget orders, limits and bans, so that each example finds the same exchange."""
        simulation = self.exchange.simulation
        assert simulation is not None
        self._errors.sentences.clear()
        simulation.failures.count = 0
        simulation.limits = Limits()
        simulation.exchange.monthly_reset()
        simulation.exchange.order_count(MAIN_ACCOUNT).set_used(0, simulation.exchange.limits_now_ms())

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
                running_victim = Victim(runner, exchange, errors)
                yield running_victim
                print(f"{running_victim.answers.total()} answers: {sorted(running_victim.answers.items())}")
            finally:
                runner.run(running.__aexit__(None, None, None))
    finally:
        logging.getLogger().removeHandler(errors)
