"""The watchdog's decisions, step by step; tests/docker/session tries them on real containers."""

import dataclasses
import logging
import os

import pytest

from binance_trade_agent.ops import supervision, watchdog
from binance_trade_agent.ops.heartbeat import DURATION_OVER, Heartbeat
from binance_trade_agent.ops.supervision import Action, Process, Stage, Supervision, Watchdog

STARTED = 1_000_000
RUNNING = Process("RUNNING", 7, 0, STARTED, 0)
KILLED, CRASHED, UNRECONCILED, REFUSED, DONE = -1, 1, 3, 2, 0


def ended(code, *, started=STARTED, ran=1):
    return Process("EXITED", 0, code, started, started + ran)


def beating(beat_ms=STARTED * 1000 + 1, *, state="trading", detail="", pid=7, within=1.0):
    return Heartbeat(pid, "run-a", state, 3, beat_ms, within, detail)


class Yard:
    """A watchdog and what it said; `look` is a second after the last one."""

    def __init__(self, known=None, *, on_finish="stay", name="trader"):
        self.said = []
        self.now = 100.0
        self.dog = Watchdog(name, known or Supervision(), self.say, lambda: on_finish == "end")

    def say(self, sentence):
        self.said.append(sentence)

    def look(self, process=RUNNING, beat=None):
        self.now += 1
        return self.dog.look(process, beat, self.now)

    def looks_until_start(self, process, most=1_000):
        """Seconds from seeing that `process` ended until it is started again."""
        assert self.look(process) is None
        return next(count for count in range(1, most) if self.look(process) is Action.START)


def test_a_program_that_fails_again_and_again_is_started_after_growing_delays():
    yard = Yard()
    waits = []
    for attempt in range(22):
        started = STARTED + 1_000 * attempt
        yard.look(Process("RUNNING", 7, 0, started, 0))
        waits.append(yard.looks_until_start(ended(CRASHED, started=started)))
    assert waits[:8] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert waits[18:] == [60, 300, 300, 300]
    assert yard.dog.known.restarts == 22
    assert sum("20 times in a row: from now on it is tried every 300 s only" in said for said in yard.said) == 1


@pytest.mark.parametrize("code", [CRASHED, KILLED, UNRECONCILED])
def test_a_run_of_five_minutes_ends_the_row_of_failures(code):
    yard = Yard(Supervision(Stage.RUNNING, failures=6))
    assert yard.looks_until_start(ended(code, ran=300)) == 1
    assert yard.dog.known.failures == 1


def test_a_run_that_was_shorter_does_not():
    yard = Yard(Supervision(Stage.RUNNING, failures=5))
    assert yard.looks_until_start(ended(CRASHED, ran=299)) == 32


def test_wrong_settings_or_keys_are_not_tried_again_and_one_sentence_says_so():
    yard = Yard()
    assert {yard.look(ended(REFUSED)) for _ in range(500)} == {None}
    assert yard.dog.known.stage is Stage.REFUSED
    assert yard.dog.known.is_failing
    (said,) = yard.said
    assert said.startswith("the trader ended with exit code 2: what it was given is refused")
    assert said.endswith("it is not started again (`supervisorctl start trader` does)")


def test_a_trader_that_ended_well_is_left_alone():
    yard = Yard()
    assert {yard.look(ended(DONE)) for _ in range(500)} == {None}
    assert (yard.dog.known.stage, yard.dog.known.is_failing, yard.said) == (Stage.OVER, False, [])


@pytest.mark.parametrize(
    ("on_finish", "beat", "action"),
    [
        ("end", beating(state="stopped", detail=DURATION_OVER), Action.END),
        ("stay", beating(state="stopped", detail=DURATION_OVER), None),
        ("end", beating(state="stopped", detail="SIGTERM"), None),
        ("end", beating(state="stopped", detail="stop, asked by the dashboard"), None),
        ("end", beating(1, state="stopped", detail=DURATION_OVER), None),  # of an earlier run
        ("end", None, None),
    ],
)
def test_the_container_ends_with_a_trader_whose_duration_is_over_when_asked_to(on_finish, beat, action):
    assert Yard(on_finish=on_finish).look(ended(DONE), beat) is action


@pytest.mark.parametrize("stage", [Stage.OVER, Stage.REFUSED])
def test_a_trader_that_somebody_starts_is_looked_after_again(stage):
    yard = Yard(Supervision(stage, run_started_seconds=STARTED))
    assert yard.look(ended(DONE)) is None
    assert yard.looks_until_start(ended(CRASHED, started=STARTED + 50)) == 1  # it crashed before anybody saw it run


def test_a_trader_that_supervisorctl_stopped_stays_stopped():
    yard = Yard()
    yard.look(RUNNING)
    assert {yard.look(Process("STOPPED", 0, 0, STARTED, STARTED + 9)) for _ in range(100)} == {None}
    assert yard.dog.known.stage is Stage.OFF


def test_a_program_that_cannot_be_spawned_is_tried_again():
    yard = Yard(name="exchange")
    assert yard.looks_until_start(Process("FATAL", 0, 0, STARTED, STARTED)) == 1
    assert yard.said == ["the exchange could not be started: it is started again in 1 s (failures in a row: 1)"]


def test_a_trader_without_a_sign_of_life_for_three_minutes_is_killed():
    yard = Yard()
    silent = [yard.look(RUNNING, beating()) for _ in range(181)]
    assert (set(silent[:180]), silent[180]) == ({None}, Action.KILL)
    assert yard.looks_until_start(ended(KILLED, ran=900)) == 1
    assert (yard.dog.known.kills, yard.dog.known.restarts) == (1, 1)
    assert "no sign of life for 180 s" in yard.said[0]


@pytest.mark.parametrize(
    ("beat", "patience"),
    [
        (None, 900),
        (beating(pid=6), 900),
        (beating(state="starting", within=120.0), 1020),
        (beating(state="failed"), 901),
    ],
    ids=["before its first sign", "that of an earlier run is there", "while it waits for the exchange", "at its end"],
)
def test_a_start_that_never_ends_is_killed_when_no_start_takes_so_long(beat, patience):
    yard = Yard()
    silent = [yard.look(RUNNING, beat) for _ in range(patience + 1)]
    assert (set(silent[:patience]), silent[patience]) == ({None}, Action.KILL)
    yard.look(Process("RUNNING", 8, 0, STARTED + 2_000, 0), beat)
    assert {yard.look(Process("RUNNING", 8, 0, STARTED + 2_000, 0), beat) for _ in range(899)} == {None}


@pytest.mark.parametrize("name", ["exchange", "dashboard", "mcp"])
def test_of_the_other_programs_none_is_expected(name):
    yard = Yard(name=name)
    assert {yard.look() for _ in range(2_000)} == {None}


def test_a_trader_that_was_stopped_and_does_not_end_is_not_started_again():
    yard = Yard()
    assert {yard.look(RUNNING, beating(state="stopped")) for _ in range(2_000)} == {None}


def test_the_end_of_the_container_is_asked_for_until_it_comes():
    yard = Yard(on_finish="end")
    over = beating(state="stopped", detail=DURATION_OVER)
    assert [yard.look(ended(DONE), over) for _ in range(3)] == [Action.END] * 3
    yard.look(Process("RUNNING", 8, 0, STARTED + 50, 0), over)  # a person was faster
    assert yard.look(ended(CRASHED, started=STARTED + 50)) is None


@pytest.mark.parametrize(
    "beats",
    [
        [beating(STARTED * 1000 + count) for count in range(600)],
        [beating(state="starting")] * 600,  # it may wait for the exchange
        [beating(pid=6)] * 600,  # another trader's
        [None] * 600,
        [beating(), None, beating(), beating(STARTED * 1000 + 900)] * 100,
    ],
    ids=["alive", "starting", "of another process", "never", "with gaps"],
)
def test_no_other_trader_is(beats):
    yard = Yard()
    assert {yard.look(RUNNING, beat) for beat in beats} == {None}


def test_the_next_watchdog_goes_on_where_the_last_one_died(tmp_path):
    yard = Yard(Supervision(Stage.RUNNING, failures=3, restarts=3))
    yard.look(ended(CRASHED))
    supervision.write(tmp_path / "known", {"trader": yard.dog.known})
    successor = Yard(supervision.read(tmp_path / "known")["trader"])
    successor.now = yard.now
    actions = [successor.look(ended(CRASHED)) for _ in range(8)]
    assert actions == [None] * 7 + [Action.START]
    assert successor.dog.known.restarts == 4
    assert successor.said == []


@pytest.mark.parametrize("text", ["", "[]", "{", '{"trader": 1}', '{"trader": {}}', '{"trader": {"stage": "?"}}'])
def test_what_is_not_its_file_is_nothing_known(tmp_path, text):
    (tmp_path / "known").write_text(text, encoding="utf-8")
    assert supervision.read(tmp_path / "known") == {}
    assert supervision.read(tmp_path / "missing") == supervision.read(None) == {}


def test_what_is_said_of_it_has_its_numbers():
    waiting = Supervision(Stage.WAITING, restarts=4, kills=1, failures=2, ended="was killed by a signal")
    assert waiting.said == (
        "it was killed by a signal; failures in a row: 2; "
        "restarts since the container began: 4, 1 of them for want of a sign of life"
    )
    assert dataclasses.replace(waiting, stage=Stage.RUNNING).said == waiting.said.partition("row: 2; ")[2]
    assert Supervision(Stage.RUNNING).said == ""


class Supervisor:
    """supervisord's side, with a trader that is a child of nobody."""

    def __init__(self, process):
        self.process = process
        self.asked = []

    def getProcessInfo(self, name):  # noqa: N802 (supervisord's name)
        assert name == "trader"
        process = self.process
        return {
            "statename": process.state,
            "pid": process.pid,
            "exitstatus": process.exit_code,
            "start": process.started_seconds,
            "stop": process.ended_seconds,
        }

    def startProcess(self, name, wait):  # noqa: N802
        self.asked.append(("start", name, wait))

    def shutdown(self):
        self.asked.append("shutdown")


def test_each_action_is_asked_of_supervisord_or_of_the_system(tmp_path, monkeypatch, caplog):
    killed = []
    monkeypatch.setattr(os, "kill", lambda *what: killed.append(what))
    caplog.set_level(logging.INFO)

    class Decided:
        name = "trader"

        def __init__(self, action):
            self.look = lambda *_: action

    supervisor = Supervisor(RUNNING)
    for action in (None, Action.START, Action.KILL, Action.END):
        watchdog.look(Decided(action), supervisor, tmp_path / "ledger.db")
    assert supervisor.asked == [("start", "trader", False), "shutdown"]
    assert killed == [(RUNNING.pid, 9)]
    assert "the container ends" in caplog.text


@pytest.mark.parametrize(("value", "ends"), [("end", True), ("STAY", False), ("", False), ("later", False)])
def test_the_setting_says_whether_the_container_ends(tmp_path, monkeypatch, caplog, value, ends):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRADER_ON_FINISH", value)
    assert watchdog.ends_container() is ends
    assert ("TRADER_ON_FINISH" in caplog.text) is (value == "later")
