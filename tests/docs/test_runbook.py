"""docs/guide/runbook.md has an entry for each alarm, alert, reason, state and exit code, and says the program's words."""

import importlib
import re
from pathlib import Path

import pytest
import yaml

from binance_trade_agent import exit_codes
from binance_trade_agent.domain.notify_events import NotifyEvent
from binance_trade_agent.ledger import pauses
from binance_trade_agent.ops import doctor, health
from binance_trade_agent.ops.metrics import sources

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "binance_trade_agent"
PAGE = (ROOT / "docs" / "guide" / "runbook.md").read_text(encoding="utf-8")
HEADINGS = re.findall(r"^#+ (.+)$", PAGE, re.MULTILINE)
CODE = {path: path.read_text("utf-8") for path in SOURCE.rglob("*.py")}
WORDS = [
    "what became of it is still not known",
    "it lived on after it was thought dead; what it did is booked",
    "nothing is asked of the exchange until it answers again",
    "the exchange answers again, after",
    "the exchange takes the API keys again",
    "no news of the account for",
    "less than LEDGER_MIN_FREE_MB=",
    "ticks were missed and are not made up for",
    "is suspended after",
    "Redis does not answer; going on without it",
    "the account's lease is held again",
    "the trader already runs",
    "another trader has this account",
    "another daemon took over",
    "move it away with its -wal file and put back a backup",
    "use the newer program",
    "ended without a word: it was killed, or cut off.",
    "they may not trade: enable spot trading for them",
]


def alarm_kinds() -> set[str]:
    """What the program raises alarms of: the first argument of each `sound`."""
    kinds = set()
    for path, text in CODE.items():
        for argument in re.findall(r"\.sound\(\s*([\w\"]+)", text):
            module = "binance_trade_agent." + ".".join(path.relative_to(SOURCE).with_suffix("").parts)
            is_text = argument.startswith('"')
            kinds.add(argument.strip('"') if is_text else getattr(importlib.import_module(module), argument))
    return kinds


def gate_reasons() -> set[str]:
    """What keeps entries away beside alarms."""
    blocked = {name for text in CODE.values() for name in re.findall(r"\.(?:block|_shut_while)\(\"(\w+)\"", text)}
    return blocked | {pauses.CONSECUTIVE_LOSSES, pauses.DAILY_LOSS, pauses.DRAWDOWN}


def alerts() -> list[str]:
    (group,) = yaml.safe_load((ROOT / "config" / "prometheus" / "rules.yml").read_text("utf-8"))["groups"]
    return [rule["alert"] for rule in group["rules"]]


def row_names(heading: str) -> set[str]:
    """The first cells of the tables below a heading, without back-ticks."""
    part = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return {name for line in part.splitlines() for name in re.findall(r"^\| `?([^|`]+?)`?(?:,[^|]*)? \|", line)}


def test_each_alarm_has_an_entry_of_its_name():
    kinds = alarm_kinds()
    assert {"unprotected", "late_fill", "stranger"} <= kinds
    assert {heading.split(" · ")[0] for heading in HEADINGS} >= kinds


def test_each_alarm_has_a_series_of_its_own_before_it_is_raised():
    assert set(sources._ALARMS) == alarm_kinds()


def test_each_reason_that_keeps_entries_away_is_a_heading():
    reasons = gate_reasons()
    assert {"exchange", "ledger", "disk", "no_news", "daily_loss"} <= reasons
    assert {name for heading in HEADINGS for name in re.split(r"[ ,·]+", heading)} >= reasons


@pytest.mark.parametrize("alert", alerts())
def test_each_alert_is_named(alert):
    assert re.search(rf"\b{alert}\b", PAGE)


def test_each_exit_code_is_in_the_table():
    codes = {str(value) for name, value in vars(exit_codes).items() if name.isupper()}
    assert row_names("It has ended") >= codes


def test_each_state_of_health_is_in_the_table():
    states = set(re.findall(r"Health\(\"([\w ]+)\"", CODE[SOURCE / "ops" / "health.py"])) | health._STATES.keys()
    assert row_names("Health") >= states


def test_each_line_of_the_doctor_is_in_the_table():
    lines = set(re.findall(r"Checked\(\"(\w+)\"", Path(doctor.__file__).read_text("utf-8")))
    assert row_names("Doctor") >= lines


def test_each_event_of_the_notifications_is_named():
    part = PAGE.partition("\n## Notifications\n")[2]
    assert {event.value for event in NotifyEvent} == set(re.findall(r"`(\w+)`", part))


@pytest.mark.parametrize("words", WORDS)
def test_it_says_the_programs_words(words):
    assert words in " ".join(PAGE.split())
    joined = "".join(CODE.values())
    assert words in re.sub(r'"\s+f?"', "", joined), "as a sentence of the program, over the ends of lines"
