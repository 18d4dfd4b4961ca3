"""Canary secrets: recognisable values in every place of a secret, and a search for them wherever anybody could look."""

import io
import json
import subprocess
import tarfile
import zlib
from collections.abc import Iterable

from tests.docker.session.context import copy_of_project
from tests.docker.session.engine import AGENT, IMAGE, ROOT, clean_environment
from tests.docker.session.scenario import Session
from tests.docker.session.stack import BRISK, Stack
from tests.docker.session.visiting import PAGES, Assistant, Visitor

# Each is found by its first 12 characters too: half a secret shown is a secret shown.
CANARIES = {
    "BINANCE_API_KEY": "CanaryKey7Qx2" + "k" * 51,
    "BINANCE_API_SECRET": "CanarySec9Wz4" + "s" * 51,
    "DASHBOARD_PASSWORD": "canary-pass-5vT8-word",
    "DASHBOARD_VIEWER_PASSWORD": "canary-view-3bN6-word",
    "MCP_AUTH_TOKEN": "canary-token-8hJ1-abcdef",
    "NOTIFY_URLS": "json://canaryuser4:canarynote6pL@127.0.0.1:9/canarypath2",
}
_NEEDLES = [value[:12] for name, value in CANARIES.items() if name != "NOTIFY_URLS"]
_NEEDLES += ["canarynote6pL", "canarypath2"]
# A wrong secret must not be shown in the sentence that refuses it.
_WRONG = {
    "BINANCE_API_KEY": "CanaryKey7Qx2short",
    "DASHBOARD_PASSWORD": "cAn5vT8",
    "MCP_AUTH_TOKEN": "canary-8hJ1",
    "NOTIFY_URLS": "nosuchscheme://canarynote6pL@canarypath2",
}
_MOUNT = """
services:
  trading-agent:
    volumes: ["{folder}:/run/secrets:ro"]
"""
_FILES_WITH = "grep -rlaE '{pattern}' {places} 2>/dev/null || true"
_DOCUMENTS = ("configuration", "session", "survival")
_CHUNK = 1 << 20


def canary(session: Session) -> None:
    """canary secrets from files: in no log, page, answer, file, layer or description of image and container."""
    _image(session)
    folder = session.folder / "secrets"
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)
    for name, value in CANARIES.items():
        (folder / name.lower()).write_text(value + "\n", encoding="utf-8")
        (folder / name.lower()).chmod(0o644)
    files = {f"{name}_FILE": f"/run/secrets/{name.lower()}" for name in CANARIES}
    settings = {
        **BRISK,
        **files,
        "TRADING_MODE": "simulated",
        "LOG_LEVEL": "DEBUG",
        "NOTIFY_EVENTS": "start,fills,stop",
    }
    with session.stack(settings, overrides=(_MOUNT.format(folder=folder),)) as stack:
        _running(session, stack)
        for what in ("container", "image"):
            name = AGENT if what == "container" else IMAGE
            _nothing(session, f"docker {what} inspect", [session.engine.docker(what, "inspect", name).out])
    _wrong_ones(session)


def _running(session: Session, stack: Stack) -> None:
    stack.up()
    session.within(120, "trading with all secrets set", stack.fills)
    visitor, viewer = Visitor(), Visitor()
    visitor.log_in(CANARIES["DASHBOARD_PASSWORD"][:-1])  # half a password reaches a log easily
    session.expect(visitor.log_in(CANARIES["DASHBOARD_PASSWORD"]).status == 200, "the password logs in")
    session.expect(viewer.log_in(CANARIES["DASHBOARD_VIEWER_PASSWORD"]).status == 200, "the viewer's too")
    for page in PAGES:
        visitor.get(page)
        viewer.get(page)
    Assistant(CANARIES["MCP_AUTH_TOKEN"][:-1]).begin()
    assistant = Assistant(CANARIES["MCP_AUTH_TOKEN"])
    session.expect(assistant.begin().status == 200, "the token is taken")
    for name in _DOCUMENTS:
        assistant.ask("resources/read", uri=f"trade-agent://{name}")
    for tool in ("get_system_status", "get_logs", "get_risk_status", "get_trade_history"):
        assistant.ask("tools/call", name=tool, arguments={})
    session.within(60, "a notification has failed, as it must", lambda: stack.lines("notif"))
    _nothing(session, f"{len(visitor.seen) + len(viewer.seen)} pages", visitor.seen + viewer.seen)
    _nothing(session, f"{len(assistant.visitor.seen)} answers of MCP", assistant.visitor.seen)
    for command in (("config",), ("config", "--json"), ("doctor",), ("status",), ("analyze",)):
        _nothing(session, f"trade-agent {' '.join(command)}", [stack.exec("trade-agent", *command).output])
    pattern = "|".join(_NEEDLES)
    mounted = stack.exec("sh", "-c", _FILES_WITH.format(pattern=pattern, places="/run/secrets")).out.split()
    session.expect(len(mounted) == len(CANARIES), f"a search finds all {len(CANARIES)} where they are mounted", mounted)
    found = stack.exec("sh", "-c", _FILES_WITH.format(pattern=pattern, places="/app /tmp /home /var/log")).out.split()
    session.expect(not found, "files of /app, /app/data and /tmp: nothing", found)
    environment = stack.exec(
        "sh", "-c", "cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n'"
    ).out
    _nothing(session, "environment and command line of each process", [environment])
    session.engine.docker("stop", AGENT)
    _nothing(session, "docker logs", [stack.log()])


def _wrong_ones(session: Session) -> None:
    for name, value in _WRONG.items():
        done = session.engine.docker(
            "run", "--rm", "--network", "none", "--env", f"{name}={value}", IMAGE, "trade-agent", "run"
        )
        said = (done.output.strip().splitlines() or [""])[-1]
        session.expect(done.code == 2, f"a wrong {name} is refused: {said[:150]}", done.output[-500:])
        session.expect(value not in done.output and "canarynote" not in done.output, "without showing it", done.output)


def _image(session: Session) -> None:
    """Secrets that lie around in the project's folder do not come into the image."""
    project = copy_of_project(session.folder)
    for name in (".env", "secrets/key", "data/ledger.db", ".git/config", "secrets.yml", "src/.env"):
        file = project / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(f"# {value}\n" for value in CANARIES.values()), encoding="utf-8")
    done = session.engine.build(project)
    try:
        session.expect(done.code == 0, "built in a folder with secrets lying around", done.output[-2_000:])
        _nothing(session, "docker history", [session.engine.docker("history", "--no-trunc", IMAGE).out])
        size, found = _saved_image_with(_NEEDLES)
        session.expect(not found, f"docker save, {size / 1e6:.0f} MB of layers: nothing", found)
    finally:
        session.engine.build(ROOT)


def _saved_image_with(needles: Iterable[str]) -> tuple[int, list[str]]:
    """How many bytes of layers there are, and which members of the saved image hold one of the needles."""
    wanted, size, found = [needle.encode() for needle in needles], 0, []
    process = subprocess.Popen(("docker", "save", IMAGE), stdout=subprocess.PIPE, env=clean_environment())
    assert process.stdout is not None
    with tarfile.open(fileobj=process.stdout, mode="r|") as archive:
        for member in archive:
            file = archive.extractfile(member)
            if file is None:
                continue
            kept = b""
            for chunk in _plain(file):
                size += len(chunk)
                if any(needle in kept + chunk for needle in wanted):
                    found.append(member.name)
                    break
                kept = chunk[-64:]
    process.stdout.close()
    process.wait()
    return size, found


def _plain(file: io.BufferedIOBase) -> Iterable[bytes]:
    """The file's bytes, unpacked where it is a compressed layer."""
    chunk = file.read(_CHUNK)
    unpack = zlib.decompressobj(31).decompress if chunk[:2] == b"\x1f\x8b" else bytes
    while chunk:
        yield unpack(chunk)
        chunk = file.read(_CHUNK)


def _nothing(session: Session, where: str, texts: Iterable[str]) -> None:
    text = "\n".join(texts)
    found = [needle for needle in _NEEDLES if needle in text or json.dumps(needle)[1:-1] in text]
    session.expect(text.strip() and not found, f"{where}: nothing ({len(text) / 1000:.0f} kB)", found or "empty")
