"""`trade-agent notify`: one message to each address, to see that it arrives."""

from binance_trade_agent import exit_codes
from binance_trade_agent.notifications.notifier import title_of
from binance_trade_agent.notifications.targets import targets
from binance_trade_agent.settings import Settings


def notify(settings: Settings, text: str) -> int:
    """Send `text` to each address of NOTIFY_URLS and print a line for each. Returns 1 when one did not take it.

    Raises:
        ConfigError: there is no address, Apprise is missing, or it does not know one.
    """
    known = targets(settings)
    if not known:
        print("There is no address: set NOTIFY_URLS.")
        return exit_codes.FAILURE
    answers = [target.send(title_of(settings), text, is_bad=False) for target in known]
    for target, was_delivered in zip(known, answers, strict=True):
        print(f"{target.shown} {'has taken it' if was_delivered else 'has not taken it'}.")
    return exit_codes.OK if all(answers) else exit_codes.FAILURE
