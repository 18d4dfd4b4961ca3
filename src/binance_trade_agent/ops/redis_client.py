"""How all that share something over Redis connect to it."""

from typing import Any


def redis_client(url: str, timeout_seconds: float, **options: Any) -> Any:
    """A client of redis-py, which connects when it is first used.

    Args:
        url: of Redis.
        timeout_seconds: for connecting, and for each reading and writing.
        options: others of `Redis.from_url`.
    """
    from redis.asyncio import Redis  # slow to import, and not needed without a Redis
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    return Redis.from_url(
        url,
        socket_timeout=timeout_seconds,
        socket_connect_timeout=timeout_seconds,
        retry=Retry(NoBackoff(), 1),  # once and at once: a connection from before a restart is no outage
        **options,
    )
