"""The port: who is answered, with what, how often it is collected, and what happens where it cannot be had."""

import contextlib
import logging
import socket
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest

from binance_trade_agent.ledger.ledger import Ledger
from binance_trade_agent.ops.metrics.answers import FRESH_SECONDS, Answers
from binance_trade_agent.ops.metrics.serving import serving
from binance_trade_agent.settings import Settings
from tests.free_ports import free_port
from tests.ops.metrics.reading import read, scraped


class Few:
    """Sources with one number each."""

    def __init__(self, folder, **settings):
        self.settings = Settings(ledger_path=folder / "ledger.db", **settings)
        self.ticks = 0
        self.breaks = False
        self.waits_for: threading.Event | None = None

    def put_vitals(self, samples):
        if self.breaks:
            raise RuntimeError("a secret of the inside")
        if self.waits_for:
            self.waits_for.wait(5)
        samples.put("threads", 3)

    def put_counts(self, samples):
        self.ticks += 1
        samples.put("ticks_total", self.ticks)

    def put_ledger(self, samples, connection):
        samples.put("killed", connection.execute("SELECT count(*) FROM commands").fetchone()[0])


@contextlib.contextmanager
def served(folder, **settings):
    few = Few(folder, metrics_port=free_port(), **settings)
    with serving(few):
        yield few, few.settings.metrics_port


def test_it_listens_where_metrics_host_and_port_say(tmp_path):
    port = free_port()
    with serving(Few(tmp_path, metrics_host="127.0.0.2", metrics_port=port)):
        with socket.create_connection(("127.0.0.2", port)):
            pass
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", port))
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.2", port))


def test_a_port_that_is_taken_is_one_sentence_and_trading_goes_on(tmp_path, caplog):
    with served(tmp_path) as (_, port), caplog.at_level(logging.ERROR):
        with serving(Few(tmp_path, metrics_port=port)):
            went_on = True
        assert scraped(port)[0] == 200
    assert went_on
    (line,) = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert line == (
        f"METRICS_HOST=127.0.0.1, METRICS_PORT={port}: no metrics are served, it cannot listen there: "
        "Address already in use"
    )


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:9464", "LOCALHOST:1", "[::1]:9464", "127.1.2.3"])
def test_a_name_of_this_machine_is_answered(tmp_path, host):
    with served(tmp_path) as (_, port):
        assert scraped(port, Host=host)[0] == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "", "["])
def test_a_page_whose_name_was_made_to_lead_here_is_refused(tmp_path, host):
    with served(tmp_path) as (_, port):
        status, text = scraped(port, Host=host)
        assert (status, text) == (421, "These metrics are asked for as localhost or 127.0.0.1.\n")


def test_where_others_may_ask_any_name_is_answered(tmp_path):
    with served(tmp_path, metrics_host="0.0.0.0") as (_, port):
        assert scraped(port, Host="trading-agent:9464")[0] == 200


def test_another_path_is_told_where_they_are(tmp_path):
    with served(tmp_path) as (_, port):
        assert scraped(port, "/") == (404, "Metrics are on /metrics.\n")
        assert scraped(port, "/metrics?name=x")[0] == 200


def test_what_goes_wrong_inside_stays_in_the_log(tmp_path, caplog):
    with served(tmp_path) as (few, port):
        few.breaks = True
        status, text = scraped(port)
        assert (status, text) == (500, "Metrics could not be collected; the log says why.\n")
        assert "a secret of the inside" in caplog.text
        few.breaks = False
        assert scraped(port)[0] == 200


def test_it_speaks_the_text_format_of_prometheus_whatever_is_asked_for(tmp_path):
    with served(tmp_path) as (_, port):
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"}
        )
        with urllib.request.urlopen(request, timeout=5) as answer:
            assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
            assert read(answer.read().decode())["trade_agent_ticks_total"] == {(): 1}


def test_a_client_that_says_nothing_keeps_nobody_waiting_and_too_many_are_closed(tmp_path):
    with served(tmp_path) as (_, port), contextlib.ExitStack() as idle:
        for _ in range(15):
            idle.enter_context(socket.create_connection(("127.0.0.1", port)))
        assert scraped(port)[0] == 200
        for _ in range(10):
            idle.enter_context(socket.create_connection(("127.0.0.1", port)))
        last = idle.enter_context(socket.create_connection(("127.0.0.1", port)))
        last.settimeout(2)
        with contextlib.suppress(ConnectionError):
            assert last.recv(1) == b""


class TestHowOften:
    def test_a_hundred_who_ask_at_once_cost_what_one_costs(self, tmp_path):
        with served(tmp_path) as (few, port):
            few.waits_for = threading.Event()
            with ThreadPoolExecutor(12) as askers:
                asked = [askers.submit(scraped, port) for _ in range(12)]
                few.waits_for.set()
                answers = {each.result() for each in asked}
            assert few.ticks <= 2
            assert len(answers) <= 2

    def test_an_answer_is_not_older_than_it_may_be(self, tmp_path):
        now = 100.0
        few = Few(tmp_path)
        answers = Answers(few, lambda: now)
        told = [answers.answer()]
        now += FRESH_SECONDS - 0.01
        told.append(answers.answer())
        now += 0.02
        told.append(answers.answer())
        assert [read(text.decode())["trade_agent_ticks_total"] for text in told] == [{(): 1}, {(): 1}, {(): 2}]
        answers.close()

    def test_what_takes_long_is_made_more_seldom(self, tmp_path):
        now = 100.0
        few = Few(tmp_path)

        def clock():
            nonlocal now
            now += 0.2
            return now

        answers = Answers(few, clock)
        told = [answers.answer() for _ in range(12)]
        assert len(set(told)) == 2, "one takes 0.2 s, so it is the same for two"
        answers.close()


class TestLedgerAway:
    async def test_what_the_ledger_would_say_is_left_out_until_it_can_be_read(self, tmp_path):
        now = 100.0
        few = Few(tmp_path)
        answers = Answers(few, lambda: now)
        told = read(answers.answer().decode())
        assert told["trade_agent_ledger_readable"] == {(): 0}
        assert "trade_agent_killed" not in told
        assert told["trade_agent_ticks_total"] == {(): 1}
        async with await Ledger.open(few.settings.ledger_path):
            now += 10
            told = read(answers.answer().decode())
        assert told["trade_agent_ledger_readable"] == {(): 1}
        assert told["trade_agent_killed"] == {(): 0}
        answers.close()
