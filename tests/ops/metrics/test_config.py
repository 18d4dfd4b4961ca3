"""config/prometheus and config/grafana: what they name exists, and the alerts come and go when they should."""

import json
import re
import shutil

import pytest
import yaml

from binance_trade_agent.ops.metrics.catalogue import METRICS, Kind
from tests.ops.metrics.promtool import CONFIG, ROOT, needs_prometheus, promtool

RULES = yaml.safe_load((CONFIG / "rules.yml").read_text(encoding="utf-8"))["groups"][0]["rules"]
BOARD = json.loads((ROOT / "config/grafana/dashboards/trader.json").read_text(encoding="utf-8"))
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
RUNBOOK = (ROOT / "docs/guide/runbook.md").read_text(encoding="utf-8")
# What prometheus-client adds about the process, on Linux.
OF_THE_PROCESS = {"process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds"}


def panels():
    return [panel for panel in BOARD["panels"] if panel["type"] != "row"]


def asked():
    """Where from, and what is asked of Prometheus."""
    for panel in panels():
        yield from ((panel["title"], target["expr"]) for target in panel["targets"])
    yield from ((rule["alert"], rule["expr"]) for rule in RULES)
    yield from ((variable["name"], variable["definition"]) for variable in BOARD["templating"]["list"])


def series():
    """Every name under which Prometheus keeps something of ours."""
    for metric in METRICS.values():
        if metric.kind is Kind.HISTOGRAM:
            yield from (f"{metric.name}_{part}" for part in ("bucket", "sum", "count"))
        else:
            yield metric.name


@pytest.mark.parametrize(("where", "expression"), list(asked()), ids=lambda text: text[:30])
def test_dashboard_and_alerts_ask_for_metrics_and_labels_that_exist(where, expression):
    named = set(re.findall(r"\b(?:trade_agent|process)_\w+", expression))
    known = set(series()) | OF_THE_PROCESS
    assert named or where == "TraderGone"
    assert named <= known
    labels = {label for name in named for label in labels_of(name)} | {"instance", "le", "job"}
    assert set(re.findall(r"(\w+)(?:=~|!=|=)\"", expression)) <= labels
    grouped = ",".join(re.findall(r"\b(?:by|on) \(([^)]*)\)", expression))
    assert {label.strip() for label in grouped.split(",") if label.strip()} <= labels


def labels_of(name):
    metric = METRICS.get(name) or METRICS.get(re.sub(r"_(bucket|sum|count)$", "", name))
    return metric.labels if metric else ()


def test_every_section_of_the_catalogue_is_on_the_dashboard_or_watched():
    text = " ".join(expression for _, expression in asked())
    for name in ("ticks_missed", "drawdown", "unknown_orders", "alarms", "cache_lookups", "ledger_commit", "stream_up"):
        assert f"trade_agent_{name}" in text


def test_panels_do_not_lie_on_each_other_and_ask_the_one_data_source():
    cells = set()
    for panel in BOARD["panels"]:
        place = panel["gridPos"]
        mine = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not mine & cells
        assert place["x"] + place["w"] <= 24
        cells |= mine
    assert {target["datasource"]["uid"] for panel in panels() for target in panel["targets"]} == {"prometheus"}
    source = yaml.safe_load((ROOT / "config/grafana/provisioning/datasources/prometheus.yml").read_text("utf-8"))
    assert [each["uid"] for each in source["datasources"]] == ["prometheus"]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_each_alert_says_what_to_do_and_where_more_is_written(rule):
    summary, link = rule["annotations"]["summary"], rule["annotations"]["runbook_url"]
    assert len(summary.split(". ")) >= 2 or "`" in summary or ": " in summary
    page, _, anchor = link.partition("#")
    assert page == "docs/guide/runbook.md"
    assert f'<a id="{anchor}"></a>' in RUNBOOK
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}


def test_monitoring_is_a_profile_that_publishes_to_this_machine_only():
    services = COMPOSE["services"].items()
    monitoring = {name: service for name, service in services if "monitoring" in service.get("profiles", ())}
    assert monitoring.keys() == {"prometheus", "grafana"}
    for service in monitoring.values():
        assert service["profiles"] == ["monitoring"]
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])
        assert re.search(r":v?\d+\.\d+\.\d+$", service["image"]), "a version, so that the same comes up tomorrow"
    grafana = monitoring["grafana"]["environment"]
    nobody_logs_in = {
        "GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION": "true",
        "GF_AUTH_DISABLE_LOGIN_FORM": "true",
        "GF_AUTH_BASIC_ENABLED": "false",
    }
    assert grafana.items() >= nobody_logs_in.items()
    assert "9464" not in " ".join(COMPOSE["services"]["trading-agent"]["ports"])
    target = yaml.safe_load((CONFIG / "prometheus.yml").read_text("utf-8"))["scrape_configs"][0]["static_configs"]
    assert target == [{"targets": ["trading-agent:9464"]}]


@needs_prometheus
def test_promtool_takes_configuration_and_rules():
    assert "SUCCESS" in promtool("check", "config", str(CONFIG / "prometheus.yml"))


@needs_prometheus
def test_promtool_can_read_every_question_of_the_dashboard(tmp_path):
    given = {"$__rate_interval": "1m", "$__interval": "15s", "$__range": "1h"}
    rules = []
    for number, panel in enumerate(panels()):
        for target in panel["targets"]:
            expression = target["expr"]
            for name, value in given.items():
                expression = expression.replace(name, value)
            rules.append({"record": f"panel:{number}:{target['refId'].lower()}", "expr": expression})
    questions = tmp_path / "questions.yml"
    questions.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}), "utf-8")
    assert f"SUCCESS: {len(rules)} rules found" in promtool("check", "rules", str(questions))


@needs_prometheus
def test_alerts_come_and_go_when_they_should(tmp_path):
    shutil.copy(CONFIG / "rules.yml", tmp_path)
    shutil.copy(ROOT / "tests/ops/metrics/alerts.yml", tmp_path)
    assert "SUCCESS" in promtool("test", "rules", str(tmp_path / "alerts.yml"))
    named = set(re.findall(r'alertname="(\w+)"', (tmp_path / "alerts.yml").read_text("utf-8")))
    assert named >= {rule["alert"] for rule in RULES}, "each alert has a test"
