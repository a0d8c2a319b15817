"""The numbers of a server in the words of Prometheus, as text or as OpenMetrics, whichever is asked for.

It is written by prometheus_client, which the extra ``metrics`` brings. Where it is missing, a server that is to have
metrics does not start.

All of it takes ten milliseconds to write, which connections would have to wait for. So it is written metric by metric.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from twisted.python.usage import UsageError

from tlscomm.operation._counts import Counts, Histogram
from tlscomm.operation._metrictable import METRICS, Metric

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric as Family

__all__ = ["Exposition"]

_MISSING = (
    "--metrics needs prometheus_client, which is not installed. Next step: Install it, with `pip install "
    "'tlscomm[metrics]'`, or start without --metrics."
)

#: The last line of OpenMetrics.
_END = b"# EOF\n"


class Exposition:
    """Writes numbers for Prometheus, those of the process (memory, CPU, open files) included."""

    def __init__(self) -> None:
        """
        Raises:
            UsageError: prometheus_client is not installed.
        """
        try:
            from prometheus_client import ProcessCollector
        except ImportError:
            raise UsageError(_MISSING) from None
        self._process = ProcessCollector(registry=None)

    def contentType(self, accept: str) -> str:
        """Return the content type that fits an Accept field (RFC 9110) best."""
        return self._encoder(accept)[1]

    def write(self, counts: Counts, accept: str = "") -> Iterator[Callable[[], bytes]]:
        """Return functions that write the numbers, each a part of them in about a millisecond.

        Args:
            counts: the numbers. They must not change meanwhile.
            accept: the Accept field of who asks.
        """
        encode, kind = self._encoder(accept)
        for metric in METRICS:
            yield partial(_part, encode, partial(_family, metric, counts))
        if kind.startswith("application/openmetrics-text"):
            yield lambda: _END

    def writeProcess(self, accept: str = "") -> bytes:
        """Return what is known of the process. With ten thousand open files it takes ten milliseconds, for a thread."""
        return _part(self._encoder(accept)[0], self._process.collect)

    @staticmethod
    def _encoder(accept: str) -> tuple[Callable[[Any], bytes], str]:
        from prometheus_client.exposition import choose_encoder

        return choose_encoder(accept)


class _Families:
    """Some metrics as prometheus_client asks for them."""

    def __init__(self, collect: Callable[[], Any]) -> None:
        self.collect = collect


def _part(encode: Callable[[Any], bytes], collect: Callable[[], Any]) -> bytes:
    return encode(_Families(collect)).removesuffix(_END)


def _family(metric: Metric, counts: Counts) -> list[Family]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

    names = [label.name for label in metric.labels]
    about = metric.about.replace("``", "")
    if metric.kind == "histogram":
        histograms = HistogramMetricFamily(metric.name, about, labels=names)
        for labels, histogram in counts.histograms(metric.name).items():
            histograms.add_metric(labels, _buckets(histogram), histogram.sum)
        return [histograms]
    kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    family = kind(metric.name, about, labels=names)
    for labels, value in counts.values(metric.name).items():
        family.add_metric(labels, value)
    return [family]


def _buckets(histogram: Histogram) -> list[tuple[str, float]]:
    bounds = [*(str(bound) for bound in histogram.bounds), "+Inf"]
    return list(zip(bounds, accumulate(histogram.counts), strict=True))
