"""Versions of what runs."""

import platform
import sqlite3
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version


def versions(libraries: Iterable[str]) -> dict[str, str]:
    """Versions of the program, of what it stands on, and of `libraries` as far as they are installed, by name."""
    found = {"python": platform.python_version(), "sqlite": sqlite3.sqlite_version}
    return _installed(["binance-trading-agent"]) | found | _installed(libraries)


def _installed(packages: Iterable[str]) -> dict[str, str]:
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
