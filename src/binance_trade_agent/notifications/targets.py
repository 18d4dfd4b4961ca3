"""The addresses of NOTIFY_URLS, as Apprise knows them. What an address says is a secret: only its scheme is shown."""

import logging
import threading
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

from binance_trade_agent.configuration import ConfigError
from binance_trade_agent.domain.nearest import nearest
from binance_trade_agent.settings import Settings

# What services are spoken to by. It logs addresses and paths, which hold the tokens of many of them, in some levels.
_TALKATIVE = ("apprise", "urllib3", "requests", "requests_oauthlib", "oauthlib", "slixmpp", "paho")
_LONG_SECONDS = 60.0

log = logging.getLogger(__name__)


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
        """Whether it was delivered. For a thread: it takes as long as the service's own timeouts let it.

        They bound each read, not all of them: a service that answers a byte a second holds up its own thread, and the
        log says so.
        """
        said = "%s has taken a message for a minute and not answered; nothing else is sent there until it does"
        watch = threading.Timer(_LONG_SECONDS, log.warning, (said, self.shown))
        watch.daemon = True
        watch.start()
        try:
            return bool(self._service.notify(title=title, body=body, notify_type="warning" if is_bad else "info"))
        except Exception:  # noqa: BLE001 (a plugin may raise what it likes; its text may hold the address)
            return False
        finally:
            watch.cancel()


def targets(settings: Settings, *, skip_wrong: bool = False) -> Sequence[Target]:
    """The addresses of the settings.

    Args:
        settings: with NOTIFY_URLS.
        skip_wrong: leave out what Apprise does not know.

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
    for name in _TALKATIVE:  # what matters of it is said by the notifier
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    asset = apprise.AppriseAsset(app_id="binance-trading-agent", app_desc="binance-trading-agent", app_url="")
    found = []
    for number, secret in enumerate(settings.notify_urls, start=1):
        url = secret.get_secret_value()
        service = apprise.Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
        if service is None and not skip_wrong:
            raise ConfigError(_unknown(number, url))
        if service is not None:
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
