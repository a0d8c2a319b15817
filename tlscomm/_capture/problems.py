"""What is wrong with a capture, and where."""

from __future__ import annotations

from tlscomm._dataclasses import dataclass

__all__ = ["CaptureProblem", "Damage"]


class CaptureProblem(Exception):
    """A file is no capture that can be read. Its text is a sentence with the file, what is wrong and at which byte."""


@dataclass(frozen=True)
class Damage:
    """What of a capture cannot be read: all from a place on, or packets of a kind.

    Attributes:
        name: of the file.
        position: the byte at which the damaged part begins, in the file as it is when unpacked; None where it is all of
            it.
        text: what is wrong, without a full stop.
    """

    name: str
    position: int | None
    text: str

    def __str__(self) -> str:
        if self.position is None:
            return f"{self.name}: {self.text}."
        return f"{self.name}: {self.text}, at byte {self.position}; what comes before it was read."
