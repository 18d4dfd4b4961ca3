"""Stack: the containers of one scenario, started by compose and asked by docker."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.docker.session.engine import AGENT, PROJECT, Done, Engine, FailedError

# An hour of market time a minute, a tick a second, and a strategy that trades at many ticks.
BRISK = {
    "SIMULATION_SPEED": "60",
    "TRADING_INTERVAL_SECONDS": "60",
    "STRATEGY_NAME": "rsi_momentum",
    "STRATEGY_PARAMS": "rsi_period=2,rsi_oversold=45,rsi_overbought=55",
    "RISK_COOLDOWN_SECONDS": "0",
    "RISK_MAX_TRADES_PER_HOUR": "0",
    "RISK_MAX_TRADES_PER_DAY": "0",
    "RISK_MAX_SYMBOL_TRADES_PER_HOUR": "0",
    "RISK_MAX_SYMBOL_TRADES_PER_DAY": "0",
    "RISK_MAX_CONSECUTIVE_LOSSES": "0",
}

_ASK_LEDGER = """
import json, sqlite3, sys
ledger = sqlite3.connect("file:/app/data/ledger.db?mode=ro", uri=True)
print(json.dumps(ledger.execute(sys.argv[1]).fetchall()))
"""
_ASK_EXCHANGE = """
import json, sys, urllib.request
method, path, body = sys.argv[1:]
asked = urllib.request.Request("http://127.0.0.1:8091/sim/" + path, body.encode() or None, method=method)
print(urllib.request.urlopen(asked, timeout=10).read().decode())
"""


class Stack:
    """The project's containers under a name of the session's own, with their own volume.

    Attributes:
        settings: the environment of compose; changed, they take effect with the next `up`.
    """

    def __init__(self, engine: Engine, settings: dict[str, str], *, overrides: Sequence[Path], profile: str) -> None:
        self._engine = engine
        self._overrides = overrides
        self._flags = ("--profile", profile) if profile else ()
        self.settings = settings

    def compose(self, *arguments: str) -> Done:
        """Run compose on this project."""
        return self._engine.compose(*arguments, settings=self.settings, files=self._overrides, flags=self._flags)

    def up(self, **changed: str) -> None:
        """`docker-compose up -d`, with settings changed where they are given."""
        self.settings.update(changed)
        self._must(self.compose("up", "-d", "--no-build"), "up")

    def do(self, *arguments: str) -> None:
        """A compose command that has to work, such as `stop redis`."""
        self._must(self.compose(*arguments), arguments[0])

    def remove(self) -> None:
        """Take away containers, networks and volume."""
        self.compose("down", "--volumes", "--remove-orphans", "--timeout", "3")

    def exec(self, *command: str, user: str = "", name: str = AGENT) -> Done:
        """Run a command in the agent's container, or in another one."""
        return self._engine.docker("exec", *(("--user", user) if user else ()), name, *command)

    def exec_detached(self, *command: str) -> None:
        """The same without waiting for its end; what it says is lost."""
        self._must(self._engine.docker("exec", "--detach", AGENT, *command), "exec")

    def log(self, name: str = AGENT) -> str:
        """All that the agent's container, or another one, has said."""
        return self._engine.docker("logs", name).output

    def count(self, text: str, name: str = AGENT) -> int:
        """How many lines of the log have `text`."""
        return len(self.lines(text, name))

    def lines(self, text: str, name: str = AGENT) -> list[str]:
        """Lines of the log that have `text`."""
        return [line for line in self.log(name).splitlines() if text in line]

    def inspect(self, form: str, name: str = AGENT) -> str:
        """What `docker container inspect --format FORM` says."""
        return self._engine.docker("container", "inspect", "--format", form, name).out.strip()

    def is_healthy(self) -> bool:
        """By the engine's own health check."""
        return self.health == "healthy"

    @property
    def health(self) -> str:
        """`starting`, `healthy`, `unhealthy`."""
        return self.inspect("{{.State.Health.Status}}")

    @property
    def state(self) -> str:
        """Such as `running 0` or `exited 0`: status and exit code."""
        return self.inspect("{{.State.Status}} {{.State.ExitCode}}")

    def restarts(self) -> int:
        """How often the engine has started the container by itself."""
        return int(self.inspect("{{.RestartCount}}"))

    def container(self, service: str) -> str:
        """Id of a service's container."""
        return self.compose("ps", "-q", service).out.strip()

    @property
    def network(self) -> str:
        """Of the project."""
        return f"{PROJECT}_default"

    def ask_ledger(self, query: str, name: str = AGENT) -> list[list[Any]]:
        """Rows of a query on the ledger, from inside the container; none while there is no ledger."""
        done = self._engine.docker("exec", name, "python", "-c", _ASK_LEDGER, query)
        rows: list[list[Any]] = json.loads(done.out) if done.code == 0 else []
        return rows

    def fills(self, name: str = AGENT) -> int:
        """How many there are in the ledger."""
        rows = self.ask_ledger("SELECT count(*) FROM fills", name)
        return int(rows[0][0]) if rows else 0

    def exchange(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Ask the control port of the simulated exchange (docs/simulator.md), from inside the container."""
        sent = "" if body is None else json.dumps(body)
        done = self._must(self.exec("python", "-c", _ASK_EXCHANGE, method, path, sent), f"{method} {path}")
        return json.loads(done.out)

    def trader_pid(self) -> int:
        """Of the supervised trader, in the container's numbers."""
        return int(self._must(self.exec("supervisorctl", "pid", "trader"), "supervisorctl pid").out)

    def signal_trader(self, name: str) -> int:
        """Send the supervised trader a signal, such as KILL. Returns its process id."""
        pid = self.trader_pid()
        self._must(self.exec("sh", "-c", f"kill -{name} {pid}"), f"kill -{name}")
        return pid

    def run_beside(self, *command: str, flags: Sequence[str] = ()) -> Done:
        """A command in a container of its own, of the same image and in the same network."""
        return self._engine.docker("run", "--rm", "--network", self.network, *flags, AGENT, *command)

    def _must(self, done: Done, what: str) -> Done:
        if done.code:
            raise FailedError(f"{what} failed: {done.output.strip()}")
        return done
