"""Write the reference pages from the code: `python docs/reference/generate.py [folder]`.

With `--check` nothing is written; the exit code is 1 when a page is missing or is not what the code says.
"""

import argparse
import inspect
import itertools
import re
import sqlite3
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from enum import StrEnum
from importlib import resources
from pathlib import Path

import click

from binance_trade_agent.cli import group as commands_of_trade_agent
from binance_trade_agent.configuration import ALIASES, FROM_FILE, PROFILES
from binance_trade_agent.domain.decisions import Outcome
from binance_trade_agent.domain.orders import TERMINAL_STATES, TRANSITIONS, OrderState
from binance_trade_agent.ledger.migrations import latest_version, migrate
from binance_trade_agent.ops.metrics.catalogue import SECTIONS
from binance_trade_agent.settings import Settings, allowed_values, shown
from binance_trade_agent.simulator.endpoints.catalogue import ENDPOINTS
from binance_trade_agent.simulator.endpoints.endpoint import Endpoint
from binance_trade_agent.strategies.registry import StrategyDescription, describe

HERE = Path(__file__).resolve().parent
NOTICE = "<!-- Written by docs/reference/generate.py; do not edit. -->"

RISK_PROFILES = (HERE.parents[1] / "config" / PROFILES).read_text(encoding="utf-8")
DEFAULT_PROFILE = "balanced"
FIRST_WORDS = {
    "trading": "Where and what is traded, how often, and how large an entry is.",
    "account": "What the daemons of [one account](../guide/several-daemons.md#one-account) may hold together.",
    "trader": "What [the container](../guide/docker.md) does with the trader.",
    "strategy": "What says BUY and SELL: [strategies](../guide/strategies.md).",
    "risk": "Limits and exits: [from a signal to an order](../guide/risk.md). The profiles are those of "
    "`config/risk.toml`; without `RISK_PROFILE` the defaults hold, which are those of balanced.",
    "simulation": "The market of [the simulated exchange](../simulator.md) that the daemon starts.",
    "exchange": "A simulated exchange that runs already, and how long any exchange is waited for.",
    "binance": "Keys, for the testnet or for live trading.",
    "live": "What arms live trading.",
    "redis": "The cache, and what daemons share.",
    "ledger": "[The ledger](../concepts/ledger.md).",
    "history": "[Recorded candles](../guide/data.md), for backtests.",
    "record": "[Recordings of runs](../guide/replay.md).",
    "dashboard": "[The pages](../guide/dashboard.md), who may see them, and where they are served.",
    "mcp": "[The MCP server](../guide/mcp.md), by which assistants look, and trade where they may.",
    "metrics": "[Metrics of the trader](../guide/metrics.md), for Prometheus.",
    "tracing": "[Traces of ticks](../guide/metrics.md#traces), for OpenTelemetry.",
    "notify": "[Notifications](../guide/notifications.md).",
    "log": "The log, on standard error.",
}

SETTINGS_INTRODUCTION = """
The name is the name in the environment and in `.env`. In `config/*.toml` it is the same in lower case, and may be split
into tables at its underscores: `TRADING_ORDER_QUOTE` is `order_quote` under `[trading]`.

Flags win over the environment, that over `.env`, that over the files, and of the files the last in alphabetical order;
after all of them come the limits of the profile that `RISK_PROFILE` chooses in `config/risk.toml`, and the defaults.
`trade-agent config` prints what is in effect and where it came from. Empty values count as not set.

{aliases}. Read from a file that they name, white space at its ends left out:
{files}.
Settings without a flag come from the environment or from files only: flags are visible to every user of the machine.
""".strip()


METRICS_INTRODUCTION = """
Served by the trader where `METRICS_PORT` is set: [metrics](../guide/metrics.md). Counters begin at 0 with the process.
What is not known is left out, never 0. Labels are bounded: a symbol that is not traded is `other`. `_quote` and `_base`
are amounts of the asset in the label `asset`; market time is the machine's but in a simulation. Besides them
`process_*`, as every program of prometheus-client has them: CPU, memory, open files, start.
""".strip()


def settings_page() -> str:
    """Every setting by its first word: name, flag, default, what is allowed, what it means; limits by profile too."""
    files = ", ".join(f"`{name}_FILE`" for name in FROM_FILE)
    aliases = ", ".join(f"`{alias}` is accepted for `{name}`" for alias, name in ALIASES.items())
    first_words = dict.fromkeys(name.partition("_")[0] for name in Settings.model_fields)
    return _page(
        "Settings",
        SETTINGS_INTRODUCTION.format(aliases=aliases, files=files),
        *itertools.chain.from_iterable(_settings(word) for word in first_words),
    )


def commands_page() -> str:
    """Every command with its own options, in click's own words."""
    sections = itertools.chain.from_iterable(
        _commands(name, command) for name, command in commands_of_trade_agent.commands.items()
    )
    return _page("Commands", inspect.cleandoc(commands_of_trade_agent.help or ""), *sections)


def strategies_page() -> str:
    """Every strategy and preset with its parameters."""
    return _page(
        "Strategies",
        "Names for `STRATEGY_NAME`, parameters for `STRATEGY_PARAMS`. What they do: "
        "[the guide](../guide/strategies.md).",
        *(_strategy(entry) for entry in describe(None)),
    )


def states_page() -> str:
    """Outcomes of decisions and states of orders."""
    outcomes = [(f"`{name}`", text) for name, text in _meanings(Outcome)]
    states = [
        (f"`{name}`", text or "as the exchange says", ", ".join(f"`{next_}`" for next_ in _followers(OrderState(name))))
        for name, text in _meanings(OrderState)
    ]
    return _page(
        "Outcomes and states",
        "How they come about: [how an order lives](../concepts/orders.md).",
        "## Outcomes of a decision",
        _table(("outcome", "meaning"), outcomes),
        "## States of an order",
        "A state is followed only by those in its last column; any other news is late or repeated and changes nothing. "
        f"Terminal: {', '.join(f'`{state}`' for state in OrderState if state in TERMINAL_STATES)}.",
        _table(("state", "meaning", "may be followed by"), states),
    )


def ledger_page() -> str:
    """Every table of the ledger as the migrations leave it."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate(connection)
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        tables = [_ledger_table(connection, name) for name in names]
    return _page(
        "Tables of the ledger",
        f"Schema version {latest_version()}. What the tables are for: [the ledger](../concepts/ledger.md).",
        *_comments("top"),
        *tables,
    )


def endpoints_page() -> str:
    """Every endpoint of the simulated exchange."""
    rows = [
        (
            f"`{endpoint.method} {endpoint.path.removeprefix('/api/v3/')}`",
            f"`{endpoint.websocket_method}`" if endpoint.websocket_method else "",
            endpoint.permission,
            _weight(endpoint),
            ", ".join(f"`{known.name}`{'*' if known.required else ''}" for known in endpoint.own_parameters),
        )
        for endpoint in ENDPOINTS
    ]
    return _page(
        "Endpoints of the simulated exchange",
        "REST paths are below `/api/v3/`. Parameters with a star are mandatory; signed endpoints (all but NONE) know "
        "`timestamp`*, `recvWindow` and `signature`* besides. A weight with a cross is charged only when the answer is "
        "an error. What else is served: [the simulated exchange](../simulator.md).",
        _table(("REST", "WebSocket API", "permission", "weight", "parameters"), rows),
    )


def metrics_page() -> str:
    """Every metric with its type and labels."""
    parts = itertools.chain.from_iterable(
        (
            f"## {section}",
            _table(
                ("metric", "type", "labels", "meaning"),
                [
                    (
                        f"`{metric.name}`",
                        metric.kind.value,
                        ", ".join(f"`{label}`" for label in metric.labels),
                        metric.text,
                    )
                    for metric in metrics
                ],
            ),
        )
        for section, metrics in SECTIONS.items()
    )
    return _page("Metrics", METRICS_INTRODUCTION, *parts)


PAGES: dict[str, Callable[[], str]] = {
    "settings.md": settings_page,
    "commands.md": commands_page,
    "strategies.md": strategies_page,
    "states.md": states_page,
    "ledger.md": ledger_page,
    "endpoints.md": endpoints_page,
    "metrics.md": metrics_page,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the pages, or check them. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "folder", nargs="?", type=Path, default=HERE, help="where the pages are; this file's own folder"
    )
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 when a page is stale")
    options = parser.parse_args(arguments)
    pages = {options.folder / name: build() for name, build in PAGES.items()}
    stale = [path for path, text in pages.items() if not path.is_file() or path.read_text(encoding="utf-8") != text]
    if options.check:
        for path in stale:
            print(f"{path} is stale: run `python docs/reference/generate.py`.", file=sys.stderr)
        return 1 if stale else 0
    for path in stale:
        path.write_text(pages[path], encoding="utf-8")
        print(f"wrote {path}")
    return 0


def _settings(first_word: str) -> Iterator[str]:
    """The part of the page on settings that begin with one word."""
    names = [name for name in Settings.model_fields if name.startswith(f"{first_word}_")]
    groups = _groups_of_limits()
    yield f"## {first_word.upper()}"
    yield FIRST_WORDS[first_word]
    rows = [(*_name_and_flag(name), _shown_default(name), *_meaning(name)) for name in names if name not in groups]
    if rows:
        yield _table(("setting", "flag", "default", "allowed", "meaning"), rows)
    for group in dict.fromkeys(groups[name] for name in names if name in groups):
        yield f"### {_sentence(group).rstrip('.')}"
        yield _limits([name for name in names if groups.get(name) == group])


def _limits(names: Iterable[str]) -> str:
    """Settings of the risk profiles, with their value in each."""
    tables = tomllib.loads(RISK_PROFILES)
    profiles = {
        profile: Settings(**{f"risk_{name}": value for name, value in table.items()})
        for profile, table in tables.items()
    }
    heads = (f"{profile}, default" if profile == DEFAULT_PROFILE else profile for profile in profiles)
    rows = (
        (
            *_name_and_flag(name),
            *(f"`{shown(getattr(settings, name))}`" for settings in profiles.values()),
            *_meaning(name),
        )
        for name in names
    )
    return _table(("setting", "flag", *heads, "allowed", "meaning"), rows)


def _name_and_flag(name: str) -> tuple[str, str]:
    return f"`{name.upper()}`", _flags().get(name, "")


def _shown_default(name: str) -> str:
    return f"`{shown(Settings.model_fields[name].default)}`"


def _meaning(name: str) -> tuple[str, str | None]:
    return allowed_values(name), Settings.model_fields[name].description


def _groups_of_limits() -> dict[str, str]:
    """By name of a setting in the profiles, the comment that it stands under: `# --- how much is at risk`."""
    group, groups = "", {}
    for line in RISK_PROFILES.splitlines():
        if line.startswith("# --- "):
            group = line.removeprefix("# --- ")
        elif found := re.match(r"(\w+) = ", line):
            groups[f"risk_{found[1]}"] = group
    return groups


def _commands(name: str, command: click.Command) -> Iterator[str]:
    yield _command(name, command)
    if isinstance(command, click.Group):
        for below, subcommand in command.commands.items():
            yield from _commands(f"{name} {below}", subcommand)


def _command(name: str, command: click.Command) -> str:
    context = click.Context(command, info_name=f"trade-agent {name}")
    own = [record for option in command.params if (record := option.get_help_record(context))]
    parts = [f"## trade-agent {name}", inspect.cleandoc(command.help or "")]
    if own:
        parts.append(_table(("option", "meaning"), [(f"`{option}`", text) for option, text in own]))
    if len(command.get_params(context)) > len(Settings.model_fields) // 2:
        parts.append("And a flag for each [setting](settings.md).")
    return "\n\n".join(parts)


def _weight(endpoint: Endpoint) -> str:
    """The weight, that without parameters where they decide on it."""
    if isinstance(endpoint.weight, int):
        return f"{endpoint.weight}{'†' if endpoint.free_when_accepted else ''}"
    return f"by parameters, {endpoint.weight({})} without"


def _flags() -> dict[str, str]:
    """By field name of a setting, the flag that `trade-agent run` has for it."""
    run = commands_of_trade_agent.commands["run"]
    options = run.get_params(click.Context(run))
    return {option.name: f"`{option.opts[0]}`" for option in options if option.name in Settings.model_fields}


def _strategy(entry: StrategyDescription) -> str:
    rows = [
        (
            f"`{parameter.name}`",
            *(
                "" if value is None else f"{value:g}"
                for value in (parameter.default, parameter.minimum, parameter.maximum)
            ),
            parameter.description,
        )
        for parameter in entry.parameters
    ]
    what = f"{entry.summary} (preset of `{entry.preset_of}`)" if entry.preset_of else entry.summary
    return f"## {entry.name}\n\n{_sentence(what)}\n\n" + _table(
        ("parameter", "default", "least", "most", "meaning"), rows
    )


def _meanings(states: type[StrEnum]) -> Iterator[tuple[str, str]]:
    """Name and meaning of each member, from the class's docstring, which has sentences `NAME: what it means`."""
    text = " ".join((states.__doc__ or "").split())
    said = dict(re.findall(r"\b([A-Z_]+): (.+?)\.(?= [A-Z]|$)", text))
    return ((state.value, said.get(state.value, "")) for state in states)


def _followers(state: OrderState) -> Iterable[OrderState]:
    return (follower for follower in OrderState if follower in TRANSITIONS[state])


def _ledger_table(connection: sqlite3.Connection, table: str) -> str:
    targets = {row[3]: row[2] for row in connection.execute(f"PRAGMA foreign_key_list({table})")}
    rows = []
    for _, column, kind, required, _, place_in_key in connection.execute(f"PRAGMA table_info({table})"):
        reference = f"[{targets[column]}](#{targets[column]})" if column in targets else ""
        rows.append((f"`{column}`", kind, str(place_in_key or ""), "" if required else "allowed", reference))
    columns = _table(("column", "type", "place in key", "null", "refers to"), rows)
    return "\n\n".join((f"## {table}", *_comments(table), columns))


def _comments(table: str) -> Iterator[str]:
    """The comments that stand before a table in the migrations; `top`: those at the head of the first file."""
    folder = resources.files("binance_trade_agent.ledger") / "schema"
    scripts = [entry.read_text(encoding="utf-8") for entry in sorted(folder.iterdir(), key=lambda entry: entry.name)]
    pattern = r"\A((?:-- .*\n)+)\n" if table == "top" else rf"((?:-- .*\n)+)CREATE TABLE {table} "
    for found in (re.search(pattern, script) for script in scripts):
        if found:
            yield " ".join(line.removeprefix("-- ") for line in found[1].splitlines())


def _page(title: str, *parts: str) -> str:
    return "\n\n".join((NOTICE, f"# {title}", *parts)) + "\n"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str | None]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join((cell or '').replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def _sentence(text: str) -> str:
    name, _, rest = text.partition(" ")
    begun = f"`{name}` {rest}" if "_" in name else f"{text[0].upper()}{text[1:]}"  # the name of a strategy is no word
    return f"{begun}{'' if text.endswith('.') else '.'}"


if __name__ == "__main__":
    sys.exit(main())
