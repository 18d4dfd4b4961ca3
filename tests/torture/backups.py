"""Backups of the ledger at any moment, of which a later life may begin with one, as if the disk had died."""

import random
from typing import TYPE_CHECKING

from binance_trade_agent.ledger import queries
from binance_trade_agent.ledger.backup import back_up
from binance_trade_agent.ledger.restore import restore
from binance_trade_agent.ops.clock import wall_ms

if TYPE_CHECKING:
    from tests.torture.world import World

_ODDS = 0.4  # that a life begins with a backup
_ON_THE_WIRE_SECONDS = 20.0  # for which a dead trader's last request may still arrive


class Backups:
    """Takes them and puts them back, by dice of its own.

    Attributes:
        restored: how often one was put back.
    """

    def __init__(self, world: "World") -> None:
        self.restored = 0
        self._world = world
        self._chance = random.Random(f"backups {world.seed}")
        self._number = 0

    def take(self) -> None:
        """Copy the ledger as it is now, if anybody has traded with it."""
        if self._world.read(queries.runs):
            self._number += 1
            self._world.trace.add("backup", str(self._number))
            back_up(self._world.settings.ledger_path, self._world.folder / f"backup-{self._number}")

    async def maybe_restore(self) -> None:
        """Put any of the backups in the ledger's place, by chance, while nobody lives."""
        if not self._number or self._chance.random() >= _ODDS:
            return
        await self._world.sleep(_ON_THE_WIRE_SECONDS)
        number = self._chance.randint(1, self._number)
        self._world.trace.add("restore", str(number))
        path = self._world.settings.ledger_path
        kept = restore(path, self._world.folder / f"backup-{number}", wall_ms(), lambda _: None).kept
        assert kept is not None
        kept.unlink()
        self._world.invariants.forget()
        self.restored += 1
