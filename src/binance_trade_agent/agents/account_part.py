"""PartOfAccount: the account as one of several daemons sees it that share it.

Base assets of its symbols are its alone and are as the exchange says. Of what is common, the quote asset and what fees
are taken in, its own is what its books say: what others do there does not concern it, and its own trades are told by
their orders and by the balances of base assets.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping
from decimal import Decimal
from typing import Any, cast

from binance_trade_agent.agents.in_question import COMMISSION_ASSET
from binance_trade_agent.domain.values import replace
from binance_trade_agent.exchange.gateway import Account, Gateway
from binance_trade_agent.ledger.own_part import OwnPart


class _PartOfAccount:
    def __init__(
        self,
        gateway: Gateway,
        quote_asset: str,
        base_assets: Collection[str],
        read: Callable[[], Awaitable[OwnPart]],
    ) -> None:
        self._gateway = gateway
        self._quote_asset = quote_asset
        self._base_assets = base_assets
        self._read = read

    def __getattr__(self, name: str) -> Any:
        return getattr(self._gateway, name)

    async def account(self) -> Account:
        """See Gateway."""
        account = await self._gateway.account()
        part = await self._read()
        common = {
            **{asset: amount for asset, amount in part.wallet.items() if asset not in self._base_assets},
            self._quote_asset: part.cash_quote(self._quote_asset),
            COMMISSION_ASSET: part.wallet.get(COMMISSION_ASSET, Decimal(0)),
        }
        return in_place(account, common)


def part_of_account(
    gateway: Gateway, quote_asset: str, base_assets: Collection[str], read: Callable[[], Awaitable[OwnPart]]
) -> Gateway:
    """The gateway, but for its account, of which it tells this daemon's part.

    Args:
        gateway: to the exchange.
        quote_asset: what the daemon pays in.
        base_assets: those that are its alone. Of others, of which it may have dust, its books tell too.
        read: the books' word on what is its own.
    """
    return cast(Gateway, _PartOfAccount(gateway, quote_asset, base_assets, read))


def in_place(account: Account, common: Mapping[str, Decimal]) -> Account:
    """The account with other balances of what is common; what of it is locked is not told, for others lock it too."""
    own = {asset: amount for asset, amount in common.items() if amount}
    return replace(
        account,
        balances={**{asset: amount for asset, amount in account.balances.items() if asset not in common}, **own},
        free={**{asset: amount for asset, amount in account.free.items() if asset not in common}, **own},
    )
