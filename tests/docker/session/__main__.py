"""`python -m tests.docker.session [NAME ...]`: run the scenarios, or those that are named. See `make docker-test`."""

import argparse
import difflib
import signal
import sys

from tests.docker.session import (
    building,
    doors,
    faults,
    mistakes,
    pages,
    secrets,
    several,
    soak,
    starting,
    stopping,
    volume,
)
from tests.docker.session.engine import AGENT, Engine, NoEngineError
from tests.docker.session.scenario import Scenario, Session

# In the order in which they run: what everything else rests on comes first.
SCENARIOS: tuple[Scenario, ...] = (
    building.build,
    starting.nothing_set,
    starting.fills,
    starting.settings_take_effect,
    starting.duration_over,
    starting.duration_over_container_ends,
    starting.autostart_off,
    stopping.stop_mid_tick,
    stopping.kill_mid_order,
    stopping.restarts,
    faults.redis_away,
    faults.trader_killed,
    faults.trader_wedged,
    faults.disk_full,
    several.several_daemons,
    mistakes.wrong_keys,
    mistakes.wrong_setting,
    mistakes.no_network,
    mistakes.second_trader,
    doors.closed_doors,
    doors.metrics,
    doors.simulated_exchange,
    pages.pages,
    secrets.canary,
    volume.backup_and_restore,
    volume.upgrade,
    volume.downgrade,
    soak.soak,
)


def name_of(scenario: Scenario) -> str:
    """`stop-mid-tick` of `stop_mid_tick`."""
    return scenario.__name__.replace("_", "-")


def main() -> int:
    """The exit code: 0 all passed or no engine, 1 one failed, 2 wrong usage or a container that is in the way."""
    known = {name_of(scenario): scenario for scenario in SCENARIOS}
    parser = argparse.ArgumentParser(prog="make docker-test", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="scenarios, commas between them too; all without a name"
    )
    parser.add_argument("--list", action="store_true", help="show the scenarios and end")
    parser.add_argument("--no-build", action="store_true", help="try the image as it is")
    parser.add_argument("--minutes", type=float, default=1, help="how long `soak` lasts; 1")
    given = parser.parse_args()
    if given.list:
        for name, scenario in known.items():
            print(f"{name:30} {(scenario.__doc__ or '').splitlines()[0]}")
        return 0
    if given.minutes <= 0:
        parser.error(f"--minutes {given.minutes:g} is not allowed: it must be above 0")
    names = [name for part in given.names for name in part.split(",") if name]
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            parser.error(
                f"there is no scenario {name}" + (f"; the nearest is {near[0]}" if near else "") + ": see --list"
            )

    try:
        engine = Engine.found()
    except NoEngineError as failure:
        print(f"docker-test: skipped: {failure}")
        return 0
    if engine.has_container(AGENT):
        parser.error(f"a container {AGENT} exists already: remove it first, its ledger stays in its volume")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("docker-test: ended by a signal; the containers are taken away"))
    with Session(engine, soak_minutes=given.minutes) as session:
        chosen = {name: known[name] for name in names} or known
        if not given.no_build and "build" not in chosen and not building.is_built(session):
            return 1
        return session.run(chosen)


if __name__ == "__main__":
    sys.exit(main())
