"""The Docker engine and its compose, whichever this machine has, asked without anything of the user's own settings."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[3]
PROJECT = "trading-agent-test"
AGENT = "binance-trading-agent"
IMAGE = "binance-trading-agent"
COMMAND_SECONDS = 600

# Of the user's shell only what finds the engine and the package index; no setting and no key.
_KEPT = ("PATH", "HOME", "USER", "LANG", "TMPDIR", "XDG_RUNTIME_DIR", "COMPOSE_DOCKER_CLI_BUILD", "DOCKER_LAB_DIR")
_KEPT_BEGINNINGS = ("DOCKER_", "BUILDKIT_", "PYENV_")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")


class NoEngineError(Exception):
    """No Docker engine answers, or there is no compose."""


class FailedError(Exception):
    """An expectation was not met, or a command failed that has to work; one sentence, with what was found."""


@dataclass(frozen=True)
class Done:
    """A command that has ended. `output` is what it said on both streams, `out` on standard output only."""

    code: int
    out: str
    output: str


@dataclass(frozen=True)
class Engine:
    """Runs docker and compose.

    Attributes:
        compose_command: `docker-compose`, or `docker compose`.
        no_settings: an empty file that stands for the user's .env.
    """

    compose_command: tuple[str, ...]
    no_settings: Path = field(default_factory=lambda: Path(tempfile.mkstemp(prefix="docker-test-", suffix=".env")[1]))

    @classmethod
    def found(cls) -> "Engine":
        """The engine that answers here.

        Raises:
            NoEngineError: one sentence.
        """
        if shutil.which("docker") is None or _run(("docker", "info"), {}).code:
            raise NoEngineError("no Docker engine answers")
        for command in (("docker-compose",), ("docker", "compose")):
            if shutil.which(command[0]) and not _run((*command, "version"), {}).code:
                return cls(command)
        raise NoEngineError("there is neither docker-compose nor docker compose")

    def docker(self, *arguments: str, seconds: float = COMMAND_SECONDS) -> Done:
        """Run `docker ARGUMENTS`."""
        return _run(("docker", *arguments), {}, seconds=seconds)

    def compose(
        self, *arguments: str, settings: Mapping[str, str], files: Sequence[Path] = (), flags: Sequence[str] = ()
    ) -> Done:
        """Run compose on the project's file and on `files` over it, with `settings` as the environment."""
        chosen = [part for file in (ROOT / "docker-compose.yml", *files) for part in ("-f", str(file))]
        command = (*self.compose_command, "--env-file", str(self.no_settings), *chosen, *flags, *arguments)
        return _run(command, {"COMPOSE_PROJECT_NAME": PROJECT, **settings})

    def build(self, folder: Path) -> Done:
        """Build the image from `folder`, by the command in DOCKER_TEST_BUILD where there is one."""
        plain = (*self.compose_command, "--env-file", str(self.no_settings), "-f", "docker-compose.yml", "build")
        command = tuple(os.environ.get("DOCKER_TEST_BUILD", "").split()) or plain
        return _run(command, {"COMPOSE_PROJECT_NAME": PROJECT}, folder=folder, seconds=3 * COMMAND_SECONDS)

    def has_container(self, name: str) -> bool:
        """Whether one of that name exists, running or not."""
        return self.docker("container", "inspect", name).code == 0

    def image_inspect(self, form: str, image: str = IMAGE) -> str:
        """What `docker image inspect --format FORM` says, "" for an image that is not there."""
        return self.docker("image", "inspect", "--format", form, image).out.strip()


def clean_environment() -> dict[str, str]:
    """The user's environment without settings, keys and whatever else could take part."""
    return {
        name: value
        for name, value in os.environ.items()
        if name in {*_KEPT, *_PROXIES} or name.startswith(_KEPT_BEGINNINGS)
    }


def _run(
    command: Sequence[str], settings: Mapping[str, str], folder: Path = ROOT, seconds: float = COMMAND_SECONDS
) -> Done:
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors:
        process = subprocess.run(
            command,
            cwd=folder,
            env={**clean_environment(), **settings},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            timeout=seconds,
            check=False,
        )
        errors.seek(0)
        out = process.stdout.decode(errors="replace")
        return Done(process.returncode, out, out + errors.read())
