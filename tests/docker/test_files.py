"""The files around the image, checked without an engine; run.sh beside this file is the session with one."""

import configparser
import re
import shutil
import tomllib
from pathlib import Path

import pytest

from binance_trade_agent import configuration
from binance_trade_agent.settings import Settings, setting_names

ROOT = Path(__file__).parents[2]
SECRETS = {
    "BINANCE_API_KEY",
    "BINANCE_API_SECRET",
    "DASHBOARD_PASSWORD",
    "DASHBOARD_VIEWER_PASSWORD",
    "LIVE_TRADING_ACK",
    "MCP_AUTH_TOKEN",
    "NOTIFY_URLS",
}


def compose_environment():
    """NAME -> default in docker-compose.yml, of lines such as `NAME: ${NAME:-default}`."""
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    return {
        name: default
        for name, again, default in re.findall(r"^ {6}(\w+): \$\{(\w+):-(.*)\}$", text, re.MULTILINE)
        if name == again
    }


def toml_examples():
    """Each commented setting of config/default.toml, as a document with its table's header."""
    table = ""
    for line in (ROOT / "config" / "default.toml").read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            table = line
        elif re.match(r"# \w+ = ", line):
            yield f"{table}\n{line.removeprefix('# ')}\n"


def dotenv_examples():
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    return dict(re.findall(r"^#(\w+)=(.*)$", text, re.MULTILINE))


def supervised():
    parser = configparser.RawConfigParser(inline_comment_prefixes=(";",))
    parser.read(ROOT / "supervisord.conf", encoding="utf-8")
    return parser


def test_compose_passes_every_setting_and_every_way_to_give_a_key():
    assert set(setting_names()) <= compose_environment().keys()
    keys = set(configuration.FROM_FILE) - {"REDIS_URL"}
    assert keys | {f"{name}_FILE" for name in keys} <= compose_environment().keys()


def test_compose_passes_nothing_that_the_settings_refuse(tmp_path):
    loaded = configuration.load(environment=compose_environment(), folder=tmp_path)
    assert loaded.settings.mode == "simulated"
    assert loaded.settings.trading_duration_minutes == 0


def test_an_image_without_compose_has_the_same_defaults():
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    given = {name: default for name, default in compose_environment().items() if default and name != "REDIS_URL"}
    assert given
    assert all(f"{name}={default}" in dockerfile for name, default in given.items())


def test_the_environment_example_names_every_setting():
    assert dotenv_examples().keys() == set(setting_names())


def test_the_configuration_example_names_every_setting_but_secrets():
    named = {name.upper() for document in toml_examples() for name in flattened(tomllib.loads(document))}
    assert named == set(setting_names()) - SECRETS


def flattened(tables):
    for table, entries in tables.items():
        yield from (f"{table}_{key}" for key in entries)


def test_the_configuration_example_as_it_is_changes_nothing(tmp_path):
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "default.toml").write_bytes((ROOT / "config" / "default.toml").read_bytes())
    assert configuration.load(environment={}, folder=tmp_path).origins == {}


@pytest.mark.parametrize(
    "document", list(toml_examples()), ids=lambda document: document.split("=")[0].replace("\n", "")
)
def test_each_line_of_the_configuration_example_can_be_uncommented(tmp_path, document):
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "default.toml").write_text(document, encoding="utf-8")
    shutil.copy(ROOT / "config" / configuration.PROFILES, tmp_path / "config")
    loaded = configuration.load(environment={}, folder=tmp_path)
    (name,) = (name for name, origin in loaded.origins.items() if origin.endswith("default.toml"))
    default = Settings.model_fields[name.lower()].default
    is_example = "(example)" in document or default is None
    assert is_example or getattr(loaded.settings, name.lower()) == default


def test_the_trader_stops_before_the_exchange():
    programs = supervised()
    assert programs.getint("program:trader", "priority") > programs.getint("program:exchange", "priority")


def test_the_container_waits_for_all_programs_to_end():
    programs = supervised()
    waits = [programs.getint(f"program:{name}", "stopwaitsecs") for name in ("trader", "exchange", "dashboard")]
    grace = re.search(r"stop_grace_period: (\d+)s", (ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    assert sum(waits) < int(grace[1])


@pytest.mark.parametrize("program", ["trader", "exchange", "dashboard"])
def test_wrong_settings_are_not_tried_again(program):
    section = supervised()[f"program:{program}"]
    assert section["autorestart"] == "unexpected"
    assert "2" in section["exitcodes"].split(",")
    assert section["startsecs"] == "0"
