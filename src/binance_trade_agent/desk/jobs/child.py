"""The process of a job: `python -m binance_trade_agent.desk.jobs.child ARGUMENTS` is `trade-agent ARGUMENTS`.

It steps behind the trader (a higher nice value), and ends when the dashboard does, however that ended: it holds the
other end of standard input, which then closes.
"""

import os
import runpy
import signal
import sys
import threading

NICER = 10  # a trader beside it has nice value 0
_LAST_SECONDS = 5.0


def main() -> None:
    """Run the command of this process's arguments."""
    os.nice(NICER)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # it was perhaps started by what ignores Ctrl-C
    threading.Thread(target=_end_with_the_dashboard, name="end-with-the-dashboard", daemon=True).start()
    sys.argv[0] = "trade-agent"
    # By its name: the dashboard does not import the commands, it starts them.
    runpy.run_module("binance_trade_agent.cli", run_name="__main__")


def _end_with_the_dashboard() -> None:
    """Wait until standard input ends; then there is nobody to tell the result to."""
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGINT)  # files that are not whole are taken away
    threading.Event().wait(_LAST_SECONDS)
    os._exit(1)


if __name__ == "__main__":
    main()
