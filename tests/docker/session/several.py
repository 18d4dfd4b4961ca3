"""Several daemons: the compose file of the guide, with an exchange that the lab has."""

import json
import re

from tests.docker.session.engine import AGENT, ROOT, Done
from tests.docker.session.scenario import Session, seconds
from tests.docker.session.stack import BRISK, Stack

_MINORS = "minors"
_DAEMONS = (AGENT, _MINORS)
_SYMBOLS = {AGENT: ["BTCUSDT", "ETHUSDT"], _MINORS: ["ADAUSDT", "XRPUSDT"]}
_EXCHANGE = "http://simulated-exchange:8090"
# At ten times the speed a candle closes every 6 s; at sixty a feed is behind its daemons again and again.
_PACE = {**BRISK, "SIMULATION_SPEED": "10", "TRADING_INTERVAL_SECONDS": "10"}
_TRADED = "SELECT DISTINCT symbol FROM decisions ORDER BY symbol"

# What the guide's file has from Binance comes from the exchange beside it, and the second one is as brisk as the first.
_ON_SIMULATED_EXCHANGE = f"""
services:
  minors:
    environment: {json.dumps({**_PACE, "EXCHANGE_URL": _EXCHANGE})}
  feed:
    command: ["trade-agent", "feed"]
    environment: {json.dumps({"EXCHANGE_URL": _EXCHANGE})}
"""


def several_daemons(session: Session) -> None:
    """the guide's compose file: two daemons on one account and a feed; feed, Redis and a daemon killed, nothing lost."""
    settings = {
        **_PACE,
        "EXCHANGE_URL": _EXCHANGE,
        "TRADING_SYMBOLS": ",".join(symbol for symbols in _SYMBOLS.values() for symbol in symbols),
    }
    with session.stack(
        settings, overrides=(_of_guide(), _ON_SIMULATED_EXCHANGE), profile="simulated-exchange"
    ) as stack:
        stack.up()
        for name in _DAEMONS:
            session.within(90, f"{name} trades", lambda name=name: stack.fills(name))
            session.within(60, "and hears the feed", lambda name=name: _hears_feed(stack, name))
            traded = [row[0] for row in stack.ask_ledger(_TRADED, name)]
            session.expect(traded == _SYMBOLS[name], f"it decides on {' '.join(traded)} only", traded)
        feed = stack.container("feed")
        session.within(60, "the feed is healthy", lambda: stack.inspect("{{.State.Health.Status}}", feed) == "healthy")
        said = session.engine.docker("exec", feed, "trade-agent", "health", "--feed").out.strip()
        session.expect("4 symbols for 2 daemons" in said, f"it says: {said}")
        _feed_killed(session, stack, feed)
        _redis_killed(session, stack)
        _daemon_killed(session, stack)
        _stopped(session, stack)


def _of_guide() -> str:
    """The compose file in the guide, as its reader would copy it."""
    guide = (ROOT / "docs" / "guide" / "several-daemons.md").read_text(encoding="utf-8")
    return re.findall(r"^```yaml\n(.*?)^```$", guide, re.DOTALL | re.MULTILINE)[-1]


def _feed_killed(session: Session, stack: Stack, feed: str) -> None:
    for name in _DAEMONS:
        session.within(60, f"{name} hears the feed", lambda name=name: _hears_feed(stack, name))
    session.engine.docker("kill", "--signal", "KILL", feed)
    for name in _DAEMONS:
        session.within(30, f"{name} says that it has none", lambda name=name: not _hears_feed(stack, name))
        _goes_on(session, stack, name)
    stack.do("start", "feed")
    for name in _DAEMONS:
        session.within(60, f"{name} hears it again", lambda name=name: _hears_feed(stack, name))


def _redis_killed(session: Session, stack: Stack) -> None:
    session.engine.docker("kill", "--signal", "KILL", stack.container("redis"))
    for name in _DAEMONS:
        session.within(30, f"{name} says that Redis is away", lambda name=name: stack.count("does not answer", name))
        _goes_on(session, stack, name)
        session.expect(not stack.lines("never retrieved", name), "and the log has nothing that is not for people")
    stack.do("start", "redis")
    said = session.within(90, "with Redis again each claim is there again", lambda: _both_run(stack))
    session.expect("at most 4000 USDT" in said, f"and the limit: {said.splitlines()[-1].strip()}", said)


def _daemon_killed(session: Session, stack: Stack) -> None:
    session.engine.docker("kill", "--signal", "KILL", AGENT)
    session.within(60, "killed, the first is said not to run", lambda: "majors  does not run" in _account(stack).out)
    _goes_on(session, stack, _MINORS)
    starts = stack.count("Trading Cycle #1 ")
    stack.do("start", "trading-agent")
    session.within(60, "started again, it trades", lambda: stack.count("Trading Cycle #1 ") > starts)
    for name in _DAEMONS:
        session.no_differences(stack, f"of {name}", name)


def _stopped(session: Session, stack: Stack) -> None:
    for name in _DAEMONS:
        began = seconds()
        session.engine.docker("stop", name)
        took, grace_seconds = seconds() - began, int(stack.inspect("{{.Config.StopTimeout}}", name))
        ended = stack.inspect("{{.State.Status}} {{.State.ExitCode}}", name)
        session.expect(
            ended == "exited 0" and took < grace_seconds,
            f"{name} stopped in {took:.1f} s with exit code 0",
            f"{ended} after {took:.1f} s",
        )
        session.expect(not stack.lines("Traceback", name), "no traceback")


def _account(stack: Stack) -> Done:
    return stack.exec("trade-agent", "account", name=_MINORS)


def _both_run(stack: Stack) -> str:
    """What `trade-agent account` says once both daemons run by it."""
    done = _account(stack)
    return done.out if all(f"{name}  runs" in done.out for name in ("majors", "minors")) else ""


def _hears_feed(stack: Stack, name: str) -> bool:
    """By the last that a daemon has said of it. It may also be without one for being quicker than the feed."""
    said = [line for line in stack.log(name).splitlines() if "feed process" in line or "market by itself" in line]
    return bool(said) and "by itself" not in said[-1]


def _goes_on(session: Session, stack: Stack, name: str) -> None:
    cycles = stack.count("Trading Cycle #", name)
    session.within(30, "and goes on", lambda: stack.count("Trading Cycle #", name) >= cycles + 5)
