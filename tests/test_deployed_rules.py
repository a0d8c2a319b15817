"""The rules and the dashboard that an operator takes: Prometheus understands them, and they ask for what there is."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tlscomm.failures import CODES
from tlscomm.operation._counts import Counts
from tlscomm.operation._exposition import Exposition
from tlscomm.operation._metrictable import METRICS

CHECKOUT = Path(__file__).parent.parent
PROMETHEUS = CHECKOUT / "deploy" / "prometheus"
DASHBOARD = CHECKOUT / "deploy" / "grafana" / "tlscomm.json"
RULES = PROMETHEUS / "tlscomm.rules.yml"

#: Names that prometheus_client has of the process, and Prometheus of what it scrapes.
OTHERS = {
    "process_cpu_seconds_total",
    "process_max_fds",
    "process_open_fds",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
    "up",
}


def promtool(*words: str | Path, given: bytes = b"") -> str:
    done = subprocess.run(
        ("promtool", *words), input=given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=60
    )
    said = done.stdout.decode()
    if done.returncode:
        raise AssertionError(said)
    return said


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    return found


def expressions() -> Iterator[str]:
    """Give what the dashboard asks for, with a value for each variable of Grafana's."""
    board = dashboard()
    asked = [target["expr"] for panel in board["panels"] for target in panel.get("targets", ())]
    asked += [each["expr"] for each in board["annotations"]["list"]]
    for each in asked:
        yield each.replace("$__rate_interval", "5m").replace("$job", ".*").replace("$instance", ".*")


def asked(expression: str) -> set[str]:
    """Return the names of the metrics in an expression of PromQL."""
    without = re.sub(r'"(\\.|[^"\\])*"', '""', expression)
    return set(re.findall(r"\b\w+:\w+:\w+|\b(?:tlscomm_|process_)\w+|\bup\b", without))


class Rules(SynchronousTestCase):
    def test_understood(self) -> None:
        """Prometheus takes the rules, and does not warn of any."""
        self.assertIn("SUCCESS", promtool("check", "rules", "--lint=all", "--lint-fatal", RULES))

    def test_raised(self) -> None:
        """Each alert is raised by what it is for, and by nothing else."""
        self.assertIn("SUCCESS", promtool("test", "rules", PROMETHEUS / "tlscomm.tests.yml"))

    def test_eachIsTested(self) -> None:
        """No alert is without a test that it is raised."""
        alerts = set(re.findall(r"- alert: (\w+)", RULES.read_text(encoding="utf-8")))
        raised = re.findall(
            r"alertname: (\w+)\n\s+exp_alerts:", (PROMETHEUS / "tlscomm.tests.yml").read_text(encoding="utf-8")
        )
        self.assertEqual(alerts - set(raised), set())
        self.assertGreater(len(alerts), 10)

    def test_documented(self) -> None:
        """The documentation has a line for each alert, with its severity, and one for none that there is not."""
        page = (CHECKOUT / "docs" / "operation-metrics.rst").read_text(encoding="utf-8")
        there = re.findall(r"- alert: (\w+)\n.*?severity: (\w+)", RULES.read_text(encoding="utf-8"), flags=re.S)
        self.assertEqual(sorted(re.findall(r"^``(TLSComm\w+)`` +(\w+) ", page, flags=re.M)), sorted(there))

    def test_metricsDocumented(self) -> None:
        """The documentation has the table of metrics, which is made from the one that they are counted by."""
        page = (CHECKOUT / "docs" / "operation-metrics.rst").read_text(encoding="utf-8")
        self.assertIn("\n.. metrics-table::\n", page)
        named = set(re.findall(r"(?<![:\w])tlscomm_\w+(?![:\w])", page))
        self.assertEqual(named - {metric.name for metric in METRICS}, set())

    def test_configuration(self) -> None:
        """Prometheus takes the example of its configuration."""
        self.assertIn("SUCCESS", promtool("check", "config", "--syntax-only", PROMETHEUS / "prometheus.yml"))

    def test_metrics(self) -> None:
        """Prometheus finds nothing to say about the names, the types and the units of the metrics."""
        exposition = Exposition()
        text = b"".join(write() for write in exposition.write(Counts()))
        self.assertEqual(promtool("check", "metrics", given=text), "")


class Asked(SynchronousTestCase):
    """What the rules and the dashboard ask for is there."""

    def setUp(self) -> None:
        text = RULES.read_text(encoding="utf-8")
        self.recorded = set(re.findall(r"- record: (\S+)", text))
        exposed = {metric.name for metric in METRICS if metric.kind != "histogram"}
        for metric in METRICS:
            if metric.kind == "histogram":
                exposed |= {f"{metric.name}_{ending}" for ending in ("bucket", "count", "sum")}
        self.there = exposed | self.recorded | OTHERS

    def test_rules(self) -> None:
        """No rule asks for a metric that there is not."""
        lines = re.sub(
            r"(summary|description):.*?(?=\n +- |\n\n|\Z)", "", RULES.read_text(encoding="utf-8"), flags=re.S
        )
        self.assertEqual(asked(re.sub("#.*", "", lines)) - self.there, set())

    def test_dashboard(self) -> None:
        """Nor does the dashboard, and it asks for every metric that there is."""
        names = {name for each in expressions() for name in asked(each)}
        self.assertEqual(names - self.there, set())
        shown = " ".join((*names, RULES.read_text(encoding="utf-8")))
        self.assertEqual([metric.name for metric in METRICS if metric.name not in shown], [])

    def test_codes(self) -> None:
        """A result that is named has a code."""
        text = RULES.read_text(encoding="utf-8") + DASHBOARD.read_text(encoding="utf-8")
        named = set(re.findall(r'result!?=~?\\?"([\w|-]+)\\?"', text))
        words = {"accepted", "refused", "in-order", "connected", "failed"}
        self.assertEqual({word for each in named for word in each.split("|")} - set(CODES) - words, set())


class Dashboard(SynchronousTestCase):
    def test_expressions(self) -> None:
        """Prometheus understands all that it asks for."""
        rules = [{"record": f"dashboard:question:{n}", "expr": each} for n, each in enumerate(expressions())]
        path = Path(self.mktemp())
        # JSON is YAML.
        path.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}), encoding="utf-8")
        self.assertIn(f"{len(rules)} rules found", promtool("check", "rules", path))

    def test_panels(self) -> None:
        """Each panel has a number and a place of its own, a title, and asks the source that is chosen."""
        panels = dashboard()["panels"]
        self.assertEqual(len({panel["id"] for panel in panels}), len(panels))
        for panel in panels:
            self.assertTrue(panel["title"])
            self.assertLessEqual(panel["gridPos"]["x"] + panel["gridPos"]["w"], 24)
            for target in panel.get("targets", ()):
                self.assertEqual(target["datasource"], {"type": "prometheus", "uid": "${datasource}"})
        for one, other in combinations((panel["gridPos"] for panel in panels), 2):
            apart = (
                one["x"] + one["w"] <= other["x"]
                or other["x"] + other["w"] <= one["x"]
                or one["y"] + one["h"] <= other["y"]
                or other["y"] + other["h"] <= one["y"]
            )
            self.assertTrue(apart, (one, other))

    def test_variables(self) -> None:
        """Every variable that is used is one of the dashboard's, or Grafana's own."""
        board = dashboard()
        known = {each["name"] for each in board["templating"]["list"]} | {"__rate_interval"}
        used = set(re.findall(r"\$\{?(\w+)", json.dumps(board["panels"])))
        self.assertEqual(used - known - {"__all"}, set())
