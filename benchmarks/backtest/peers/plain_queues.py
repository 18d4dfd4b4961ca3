"""The plain pipeline, its stages tasks of asyncio that are joined by queues of one place."""

import asyncio

from backtest.peers.measured import Run, report
from backtest.peers.plain import Execution, Job, Risk, Signal, prepare
from backtest.workloads import Parameters


def run(job: Job) -> list[Run]:
    return [asyncio.run(_pipeline(job, parameters)) for parameters in job.sets]


async def _pipeline(job: Job, parameters: Parameters) -> Run:
    candles, signals, orders = (asyncio.Queue(maxsize=1) for _ in range(3))
    signal, risk, execution = Signal(parameters), Risk(), Execution()

    async def publish() -> None:
        for candle in enumerate(zip(job.opens, job.closes, strict=True)):
            await candles.put(candle)
        await candles.put(None)

    async def watch() -> None:
        while (candle := await candles.get()) is not None:
            _, (_, close) = candle
            await signals.put((candle, signal.on_close(close)))
        await signals.put(None)

    async def judge() -> None:
        while (message := await signals.get()) is not None:
            candle, found = message
            await orders.put((candle, risk.allowed(found) if found else found))
        await orders.put(None)

    async def execute() -> None:
        while (message := await orders.get()) is not None:
            (index, (opened, _)), order = message
            execution.on_open(index, opened)
            if order:
                execution.place(order)

    await asyncio.gather(publish(), watch(), judge(), execute())
    return execution.result(job.closes[-1])


if __name__ == "__main__":
    report(None, "RSI, crossings, trades, cash", prepare, run, list, rounds=2)
