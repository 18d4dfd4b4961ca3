"""Saying what is wrong to a person at a terminal."""

import sys


def complain(failure: object, exit_code: int) -> int:
    """Print each line of `failure` as an error on standard error; returns `exit_code`."""
    for line in str(failure).splitlines():
        print(f"Error: {line}", file=sys.stderr)
    return exit_code
