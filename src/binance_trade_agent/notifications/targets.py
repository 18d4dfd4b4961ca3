"""The addresses of NOTIFY_URLS, as Apprise knows them. What an address says is a secret: only its scheme is shown."""

import logging
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

from binance_trade_agent.configuration import ConfigError
from binance_trade_agent.domain.nearest import nearest
from binance_trade_agent.settings import Settings


class Target:
    """One address.

    Attributes:
        shown: what may be shown of it, such as `tgram://****`.
        key: tells it from others, in a file name.
    """

    def __init__(self, url: str, service: Any) -> None:
        self.shown = f"{url.partition('://')[0].lower()}://****"
        self.key = blake2b(url.encode(), digest_size=8).hexdigest()
        self._service = service

    def send(self, title: str, body: str, *, is_bad: bool) -> bool:
        """Whether it was delivered; takes as long as the service's own timeouts let it. For a thread."""
        try:
            return bool(self._service.notify(title=title, body=body, notify_type="warning" if is_bad else "info"))
        except Exception:  # noqa: BLE001 (a plugin may raise what it likes; its text may hold the address)
            return False


def targets(settings: Settings) -> Sequence[Target]:
    """The addresses of the settings.

    Raises:
        ConfigError: Apprise is missing, or does not know an address.
    """
    if not settings.notify_urls:
        return ()
    try:
        import apprise
    except ImportError:
        raise ConfigError(
            "NOTIFY_URLS needs Apprise, which is not installed: pip install 'binance-trading-agent[notify]'."
        ) from None
    logging.getLogger("apprise").disabled = True  # it logs addresses; what matters of it is said by the notifier
    asset = apprise.AppriseAsset(app_id="binance-trading-agent", app_desc="binance-trading-agent", app_url="")
    found = []
    for number, secret in enumerate(settings.notify_urls, start=1):
        url = secret.get_secret_value()
        service = apprise.Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
        if service is None:
            raise ConfigError(_unknown(number, url))
        found.append(Target(url, service))
    return found


def _unknown(number: int, url: str) -> str:
    from apprise.manager_plugins import NotificationManager

    scheme = url.partition("://")[0].lower()
    known: list[str] = list(NotificationManager().schemas())  # type: ignore[no-untyped-call]
    if scheme in known:
        return f"NOTIFY_URLS, address {number} ({scheme}://****): something is missing in it or wrong for {scheme}://."
    hint = nearest(scheme, known)
    return f"NOTIFY_URLS, address {number}: Apprise has no {scheme}://" + (
        f"; did you mean {hint}://?" if hint else "."
    )
