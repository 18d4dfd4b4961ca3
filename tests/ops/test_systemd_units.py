"""The units in config/systemd/: systemd takes them, and they say what the program means."""

import shutil
import subprocess
from pathlib import Path

import pytest

from binance_trade_agent import exit_codes
from binance_trade_agent.cli import group

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "config" / "systemd"
INSTALLED = "/opt/binance-trading-agent"
SERVICES = sorted(FOLDER.glob("*.service"))


def lines(unit: Path) -> list[str]:
    return [line for line in unit.read_text("utf-8").splitlines() if line and not line.startswith("#")]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_systemd_takes_the_units(tmp_path):
    program = tmp_path / "trade-agent"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    for unit in [*SERVICES, *FOLDER.glob("*.timer")]:
        text = unit.read_text("utf-8").replace(f"{INSTALLED}/.venv/bin/trade-agent", str(program))
        (tmp_path / unit.name).write_text(text)
    shutil.copytree(FOLDER / "trade-agent.service.d", tmp_path / "trade-agent.service.d")
    units = [tmp_path / unit.name for unit in [*SERVICES, *FOLDER.glob("*.timer")]]
    checked = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.stem)
def test_each_starts_a_command_of_the_program_and_is_not_started_again_where_that_changes_nothing(unit):
    (start,) = [line for line in lines(unit) if line.startswith("ExecStart=")]
    program, command, *_ = start.removeprefix("ExecStart=").split()
    assert program == f"{INSTALLED}/.venv/bin/trade-agent"
    assert command in group.commands
    if "Restart=on-failure" in lines(unit):
        assert f"RestartPreventExitStatus={exit_codes.OK} {exit_codes.WRONG_CONFIGURATION}" in lines(unit)


def test_all_are_locked_in_alike():
    def locked(unit: Path) -> set[str]:
        of_its_own = ("TasksMax=", "StateDirectory=", "RestrictAddressFamilies=", "PrivateNetwork=", "IPAddressDeny=")
        found = lines(unit)
        return {line for line in found[found.index("User=trade-agent") :] if not line.startswith((*of_its_own, "["))}

    trader, *others = map(locked, sorted(SERVICES, key=lambda unit: unit.stem != "trade-agent"))
    assert "ProtectSystem=strict" in trader
    for other in others:
        assert trader - other <= {"WantedBy=multi-user.target"}
