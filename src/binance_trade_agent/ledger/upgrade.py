"""The copy that is made of a ledger before it is brought to a newer schema: the way back to the program of before."""

import logging
import sqlite3
from contextlib import closing
from pathlib import Path

from binance_trade_agent.domain.wording import compact_utc
from binance_trade_agent.ledger.backup import copy_of_one_moment
from binance_trade_agent.ledger.connection import explained, open_of_any_schema
from binance_trade_agent.ledger.errors import LedgerUnavailable
from binance_trade_agent.ledger.files import remove_abandoned
from binance_trade_agent.ledger.migrations import latest_version, schema_version
from binance_trade_agent.ops.clock import wall_ms

log = logging.getLogger(__name__)


def back_up_before_upgrade(path: Path) -> Path | None:
    """Copy the ledger at `path` beside it where its schema is older than this program's, and say so.

    Returns:
        Where the copy is; None where nothing is to be upgraded.

    Raises:
        LedgerError: it is damaged, or no ledger.
        LedgerUnavailable: there is no room for the copy, or it could not be made; nothing was changed.
    """
    if not path.exists():
        return None
    with closing(open_of_any_schema(path)) as connection:
        found, needed = _version(connection, path), latest_version()
        if not 0 < found < needed:
            return None
        remove_abandoned(path, "schema-", before_wall_ms=wall_ms())
        copy = path.with_name(f"{path.name}.schema-{found}-{compact_utc(wall_ms())}")
        try:
            copy_of_one_moment(connection, path, copy)
        except LedgerUnavailable as failure:
            what = str(failure).removesuffix(", or give a path on another disk with --to")
            raise LedgerUnavailable(
                f"the ledger {path} has schema {found}, and before it is upgraded to {needed} a copy is made of it: "
                f"{what}. Nothing was changed."
            ) from failure
    log.warning(
        "the ledger %s is upgraded from schema %d to %d; as it was it is kept as %s, for the older program",
        path,
        found,
        needed,
        copy,
    )
    return copy


def _version(connection: sqlite3.Connection, path: Path) -> int:
    try:
        return schema_version(connection)
    except sqlite3.Error as error:
        raise explained(error, path) from error
