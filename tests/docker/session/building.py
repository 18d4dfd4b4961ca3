"""The image: how long it takes to build, how large it is, what is in it and what is not."""

import json

from tests.docker.session.context import copy_of_project
from tests.docker.session.engine import IMAGE, ROOT
from tests.docker.session.scenario import Session, seconds

_BASE = "python:3.13-slim-bookworm"
_MOST_ABOVE_BASE_MB, _MOST_MB = 340, 480  # the second where the engine does not say how large the base is
_MOST_REBUILD_SECONDS = 60
_NOT_IN_IT = ("gcc", "cc", "make", "pip", "npm", "node", "git", "curl", "wget")
_LABELS = ("title", "description", "licenses", "version")


def build(session: Session) -> None:
    """the image is built, small, and built again in seconds after a change of the source."""
    began = seconds()
    done = session.engine.build(ROOT)
    session.expect(done.code == 0, f"built in {seconds() - began:.0f} s", done.output[-3_000:])
    size = int(session.engine.image_inspect("{{.Size}}")) / 1e6
    base = int(session.engine.image_inspect("{{.Size}}", _BASE) or 0) / 1e6
    session.expect(
        size - base < (_MOST_ABOVE_BASE_MB if base else _MOST_MB),
        f"{size:.0f} MB, {size - base:.0f} MB of it on top of {_BASE} ({_MOST_ABOVE_BASE_MB} MB allowed)",
    )
    _contents(session)
    _rebuild(session)


def is_built(session: Session) -> bool:
    """Build the image of the present source, for scenarios that run without `build`; say why it could not be."""
    done = session.engine.build(ROOT)
    if done.code:
        print(f"docker-test: the build failed: {done.output[-3_000:]}")
    return done.code == 0


def _contents(session: Session) -> None:
    look = f"for name in {' '.join(_NOT_IN_IT)}; do command -v $name; done; ls -d /root/.cache /app/.cache 2>/dev/null"
    found = session.engine.docker("run", "--rm", "--network", "none", IMAGE, "sh", "-c", look).out.split()
    session.expect(not found, f"none of {', '.join(_NOT_IN_IT)} and no cache in it", found)
    user = session.engine.image_inspect("{{.Config.User}}")
    uid = session.engine.docker("run", "--rm", "--network", "none", IMAGE, "id", "-u").out.strip()
    session.expect(uid == "10001", f"it runs as {user}, uid {uid}")
    labels = json.loads(session.engine.image_inspect("{{json .Config.Labels}}") or "null") or {}
    missing = [name for name in _LABELS if not labels.get(f"org.opencontainers.image.{name}")]
    session.expect(
        not missing, f"labelled as {labels.get('org.opencontainers.image.title')}", f"no label for {missing}"
    )


def _rebuild(session: Session) -> None:
    changed = copy_of_project(session.folder)
    source = changed / "src" / "binance_trade_agent" / "exit_codes.py"
    source.write_text(source.read_text("utf-8") + "\n# another line\n", "utf-8")
    began = seconds()
    done = session.engine.build(changed)
    took = seconds() - began
    session.expect(
        done.code == 0 and took < _MOST_REBUILD_SECONDS,
        f"after a change of the source built again in {took:.0f} s ({_MOST_REBUILD_SECONDS} s allowed)",
        done.output[-3_000:],
    )
    done = session.engine.build(ROOT)
    session.expect(done.code == 0, "and back to what it was", done.output[-3_000:])
