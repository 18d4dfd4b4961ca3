"""Every setting has an effect, and it is the one that its meaning promises: see the tables beside this file."""

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from binance_trade_agent.settings import setting_names
from tests.settings.effects import Effect, ShownBy, seen
from tests.settings.entries import ENTRIES
from tests.settings.exits import EXITS
from tests.settings.places import PLACES
from tests.settings.sessions import JOINTS, SESSIONS

ROOT = Path(__file__).parents[2]
TABLES = (ENTRIES, EXITS, PLACES, SESSIONS)
EFFECTS: dict[str, Effect | ShownBy] = {setting: case for table in TABLES for setting, case in table.items()}


def trials(table: Mapping[str, Effect | ShownBy]) -> list[Any]:
    return [
        pytest.param(setting, value, case, id=f"{setting}={str(value)[:20]}")
        for setting, case in table.items()
        if isinstance(case, Effect)
        for value in case.seen
    ]


def test_every_setting_has_an_entry_and_every_entry_names_a_setting():
    assert set(setting_names()) - EFFECTS.keys() == set(), "settings without an entry"
    assert EFFECTS.keys() - set(setting_names()) == set(), "entries for no setting"
    assert sum(map(len, TABLES)) == len(EFFECTS), "a setting has two entries"


@pytest.mark.parametrize("setting", [name for name, case in EFFECTS.items() if isinstance(case, Effect)])
def test_every_setting_makes_a_difference(setting):
    told = list(EFFECTS[setting].seen.values())
    assert any(one != told[0] for one in told)


@pytest.mark.parametrize(("setting", "value", "case"), trials(EFFECTS))
async def test_setting_does_what_it_promises(tmp_path, setting, value, case):
    assert await seen(setting, value, case, tmp_path) == case.seen[value]


@pytest.mark.parametrize(("setting", "value", "case"), trials(JOINTS))
async def test_daemon_is_made_of_them(tmp_path, setting, value, case):
    assert await seen(setting, value, case, tmp_path) == case.seen[value]


@pytest.mark.parametrize("setting", [name for name, case in EFFECTS.items() if isinstance(case, ShownBy)])
def test_effect_that_is_shown_elsewhere_is_shown_there(setting):
    for place in EFFECTS[setting].places:
        file, _, test = place.partition("::")
        text = (ROOT / file).read_text(encoding="utf-8")
        assert setting in (source_of(text, test.split("::")) if test else text).upper(), place


def source_of(text: str, names: list[str]) -> str:
    """The source of a test, by the names of the class that it is in, if any, and its own."""
    found: ast.AST = ast.parse(text)
    for name in names:
        (found,) = [node for node in ast.iter_child_nodes(found) if getattr(node, "name", "") == name]
    return ast.get_source_segment(text, found) or ""
