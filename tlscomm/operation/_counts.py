"""The numbers of a server, plain and in order: to count, to add up those of several processes, to send as JSON.

There are never more of them than the table of metrics allows (`tlscomm.operation._metrictable`), whatever is counted: a
value that its label does not have counts as ``other``.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from tlscomm.operation._metrictable import METRICS, OTHER, Metric, metricNamed

__all__ = ["Counts", "Histogram", "Labels"]

Labels: TypeAlias = tuple[str, ...]

#: The most values of a metric whose labels the configuration says. One of a thousand listeners is no configuration.
_MOST = 4096
_LONGEST_VALUE = 128

_MERGES: Mapping[str, Callable[[float, float], float]] = {"sum": lambda a, b: a + b, "min": min, "max": max}


class Histogram:
    """How long each of many took.

    Attributes:
        bounds: the upper bounds of the buckets, the last of which has none.
        counts: how many there are in each bucket, those of smaller ones not included.
        sum: of them all, in seconds.
    """

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    @property
    def count(self) -> int:
        """How many there are."""
        return sum(self.counts)

    def observe(self, seconds: float) -> None:
        """Add one."""
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.sum += seconds

    def add(self, other: Histogram) -> None:
        """Add those of another one, which has the same buckets."""
        self.counts = [mine + more for mine, more in zip(self.counts, other.counts, strict=True)]
        self.sum += other.sum


class Counts:
    """The numbers of one process, or of several together.

    Adding to one costs about as much as adding to a dictionary.
    """

    def __init__(self) -> None:
        self._numbers: dict[str, dict[Labels, float]] = {}
        self._histograms: dict[str, dict[Labels, Histogram]] = {}
        for metric in METRICS:
            if metric.kind == "histogram":
                self._histograms[metric.name] = {labels: Histogram(metric.bounds) for labels in metric.always}
            else:
                self._numbers[metric.name] = dict.fromkeys(metric.always, 0)

    def add(self, name: str, labels: Labels = (), amount: float = 1) -> None:
        """Add to a counter.

        Args:
            name: of the metric.
            labels: the values of its labels, in the order of the table.
            amount: how much.
        """
        numbers = self._numbers[name]
        try:
            numbers[labels] += amount
        except KeyError:
            labels = _bounded(metricNamed(name), labels, numbers)
            numbers[labels] = numbers.get(labels, 0) + amount

    def set(self, name: str, labels: Labels, value: float) -> None:
        """Say what a gauge is now."""
        numbers = self._numbers[name]
        numbers[labels if labels in numbers else _bounded(metricNamed(name), labels, numbers)] = value

    def replace(self, name: str, values: Mapping[Labels, float]) -> None:
        """Say what all values of a gauge are now; there are no others."""
        self._numbers[name] = dict.fromkeys(metricNamed(name).always, 0)
        for labels, value in values.items():
            self.set(name, labels, value)

    def observe(self, name: str, labels: Labels, seconds: float) -> None:
        """Add one duration to a histogram."""
        self._histogram(name, labels).observe(seconds)

    def value(self, name: str, labels: Labels = ()) -> float:
        """Return one number, 0 where there is none."""
        return self._numbers[name].get(labels, 0)

    def values(self, name: str) -> Mapping[Labels, float]:
        """Return the numbers of a counter or a gauge by the values of its labels."""
        return self._numbers[name]

    def histograms(self, name: str) -> Mapping[Labels, Histogram]:
        """Return the histograms of a metric by the values of its labels."""
        return self._histograms[name]

    def copy(self) -> Counts:
        """Return the same numbers, which do not change with these."""
        return Counts.merged(self)

    def withoutGauges(self) -> Counts:
        """Return what stays of a process that has ended: all that it has counted, and nothing that only was then."""
        kept = self.copy()
        for metric in METRICS:
            if metric.kind == "gauge":
                kept._numbers[metric.name] = {}
        return kept

    @classmethod
    def merged(cls, *several: Counts) -> Counts:
        """Return the numbers of several processes together."""
        result = cls()
        for metric in METRICS:
            if metric.kind == "histogram":
                for counts in several:
                    for labels, histogram in counts._histograms[metric.name].items():
                        result._histogram(metric.name, labels).add(histogram)
            else:
                result._numbers[metric.name] = _merged(metric, [each._numbers[metric.name] for each in several])
        return result

    def toJSON(self) -> dict[str, Any]:
        """Return the numbers for another process. What is 0 everywhere from the start is left out."""
        numbers = {
            name: [[*labels, value] for labels, value in values.items() if value or self._isGauge(name)]
            for name, values in self._numbers.items()
        }
        histograms = {
            name: [[*labels, each.counts, each.sum] for labels, each in values.items() if each.count]
            for name, values in self._histograms.items()
        }
        return {"numbers": numbers, "histograms": histograms}

    @classmethod
    def fromJSON(cls, facts: Mapping[str, Any]) -> Counts:
        """Return the numbers that another process has sent. Metrics that only one of the two knows are left out.

        Raises:
            ValueError, TypeError, KeyError: they are not what `toJSON` returns.
        """
        result = cls()
        for metric in METRICS:
            if metric.kind == "histogram":
                for *labels, counts, total in facts["histograms"].get(metric.name, ()):
                    histogram = result._histogram(metric.name, tuple(labels))
                    if len(counts) != len(histogram.counts):
                        raise ValueError(f"the buckets of {metric.name} are others")
                    histogram.counts, histogram.sum = list(counts), float(total)
            else:
                if metric.kind == "gauge":
                    result._numbers[metric.name] = {}
                for *labels, value in facts["numbers"].get(metric.name, ()):
                    result.set(metric.name, tuple(labels), value)
        return result

    @staticmethod
    def _isGauge(name: str) -> bool:
        return metricNamed(name).kind == "gauge"

    def _histogram(self, name: str, labels: Labels) -> Histogram:
        histograms = self._histograms[name]
        try:
            return histograms[labels]
        except KeyError:
            metric = metricNamed(name)
            return histograms.setdefault(_bounded(metric, labels, histograms), Histogram(metric.bounds))


def _merged(metric: Metric, several: list[dict[Labels, float]]) -> dict[Labels, float]:
    # What one process alone has of "the least" must not become 0 by those that have none.
    merge = _MERGES[metric.merge]
    result: dict[Labels, float] = {}
    for values in several:
        for labels, value in values.items():
            result[labels] = merge(result[labels], value) if labels in result else value
    return result or dict.fromkeys(metric.always, 0)


def _bounded(metric: Metric, labels: Labels, present: Mapping[Labels, Any]) -> Labels:
    """Return the labels with ``other`` for each value that is in no list, and where there are too many."""
    if len(labels) != len(metric.labels):
        raise ValueError(f"{metric.name} has {len(metric.labels)} labels, not {len(labels)}")
    bounded = tuple(
        value[:_LONGEST_VALUE] if label.values is None else value if value in ("", *label.values) else OTHER
        for label, value in zip(metric.labels, labels, strict=True)
    )
    if bounded in present or len(present) < _MOST:
        return bounded
    return tuple(OTHER for _ in labels)
