"""`python -m binance_trade_agent.ops.watchdog`: looks after the programs of the container, as one of them.

It asks supervisord once a second how they are, by its socket, and does what `supervision` decides. What it knows it
keeps in SUPERVISION_FILE, so that the next one goes on when it dies.
"""

import contextlib
import logging
import os
import signal
import sys
import xmlrpc.client
from http.client import HTTPException
from pathlib import Path
from typing import Any

from supervisor.xmlrpc import SupervisorTransport

from binance_trade_agent.ops import container_log, heartbeat, supervision
from binance_trade_agent.ops import logging as program_log
from binance_trade_agent.ops.clock import block_seconds, monotonic_seconds
from binance_trade_agent.ops.supervision import TRADER, Action, Process, Supervision, Watchdog

_LOOK_SECONDS = 1.0
PROGRAMS = (TRADER, "exchange", "dashboard", "mcp")
_LOGIN = ("local", "local")  # as in supervisord.conf: the socket's rights protect it

log = logging.getLogger("watchdog")


def watch(supervisor: Any, ledger_path: Path, state: Path) -> None:
    """Look after the programs until supervisord ends this process.

    Args:
        supervisor: the namespace `supervisor` of its XML-RPC interface.
        ledger_path: whose trader it is.
        state: the file that keeps what is known.
    """
    kept = supervision.read(state)
    dogs = [Watchdog(name, kept.get(name, Supervision()), log.warning, ends_container) for name in PROGRAMS]
    while True:
        with contextlib.suppress(OSError, HTTPException, xmlrpc.client.Error):  # supervisord is busy, or ends
            for dog in dogs:
                look(dog, supervisor, ledger_path)
            known = {dog.name: dog.known for dog in dogs}
            if known != kept:
                supervision.write(state, known)
                kept = known
        block_seconds(_LOOK_SECONDS)


def look(dog: Watchdog, supervisor: Any, ledger_path: Path) -> None:
    """Look at a program, and do what is to be done."""
    told = supervisor.getProcessInfo(dog.name)
    process = Process(told["statename"], told["pid"], told["exitstatus"], told["start"], told["stop"])
    beat = heartbeat.read(heartbeat.heartbeat_path(ledger_path)) if dog.name == TRADER else None
    match dog.look(process, beat, monotonic_seconds()):
        case Action.START:
            supervisor.startProcess(dog.name, False)  # without waiting for it
        case Action.KILL:
            os.kill(process.pid, signal.SIGKILL)
        case Action.END:
            log.info("the trader's duration is over, and TRADER_ON_FINISH=end: the container ends")
            supervisor.shutdown()


def ends_container() -> bool:
    """Whether TRADER_ON_FINISH=end. The settings are read only then: they take more memory than all of this."""
    from binance_trade_agent.configuration import ConfigError, load

    try:
        return load().settings.trader_on_finish == "end"
    except ConfigError as failure:
        log.warning("the container stays up: %s", failure)
        return False


def main() -> None:
    """Run it with what supervisord and the image have put into the environment."""
    container_log.speak_as_program(os.environ)
    program_log.configure("json" if os.environ.get("LOG_FORMAT", "").lower() == "json" else "console", "INFO")
    state = supervision.file_of(os.environ)
    if state is None:
        sys.exit("SUPERVISION_FILE is not set: the watchdog is a program of the container's supervisord.")
    transport = SupervisorTransport(*_LOGIN, os.environ["SUPERVISOR_SERVER_URL"])
    # The address is not used: the transport has its own.
    proxy = xmlrpc.client.ServerProxy("http://127.0.0.1", transport)
    watch(proxy.supervisor, Path(os.environ["LEDGER_PATH"]), state)


if __name__ == "__main__":
    main()
