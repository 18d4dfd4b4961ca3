"""What happens at `docker-compose up`: with nothing set, with settings, for a duration, without the trader."""

from tests.docker.session.engine import AGENT
from tests.docker.session.scenario import Session, pause, seconds
from tests.docker.session.stack import BRISK

_RUNS_PYTHON = ("python", "-m", "binance_trade_agent.autonomous_trading_loop")


def nothing_set(session: Session) -> None:
    """up without any setting: it says what it is and trades within half a minute."""
    with session.stack({}) as stack:
        stack.up()
        session.within(30, "healthy", stack.is_healthy)
        session.within(5, "the first cycle is in `docker logs`", lambda: stack.lines("Trading Cycle #1 "))
        said = stack.lines(" on simulated ")
        session.expect(said, f"it says what it trades on: {said[0].strip() if said else ''}")
        session.no_differences(stack)


def fills(session: Session) -> None:
    """a market sixty times as fast: fills come, are in the ledger and in the analysis."""
    with session.stack({"SIMULATION_SPEED": "60", "TRADING_INTERVAL_SECONDS": "60"}) as stack:
        stack.up()
        session.within(150, "a fill of the default strategy is in the ledger", stack.fills)
        session.expect(stack.lines("TRADE EXECUTED"), "the log tells of it")
        done = stack.compose("exec", "-T", "trading-agent", "python", "/app/analyze_portfolio.py", "--limit", "3")
        trade = next((line.strip() for line in done.out.splitlines() if " BUY " in line), "")
        session.expect(done.code == 0 and trade, f"analyze_portfolio.py has it: {trade}", done.output)
        session.no_differences(stack)


def settings_take_effect(session: Session) -> None:
    """environment variables for interval, symbols and strategy take effect."""
    wanted = {
        "SIMULATION_SPEED": "10",
        "TRADING_INTERVAL_SECONDS": "20",
        "TRADING_SYMBOLS": "BTCUSDT",
        "STRATEGY_NAME": "rsi_momentum",
        "STRATEGY_PARAMS": "rsi_period=3",
    }
    with session.stack(wanted) as stack:
        stack.up()
        session.within(60, "the first cycle", lambda: stack.count("Trading Cycle #1 "))
        first, began = stack.count("Trading Cycle #"), seconds()
        session.within(30, "five cycles more", lambda: stack.count("Trading Cycle #") >= first + 5)
        took = seconds() - began
        session.expect(took > 7, f"a tick every 2 s at speed 10: five took {took:.1f} s")
        shown = stack.exec("trade-agent", "config").out
        for name, value in wanted.items():
            line = next((line for line in shown.splitlines() if line.split()[:1] == [name]), "")
            session.expect(value in line and "environment" in line, f"`trade-agent config`: {' '.join(line.split())}")
        traded = stack.ask_ledger("SELECT DISTINCT symbol FROM decisions")
        session.expect(traded == [["BTCUSDT"]], "decisions on BTCUSDT only", traded)


def duration_over(session: Session) -> None:
    """TRADING_DURATION_MINUTES is over: the report is in the log, the container stays up and healthy."""
    with session.stack({**BRISK, "TRADING_DURATION_MINUTES": "10"}) as stack:
        stack.up()
        session.within(90, "the trader ends", lambda: stack.lines("the duration is over"))
        session.within(10, "the report is in the log", lambda: stack.lines("Equity "))
        session.within(30, "healthy", stack.is_healthy)
        pause(5)
        status = stack.exec("supervisorctl", "status", "trader").out
        session.expect("EXITED" in status, "supervisord leaves it ended", status)
        session.expect(stack.state == "running 0", "the container stays up", stack.state)
        session.no_differences(stack)


def duration_over_container_ends(session: Session) -> None:
    """the same with TRADER_ON_FINISH=end: the container ends too, with 0, and stays ended."""
    with session.stack(
        {**BRISK, "TRADING_DURATION_MINUTES": "10", "TRADER_ON_FINISH": "end", "RESTART_POLICY": "on-failure"}
    ) as stack:
        stack.up()
        session.within(90, "the container ends", lambda: stack.state.startswith("exited"))
        session.expect(stack.state == "exited 0", "its exit code is 0", stack.state)
        session.expect(stack.lines("Equity "), "the report is in the log")
        pause(5)
        session.expect(stack.state == "exited 0", "it stays ended", stack.state)


def autostart_off(session: Session) -> None:
    """TRADING_AUTOSTART=false: nobody trades, it is healthy, and a trader that is started by hand trades."""
    with session.stack({**BRISK, "TRADING_AUTOSTART": "false"}) as stack:
        stack.up()
        session.within(60, "healthy", stack.is_healthy)
        session.within(30, "the exchange is ready", lambda: stack.count("simulated exchange ready"))
        session.expect(not stack.count("Trading Cycle"), "nobody trades")
        stack.exec_detached(*_RUNS_PYTHON)
        session.within(
            60,
            "a trader that `exec -d` started trades, and `docker logs` shows it",
            lambda: stack.count("Trading Cycle #1 "),
        )
        session.no_differences(stack)
        done = stack.exec("trade-agent", "stop")
        session.expect(done.code == 0, f"`trade-agent stop`: {done.out.strip()}", done.output)
        session.within(15, "its report is in the log", lambda: stack.lines("Equity "))
        session.expect(stack.exec("supervisorctl", "start", "trader").code == 0, "`supervisorctl start trader`")
        session.within(60, "a supervised one trades", lambda: stack.count("Trading Cycle #1 ") >= 2)
        session.expect(stack.inspect("{{.Name}}") == f"/{AGENT}", "under the name that everybody knows")
