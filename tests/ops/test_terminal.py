"""What a person reads at a terminal that knows few letters."""

import io
import subprocess
import sys

from binance_trade_agent.ops import terminal
from tests.sessions.daemon_process import CLEAN_ENVIRONMENT


def test_what_the_terminals_encoding_lacks_is_a_question_mark(monkeypatch):
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii"))
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    terminal.lack_no_character()
    print("within ±0.15 …", flush=True)
    assert written.getvalue() == b"within ?0.15 ?\n"


def test_commands_speak_on_a_terminal_that_knows_only_ascii():
    environment = {**CLEAN_ENVIRONMENT, "PYTHONIOENCODING": "ascii", "LC_ALL": "C", "PYTHONUTF8": "0"}
    command = [sys.executable, "-m", "binance_trade_agent.cli", "stöp"]
    said = subprocess.run(command, capture_output=True, env=environment, check=False)
    assert said.returncode == 2
    assert b"No such command" in said.stderr
    assert b"Traceback" not in said.stderr
