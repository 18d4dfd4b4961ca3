import os
import subprocess
import sys

PROGRAM = """
import os, sys
from binance_trade_agent.ops.container_log import copy_output
copy_output(os.environ)
print("to output")
print("to error", file=sys.stderr)
"""


def speak(**environment):
    return subprocess.run(
        [sys.executable, "-c", PROGRAM], env=os.environ | environment, capture_output=True, text=True, check=True
    )


def test_output_and_error_are_copied_to_the_container_log(tmp_path):
    log = tmp_path / "log"
    said = speak(CONTAINER_LOG=str(log))
    assert (said.stdout, said.stderr) == ("to output\n", "to error\n")
    assert log.read_text(encoding="utf-8") == "to output\nto error\n"


def test_a_container_log_that_cannot_be_written_changes_nothing(tmp_path):
    said = speak(CONTAINER_LOG=str(tmp_path / "missing" / "log"))
    assert (said.stdout, said.stderr) == ("to output\n", "to error\n")


def test_without_a_container_log_the_output_is_its_own():
    said = speak(CONTAINER_LOG="")
    assert (said.stdout, said.stderr) == ("to output\n", "to error\n")
