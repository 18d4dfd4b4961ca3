"""`make audit`: a finding fails a person's run and never CI's, and what was not asked is not called sound."""

import importlib.util
import json
import socket
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "dependencies" / "audit.py"
SOUND = {"name": "jinja2", "version": "3.1.6", "vulns": []}
WEAK = {"name": "jinja2", "version": "3.1.6", "vulns": [{"id": "PYSEC-1", "fix_versions": ["3.2"]}]}
UNKNOWN = {"name": "jinja2", "skip_reason": "Dependency not found on PyPI and could not be audited"}


@pytest.fixture
def audit(monkeypatch):
    monkeypatch.delenv("CI", raising=False)
    spec = importlib.util.spec_from_file_location("audit", SOURCE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "javascript_findings", list)
    return module


@pytest.fixture
def osv():
    """Something that listens; pip-audit, which would ask it, is a script of the test."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/v1/query"


def telling(tmp_path, *dependencies) -> Path:
    script = tmp_path / "pip-audit"
    script.write_text(f"#!/bin/sh\necho '{json.dumps({'dependencies': dependencies})}'\n", "utf-8")
    script.chmod(0o755)
    return script


@pytest.mark.parametrize(
    ("told", "by_a_person", "line"),
    [
        ([SOUND], 0, "audit, Python: no known weaknesses"),
        ([WEAK], 1, "jinja2 3.1.6: PYSEC-1, mended in 3.2"),
        ([SOUND, UNKNOWN], 2, "audit, Python: not done, of requirements.lock nothing was told of jinja2"),
    ],
    ids=["sound", "weak", "not told of"],
)
def test_what_a_person_and_what_ci_is_told(audit, osv, tmp_path, monkeypatch, capsys, told, by_a_person, line):
    found = audit.python_findings
    monkeypatch.setattr(audit, "python_findings", lambda _: found(telling(tmp_path, *told), osv))
    assert audit.main() == by_a_person
    assert line in capsys.readouterr().out.splitlines()
    monkeypatch.setenv("CI", "true")
    assert audit.main() == 0
    assert line in capsys.readouterr().out.splitlines()


def test_a_database_that_is_away_is_said_before_anything_is_installed(audit, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(audit.NotAskedError, match=f"127.0.0.1:{port} cannot be reached"):
        audit.python_findings(tmp_path / "not installed", f"http://127.0.0.1:{port}/v1/query")
