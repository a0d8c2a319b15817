"""How clients of SMTP, IMAP, POP3 and LDAP ask a server for TLS, and nothing else that these protocols can.

What `UpgradingClientEndpoint` takes to talk. The words are those of RFC 3207, RFC 9051, RFC 2595 and RFC 4511. What a
server says before TLS may come from any machine on the way, so nothing of it is believed: a server that offers no TLS
has its answer named, and there is no way on without TLS.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Protocol

from tlscomm.failures import NotTLS, printable

__all__ = ["IMAPClient", "LDAPClient", "POP3Client", "SMTPClient"]

#: What is told of an answer.
_LONGEST_ANSWER = 200

#: The message's number, the response with its length in any form, and its result code (RFC 4511, appendix B).
_EXTENDED_RESPONSE = rb"\x02\x01\x01\x78(?:[\x00-\x7f]|\x81.|\x82..|\x83...|\x84....)\x0a\x01(.)"

_TURN_ON = "Turn STARTTLS on in the server's configuration, or name its port on which TLS begins at once."


class _LineTalk(Protocol):
    """Says a line, awaits the answer to it, and so on; behind the last answer TLS begins.

    Attributes:
        steps: what each answer begins with when it is the awaited one, and what is said after it.
        goesOn: what a line begins with that is a part of an answer and not its end.
    """

    transport: Any
    name = ""
    steps: Sequence[tuple[bytes, bytes]] = ()
    goesOn = b"(?!)"

    def __init__(self, address: IAddress | None = None) -> None:
        """
        Args:
            address: the server's.
        """
        self._line = bytearray()
        self._step = 0

    def dataReceived(self, data: bytes) -> None:
        self._line += data
        if data != b"\n":
            return
        line = bytes(self._line).rstrip(b"\r\n")
        self._line.clear()
        if re.match(self.goesOn, line) is None:
            self._answered(line)

    def _answered(self, line: bytes) -> None:
        awaited, next_ = self.steps[self._step]
        if re.match(awaited, line, re.IGNORECASE) is None:
            said = printable(line.decode("latin-1"), _LONGEST_ANSWER)
            self.transport.closeBecause(NotTLS(f"the {self.name} server has answered {said}", remedy=_TURN_ON))
            return
        self._step += 1
        if next_:
            self.transport.write(next_)
        else:
            self.transport.startTLS()


class SMTPClient(_LineTalk):
    """Asks a mail server for TLS (RFC 3207)."""

    name = "SMTP"
    goesOn = rb"\d{3}-"
    steps = ((rb"220", b"EHLO localhost\r\n"), (rb"250", b"STARTTLS\r\n"), (rb"220", b""))


class IMAPClient(_LineTalk):
    """Asks a server of mailboxes for TLS (RFC 9051, section 6.2.1)."""

    name = "IMAP"
    # A greeting is untagged, and so may be more lines before the answer.
    goesOn = rb"\* (?!OK|PREAUTH|BYE)"
    steps = ((rb"\* OK", b"t STARTTLS\r\n"), (rb"t OK", b""))


class POP3Client(_LineTalk):
    """Asks a server of mailboxes for TLS (RFC 2595, section 4)."""

    name = "POP3"
    steps = ((rb"\+OK", b"STLS\r\n"), (rb"\+OK", b""))


class LDAPClient(Protocol):
    """Asks a directory for TLS: an ExtendedRequest, and its answer (RFC 4511, section 4.14)."""

    transport: Any

    _OID = b"1.3.6.1.4.1.1466.20037"

    def __init__(self, address: IAddress | None = None) -> None:
        """
        Args:
            address: the server's.
        """
        self._said = bytearray()

    def connectionMade(self) -> None:
        request = b"\x80" + bytes([len(self._OID)]) + self._OID
        message = b"\x02\x01\x01\x77" + bytes([len(request)]) + request
        self.transport.write(b"\x30" + bytes([len(message)]) + message)

    def dataReceived(self, data: bytes) -> None:
        self._said += data
        said = self._said
        if said[0] != 0x30:
            self._refuse("nothing of LDAP")
        elif (end := _elementEnd(said)) is not None and len(said) >= end:
            found = re.match(_EXTENDED_RESPONSE, bytes(_content(said)), re.DOTALL)
            if found is not None and found.group(1) == b"\0":
                self.transport.startTLS()
            else:
                self._refuse("that it does not" if found is None else f"result code {found.group(1)[0]}")

    def _refuse(self, answer: str) -> None:
        self.transport.closeBecause(NotTLS(f"the LDAP server has answered {answer}", remedy=_TURN_ON))


def _lengthSize(element: bytearray) -> int:
    return 1 if element[1] < 0x80 else 1 + (element[1] & 0x7F)


def _elementEnd(element: bytearray) -> int | None:
    """Return where an element of BER ends, or None where not even that has come (X.690, section 8.1.3)."""
    if len(element) < 2 or len(element) < 1 + (size := _lengthSize(element)):
        return None
    length = element[1] if size == 1 else int.from_bytes(element[2 : 1 + size], "big")
    return 1 + size + length


def _content(element: bytearray) -> bytearray:
    return element[1 + _lengthSize(element) :]
