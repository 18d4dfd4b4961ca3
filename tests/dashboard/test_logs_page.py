"""The log on a page: filters, pages, what comes live, the download, and lines that mean no good."""

import json
import re
from html import unescape

import pytest

from binance_trade_agent.domain.wording import iso_utc
from binance_trade_agent.ops.clock import monotonic_seconds
from binance_trade_agent.ops.log_file import file_path, json_line, log_folder
from tests.dashboard.served import served

NOON_MS = 1_767_614_400_000
SCRIPT = "<script>alert(1)</script>"


def line(number, **fields):
    """Line `number` of a log that says one a second from noon."""
    said = {"timestamp": iso_utc(NOON_MS + number * 1000), "level": "info", "event": f"line {number}.", **fields}
    return json_line(said).encode("utf-8", "backslashreplace") + b"\n"


def write(at, *lines, name="trader", number=1):
    folder = log_folder(at.ledger_path)
    folder.mkdir(exist_ok=True)
    with file_path(folder, name, number).open("ab") as file:
        file.writelines(lines)


@pytest.fixture(scope="module")
def logged(tmp_path_factory):
    """A dashboard for this machine on a log of 250 lines, some of which have something to filter by."""
    special = {
        10: {"symbol": "BTCUSDT", "client_order_id": "bta-1", "run": "run-a", "outcome": "EXECUTED"},
        20: {"level": "warning", "event": "ETHUSDT is suspended after 5 failures in a row"},
        30: {"level": "error", "exception": "Traceback\n  File x\nValueError: rare"},
    }
    folder = tmp_path_factory.mktemp("logged")
    with served(folder) as running:
        write(running, *(line(number, **special.get(number, {})) for number in range(250)))
        write(running, line(0, event="the dashboard's own"), name="dashboard")
        yield running


@pytest.fixture(scope="module")
def reader(logged):
    return logged.trader()


def texts(reply):
    """The lines of a page, the newest first."""
    assert reply.status == 200, reply.words
    return [unescape(text) for text in re.findall(r'<span class="text">(.*?)</span>', reply.text, re.DOTALL)]


def link(reply, words):
    """Where the first link with these words leads."""
    return unescape(re.search(rf'href="([^"]+)"[^>]*>{words}<', reply.text)[1])


class TestPages:
    def test_the_newest_hundred_come_first_and_older_ones_page_by_page(self, reader):
        reply, found = reader.get("/logs"), []
        for size in (100, 100, 50):
            shown = texts(reply)
            assert len(shown) == size
            found += shown
            if size == 100:
                reply = reader.get(link(reply, "Older"))
        assert found[0] == "line 249."
        assert found[-1] == "line 0."
        assert len(set(found)) == 250
        assert "the oldest line that is kept is below" in reply.words

    def test_only_the_newest_page_is_live_and_it_can_be_held(self, reader):
        newest = reader.get("/logs")
        assert 'data-live="/logs/lines" data-on="log"' in newest.text
        held = reader.get(link(newest, "Hold"))
        assert texts(held) == texts(newest)
        assert 'data-on=""' in held.text
        assert link(held, "Newest, live") == "/logs"

    def test_links_of_pages_keep_the_filter(self, reader):
        reply = reader.get("/logs?text=line&level=info")
        older = link(reply, "Older")
        assert "text=line" in older
        assert "level=info" in older
        assert link(reader.get(older), "Newest, live") == "/logs?level=info&text=line"


class TestFilters:
    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("level=warning", ["line 30.", "ETHUSDT is suspended after 5 failures in a row"]),
            ("level=error", ["line 30."]),
            ("symbol=btcusdt", ["line 10."]),
            ("symbol=ETHUSDT", ["ETHUSDT is suspended after 5 failures in a row"]),
            ("order=bta-1", ["line 10."]),
            ("run=run-a&source=trader", ["line 10."]),
            ("text=RARE", ["line 30."]),
            ("text=executed&level=&symbol=&order=&from=&to=&run=", ["line 10."]),
            ("from=2026-01-05T12:04:08", ["line 249.", "line 248."]),
            ("from=2026-01-05T12:04:08%2B00:00&to=2026-01-05T12:04:08", ["line 248."]),
            ("to=2026-01-05T12:00", ["line 0."]),
            ("source=dashboard", ["the dashboard's own"]),
            ("text=nowhere", []),
        ],
    )
    def test_the_form_filters_by_its_address_alone(self, reader, query, found):
        reply = reader.get(f"/logs?{query}")
        assert texts(reply) == found
        if not found:
            assert "No line fits." in reply.words

    def test_the_form_keeps_what_was_asked(self, reader):
        text = reader.get('/logs?text=%22%3E%3Cb%3E&level=error&order=bta-1&symbol="><i>').text
        assert 'value="&#34;&gt;&lt;b&gt;"' in text
        assert '<option value="error" selected>' in text
        assert "<b>" not in text
        assert "<i>" not in text
        assert re.search(r'<details class="more-filters" open>', text)

    @pytest.mark.parametrize(
        ("query", "sentence"),
        [
            ("from=yesterday", "from: 'yesterday' is no time; write 2026-01-05T14:36, in UTC, or with a zone."),
            ("to=99999-01-01", "to: '99999-01-01' is no time"),
            ("level=loud", "level: "),
            ("source=/etc/passwd", "source: "),
            ("before=5", "before: '5' is no place in the log: it must be two numbers, such as 1:4096."),
            ("before=-1:x", "before: '-1:x' is no place in the log"),
            (f"text={'x' * 301}", "text: "),
            (f"symbol={'x' * 61}", "symbol: "),
        ],
    )
    @pytest.mark.parametrize("path", ["/logs", "/logs/lines", "/logs/download"])
    def test_what_is_not_allowed_is_said_in_a_sentence(self, reader, query, sentence, path):
        if path == "/logs/download" and query.startswith("before"):
            return  # it has no pages
        reply = reader.get(f"{path}?{query}")
        assert reply.status == 422
        assert sentence in unescape(reply.words)

    def test_chips_lead_to_all_lines_of_the_symbol_and_to_the_orders_story_and_lines(self, reader):
        reply = reader.get("/logs?text=executed")
        assert texts(reader.get(link(reply, "BTCUSDT").replace("text=executed", ""))) == ["line 10."]
        assert link(reply, "bta-1") == "/orders/bta-1"
        assert "order=bta-1" in link(reply, "its lines")

    def test_details_hold_the_rest_of_a_line(self, reader):
        words = unescape(reader.get("/logs?level=error").words)
        assert "exception exception Traceback File x ValueError: rare" in words


class TestLive:
    def test_a_line_is_on_the_page_when_it_is_logged(self, serve):
        own = serve(played=False, password=False)
        write(own, line(1))
        reader = own.trader()
        with reader.live() as tab:
            tab.send(json.dumps({"watch": [{"url": "/logs/lines?level=warning", "on": "log"}]}))
            assert "No line fits." in until(tab, "No line fits.")
            write(own, line(2), line(3, level="error", event=f"came {SCRIPT}"))
            html = until(tab, "came")
        assert "line 2." not in html
        assert SCRIPT not in html


def until(tab, words):
    """The first piece of the page that holds these words."""
    deadline = monotonic_seconds() + 10
    while monotonic_seconds() < deadline:
        message = json.loads(tab.recv(timeout=20))
        if words in message.get("html", ""):
            return message["html"]
    raise AssertionError(f"{words} never came")


class TestDownload:
    def test_it_is_the_log_as_it_stands_in_the_files(self, logged, reader):
        reply = reader.get("/logs/download")
        assert reply.headers["content-type"] == "application/x-ndjson"
        assert re.fullmatch(r'attachment; filename="trader-\d{8}T\d{6}Z\.jsonl"', reply.headers["content-disposition"])
        assert reply.text == file_path(log_folder(logged.ledger_path), "trader", 1).read_text()

    def test_a_filter_holds_for_it_and_the_page_leads_there(self, reader):
        reply = reader.get(link(reader.get("/logs?level=error"), "Download"))
        assert [json.loads(each)["event"] for each in reply.text.splitlines()] == ["line 30."]

    def test_of_another_process(self, reader):
        assert "the dashboard's own" in reader.get("/logs/download?source=dashboard").text

    def test_where_no_log_is_it_is_empty(self, serve):
        reply = serve(played=False, password=False).trader().get("/logs/download")
        assert (reply.status, reply.text) == (200, "")


HOSTILE_LINES = (
    line(1, event=SCRIPT, symbol=f'"{SCRIPT}', client_order_id=SCRIPT, **{f"na{SCRIPT}me": SCRIPT}),
    line(2, level=f"info' onclick='{SCRIPT}", event="level"),
    line(3, event="bell \x07 escape \x1b[31m nul \x00 del \x7f next \x85 turn \u202e end \u2066 zero\u200b."),
    line(4, event="long " + "x" * 100_000),
    line(5, event="two\r\nlines\tand a tab"),
    line(6, event="half a pair \udc80"),
    b'{"timestamp": "2026-01-05T12:00:07.000Z", "level": "info", "event": "' + b"\xff\xfe" * 10 + b'"}\n',
    SCRIPT.encode() + b"\x1b[2J\xff\n",
    b"y" * 100_000 + b"\n",
    b'{"timestamp":null,"level":null,"event":null}\n',
    line(8, exception=f"Traceback {SCRIPT}\n" + "z" * 100_000),
)


@pytest.fixture(scope="module")
def reply(tmp_path_factory):
    """The page with those lines on it."""
    with served(tmp_path_factory.mktemp("hostile")) as running:
        write(running, *HOSTILE_LINES)
        yield running.trader().get("/logs")


class TestHostileLines:
    def test_each_is_shown_and_none_acts(self, reply):
        assert len(texts(reply)) == len(HOSTILE_LINES)
        assert SCRIPT not in reply.text
        assert "onclick='" not in reply.text
        assert re.findall(r"<script[^>]*>", reply.text) == re.findall(r'<script [^>]*src="/static/[^>]*>', reply.text)

    def test_what_cannot_be_seen_is_a_picture_of_itself(self, reply):
        assert "bell ␇ escape ␛[31m nul ␀ del ␡ next \\u0085 turn \\u202e end \\u2066 zero\\u200b." in texts(reply)
        assert not set(reply.text) & {chr(code) for code in (*range(9), *range(14, 32), 0x7F, 0x85, 0x202E, 0x2066)}
        assert "two␍\nlines\tand a tab" in texts(reply)

    def test_long_ones_are_cut_and_say_so(self, reply):
        long = next(text for text in texts(reply) if text.startswith("long"))
        assert len(long) == 601
        assert len(reply.text) < 120_000
        assert "more characters" in reply.words
        assert "the download has them" in reply.words

    def test_what_is_no_line_of_ours_is_shown_as_text(self, reply):
        assert f"{SCRIPT}␛[2J\ufffd" in texts(reply)
        assert "no time ? unreadable" in reply.words


def test_a_traded_session_can_be_read_by_who_may_only_look(viewer):
    reply = viewer.get("/logs?text=trade+executed")
    assert len(texts(reply)) > 3
    assert any("✅ TRADE EXECUTED" in text for text in texts(reply))
    assert texts(viewer.get("/logs?text=Trading+Cycle"))[0] == "Trading Cycle #20 - 00:19:00"


def test_before_anything_was_logged_the_page_says_so(serve):
    own = serve(played=False, password=False, LOG_FILE_MB="0")
    words = own.trader().get("/logs").words
    assert "Nothing has been logged on this ledger yet." in words
    assert "LOG_FILE_MB is 0, so no log is kept in files" in words
