"""Signals at moments when nothing trades: in a process of its own, since a signal ends more than a test should."""

import signal
import subprocess
import sys

import pytest

_WAITS = """
import signal
from binance_trade_agent.ops.signals import end_quietly_until_listened_to
{before}
end_quietly_until_listened_to("trading began")
print("waiting", flush=True)
signal.pause()
"""


def waiting(before: str = "") -> subprocess.Popen:
    process = subprocess.Popen(
        [sys.executable, "-c", _WAITS.format(before=before)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "waiting\n"
    return process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signal_before_trading_ends_well(number):
    process = waiting()
    process.send_signal(number)
    _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (0, f"{number.name}: stopped before trading began\n")


def test_hangup_that_nohup_ignores_stays_ignored():
    process = waiting("signal.signal(signal.SIGHUP, signal.SIG_IGN)")
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (0, "SIGTERM: stopped before trading began\n")
