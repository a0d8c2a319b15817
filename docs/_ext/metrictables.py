"""The table of metrics, made from the table that what is counted and exposed is made from."""

from docutils.nodes import Node
from failurepages import tableOf
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from tlscomm.operation._metrictable import METRICS, Label, Metric

#: More values than these are not listed: they have pages of their own.
_MOST_LISTED = 20


class MetricsTable(SphinxDirective):
    """``metrics-table``: all metrics, with their labels and the values of these."""

    def run(self) -> list[Node]:
        cells = [[f"``{metric.name}``", metric.kind, _about(metric)] for metric in METRICS]
        return self.parse_text_to_nodes("\n".join(tableOf(["metric", "kind", "meaning"], cells, "38 10 52")))


def _about(metric: Metric) -> str:
    labels = " ".join(f"*{label.name}*: {_values(label)}." for label in metric.labels)
    return f"{metric.about} {labels}" if labels else metric.about


def _values(label: Label) -> str:
    if label.values is None:
        return "from the configuration" if label.name in ("listener", "name") else "what runs here"
    if len(label.values) > _MOST_LISTED:
        shown = ", ".join(f"``{value}``" for value in label.values[:2])
        return f"{shown}, … (:doc:`failures`)" if label.name == "result" else f"{shown}, …"
    return ", ".join(f"``{value}``" for value in label.values)


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("metrics-table", MetricsTable)
    return {"parallel_read_safe": True}
