"""Mistakes of people: wrong keys, wrong settings, no network, two traders. One line each, and no storm of restarts."""

from tests.docker.session.scenario import Session, pause
from tests.docker.session.stack import BRISK, Stack

_WATCHED_SECONDS = 20
_KEY, _SECRET = "a1" * 32, "b2" * 32

_GAVE_UP = "the trader ended with exit code 1"

# Containers reach each other and nothing else; published ports are not asked for here.
_NO_NETWORK = "networks: {default: {internal: true}}\n"


def wrong_keys(session: Session) -> None:
    """keys that the exchange refuses: one line, no restart, an unhealthy container."""
    with session.stack({**BRISK, "TRADING_AUTOSTART": "false"}) as stack:
        stack.up()
        session.within(60, "the exchange is ready", lambda: stack.count("simulated exchange ready"))
        stack.exchange("POST", "fault", {"kind": "revoke_key"})
        stack.exec("supervisorctl", "start", "trader")
        session.within(30, "the exchange refuses the key", lambda: stack.lines("(-2015)"))
        _stays_ended(session, stack, "(-2015)", lines=1)
        signed = [entry for entry in stack.exchange("GET", "log")["requests"] if "signature=" in str(entry)]
        session.expect(len(signed) <= 2, f"{len(signed)} signed requests in all")


def wrong_setting(session: Session) -> None:
    """a setting that is not allowed: one line of each program, no restart, an unhealthy container."""
    with session.stack({**BRISK, "RISK_MAX_ORDER_QUOTE": "lots"}) as stack:
        stack.up()
        session.within(30, "it is said", lambda: stack.lines("RISK_MAX_ORDER_QUOTE"))
        pause(5)
        _stays_ended(session, stack, "RISK_MAX_ORDER_QUOTE", lines=4)
        session.expect(not stack.lines("Traceback"), "no traceback")


def no_network(session: Session) -> None:
    """the testnet cannot be reached: said once a try, tried again less and less often, unhealthy, and no key shown."""
    settings = {"BINANCE_API_KEY": _KEY, "BINANCE_API_SECRET": _SECRET, "EXCHANGE_STARTUP_SECONDS": "5"}
    with session.stack(settings, overrides=(_NO_NETWORK,)) as stack:
        stack.up()
        session.within(60, "the trader has given up once", lambda: stack.lines(_GAVE_UP))
        said = [line for line in stack.log().splitlines() if "testnet.binance.vision" in line]
        session.expect(said, f"the log says what is away: {said[0].strip()[:160] if said else ''}")
        pause(60)
        tries = stack.count(_GAVE_UP)
        session.expect(2 <= tries <= 7, f"tried {tries} times in a minute and a bit, 5 s each", tries)
        session.within(60, "unhealthy", lambda: stack.health == "unhealthy")
        session.expect(_KEY not in stack.log() and _SECRET not in stack.log(), "neither key nor secret is in the log")
        session.expect(not stack.lines("Traceback"), "no traceback")


def second_trader(session: Session) -> None:
    """a second trader in the same container: refused with one line, and the first goes on."""
    with session.stack(BRISK) as stack:
        stack.up()
        session.within(90, "trading", stack.fills)
        second = stack.exec("trade-agent", "run")
        session.expect(second.code == 2, f"exit code 2: {second.output.strip().splitlines()[-1]}", second.output)
        before = stack.count("the trader already runs")
        stack.exec_detached("python", "-m", "binance_trade_agent.autonomous_trading_loop")
        session.within(
            30,
            "one that `exec -d` started says so in `docker logs`",
            lambda: stack.count("the trader already runs") > before,
        )
        cycles = stack.count("Trading Cycle #")
        session.within(30, "the first goes on", lambda: stack.count("Trading Cycle #") >= cycles + 3)
        session.no_differences(stack)


def _stays_ended(session: Session, stack: Stack, text: str, *, lines: int) -> None:
    pause(_WATCHED_SECONDS)
    found = stack.lines(text)
    session.expect(
        len(found) == lines, f"{lines} line(s) in {_WATCHED_SECONDS} s: {found[-1].strip() if found else ''}", found
    )
    status = stack.exec("supervisorctl", "status", "trader").out.strip()
    session.expect("EXITED" in status or "FATAL" in status, f"nobody starts it again: {' '.join(status.split())}")
    session.within(90, "unhealthy", lambda: stack.health == "unhealthy")
    session.expect(stack.restarts() == 0, "the container was not restarted")
