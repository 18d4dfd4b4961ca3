"""The command `strategies`."""

import click

from binance_trade_agent.cli.shared import json_option


@click.command("strategies")
@json_option
def strategies(as_json: bool) -> None:
    """List strategies and presets with their parameters, defaults and bounds."""
    from dataclasses import asdict

    from binance_trade_agent.strategies.registry import describe

    described = describe()
    if as_json:
        import json

        print(json.dumps([asdict(entry) for entry in described], indent=2))
        return
    for entry in described:
        if entry.broken:
            print(f"{entry.name}: broken, cannot be used: {entry.broken}")
            continue
        place = f"  [{entry.place}]" if entry.place else ""
        print(f"{entry.name}: {entry.summary}{place}")
        for parameter in entry.parameters:
            print(f"    {parameter.name} = {parameter.default:g}  ({parameter.allowed}) {parameter.description}")
