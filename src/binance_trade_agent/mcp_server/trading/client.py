"""Who calls: what is written down of a client, whose previews are whose, and whether there is a person to ask.

What a client says of itself is its own word: it is written down, and nothing is allowed or refused by it.
"""

import hashlib
import re

from mcp_types.version import is_version_at_least

from binance_trade_agent.control.commands import OF_ASSISTANTS
from binance_trade_agent.mcp_server.offering import Call

_LONGEST_NAME, _LONGEST_VERSION = 40, 20
_ASKED_IN_THE_ANSWER = "2026-07-28"  # from this version on a server asks in its answer, and needs no way back
_BRACKETS = str.maketrans("()", "[]")


def requested_by(call: Call, more: str = "") -> str:
    """Who, for the record: `mcp (claude-desktop 1.2.3)`, `mcp (claude-desktop 1.2.3, confirmed by a person)`."""
    return recorded(*_says(call), more)


def recorded(name: str, version: str, more: str = "") -> str:
    """The same of what a client says; one line, whatever that is."""
    known = f"{_cleaned(name, _LONGEST_NAME) or 'unnamed'} {_cleaned(version, _LONGEST_VERSION)}".rstrip()
    return f"{OF_ASSISTANTS}{known}{more and f', {more}'})"


def owner(call: Call) -> str:
    """Whose a preview is: of the session where there are sessions, and of the name.

    From protocol 2026-07-28 on there are no sessions over HTTP. Then only the preview's id, which nobody can guess,
    tells two clients apart that say the same of themselves.
    """
    headers = call.headers
    session = None if headers is None else headers.get("mcp-session-id")
    parts = (*_says(call), session or "", "stdio" if headers is None else "http")
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def can_ask(call: Call) -> bool:
    """Whether the client can ask its person (elicitation by a form)."""
    capabilities = call.client_capabilities
    asks = capabilities.elicitation if capabilities is not None else None
    if asks is None or (asks.form is None and asks.url is not None):
        return False
    version = call.protocol_version
    is_in_the_answer = version is not None and is_version_at_least(version, _ASKED_IN_THE_ANSWER)
    return is_in_the_answer or call.session.can_send_request


def _says(call: Call) -> tuple[str, str]:
    """Name and version, as the client gives them."""
    params = call.session.client_params
    return ("", "") if params is None else (params.client_info.name, params.client_info.version)


def _cleaned(text: str, longest: int) -> str:
    """One line of what can be printed; brackets and commas, which part the record, made others."""
    printable = "".join(each if each.isprintable() else " " for each in text.translate(_BRACKETS).replace(",", ";"))
    return re.sub(r" +", " ", printable).strip()[:longest].rstrip()
