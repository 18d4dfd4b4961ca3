"""Who gets in, from where, and what each may do: tried on every route that there is."""

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from urllib.parse import quote

import pytest
from argon2 import PasswordHasher

from binance_trade_agent.configuration import ConfigError
from binance_trade_agent.dashboard.access import attempts
from binance_trade_agent.dashboard.access.gate import LOCKED_NOTICE
from binance_trade_agent.dashboard.access.passwords import Passwords, Role
from binance_trade_agent.dashboard.access.sessions import COOKIE
from binance_trade_agent.dashboard.command import serve as serve_command
from binance_trade_agent.ops import clock
from tests.dashboard.served import TRADER_PASSWORD, VIEWER_PASSWORD, configuration
from tests.dashboard.walking import addresses, routes

PUBLIC = {"/login", "/health", "/ready"}
OWN_AFFAIRS = {"/login", "/logout", "/theme"}  # what a viewer may post too
HOUR_MS = 3_600_000


@contextmanager
def later(milliseconds: int, *, has_waited: bool = False):
    """The whole process lives so much later by its calendar; has_waited: by its stopwatch too."""

    class Later:
        def wall_ms(self) -> int:
            return this_machine.wall_ms() + milliseconds

        def monotonic_seconds(self) -> float:
            return this_machine.monotonic_seconds() + has_waited * milliseconds / 1000

    this_machine = clock._machine
    with clock.machine_time(Later()):
        yield


# Where it may listen


def test_an_address_that_others_reach_needs_a_password(tmp_path):
    with pytest.raises(ConfigError, match=r"DASHBOARD_HOST=0\.0\.0\.0 lets others reach .* set DASHBOARD_PASSWORD"):
        serve_command(configuration(tmp_path, DASHBOARD_HOST="0.0.0.0", DASHBOARD_PORT="0"))


def test_where_others_reach_it_a_container_shows_nothing_but_a_notice(serve):
    dashboard = serve(password=False, is_locked=True)
    visitor = dashboard.visitor()
    for address in (*addresses(dashboard), "/static/x/css/app.css", "/openapi.json", "/nowhere"):
        if address not in {"/health", "/ready"}:
            answer = visitor.get(address)
            assert (answer.status, answer.text) == (503, LOCKED_NOTICE), address
    assert visitor.post("/login", {"csrf": None, "password": ""}).status == 503
    assert visitor.cookies == {}


def test_without_a_password_this_machine_trades_at_once(serve):
    visitor = serve(password=False).visitor()
    assert visitor.get("/login").headers["location"] == "/"
    assert "Log out" not in visitor.get("/stop").text
    assert visitor.post("/commands/pause", {"scope": "entries"}).status == 303
    assert visitor.cookies == {}, "there is nothing to log in to, so nothing to keep"


def test_without_a_password_no_other_name_leads_here(serve):
    """A name of a foreign site may come to mean 127.0.0.1 (DNS rebinding): its pages would be at home here."""
    visitor = serve(password=False).visitor()
    for host in ("evil.example", "127.0.0.1.evil.example", "127.0.0.1@evil.example", "0.0.0.0", "[::1", "127.0.0.1:x"):
        for path in ("/bar", "/stop", "/static/x/css/app.css"):
            answer = visitor.get(path, host=host)
            assert answer.status in {400, 421}, (host, path, answer)  # 400: the web server itself takes no such name
    for host in ("localhost:8050", "LOCALHOST", "[::1]:8050", "127.0.0.1"):
        assert visitor.get("/stop", host=host).status == 200


# Logging in and out


def test_the_password_logs_in_as_trader(serve):
    visitor = serve(DASHBOARD_PASSWORD="quite another one").visitor()
    assert visitor.log_in(TRADER_PASSWORD).status == 401
    answer = visitor.log_in("quite another one")
    assert (answer.status, answer.headers["location"]) == (303, "/")
    assert "Log out (trader)" in visitor.get("/stop").text


def test_the_viewers_password_logs_in_as_viewer(serve):
    visitor = serve(DASHBOARD_VIEWER_PASSWORD="only to look at").visitor()
    assert visitor.log_in(VIEWER_PASSWORD).status == 401
    assert visitor.log_in("only to look at").status == 303
    assert "Log out (viewer)" in visitor.get("/stop").text
    assert visitor.post("/commands/pause", {"scope": "entries"}).status == 403


def test_a_session_ends_after_the_hours_that_are_set(serve):
    trader = serve(DASHBOARD_SESSION_HOURS="2").trader()
    with later(2 * HOUR_MS - 60_000):
        assert trader.get("/stop").status == 200
    with later(2 * HOUR_MS + 60_000):
        assert trader.get("/stop").headers["location"] == "/login?next=/stop"
        assert trader.get("/bar", hx_request="true").status == 401
    assert trader.get("/stop").status == 303, "it has ended for good"


def test_an_argon2_hash_may_stand_for_the_password(tmp_path):
    hashed = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash("known to me only")
    passwords = Passwords.of(configuration(tmp_path, DASHBOARD_PASSWORD=hashed).settings)
    assert passwords.role_of("known to me only") is Role.TRADER
    assert passwords.role_of(hashed) is None, "who reads the hash has not the password"
    assert passwords.role_of("") is None


def test_what_only_begins_like_a_hash_is_refused_at_the_start(tmp_path):
    with pytest.raises(ConfigError, match=r"DASHBOARD_PASSWORD begins like an argon2 hash and is none\."):
        serve_command(configuration(tmp_path, DASHBOARD_PASSWORD="$argon2id$v=19$and so on"))


def test_passwords_are_kept_as_hashes_only(tmp_path):
    passwords = Passwords.of(configuration(tmp_path, DASHBOARD_PASSWORD=TRADER_PASSWORD).settings)
    assert TRADER_PASSWORD not in repr(passwords)
    assert passwords.hashes[Role.TRADER].startswith("$argon2id$v=19$m=19456,t=2,p=1$")


def test_the_cookie_is_for_this_site_and_for_no_script(dashboard):
    visitor = dashboard.visitor()
    cookie = visitor.log_in(TRADER_PASSWORD).headers["set-cookie"]
    assert re.fullmatch(
        rf"{COOKIE}=[\w-]{{43}}; Max-Age=43200; Path=/; HttpOnly; SameSite=Strict", cookie
    )  # Secure comes with https
    over_https = dashboard.visitor().post(
        "/login",
        {"csrf": None, "password": TRADER_PASSWORD},
        origin=dashboard.base.replace("http:", "https:"),
        x_forwarded_proto="https",
    )
    assert over_https.headers["set-cookie"].endswith("; Secure")


def test_a_logout_ends_the_session_and_no_other(dashboard):
    staying, leaving = dashboard.trader(), dashboard.trader()
    kept = dict(leaving.cookies)
    assert leaving.post("/logout").headers["location"] == "/login"
    assert COOKIE not in leaving.cookies
    leaving.cookies = kept
    assert leaving.get("/stop").status == 303, "the old cookie opens nothing any more"
    assert staying.get("/stop").status == 200


def test_a_login_is_a_new_session(dashboard):
    """A session that was put into a browser beforehand is not the one that is logged in."""
    visitor = dashboard.visitor()
    visitor.cookies[COOKIE] = planted = "planted"
    assert visitor.log_in(TRADER_PASSWORD).status == 303
    assert visitor.cookies[COOKIE] != planted
    first = visitor.cookies[COOKIE]
    visitor.log_in(TRADER_PASSWORD)
    assert visitor.cookies[COOKIE] != first


def test_after_five_wrong_passwords_one_waits(serve):
    visitor = serve(played=False).visitor()
    for _ in range(attempts.MOST_OF_ONE):
        answer = visitor.log_in("wrong")
        assert answer.status == 401
        assert "The password is wrong." in answer.text
    answer = visitor.log_in(TRADER_PASSWORD)
    assert answer.status == 429
    assert re.search(r"Too many wrong passwords. Try again in (5 min|4 min)", answer.text)
    with later(int(attempts.WINDOW_SECONDS * 1000) + 1_000, has_waited=True):
        assert visitor.log_in(TRADER_PASSWORD).status == 303


def test_wrong_passwords_that_come_at_once_are_counted_too(serve):
    dashboard = serve(
        played=False, DASHBOARD_PASSWORD=PasswordHasher().hash(TRADER_PASSWORD)
    )  # each look takes its time
    together = threading.Barrier(12)

    def attempt(number: int) -> int:
        together.wait()
        return dashboard.visitor().log_in(f"wrong {number}").status

    with ThreadPoolExecutor(12) as threads:
        answers = list(threads.map(attempt, range(12)))
    assert answers.count(401) <= attempts.MOST_OF_ONE
    assert answers.count(429) >= 12 - attempts.MOST_OF_ONE


def test_a_right_password_wipes_out_the_wrong_ones(serve):
    visitor = serve(played=False).visitor()
    for _ in range(3):
        for _ in range(attempts.MOST_OF_ONE - 1):
            visitor.log_in("wrong")
        assert visitor.log_in(TRADER_PASSWORD).status == 303


def test_wrong_passwords_from_everywhere_let_everybody_wait():
    tried = attempts.Attempts()
    for number in range(attempts.MOST_OF_ALL):
        assert tried.wait_seconds(f"10.0.0.{number}") == 0
        tried.begin(f"10.0.0.{number}")
    assert 0 < tried.wait_seconds("10.9.9.9") <= attempts.WINDOW_SECONDS


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example/",
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "javascript:alert(1)",
        "evil.example",
        "//[",
        "http://[",
        "",
    ],
)
def test_a_login_leads_to_pages_of_this_site_only(dashboard, elsewhere):
    visitor = dashboard.visitor()
    assert 'name="next" value="/"' in visitor.get(f"/login?next={quote(elsewhere)}").text
    assert visitor.log_in(TRADER_PASSWORD, next=elsewhere).headers["location"] == "/"


def test_a_login_leads_to_the_page_that_was_asked_for(dashboard):
    visitor = dashboard.visitor()
    asked = visitor.get("/market?symbol=BTCUSDT&interval=5m").headers["location"]
    assert asked == "/login?next=/market%3Fsymbol%3DBTCUSDT%26interval%3D5m"
    wanted = re.search(r'name="next" value="([^"]+)"', visitor.get(asked).text)
    assert wanted
    assert (
        visitor.log_in(TRADER_PASSWORD, next="/market?symbol=BTCUSDT").headers["location"] == "/market?symbol=BTCUSDT"
    )


# What every route asks


def test_without_a_session_no_route_tells_anything(dashboard):
    visitor = dashboard.visitor()
    for address in (*addresses(dashboard), "/", "/openapi.json", "/nowhere"):
        if address.partition("?")[0] in PUBLIC:
            continue
        assert visitor.get(address).headers["location"].startswith("/login?next="), address
        for headers in ({"hx_request": "true"}, {"accept": "application/json"}, {"accept": "*/*"}):
            answer = visitor.get(address, **headers)
            assert (answer.status, answer.text) == (401, "Log in first: this session is over."), address


def test_without_a_session_nothing_is_done(dashboard):
    visitor = dashboard.visitor()
    tried = [address for address in addresses(dashboard, "POST") if address not in PUBLIC]
    assert len(tried) > 3
    for address in tried:
        assert visitor.post(address, {"csrf": "x"}).status == 401, address


@pytest.mark.parametrize(
    "origin", [None, "null", "http://evil.example", "https://127.0.0.1", "http://[", "http://127.0.0.1:1"]
)
def test_no_other_site_changes_anything(dashboard, trader, origin):
    token = trader.token()
    for address in addresses(dashboard, "POST"):
        answer = trader.post(address, {"csrf": token, "password": TRADER_PASSWORD}, origin=origin)
        assert (answer.status, answer.text) == (403, "This was asked for by another site, or by none: refused."), (
            address
        )


def test_without_the_pages_token_nothing_is_done(dashboard, trader):
    of_another_session = dashboard.trader().token()
    for address in addresses(dashboard, "POST"):
        if address != "/login":
            for token in (None, "", "wrong", of_another_session, trader.token()[:-1], "😀"):
                answer = trader.post(address, {"csrf": token}, accept="application/json")
                assert answer.status == 403, (address, token)
                assert "load the page again" in answer.text


def test_the_token_may_come_in_a_header(dashboard):
    trader = dashboard.trader()
    token = trader.token()
    assert trader.post("/theme", {"csrf": None, "theme": "light"}, x_csrf_token=token).status == 303
    assert trader.post("/theme", {"csrf": token, "theme": "light"}, x_csrf_token="of an older page").status == 303


def test_a_viewer_is_refused_every_change(dashboard, viewer):
    token = viewer.token()
    refused = [address for address in addresses(dashboard, "POST") if address not in OWN_AFFAIRS]
    assert len(refused) > 3
    for address in refused:
        answer = viewer.post(address, {"csrf": token})
        assert answer.status == 403, address
        assert "You are logged in to look only; DASHBOARD_PASSWORD logs in to trade." in answer.text


def test_nothing_is_changed_by_looking():
    """Only GET and POST are used, so a link can do no harm and every change passes the guard."""
    pages = {
        method for page_method in ("PUT", "PATCH", "DELETE", "HEAD") for method in [page_method] if routes(page_method)
    }
    assert pages == set()


def test_a_body_without_end_is_not_read(dashboard):
    visitor = dashboard.visitor()
    assert visitor.log_in("x" * 300_000).status == 413
    assert (
        visitor.request("POST", "/login", headers={"Origin": dashboard.base, "Transfer-Encoding": "chunked"}).status
        == 413
    )


# What a browser may do with the answer


def test_each_answer_says_what_a_browser_may_do_with_it(dashboard, trader, serve):
    build = dashboard.inner.state.assets.build
    anybody = dashboard.visitor()
    answers = [trader.get(address) for address in addresses(dashboard)]
    answers += [
        trader.get("/nowhere"),
        trader.get("/commands/life?command_id=x"),
        trader.post("/stop", {"csrf": "wrong"}),
    ]
    answers += [anybody.get("/login"), anybody.get("/stop"), anybody.get("/bar", hx_request="true")]
    answers += [anybody.post("/stop", origin=None), anybody.get(f"/static/{build}/css/app.css")]
    answers.append(serve(played=False, password=False).visitor().get("/", host="evil.example"))
    for answer in answers:
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["x-frame-options"] == "SAMEORIGIN"
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "cache-control" in answer.headers
    assert answers[0].headers["cache-control"] == "no-store"


def test_a_hosts_name_writes_no_policy(dashboard):
    answer = dashboard.visitor().get("/login", host="x; script-src *")
    assert "script-src *" not in answer.headers.get("content-security-policy", "")


def test_pages_hold_no_script_and_no_style_of_their_own(dashboard, trader):
    pages = [trader.get(address).text for address in addresses(dashboard)]
    for page in pages:
        assert not re.search(r"<script(?![^>]*\bsrc=)", page)
        assert not re.search(r"<style\b|\sstyle=|\son[a-z]+=", page.replace('data-on="', ""))
        assert not re.search(r'(?:src|href)="(?:https?:)?//(?!www\.tradingview\.com/)', page), (
            "nothing from another host"
        )


def test_style_sheets_and_scripts_are_kept_for_ever_under_an_address_that_changes(dashboard):
    visitor, build = dashboard.visitor(), dashboard.inner.state.assets.build
    kept = visitor.get(f"/static/{build}/js/live.js")
    assert (kept.status, kept.headers["cache-control"]) == (200, "public, max-age=31536000, immutable")
    assert visitor.get("/static/old/js/live.js").headers["cache-control"] == "no-cache"
    for path in ("../app.py", "%2e%2e/app.py", "js/../../app.py", "", "js", "js/none.js"):
        assert visitor.get(f"/static/{build}/{path}").status == 404
