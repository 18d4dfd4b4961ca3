"""What breaks around a running trader: Redis, its own process, its disk."""

from tests.docker.session.engine import FailedError
from tests.docker.session.scenario import Session, pause
from tests.docker.session.stack import BRISK, Stack

_UNHEALTHY_SECONDS = 60

# A volume of its own size, in memory: the local driver mounts it like any other.
_SMALL_DISK = """
volumes:
  ledger:
    driver_opts: {type: tmpfs, device: tmpfs, o: "size=64m,uid=10001,gid=10001"}
"""
_FILL_UP = ("sh", "-c", "cat /dev/zero > /app/data/filler 2>/dev/null; df -k /app/data | tail -1")
_ORDER = ("trade-agent", "order", "buy", "BTCUSDT", "--quote", "20", "--yes")


def redis_away(session: Session) -> None:
    """the Redis container stopped and started: trading goes on."""
    with session.stack(BRISK) as stack:
        stack.up()
        session.within(90, "trading", stack.fills)
        stack.do("stop", "redis")
        session.within(30, "the log says that Redis is away", lambda: stack.lines("Redis does not answer"))
        _goes_on(session, stack, "without Redis")
        session.expect(stack.is_healthy(), "healthy without it", stack.health)
        stack.do("start", "redis")
        session.within(60, "the log says that Redis is back", lambda: stack.lines("Redis answers again"))
        _goes_on(session, stack, "with it again")
        session.no_differences(stack)


def trader_killed(session: Session) -> None:
    """the trader killed inside the container: back by the supervisor, and said so."""
    with session.stack(BRISK) as stack:
        stack.up()
        session.within(90, "trading", stack.fills)
        for number in range(1, 4):
            pid = stack.signal_trader("KILL")
            session.within(
                30, f"kill {number}: another process is there", lambda gone=pid: _pid(stack) not in {0, gone}
            )
            session.within(60, "and trades", lambda times=number + 1: stack.count("Trading Cycle #1 ") >= times)
            session.no_differences(stack)
        runs, unended = stack.ask_ledger("SELECT count(*), sum(ended_wall_ms IS NULL) FROM runs")[0]
        session.expect(
            (runs, unended) == (4, 4), f"the ledger counts {runs} runs, {unended} without an end of their own"
        )
        said = stack.lines("the trader was killed by a signal")
        session.expect(len(said) == 3, f"the log has each: {said[-1].strip() if said else ''}", said)
        health = stack.exec("trade-agent", "health").output.strip()
        session.expect("restarts since the container began: 3" in health, f"counted: {health}")
        session.expect(stack.restarts() == 0, "the container was not restarted")


def trader_wedged(session: Session) -> None:
    """the trader stopped by SIGSTOP: unhealthy within a minute; by SIGCONT it goes on."""
    with session.stack(BRISK) as stack:
        stack.up()
        session.within(90, "trading", stack.fills)
        session.within(30, "healthy", stack.is_healthy)
        pid = stack.signal_trader("STOP")
        session.within(_UNHEALTHY_SECONDS, "unhealthy", lambda: stack.health == "unhealthy")
        said = stack.exec("trade-agent", "health")
        session.expect(said.code == 1, f"`trade-agent health`: {said.output.strip()}")
        if _pid(stack) == pid:
            stack.signal_trader("CONT")
        session.within(60, "healthy again", stack.is_healthy)
        _goes_on(session, stack, "after SIGCONT")
        session.no_differences(stack)


def disk_full(session: Session) -> None:
    """the ledger's disk is full: entries stop, it is said, exits go on; with space again it enters again."""
    settings = {**BRISK, "LEDGER_MIN_FREE_MB": "20", "LOG_FILE_MB": "2", "RECORD_KEEP_MB": "4"}
    with session.stack(settings, overrides=(_SMALL_DISK,)) as stack:
        stack.up()
        session.within(90, "trading", stack.fills)
        left = stack.exec(*_FILL_UP).out.split()
        session.expect(left[3] == "0", f"the disk is full: {left[1]} kB, {left[3]} left")
        session.within(60, "entries are refused, with the reason", lambda: stack.lines("less than LEDGER_MIN_FREE_MB"))
        # What was under way when it happened may still be booked; from here on nothing is entered.
        pause(5)
        before = _purchases(stack)
        refused = stack.exec(*_ORDER)
        session.expect(refused.code != 0, f"an order by hand is refused: {_reason(refused.output)}")
        status = stack.exec("trade-agent", "status").out
        session.expect("LEDGER_MIN_FREE_MB" in status, "`trade-agent status` says why nothing is entered", status)
        pause(15)
        session.expect(_purchases(stack) == before, "nothing was bought in a quarter of an hour of market time")
        session.expect(not stack.lines("Traceback"), "no traceback")
        session.expect(_pid(stack), "the trader runs")
        stack.exec("rm", "/app/data/filler")
        session.within(60, "with space again an order by hand is placed", lambda: stack.exec(*_ORDER).code == 0)
        before = _purchases(stack)
        session.within(90, "and the strategy buys again", lambda: _purchases(stack) > before)
        session.no_differences(stack)


def _goes_on(session: Session, stack: Stack, when: str) -> None:
    cycles = stack.count("Trading Cycle #")
    session.within(30, f"five cycles more {when}", lambda: stack.count("Trading Cycle #") >= cycles + 5)


def _purchases(stack: Stack) -> int:
    rows = stack.ask_ledger("SELECT count(*) FROM orders WHERE side = 'BUY'")
    if not rows:
        raise FailedError("the ledger cannot be read")
    return int(rows[0][0])


def _pid(stack: Stack) -> int:
    answer = stack.exec("supervisorctl", "pid", "trader").out.strip()
    return int(answer) if answer.isdigit() else 0


def _reason(output: str) -> str:
    return next((line.strip() for line in output.splitlines() if "LEDGER_MIN_FREE_MB" in line), output.strip())
