"""The files around the image, checked without an engine; session/ beside this file is for one."""

import configparser
import re
import shutil
import tomllib
from pathlib import Path

import pytest
import yaml

from binance_trade_agent import configuration
from binance_trade_agent.ops import watchdog
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
    """Those of one priority are stopped together, one priority after the other."""
    waits = {}
    for section in programs_of(supervised()).values():
        waits[section["priority"]] = max(waits.get(section["priority"], 0), int(section["stopwaitsecs"]))
    grace = re.search(r"stop_grace_period: (\d+)s", (ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    assert sum(waits.values()) + 10 <= int(grace[1])


def programs_of(parser):
    return {name.removeprefix("program:"): parser[name] for name in parser.sections() if name.startswith("program:")}


def test_programs_are_started_again_by_the_watchdog_only_and_the_watchdog_by_supervisord():
    programs = programs_of(supervised())
    assert programs.keys() == {*watchdog.PROGRAMS, "watchdog"}
    restarts = {name: (section["autorestart"], section["startsecs"]) for name, section in programs.items()}
    assert restarts == dict.fromkeys(watchdog.PROGRAMS, ("false", "0")) | {"watchdog": ("true", "0")}


def test_every_program_writes_to_the_log_of_the_container_under_its_name():
    for name, section in programs_of(supervised()).items():
        assert (section["redirect_stderr"], section["stdout_logfile"]) == ("true", "/dev/fd/1")
        assert f'PROGRAM_NAME="{name}"' in section["environment"].split(",")


def services():
    """Each service of docker-compose.yml as its text."""
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    text = re.search(r"^services:\n(.*?)^networks:", text, re.MULTILINE | re.DOTALL)[1]
    return dict(re.findall(r"^  ([\w-]+):\n(.*?)(?=^  [\w-]+:|\Z)", text, re.MULTILINE | re.DOTALL))


@pytest.mark.parametrize("name", ["redis", "trading-agent", "simulated-exchange", "prometheus", "grafana"])
def test_every_service_is_held_within_bounds(name):
    text = services()[name]
    for line in ("cap_drop: [ALL]", 'security_opt: ["no-new-privileges:true"]', "logging: *bounded-log"):
        assert f"    {line}\n" in text
    assert re.search(r"^    mem_limit: ", text, re.MULTILINE)
    assert re.search(r"^    pids_limit: ", text, re.MULTILINE)
    assert "privileged: true" not in text
    assert ("read_only: true" in text) is (name != "grafana")  # which installs its plugins where it stands


def test_ports_are_for_this_machine_unless_somebody_says_otherwise():
    published = {
        name: re.findall(r'"([^"]+:\d+|[^"]+})"', re.search(r"ports:(.*?)\n    \w", text, re.DOTALL)[1])
        for name, text in services().items()
        if "ports:" in text
    }
    assert published.keys() == {"trading-agent", "simulated-exchange", "prometheus", "grafana"}
    addresses = [port for ports in published.values() for port in ports]
    assert len(addresses) == 5
    assert all(port.startswith(("127.0.0.1:", "${PUBLISH_ADDRESS:-127.0.0.1}:")) for port in addresses)


def test_nothing_of_yours_reaches_the_build():
    allowed = [
        line.removeprefix("!")
        for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if line.startswith("!")
    ]
    assert not [path for path in allowed if re.search(r"env|data|git|key|secret|^config$", path)]
    assert all((ROOT / path).exists() for path in allowed)


def test_the_image_says_the_version_of_the_package():
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert f"ARG VERSION={version}\n" in dockerfile


def test_nothing_is_installed_in_the_last_stage():
    last = (ROOT / "Dockerfile").read_text(encoding="utf-8").split("\nFROM ")[-1]
    assert "pip uninstall" in last
    assert not re.search(r"pip install|apt-get|curl|wget", last)
    assert "USER trader" in last


@pytest.fixture(scope="module")
def several():
    """Services of the compose file in the guide of several daemons."""
    guide = (ROOT / "docs" / "guide" / "several-daemons.md").read_text(encoding="utf-8")
    return yaml.safe_load(re.findall(r"^```yaml\n(.*?)^```$", guide, re.DOTALL | re.MULTILINE)[-1])["services"]


@pytest.mark.parametrize("service", ["minors", "feed"])
def test_services_of_the_guide_are_as_closed_and_as_connected_as_the_agent(several, service):
    agent = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]["trading-agent"]
    same = (
        "build",
        "image",
        "init",
        "stop_grace_period",
        "cap_drop",
        "security_opt",
        "read_only",
        "tmpfs",
        "pids_limit",
    )
    for key in (*same, "logging", "networks", "depends_on"):
        assert several[service][key] == agent[key], key


@pytest.mark.parametrize("service", ["trading-agent", "minors", "feed"])
def test_what_services_of_the_guide_are_given_the_settings_allow(several, service, tmp_path):
    given = {
        name: re.sub(r"^\$\{\w+:-(.*)\}$", r"\1", value) for name, value in several[service]["environment"].items()
    }
    assert given.keys() <= set(setting_names())
    configuration.load(environment={"REDIS_URL": "redis://redis:6379/0", **given}, folder=tmp_path)
