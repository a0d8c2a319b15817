"""What the contestants in Python have in common that bring no framing with them: messages that end with ``<EOF>``.

tlscomm's messages are text, so the others decode and encode theirs too. Nothing is searched twice, however long a
message is and however it was cut, and where nothing is held back there is one search and no copy: a program that cares
about its speed would do it like this.
"""

from __future__ import annotations

__all__ = ["EOF", "Splitter", "echoed"]

EOF = b"<EOF>"


class Splitter:
    """Finds messages in the bytes of one connection."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held = bytearray()

    def take(self, data: bytes) -> list[bytes]:
        """Return the messages that are complete with these bytes."""
        held = self._held
        if held:
            begin = max(0, len(held) - len(EOF) + 1)
            held += data
            end = held.find(EOF, begin)
            if end < 0:
                return []
            first, data = bytes(held[:end]), bytes(held[end + len(EOF) :])
            held.clear()
            return [first, *self.take(data)] if data else [first]
        messages = data.split(EOF)
        if rest := messages.pop():
            held += rest
        return messages


def echoed(message: bytes) -> bytes:
    """Return what is sent back for a message: its text, as it came."""
    return message.decode().encode() + EOF
