"""The numbers of a server: what is counted, that they add up, and that there are never more than the table allows."""

import json
from collections.abc import Mapping

from twisted.trial.unittest import SynchronousTestCase

from tlscomm.failures import CODES
from tlscomm.operation._counts import Counts, Histogram, Labels
from tlscomm.operation._metrictable import METRICS, metricNamed

HANDSHAKES = "tlscomm_handshakes_total"
DURATION = "tlscomm_handshake_duration_seconds"


def labelled(**labels: str) -> tuple[str, ...]:
    return tuple(labels.get(label.name, "") for label in metricNamed(HANDSHAKES).labels)


def plain(histograms: Mapping[Labels, Histogram]) -> dict[Labels, object]:
    return {labels: (histogram.counts, histogram.sum) for labels, histogram in histograms.items()}


class Numbers(SynchronousTestCase):
    def test_closedListFromTheStart(self) -> None:
        """Each code of the closed list is there with 0 from the start, so that the first one is an increase."""
        handshakes = Counts().values(HANDSHAKES)
        self.assertEqual({labels[0] for labels in handshakes}, {"accepted", *CODES})
        self.assertEqual(set(handshakes.values()), {0})

    def test_unknownValues(self) -> None:
        """A value that its label does not have counts as other, whatever a peer has chosen."""
        counts = Counts()
        for number in range(1000):
            counts.add(HANDSHAKES, labelled(result="expired", group=f"group{number}", version="SSLv2"))
        found = {labels: value for labels, value in counts.values(HANDSHAKES).items() if value}
        self.assertEqual(found, {labelled(result="expired", group="other", version="other"): 1000})

    def test_namesAreBounded(self) -> None:
        """What the configuration names has no more values than a configuration can have, and none is long."""
        counts = Counts()
        for number in range(5000):
            counts.add(
                "tlscomm_incoming_connections_total", ("x" * 1000 + str(number) if number else "first", "accepted")
            )
            counts.add("tlscomm_incoming_connections_total", (f"listener {number}", "accepted"))
        found = counts.values("tlscomm_incoming_connections_total")
        self.assertLess(len(found), 4100)
        self.assertLessEqual(max(len(labels[0]) for labels in found), 128)
        self.assertEqual(sum(found.values()), 10_000)

    def test_wrongLabels(self) -> None:
        """Labels that the metric does not have are a mistake of the program."""
        self.assertRaises(ValueError, Counts().add, HANDSHAKES, ("expired",))

    def test_histogram(self) -> None:
        """A duration is in the first bucket whose bound it does not exceed; what exceeds all is in the last."""
        histogram = Histogram((0.1, 1.0))
        for seconds in (0.05, 0.1, 0.5, 7.0):
            histogram.observe(seconds)
        self.assertEqual((histogram.counts, histogram.count), ([2, 1, 1], 4))
        self.assertAlmostEqual(histogram.sum, 7.65)

    def test_replaced(self) -> None:
        """What a gauge does not say any more is not there any more, but for what always is."""
        counts = Counts()
        counts.replace("tlscomm_ports", {("main",): 2})
        counts.replace("tlscomm_ports", {("other",): 1})
        self.assertEqual(dict(counts.values("tlscomm_ports")), {("other",): 1})
        counts.replace("tlscomm_phase", {("ready",): 1})
        self.assertEqual(counts.value("tlscomm_phase", ("starting",)), 0)


class Several(SynchronousTestCase):
    """The numbers of several processes."""

    def counted(self, accepted: int, success: float) -> Counts:
        counts = Counts()
        counts.add(HANDSHAKES, labelled(result="accepted", version="TLSv1.3"), accepted)
        counts.observe(DURATION, ("accepted",), 0.002)
        counts.set("tlscomm_queue_bytes", (), 10 * accepted)
        counts.set("tlscomm_config_last_reload_successful", (), success)
        counts.set("tlscomm_config_last_reload_timestamp_seconds", (), accepted)
        counts.set("tlscomm_not_after_timestamp_seconds", ("main", "identity", "1", "CN=x"), 100 + accepted)
        return counts

    def test_merged(self) -> None:
        """They are added; of moments and of success the least or the latest holds, as the table says."""
        merged = Counts.merged(self.counted(3, 1), self.counted(5, 0), Counts())
        self.assertEqual(merged.value(HANDSHAKES, labelled(result="accepted", version="TLSv1.3")), 8)
        self.assertEqual(merged.histograms(DURATION)[("accepted",)].count, 2)
        self.assertEqual(merged.value("tlscomm_queue_bytes"), 80)
        self.assertEqual(merged.value("tlscomm_config_last_reload_successful"), 0)
        self.assertEqual(merged.value("tlscomm_config_last_reload_timestamp_seconds"), 5)
        self.assertEqual(merged.value("tlscomm_not_after_timestamp_seconds", ("main", "identity", "1", "CN=x")), 103)

    def test_processWithoutListeners(self) -> None:
        """One that has read no configuration, as a supervisor, does not make success of others a failure."""
        merged = Counts.merged(Counts(), self.counted(1, 1))
        self.assertEqual(merged.value("tlscomm_config_last_reload_successful"), 1)

    def test_mergedIsAnother(self) -> None:
        """What is added later to one of them is not in the sum."""
        one = self.counted(1, 1)
        merged = one.copy()
        one.add(HANDSHAKES, labelled(result="expired"))
        one.observe(DURATION, ("accepted",), 1)
        self.assertEqual(merged.value(HANDSHAKES, labelled(result="expired")), 0)
        self.assertEqual(merged.histograms(DURATION)[("accepted",)].count, 1)

    def test_ended(self) -> None:
        """Of a process that has ended, what it counted stays, and nothing that only was then."""
        kept = self.counted(3, 1).withoutGauges()
        self.assertEqual(kept.value(HANDSHAKES, labelled(result="accepted", version="TLSv1.3")), 3)
        self.assertEqual(kept.histograms(DURATION)[("accepted",)].count, 1)
        for metric in METRICS:
            if metric.kind == "gauge":
                self.assertEqual(dict(kept.values(metric.name)), {})
        self.assertEqual(Counts.merged(kept, self.counted(1, 1)).value("tlscomm_queue_bytes"), 10)

    def test_json(self) -> None:
        """They go to another process as JSON and are the same there."""
        counts = self.counted(3, 0)
        again = Counts.fromJSON(json.loads(json.dumps(counts.toJSON())))
        for metric in METRICS:
            if metric.kind == "histogram":
                mine, other = (
                    {k: (v.counts, v.sum) for k, v in each.histograms(metric.name).items()} for each in (counts, again)
                )
                self.assertEqual(mine, other)
            else:
                self.assertEqual(dict(again.values(metric.name)), dict(counts.values(metric.name)))

    def test_wrongJSON(self) -> None:
        """Buckets that are not this version's are refused, and a metric that is not known is left out."""
        facts = self.counted(1, 1).toJSON()
        Counts.fromJSON({**facts, "numbers": {**facts["numbers"], "tlscomm_of_tomorrow": [[1]]}})
        facts["histograms"][DURATION] = [["accepted", [1, 2], 0.1]]
        self.assertRaises(ValueError, Counts.fromJSON, facts)


class Names(SynchronousTestCase):
    """The conventions of Prometheus, https://prometheus.io/docs/practices/naming/."""

    def test_names(self) -> None:
        """Counters end in ``_total``, histograms in their unit, and nothing else does in ``_total``."""
        for metric in METRICS:
            self.assertRegex(metric.name, r"^tlscomm_[a-z_]+$")
            self.assertEqual(metric.name.endswith("_total"), metric.kind == "counter", metric.name)
            if metric.kind == "histogram":
                self.assertTrue(metric.name.endswith("_seconds"))
                self.assertEqual(list(metric.bounds), sorted(metric.bounds))

    def test_unique(self) -> None:
        """Each name is there once."""
        self.assertEqual(len({metric.name for metric in METRICS}), len(METRICS))

    def test_always(self) -> None:
        """What is there from the start has values that its labels have."""
        for metric in METRICS:
            for labels in metric.always:
                self.assertEqual(len(labels), len(metric.labels), metric.name)
                for label, value in zip(metric.labels, labels, strict=True):
                    self.assertTrue(not value or value == "other" or value in (label.values or ()), metric.name)
