"""Failures that repeat over restarts: told at once, then once an hour, and told anew after a run that lasted."""

import stat

import pytest

from binance_trade_agent.notifications import failures as module
from binance_trade_agent.notifications.failures import Failures

MINUTE_MS, HOUR_MS = 60_000, 3_600_000
WRONG_KEYS = "the exchange refuses the keys"


class Restarts:
    """A folder and a clock that outlive the processes."""

    def __init__(self, folder) -> None:
        self._folder = folder
        self.now_ms = 1_800_000_000_000

    def due(self, text: str = WRONG_KEYS, *, is_delivered: bool = True, backs_off: bool = False) -> str:
        failures = Failures(self._folder, "address", lambda: self.now_ms)
        said = failures.due(text, backs_off=backs_off)
        if said and is_delivered:
            failures.told(text)
        return said

    def lasting_run(self) -> None:
        Failures(self._folder, "address").forget()


@pytest.fixture
def restarts(tmp_path, monkeypatch) -> Restarts:
    monkeypatch.setattr(module, "_own_folder", lambda: tmp_path / "temporary")
    return Restarts(tmp_path / "ledger.db.notified")


def test_what_fails_again_and_again_is_told_once_an_hour_with_how_often(restarts):
    assert restarts.due() == WRONG_KEYS
    for _ in range(59):
        restarts.now_ms += MINUTE_MS
        assert restarts.due() == ""
    restarts.now_ms += MINUTE_MS
    assert restarts.due() == f"{WRONG_KEYS} (61 times since 2027-01-15 08:00:00 UTC)"


def test_a_failure_after_a_run_that_lasted_is_news(restarts):
    assert restarts.due()
    restarts.lasting_run()
    assert restarts.due() == WRONG_KEYS


def test_another_failure_is_news_and_another_number_in_it_is_not(restarts):
    assert restarts.due("process 4711 owns the ledger since 12:00:01")
    assert restarts.due("process 4712 owns the ledger since 12:00:05") == ""
    assert restarts.due(WRONG_KEYS)


def test_what_was_not_delivered_is_tried_again_more_and_more_seldom(restarts):
    tries = 0
    for _ in range(60):  # a start each minute, of which none is told
        tries += bool(restarts.due(is_delivered=False, backs_off=True))
        restarts.now_ms += MINUTE_MS
    assert tries == 6, "at once, then after 1, 3, 7, 15 and 31 minutes"


def test_a_clock_that_was_set_back_keeps_nothing_quiet(restarts):
    assert restarts.due()
    restarts.now_ms -= 24 * HOUR_MS
    assert restarts.due()


def test_where_the_ledgers_folder_cannot_be_written_it_is_noted_in_a_folder_of_this_user(tmp_path, restarts):
    (tmp_path / "ledger.db.notified").write_text("a file, where a folder should be")
    assert restarts.due()
    assert restarts.due() == ""
    assert stat.S_IMODE((tmp_path / "temporary").stat().st_mode) == 0o700


def test_where_it_can_be_noted_nowhere_nothing_is_told_rather_than_a_storm(tmp_path, restarts):
    (tmp_path / "ledger.db.notified").write_text("")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "temporary").symlink_to(tmp_path / "elsewhere")  # somebody else may have made it
    assert restarts.due() == ""


@pytest.mark.parametrize("noted", [b"", b"[1]", b'{"x": 1}', b"\xff"])
def test_a_broken_note_is_none(tmp_path, restarts, noted):
    folder = tmp_path / "ledger.db.notified"
    folder.mkdir()
    (folder / "address.failures.json").write_bytes(noted)
    assert restarts.due() == WRONG_KEYS
