"""Saying something to a person at a terminal."""

import io
import sys


def complain(failure: object, exit_code: int) -> int:
    """Print each line of `failure` as an error on standard error; returns `exit_code`."""
    for line in str(failure).splitlines():
        print(f"Error: {line}", file=sys.stderr)
    return exit_code


def lack_no_character() -> None:
    """Let a `?` stand for what the terminal's encoding lacks, as with LANG=C; otherwise it would end the command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
