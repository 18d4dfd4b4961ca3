import os
import subprocess
import sys

import pytest

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


AS_PROGRAM = """
import os, subprocess, sys
from binance_trade_agent.ops.container_log import speak_as_program
speak_as_program(os.environ)
print("one", flush=True)
print("two\\n\\nthree")
print('{"event": "four"}', file=sys.stderr)
print("a rest", end="", flush=True)
subprocess.run([sys.executable, "-c", "import os; print('PROGRAM_NAME' in os.environ)"], stdout=sys.stderr.fileno())
"""


def speak_as(name):
    environment = os.environ | {"PROGRAM_NAME": name}
    return subprocess.run(
        [sys.executable, "-c", AS_PROGRAM], env=environment, capture_output=True, text=True, check=True
    )


def test_lines_of_a_program_begin_with_its_name_but_json_does_not():
    said = speak_as("exchange")
    assert said.stdout == "exchange | one\nexchange | two\nexchange | \nexchange | three\nexchange | a rest\n"
    assert said.stderr == '{"event": "four"}\nFalse\n'


def test_the_traders_lines_are_as_they_are():
    assert speak_as("trader").stdout == "one\ntwo\n\nthree\na rest\n"


def test_a_traceback_has_the_name_on_each_line():
    code = "import os; from binance_trade_agent.ops.container_log import speak_as_program as s; s(os.environ); 1 / 0"
    environment = os.environ | {"PROGRAM_NAME": "mcp"}
    said = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert said.returncode == 1
    assert all(line.startswith("mcp | ") for line in said.stderr.splitlines())
    assert said.stderr.endswith("mcp | ZeroDivisionError: division by zero\n")


@pytest.mark.parametrize(("log_format", "said"), [("json", '"program": "mcp"'), ("console", "mcp | hello")])
def test_each_event_names_the_program(log_format, said):
    code = (
        "import logging, os; from binance_trade_agent.ops import container_log, logging as ours\n"
        f"container_log.speak_as_program(os.environ); ours.configure({log_format!r}, 'INFO')\n"
        "logging.getLogger('x').info('hello')"
    )
    environment = os.environ | {"PROGRAM_NAME": "mcp"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert said in done.stderr
