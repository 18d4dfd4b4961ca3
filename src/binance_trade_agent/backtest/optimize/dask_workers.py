"""Who runs the backtests on many machines: the workers of a Dask cluster.

Each worker is sent the candles once. What a worker had begun when it was lost, Dask gives to another; a task has one
outcome however often it was begun.
"""

import asyncio
import contextlib
import logging
import os
from collections.abc import Iterator, Sequence
from typing import Any

from binance_trade_agent.backtest.optimize.model import GoneError, OptimizeError, Outcome, Task, Workers
from binance_trade_agent.backtest.optimize.workers import Workload

_CONNECT_SECONDS = 4
_ATTEMPTS = 3  # to send the candles anew when every worker that had them is lost


@contextlib.contextmanager
def dask_workers(workload: Workload, address: str) -> Iterator[Workers]:
    """The workers of the scheduler at `address`, such as `tcp://10.0.0.5:8786`.

    Raises:
        OptimizeError: Dask is not installed.
        GoneError: nobody answers there within 4 s, or the scheduler has no workers.
    """
    try:
        import distributed
    except ImportError:
        raise OptimizeError(
            "--dask needs dask.distributed: pip install 'binance-trading-agent[dask]', here and on every worker."
        ) from None
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what it does about lost workers is its own affair
    _find(address)
    with distributed.Client(address, timeout=_CONNECT_SECONDS) as client:
        yield _Cluster(client, workload, address)


def _find(address: str) -> None:
    """See whether a scheduler with workers is there. A Client that fails to connect would go on trying for long."""
    try:
        identity = asyncio.run(asyncio.wait_for(_identity(address), _CONNECT_SECONDS))
        workers = identity["workers"]
    except Exception as failure:  # noqa: BLE001 - whoever listens there may answer anything
        raise GoneError(f"--dask {address}: no Dask scheduler answers there ({_cause(failure)}).") from None
    if not workers:
        raise GoneError(f"--dask {address}: the scheduler has no workers; start some with `dask worker {address}`.")


async def _identity(address: str) -> Any:
    from distributed.comm import connect, get_address_host_port

    # Dask goes on trying where nobody listens; that can be known at once.
    _, writer = await asyncio.open_connection(*get_address_host_port(address))
    writer.close()
    comm = await connect(address, timeout=_CONNECT_SECONDS)
    try:
        await comm.write({"op": "identity", "reply": True})
        return await comm.read()
    finally:
        await comm.close()


class _Cluster:
    def __init__(self, client: Any, workload: Workload, address: str) -> None:
        self._client = client
        self._workload = workload
        self._address = address
        self._sent: Any = None

    def outcomes(self, tasks: Sequence[Task]) -> Iterator[tuple[int, Outcome]]:
        """See Workers."""
        left = dict(enumerate(tasks))
        for _ in range(_ATTEMPTS):
            for number, outcome in self._finished(left):
                del left[number]
                yield number, outcome
            if not left:
                return
            self._sent = None
        raise GoneError(f"--dask {self._address}: its workers are lost again and again; {len(left)} sets are left.")

    def _finished(self, tasks: dict[int, Task]) -> Iterator[tuple[int, Outcome]]:
        """Outcomes of those tasks that ended; those that are missing were lost together with the candles."""
        import distributed

        numbers: dict[Any, int] = {}
        try:
            self._sent = self._sent or self._client.scatter(self._workload, broadcast=True)
            for number, task in tasks.items():
                numbers[self._client.submit(Workload.run, self._sent, task, pure=False)] = number
            ended = distributed.as_completed(list(numbers))
            for future in ended:
                if future.status == "finished":
                    try:
                        outcome = future.result()
                    except distributed.CancelledError:  # lost since then, together with the candles
                        continue
                    yield numbers[future], outcome
                elif future.status == "error":
                    self._explain(future)
                elif not future.cancelled():  # it had ended, and was lost with its worker: it is run again
                    ended.add(future)
        except (OSError, TimeoutError) as failure:
            raise GoneError(f"--dask {self._address}: the scheduler is gone ({_cause(failure)}).") from None
        finally:
            for future in numbers:
                future.release()

    def _explain(self, future: Any) -> None:
        """A task that was lost with its workers too often is tried again; any other failure is a fault."""
        import distributed

        failure = future.exception()
        if not isinstance(failure, (distributed.KilledWorker, distributed.scheduler.NoWorkerError)):
            raise GoneError(f"--dask {self._address}: a worker failed: {type(failure).__name__}: {failure}.")


def _cause(failure: BaseException) -> str:
    if isinstance(failure, TimeoutError):
        return f"not within {_CONNECT_SECONDS:g} s"
    if isinstance(failure, OSError) and failure.errno and failure.errno > 0:
        return os.strerror(failure.errno)
    return str(failure).splitlines()[0].rstrip(".") if str(failure) else type(failure).__name__
