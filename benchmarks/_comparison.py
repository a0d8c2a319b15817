"""What became slower since a run that was kept.

Two runs are compared by what tlscomm cost of its peer in each, which is plain Twisted most often: times of two
machines, or of one machine on two days, say more about the machines.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["SLOWER", "comparison"]

#: By how much it must have become slower to be named.
SLOWER = 0.1


def comparison(stored: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[list[str], bool]:
    """Compare two runs.

    Args:
        stored: the run that was kept, as JSON.
        now: the run of now.

    Returns:
        A line for each measure that became slower by a tenth or cannot be compared, and whether any became slower.
    """
    lines, isAnySlower = [], False
    before, after = stored["measures"], now["measures"]
    for name, measure in after.items():
        title = measure["title"]
        if name not in before:
            lines.append(f"{title}: the stored run does not have it")
            continue
        then, ratio = before[name]["ratio"], measure["ratio"]
        if then is None or ratio is None:
            lines.append(f"{title}: it was not measured next to its peer in both runs")
        elif ratio >= then * (1 + SLOWER):
            isAnySlower = True
            lines.append(
                f"{title}: slower by {ratio / then - 1:.0%}: {ratio:.2f} of {measure['peer']}, it was {then:.2f}"
            )
    return lines, isAnySlower
