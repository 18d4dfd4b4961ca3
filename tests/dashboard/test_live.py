"""The tab's WebSocket: who may open it, what comes over it and when, and what does not."""

import json
from contextlib import ExitStack

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from binance_trade_agent.control import commands
from binance_trade_agent.control.commands import CommandKind
from binance_trade_agent.dashboard.live import hub as hub_module
from binance_trade_agent.ops.clock import monotonic_seconds
from tests.dashboard.test_access import later

BAR = {"url": "/bar", "on": "ledger"}


def watch(tab, *regions) -> None:
    tab.send(json.dumps({"watch": list(regions)}))


def next_region(tab, timeout: float = 5) -> dict:
    """The next message that is no sign of life."""
    while "now" in (message := json.loads(tab.recv(timeout))):
        pass
    return message


def pause(served, by: str = "a test") -> None:
    commands.place(
        served.ledger_path, CommandKind.PAUSE, requested_by=by, requested_wall_ms=1, payload={"scope": "entries"}
    )


def close_code(tab, timeout: float = 5) -> int | None:
    try:
        while True:
            tab.recv(timeout)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else None


# Who may open it


def test_without_a_session_it_closes_with_a_code_that_sends_the_page_to_the_login(dashboard):
    with dashboard.visitor().live() as tab:
        assert close_code(tab) == 1008


@pytest.mark.parametrize("origin", [None, "http://evil.example", "null"])
def test_a_page_of_another_site_does_not_open_it(trader, origin):
    with pytest.raises(InvalidStatus) as refused, trader.live(origin=origin):
        pass
    assert refused.value.response.status_code == 403


def test_it_closes_when_its_session_ends(dashboard):
    leaving, staying = dashboard.trader(), dashboard.trader()
    with leaving.live() as theirs, staying.live() as ours:
        watch(ours, BAR)
        next_region(ours)
        leaving.post("/logout")
        assert close_code(theirs) == 1008
        watch(ours, {"url": "/stop"})
        assert next_region(ours)["url"] == "/stop"


def test_it_closes_when_its_session_is_too_old(serve):
    with serve(DASHBOARD_SESSION_HOURS="1").trader().live() as tab, later(3_600_001):
        assert close_code(tab) == 1008


def test_of_too_many_tabs_the_last_is_sent_away(trader, monkeypatch):
    monkeypatch.setattr(hub_module, "_MOST_TABS", 3)
    with ExitStack() as stack:
        tabs = [stack.enter_context(trader.live()) for _ in range(3)]
        with pytest.raises(InvalidStatus), trader.live():
            pass
        tabs[0].close()
        with trader.live() as tab:
            watch(tab, BAR)
            assert next_region(tab)["url"] == "/bar"


# What comes


def test_it_begins_with_what_the_page_shows(trader):
    with trader.live() as tab:
        watch(tab, BAR)
        message = next_region(tab)
    assert message["url"] == "/bar"
    assert "stopped" in message["html"]


def test_a_commit_is_on_the_page_within_300_ms(serve):
    """The benchmark (benchmarks/dashboard.py) has the exact times; here another process may have the machine."""
    served = serve()
    waited = []
    with served.trader().live() as tab:
        for number in (1, 2, 3):
            watch(tab, {"url": f"/commands/life?command_id={number}"})
            assert "There is no command" in next_region(tab)["html"]
            pause(served)
            begun = monotonic_seconds()
            assert "Waiting" in next_region(tab)["html"]
            waited.append(monotonic_seconds() - begun)
    assert min(waited) < 0.3


def test_only_what_has_changed_is_sent(serve):
    """A new command changes its own life and nothing in the bar, although both hang on the ledger."""
    served = serve()
    pause(served)
    with served.trader().live() as tab:
        watch(tab, BAR, {"url": "/commands/life?command_id=2"}, {"url": "/commands/life?command_id=1"})
        first = {next_region(tab)["url"] for _ in range(3)}
        assert len(first) == 3
        pause(served, by="somebody")
        message = next_region(tab)
        assert message["url"] == "/commands/life?command_id=2"
        assert "somebody" in message["html"]
        with pytest.raises(TimeoutError):
            next_region(tab, 0.4)


def test_an_age_that_grows_is_no_change(trader):
    with trader.live() as tab:
        watch(tab, {"url": "/bar", "on": "trader"})
        assert 'class="age"' in next_region(tab)["html"]
        with later(3_600_000), pytest.raises(TimeoutError):
            next_region(tab, 1.3)


def test_what_a_page_no_longer_shows_is_not_sent(serve):
    served = serve()
    with served.trader().live() as tab:
        watch(tab, BAR)
        next_region(tab)
        watch(tab, {"url": "/stop"})
        assert next_region(tab)["url"] == "/stop"
        pause(served)
        with pytest.raises(TimeoutError):
            next_region(tab, 0.4)


def test_each_tab_gets_the_token_of_its_own_session(dashboard):
    one, other = dashboard.trader(), dashboard.trader()
    with one.live() as ours, other.live() as theirs:
        for visitor, tab in ((one, ours), (other, theirs)):
            watch(tab, {"url": "/stop"})
            assert f'name="csrf" value="{visitor.token()}"' in next_region(tab)["html"]


def test_a_viewer_gets_what_a_viewer_sees(trader, viewer):
    with viewer.live() as theirs, trader.live() as ours:
        for tab, is_disabled in ((theirs, True), (ours, False)):
            watch(tab, {"url": "/stop"})
            assert ("disabled" in next_region(tab)["html"]) is is_disabled


# What does not


def test_addresses_that_are_no_regions_are_passed_over(trader):
    with trader.live() as tab:
        watch(
            tab,
            *(
                {"url": url}
                for url in ("/nowhere", "//bar", "http://evil.example/bar", "/openapi.json", "/login", "", "x" * 3000)
            ),
            {"url": "/static/../bar"},
            {"url": "/bar", "on": "nothing at all"},
        )
        assert next_region(tab)["url"] == "/bar"
        with pytest.raises(TimeoutError):
            next_region(tab, 0.3)


def test_a_question_that_is_wrong_is_answered_in_its_place(trader):
    with trader.live() as tab:
        watch(
            tab,
            {"url": "/commands/life?command_id=nonsense"},
            {"url": "/commands/life?command_id=99999999999999999999999"},
        )
        for _ in range(2):
            assert 'class="problem"' in next_region(tab)["html"]


@pytest.mark.parametrize(
    "rubbish",
    ["", "{", "[]", "null", '{"watch": 1}', '{"watch": [{"url": 1}]}', '{"watch": [{"url": "\\ud800"}]}', b"\x00\xff"],
)
def test_rubbish_closes_its_own_tab_only(trader, rubbish):
    with trader.live() as theirs, trader.live() as ours:
        theirs.send(rubbish)
        assert close_code(theirs) == 1008
        watch(ours, BAR)
        assert next_region(ours)["url"] == "/bar"


def test_a_message_that_is_too_long_closes_its_tab(trader):
    with trader.live() as tab:
        tab.send("x" * 100_000)
        assert close_code(tab) == 1009
