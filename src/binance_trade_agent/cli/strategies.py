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
        print(f"{entry.name}: {entry.summary}")
        for parameter in entry.parameters:
            bounds = f"{parameter.minimum:g} to {parameter.maximum:g}"
            print(f"    {parameter.name} = {parameter.default:g}  ({bounds}) {parameter.description}")
