"""Whatever stands in the ledger, in the log or in a message of the exchange: on pages it is text. Secrets stand on none."""

import json
import re
import sqlite3
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

from binance_trade_agent.control import commands
from binance_trade_agent.control.commands import CommandKind
from binance_trade_agent.ops import heartbeat
from binance_trade_agent.ops.log_file import TRADER, log_files, log_folder
from binance_trade_agent.reports.wording import sentence
from tests.dashboard.served import TRADER_PASSWORD, VIEWER_PASSWORD, Served
from tests.dashboard.walking import addresses

HOSTILE = "'\" evil=1 <x-evil evil=1>{{ 7 * 7 }}&lt;<script>alert(1)</script>"
OUTSIDERS = ("nowhere<x-evil>", "market?symbol=%3Cx-evil%3E", "commands/life?command_id=%3Cx-evil%20evil%3D1%3E")

# Columns that may hold any text: reasons, names given by people and by the exchange.
_TEXTS = {
    "alarms": ("kind", "subject", "text"),
    "commands": ("requested_by", "answer"),
    "decisions": ("detail", "reason", "rule", "strategy"),
    "order_events": ("detail",),
    "orders": ("detail",),
    "pauses": ("rule", "detail"),
    "risk_changes": ("requested_by", "old_value", "new_value"),
    "runs": ("strategy", "exchange", "end_reason"),
    "strategy_changes": ("requested_by", "strategy"),
}
_WITH_SYMBOL = ("decisions", "orders", "fills", "positions", "position_marks", "fee_values", "trade_cursors")


class _Elements(HTMLParser):
    """Everything in a page that an attack would have brought in."""

    def __init__(self) -> None:
        super().__init__()
        self.strange: list[str] = []

    def handle_starttag(self, tag, attrs) -> None:
        names = dict(attrs)
        is_own_script = tag == "script" and str(names.get("src", "")).startswith("/static/")
        if tag == "x-evil" or (tag == "script" and not is_own_script) or "evil" in names:
            self.strange.append(self.get_starttag_text() or tag)


def strange_elements(text: str) -> list[str]:
    parser = _Elements()
    parser.feed(text)
    return parser.strange


def make_hostile(folder: Path) -> None:
    """Put hostile text wherever text comes from outside."""
    path = folder / "ledger.db"
    for kind, payload in (
        (CommandKind.RELEASE, {"name": HOSTILE}),
        (CommandKind.ORDER, {"symbol": HOSTILE, "side": HOSTILE}),
    ):
        commands.place(path, kind, requested_by=HOSTILE, requested_wall_ms=1, payload=payload)
    with sqlite3.connect(path) as connection:
        connection.execute(
            "INSERT INTO alarms VALUES ('strangers', 'x', 1, 1, 1, 0, 'x', NULL), ('reconcile', 'y', 2, 2, 1, 1, 'y', NULL)"
        )
        connection.execute("INSERT INTO pauses SELECT max(epoch), 'drawdown', 1, 9000000000000, 'x' FROM epochs")
        connection.execute(
            "INSERT INTO risk_changes SELECT 1, run_id, 1, 'x', 'RISK_MAX_ORDER_QUOTE', '1', '2', '1', 1 FROM runs LIMIT 1"
        )
        connection.execute(
            "INSERT INTO strategy_changes SELECT 99, run_id, 1, 'x', 'x', '{}', ?, 1 FROM runs LIMIT 1",
            (json.dumps({"strategy": HOSTILE, "params": {}}),),
        )
        for table, columns in _TEXTS.items():
            for column in columns:
                connection.execute(f"UPDATE {table} SET {column} = coalesce({column}, '') || ?", (HOSTILE,))
        for table in _WITH_SYMBOL:
            connection.execute(f"UPDATE {table} SET symbol = ? WHERE symbol = 'ETHUSDT'", (f"ETHUSDT{HOSTILE}",))
        connection.execute("UPDATE fills SET commission_asset = ? WHERE commission_asset = 'ETH'", (HOSTILE,))
        connection.execute("UPDATE decisions SET indicators_json = ?", (json.dumps({HOSTILE: 1}),))
    connection.close()
    newest = list(log_files(log_folder(path), TRADER).values())[-1]
    with newest.open("a", encoding="utf-8") as log:
        line = {
            "timestamp": "2036-01-01T00:00:00.000Z",
            "level": "error",
            "event": HOSTILE,
            "symbol": HOSTILE,
            HOSTILE: HOSTILE,
        }
        log.write(json.dumps(line) + "\n")
    heartbeat.beat(
        heartbeat.heartbeat_path(path), run_id=HOSTILE, state="failed", cycle=1, next_within_seconds=1, detail=HOSTILE
    )


def _everything(served: Served) -> Iterator[tuple[str, str]]:
    """Each address that a trader can read, with what it answers, as a page and as a piece of one."""
    trader = served.trader()
    for address in (*addresses(served), "/openapi.json", *(f"/{path}" for path in OUTSIDERS)):
        for headers in ({}, {"hx_request": "true"}, {"accept": "application/json"}):
            answer = trader.get(address, **headers)
            assert answer.status < 500 or address in {"/health", "/ready"}, (address, answer.text)
            yield address, answer.text if "json" not in answer.headers.get("content-type", "") else ""
            yield address, "".join(f"{name}: {value}\n" for name, value in answer.headers.items())


def test_text_from_outside_is_text_on_every_page(serve, played_folder, tmp_path):
    served = serve()
    make_hostile(tmp_path)
    found = {address: strange_elements(text) for address, text in _everything(served)}
    assert {address: elements for address, elements in found.items() if elements} == {}
    shown = {address for address, text in _everything(served) if "&lt;x-evil evil=1&gt;" in text}
    places = {"/bar", "/commands/1", "/logs/lines", "/signals/parts/history", "/signals/parts/latest", "/system/state"}
    assert places <= shown, "the hostile text is there to be seen"


def test_what_the_hub_sends_is_escaped_too(serve, tmp_path):
    served = serve()
    make_hostile(tmp_path)
    with served.trader().live() as tab:
        tab.send(json.dumps({"watch": [{"url": "/commands/life?command_id=1"}]}))
        messages = [json.loads(tab.recv(5)) for _ in range(2)]
    html = next(message["html"] for message in messages if "html" in message)
    assert "&lt;x-evil evil=1&gt;" in html
    assert strange_elements(html) == []


def test_no_page_holds_a_secret(serve):
    secrets = {
        "BINANCE_API_KEY": "canaryKEY" * 7 + "K",
        "BINANCE_API_SECRET": "canarySECRET" * 5 + "SSSS",
        "REDIS_URL": "redis://canaryuser:canaryredis@127.0.0.1:1/0",
    }
    served = serve(**secrets)
    canaries = (*secrets.values(), "canaryredis", "canaryuser", TRADER_PASSWORD, VIEWER_PASSWORD, "$argon2")
    wrong = served.visitor().log_in(f"{TRADER_PASSWORD} ")
    assert wrong.status == 401
    for address, text in (*_everything(served), ("/login", wrong.text)):
        assert [canary for canary in canaries if canary in text] == [], address


def test_hostile_text_would_be_found():
    assert strange_elements(f"<p>{HOSTILE}</p>") == ["<x-evil evil=1>", "<script>"]
    assert strange_elements(f"<p title='{HOSTILE}'>") != []
    assert strange_elements(f'<p title="{HOSTILE}">') != []


def test_what_is_no_page_is_said_in_a_sentence(trader):
    answer = trader.get("/nowhere")
    assert answer.status == 404
    assert "There is no page /nowhere." in answer.words
    answer = trader.request("PUT", "/stop", headers={"Origin": trader.base})
    assert answer.status == 405
    assert re.search(r"\bGET\b", answer.headers["allow"])
    assert trader.get("/nowhere", accept="application/json").json() == {"detail": "There is no page /nowhere."}


def test_sentences_have_a_capital_and_an_end_and_leave_names_as_they_are():
    assert sentence("the amount is missing") == "The amount is missing."
    assert sentence("bta-BTCUSDT-7 is over already: CANCELED.") == "bta-BTCUSDT-7 is over already: CANCELED."
    assert sentence("rsi_period must be at least 2") == "rsi_period must be at least 2."


def test_the_bar_says_beside_the_emergency_stop_that_no_trader_runs(serve):
    trader = serve().trader()
    assert trader.post("/stop", {"reason": "r", "confirmation": "STOP"}).status == 303
    assert "nothing is entered until it is released; no trader runs" in trader.get("/bar").words


def test_a_page_without_a_ledger_looks_for_one_by_itself(serve):
    assert '<meta http-equiv="refresh" content="5">' in serve(played=False).trader().get("/portfolio").text
