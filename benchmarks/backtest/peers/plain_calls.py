"""The plain pipeline, its stages joined by direct calls."""

from backtest.peers.measured import Run, report
from backtest.peers.plain import Execution, Job, Risk, Signal, prepare


def run(job: Job) -> list[Run]:
    results = []
    for parameters in job.sets:
        signal, risk, execution = Signal(parameters), Risk(), Execution()
        for index, (opened, close) in enumerate(zip(job.opens, job.closes, strict=True)):
            execution.on_open(index, opened)
            found = signal.on_close(close)
            if found:
                execution.place(risk.allowed(found))
        results.append(execution.result(job.closes[-1]))
    return results


if __name__ == "__main__":
    report(None, "RSI, crossings, trades, cash", prepare, run, list, rounds=5)
