"""Stopped in the middle of things, killed in the middle of an order, started again and again."""

import statistics

from tests.docker.session.engine import AGENT, FailedError
from tests.docker.session.scenario import Session, busyness, pause, seconds
from tests.docker.session.stack import BRISK, Stack

_RESTARTS = 20
_ORDER = ("trade-agent", "order", "buy", "BTCUSDT", "--quote", "50", "--yes")

# Both halves of "nobody saw what became of it": the exchange has carried the order out, and it has not yet.
_IN_FLIGHT = {
    "carried out, not answered": {"kind": "timeout_after"},
    "on its way": {"kind": "latency", "ms": 30_000},
}


def stop_mid_tick(session: Session) -> None:
    """`docker stop` in the middle of a tick: exit code 0 within the grace period, with the report."""
    with session.stack(BRISK) as stack:
        stack.up()
        session.within(90, "trading", lambda: stack.fills() >= 2)
        slow = {"kind": "latency", "ms": 3_000, "method": "GET", "path": "klines", "count": None}
        stack.exchange("POST", "fault", slow)
        ticks = stack.count("Trading Cycle #")
        session.within(
            30, "a tick has begun that waits 3 s for candles", lambda: stack.count("Trading Cycle #") > ticks
        )
        grace_seconds = int(stack.inspect("{{.Config.StopTimeout}}"))
        began = seconds()
        done = session.engine.docker("stop", AGENT)
        took = seconds() - began
        session.expect(done.code == 0 and took < grace_seconds, f"stopped in {took:.1f} s ({grace_seconds} s allowed)")
        session.expect(stack.state == "exited 0", "exit code 0", stack.state)
        report = stack.lines("Equity ")
        session.expect(report, f"the report is printed: {report[-1].strip() if report else ''}")
        session.expect(not stack.lines("Traceback"), "no traceback")
        stack.do("start", "trading-agent")
        session.within(60, "started again, it trades", lambda: stack.count("Trading Cycle #1 ") >= 2)
        session.no_differences(stack)


def kill_mid_order(session: Session) -> None:
    """`docker kill -s KILL` while an order is in flight: after the next start nothing is lost and nothing doubled."""
    with session.stack({**BRISK, "STRATEGY_NAME": "combined_default", "STRATEGY_PARAMS": ""}) as stack:
        for what, fault in _IN_FLIGHT.items():
            stack.up()
            session.within(60, "healthy", stack.is_healthy)
            stack.exchange("POST", "fault", {"method": "POST", "path": "order", "count": None, **fault})
            _kill_with_order_in_flight(session, stack, what)


def _kill_with_order_in_flight(session: Session, stack: Stack, what: str) -> None:
    stack.exec_detached(*_ORDER)  # or one of the strategy's, whichever comes first
    order_id = session.within(30, f"an order is in flight ({what})", lambda: _in_flight(stack))
    done = session.engine.docker("kill", "--signal", "KILL", AGENT)
    session.expect(done.code == 0, "killed with everything in it", done.output)
    session.within(10, "exit code 137", lambda: stack.state == "exited 137")
    stack.do("start", "trading-agent")
    state = session.within(60, "the next start has asked about it", lambda: _outcome(stack, order_id))
    session.expect(state in {"FILLED", "NOT_PLACED", "REJECTED"}, f"its outcome is known: {state}")
    known = [row for row in stack.exchange("GET", "state")["orders"] if row["clientOrderId"] == order_id]
    session.expect(len(known) == (state == "FILLED"), f"the exchange has it {len(known)} times", known)
    session.no_differences(stack)


def restarts(session: Session) -> None:
    """the whole stack restarted twenty times while it trades, every other time without a word: 0 differences."""
    with session.stack(BRISK) as stack:
        stack.up()
        took: list[float] = []
        for number in range(1, _RESTARTS + 1):
            _until_trading(stack, number)
            pause(number % 4)  # killed at another moment of a tick each time
            if number % 2:
                session.engine.docker("kill", "--signal", "KILL", AGENT, stack.container("redis"))
            began = seconds()
            stack.do("restart")
            took.append(seconds() - began)
            _until_trading(stack, number + 1)
            done = stack.exec("trade-agent", "reconcile")
            if done.code:
                raise FailedError(f"after restart {number}: {done.output.strip()}")
        session.expect(
            len(took) == _RESTARTS, f"{_RESTARTS} restarts, each reconciled; one takes {statistics.median(took):.1f} s"
        )
        runs = stack.ask_ledger("SELECT count(*), sum(ended_wall_ms IS NULL) FROM runs")
        session.expect(stack.fills() > _RESTARTS, f"{stack.fills()} fills in {runs[0][0]} runs")
        session.no_differences(stack)


def _until_trading(stack: Stack, times: int) -> None:
    began = seconds()
    while stack.count("Trading Cycle #3 ") < times:
        if seconds() - began > 90 * busyness():
            raise FailedError(f"start {times}: no third cycle in time")
        pause(0.5)


def _in_flight(stack: Stack) -> str:
    """The client order id of one that was sent and that nobody has answered for half a second."""
    sent = "SELECT client_order_id FROM orders WHERE state = 'SENT'"
    earlier = {row[0] for row in stack.ask_ledger(sent)}
    pause(0.5)
    return next((row[0] for row in stack.ask_ledger(sent) if row[0] in earlier), "")


def _outcome(stack: Stack, order_id: str) -> str:
    """The order's state once it is no longer open."""
    rows = stack.ask_ledger(f"SELECT state FROM orders WHERE client_order_id = '{order_id}'")
    return "" if not rows or rows[0][0] in {"SENT", "UNKNOWN", "INTENT"} else str(rows[0][0])
