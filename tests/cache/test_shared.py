"""The cache that the programs of one daemon share, and what tells daemons apart on it."""

import pytest

from binance_trade_agent.cache.market_board import MarketBoard, Wish
from binance_trade_agent.cache.shared import board_folder, board_namespace, shared_cache
from binance_trade_agent.configuration import load
from binance_trade_agent.desk.looking import Looking
from binance_trade_agent.ops.clock import wall_ms
from tests.cache.redis_server import REDIS_SERVER, RedisServer

WISH = Wish("BTCUSDT", "1m", 1_760_000_000_000)


def settings(folder, **environment: str):
    return load(environment={"LEDGER_PATH": str(folder / "ledger.db"), **environment}, folder=folder).settings


def board(known) -> MarketBoard:
    """The board as one more process opens it."""
    return MarketBoard(shared_cache(known), board_namespace(known))


async def test_without_redis_the_notes_lie_beside_the_ledger(tmp_path):
    known = settings(tmp_path)
    await board(known).want("dashboard", [WISH])
    assert await board(known).wanted() == [WISH]
    assert board_folder(known.ledger_path) == tmp_path / "ledger.db.board"
    assert len(list((tmp_path / "ledger.db.board").iterdir())) == 1


async def test_of_several_processes_of_a_reader_each_has_its_own_wishes(tmp_path):
    known = settings(tmp_path)
    now_ms = wall_ms()
    ours, theirs, old = (Wish(name, "", at_ms) for name, at_ms in (("A1", now_ms), ("B1", now_ms), ("C1", 1)))
    for process, wish in (("ended", old), ("one", ours), ("other", theirs)):
        await board(known).want("mcp", [wish], process=process)
    assert await board(known).wanted() == [ours, theirs], "what is long over goes"
    await board(known).want("mcp", [], process="other")
    assert await board(known).wanted() == [ours]


async def test_each_desk_of_a_kind_looks_for_itself(tmp_path):
    first, second = (Looking(board(settings(tmp_path)), "mcp") for _ in range(2))
    await first.at("BTCUSDT")
    await second.at("ETHUSDT", "5m")
    wanted = await board(settings(tmp_path)).wanted()
    assert [(wish.symbol, wish.interval) for wish in wanted] == [("BTCUSDT", ""), ("ETHUSDT", "5m")]


@pytest.mark.redis
@pytest.mark.skipif(REDIS_SERVER is None, reason="there is no redis-server on this machine")
async def test_two_programs_see_the_same_with_redis_and_while_it_is_away(tmp_path):
    server = RedisServer(tmp_path)
    await server.start()
    known = settings(tmp_path, REDIS_URL=server.url)
    ours, theirs = shared_cache(known), shared_cache(known)
    await ours.put("key", b"in Redis", 60)
    assert await theirs.get("key") == b"in Redis"
    assert not board_folder(known.ledger_path).exists()
    server.kill()
    await ours.put("key", b"in the folder", 60)
    assert await theirs.get("key") == b"in the folder"
    await ours.close()
    await theirs.close()


def test_daemons_have_keys_of_their_own(tmp_path, monkeypatch):
    other = tmp_path / "other"
    other.mkdir()
    names = {
        board_namespace(settings(tmp_path)),
        board_namespace(settings(other)),
        board_namespace(settings(tmp_path, TRADING_INSTANCE="second")),
    }
    assert len(names) == 3
    monkeypatch.chdir(tmp_path)
    relative = load(environment={"LEDGER_PATH": "ledger.db"}, folder=tmp_path).settings
    assert board_namespace(relative) in names, "a relative path names the same ledger"
