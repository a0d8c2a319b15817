"""What it may cost to open what is encrypted with a pass phrase.

The writer of an encrypted file decides how much work it is to open it, and a file of a kilobyte can ask for hours, or
for the memory of the machine. So every cost is read and weighed before anything is worked out. Costs are counted in
rounds of a hash function, a million of which take between a tenth of a second and two.
"""

from __future__ import annotations

from tlscomm.x509._der import OCTET_STRING, Element, Malformed

__all__ = ["MOST_MEMORY", "MOST_ROUNDS", "Unsupported", "UnsupportedCipher", "Work", "bounded", "saltOf"]

#: The same limit as Java's. Programs write between 1,000 and 1,300,000.
MOST_ROUNDS = 5_000_000
#: For all keys, certificates and pass phrases of one source together.
MOST_ROUNDS_IN_ALL = 4 * MOST_ROUNDS
#: In bytes.
MOST_MEMORY = 256 * 1024 * 1024
_LONGEST_SALT = 1024


class Unsupported(Exception):
    """It cannot be opened here, whatever the pass phrase. The text is the reason, as a clause."""


class UnsupportedCipher(Unsupported):
    """It is encrypted in a way that OpenSSL's command line may be able to convert."""


class Work:
    """How much may still be spent on one source."""

    def __init__(self) -> None:
        self._left = MOST_ROUNDS_IN_ALL

    def spend(self, rounds: int) -> None:
        """Take note of a cost before it is paid.

        Raises:
            Unsupported: it is too much.
        """
        self._left -= rounds
        if self._left < 0:
            raise Unsupported(f"it costs more than {MOST_ROUNDS_IN_ALL} rounds of key derivation in all")


def bounded(name: str, count: int, blocks: int) -> int:
    """Return a number of rounds that is sensible.

    Args:
        name: the key derivation.
        count: how many rounds it declares.
        blocks: how often it goes through them.

    Raises:
        Malformed: there are none.
        Unsupported: there are too many.
    """
    if count < 1:
        raise Malformed(f"{name} has no rounds")
    if count * blocks > MOST_ROUNDS:
        raise Unsupported(f"{name} costs {count * blocks} rounds; at most {MOST_ROUNDS} are worked out")
    return count


def saltOf(element: Element) -> bytes:
    """Return a salt.

    Raises:
        Malformed: it is none, or too long.
    """
    if element.tag != OCTET_STRING or len(salt := element.value) > _LONGEST_SALT:
        raise Malformed("there is no salt of a sensible size")
    return salt
