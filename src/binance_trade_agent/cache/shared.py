"""The cache that the programs of one daemon share: the trader, the dashboard, the MCP server."""

from hashlib import blake2b
from pathlib import Path

from binance_trade_agent.cache.cache import Cache
from binance_trade_agent.cache.folder_cache import FolderCache
from binance_trade_agent.settings import Settings


def shared_cache(settings: Settings) -> Cache:
    """Redis where there is one; a folder beside the ledger where there is none, and while Redis does not answer."""
    folder = FolderCache(board_folder(settings.ledger_path))
    if settings.redis_url is None:
        return folder
    from binance_trade_agent.cache.redis_cache import RedisCache

    return RedisCache(settings.redis_url.get_secret_value(), folder)


def board_folder(ledger_path: Path) -> Path:
    """Where the notes of a ledger's trader are without Redis."""
    return ledger_path.with_name(f"{ledger_path.name}.board")


def board_namespace(settings: Settings) -> str:
    """Begins the keys of one daemon's notes: others on the same Redis have another name or another ledger."""
    ledger = blake2b(str(settings.ledger_path.absolute()).encode(), digest_size=8).hexdigest()
    return f"binance-trading-agent:board:{settings.trading_instance}:{ledger}"
