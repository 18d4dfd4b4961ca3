from binance_trade_agent.cache import cache as module
from binance_trade_agent.cache.cache import InProcessCache


async def test_value_is_there_until_its_time_is_over(monkeypatch):
    now = 100.0
    monkeypatch.setattr(module, "monotonic_seconds", lambda: now)
    cache = InProcessCache()
    await cache.put("key", b"value", 5)
    assert await cache.get("key") == b"value"
    now = 105.0
    assert await cache.get("key") is None
    now = 100.0
    assert await cache.get("key") is None, "an expired value is dropped, not only hidden"


async def test_later_value_replaces_the_earlier_one_and_its_time():
    cache = InProcessCache()
    await cache.put("key", b"old", 0)
    await cache.put("key", b"new", 60)
    assert await cache.get("key") == b"new"


async def test_unknown_key_and_closed_cache_have_nothing():
    cache = InProcessCache()
    assert await cache.get("key") is None
    await cache.put("key", b"value", 60)
    await cache.close()
    assert await cache.get("key") is None
