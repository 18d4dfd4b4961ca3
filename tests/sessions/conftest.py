"""An exchange that is there already: a daemon that starts none of its own starts sooner."""

from collections.abc import AsyncIterator

import pytest

from tests.exchange_process import running_exchange


@pytest.fixture
async def there() -> AsyncIterator[dict[str, str]]:
    """Settings that lead to an exchange which stands still until a trader moves it on."""
    async with running_exchange(speed=None) as exchange:
        yield exchange.urls
