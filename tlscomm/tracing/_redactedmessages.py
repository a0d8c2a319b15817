"""Handshake messages with pseudonyms in the place of names, and other values in the place of random ones and keys.

A copy begins as zeros, as in `tlscomm.tracing._redactedcertificates`: what is known to be harmless is copied, what
tells a name is replaced, and what is not known stays zero. Copies have the same length, and so do all parts of them.

Random values and keys are replaced because they find the connection in other captures and in logs.
"""

from __future__ import annotations

from collections.abc import Callable

from tlscomm._wire.hellos import RETRY_RANDOM
from tlscomm.tracing._pseudonyms import Pseudonyms
from tlscomm.tracing._redactedcertificates import redactCertificate, redactElement, redactName

__all__ = ["redactMessage"]

_TLS_1_2, _TLS_1_3 = 0x0303, 0x0304

#: Of a server that could have spoken a later version (RFC 8446, section 4.1.3), in front of the last byte.
_DOWNGRADE = b"DOWNGRD"

_HEADER = 4

#: Extensions with nothing in them but numbers of the standards, protocols and bounds: max_fragment_length,
#: supported_groups, ec_point_formats, signature_algorithms, heartbeat, application_layer_protocol_negotiation,
#: encrypt_then_mac, extended_master_secret, compress_certificate, record_size_limit, early_data, supported_versions,
#: psk_key_exchange_modes, post_handshake_auth, signature_algorithms_cert. Certificate types, too.
_PLAIN = {1, 9, 10, 11, 13, 15, 16, 19, 20, 22, 23, 27, 28, 42, 43, 45, 49, 50}

#: None of the plain ones is longer.
_LONGEST_PLAIN = 1024


class _Cut(Exception):
    """The message ends too early."""


def redactMessage(message: bytes, version: int, pseudonyms: Pseudonyms) -> bytes:
    """Return a handshake message with pseudonyms.

    Args:
        message: from its type on; the end may be missing.
        version: the number of the version that it has to be read by, 0 where that is not known.
        pseudonyms: what names and numbers are replaced by.
    """
    copy = _Copy(message, pseudonyms)
    form = _FORMS.get(message[0]) if message else None
    try:
        copy.keep(_HEADER)
        if form is not None:
            form(copy, version)
    except _Cut:
        # What stands behind it stays zero.
        pass
    return bytes(copy.made)


class _Copy:
    """A copy in the making, and where it has come to."""

    def __init__(self, data: bytes, pseudonyms: Pseudonyms) -> None:
        self.pseudonyms = pseudonyms
        self.data = data
        self.made = bytearray(len(data))
        self.at = 0
        self._end = len(data)

    @property
    def rest(self) -> int:
        """How many bytes there are before the end of the vector that it is in."""
        return self._end - self.at

    def keep(self, size: int) -> bytes:
        """Copy bytes as they are, and return them."""
        kept = self._next(size)
        self.made[self.at - size : self.at] = kept
        return kept

    def number(self, size: int) -> int:
        """Copy a number, and return it."""
        return int.from_bytes(self.keep(size), "big")

    def replace(self, size: int, kind: str) -> None:
        """Put other bytes in the place of bytes."""
        self.put(size, lambda value: self.pseudonyms.octets(value, kind))

    def put(self, size: int, made: Callable[[bytes], bytes]) -> None:
        """Put what is made of bytes, and as long, in their place."""
        value = made(self._next(size))
        if len(value) == size:
            self.made[self.at - size : self.at] = value

    def skip(self, size: int) -> None:
        """Leave bytes zero."""
        self._next(size)

    def vector(self, size: int, form: Callable[[_Copy], object]) -> None:
        """Copy a length of so many bytes, and what has that length in a form of its own."""
        length = self.number(size)
        outer, end = self._end, self.at + length
        if end > outer:
            # What is there of it is replaced before the end is missed.
            form(self)
            raise _Cut
        self._end = end
        try:
            form(self)
        except _Cut:
            pass
        finally:
            self._end = outer
            self.at = end

    def each(self, form: Callable[[_Copy], object]) -> None:
        """Copy what fills a vector, one after the other."""
        while self.rest:
            form(self)

    def replaced(self, size: int, kind: str) -> None:
        """Copy a length, and put other bytes in the place of those that have it."""
        self.vector(size, lambda copy: copy.replace(copy.rest, kind))

    def _next(self, size: int) -> bytes:
        if size > self.rest:
            raise _Cut
        self.at += size
        return self.data[self.at - size : self.at]


def _clientHello(copy: _Copy, version: int) -> None:
    copy.keep(2)
    copy.replace(32, "random")
    copy.replaced(1, "session")
    copy.vector(2, _whole)
    copy.vector(1, _whole)
    if copy.rest:
        copy.vector(2, lambda inside: inside.each(lambda each: _extension(each, isFromClient=True)))


def _serverHello(copy: _Copy, version: int) -> None:
    copy.keep(2)
    copy.put(32, lambda value: _serverRandom(value, copy.pseudonyms))
    copy.replaced(1, "session")
    copy.keep(3)
    if copy.rest:
        copy.vector(2, lambda inside: inside.each(lambda each: _extension(each, isFromClient=False)))


def _serverRandom(value: bytes, pseudonyms: Pseudonyms) -> bytes:
    if value == RETRY_RANDOM:
        return value
    made = pseudonyms.octets(value, "random")
    return made[:24] + value[24:] if value[24:31] == _DOWNGRADE else made


def _extensions(copy: _Copy, version: int) -> None:
    if copy.rest:
        copy.vector(2, lambda inside: inside.each(lambda each: _extension(each, isFromClient=False)))


def _extension(copy: _Copy, *, isFromClient: bool) -> None:
    kind = copy.number(2)
    form = _EXTENSIONS.get(kind, _whole if kind in _PLAIN else None)
    if kind == _KEY_SHARE and not isFromClient:
        form = _keyShare
    elif kind == _PRE_SHARED_KEY and not isFromClient:
        form = _whole
    copy.vector(2, form or _nothing)


def _whole(copy: _Copy) -> None:
    if copy.rest > _LONGEST_PLAIN:
        raise _Cut
    copy.keep(copy.rest)


def _nothing(copy: _Copy) -> None:
    copy.skip(copy.rest)


def _serverNames(copy: _Copy) -> None:
    def name(inside: _Copy) -> None:
        kind = inside.number(1)
        inside.vector(2, _hostName if kind == 0 else _nothing)

    if copy.rest:
        copy.vector(2, lambda inside: inside.each(name))


def _hostName(copy: _Copy) -> None:
    copy.put(copy.rest, lambda value: copy.pseudonyms.host(value.decode("latin-1")).encode("latin-1", "replace"))


def _statusRequest(copy: _Copy) -> None:
    """Of a client: what it asks for. Behind a certificate: the answer."""
    if copy.rest:
        copy.keep(1)
    if copy.rest > 4:
        copy.vector(3, _element)
    elif copy.rest == 4:
        copy.skip(4)


def _statusRequests(copy: _Copy) -> None:
    """RFC 6961: kinds of answers, and what of each is asked for."""

    def request(inside: _Copy) -> None:
        inside.keep(1)
        inside.vector(2, _nothing)

    if copy.rest:
        copy.vector(2, lambda inside: inside.each(request))


def _element(copy: _Copy) -> None:
    copy.put(copy.rest, lambda value: redactElement(value, copy.pseudonyms))


def _keyShares(copy: _Copy) -> None:
    if copy.rest == 2:
        copy.keep(2)
    elif copy.rest:
        copy.vector(2, lambda inside: inside.each(_keyShare))


def _keyShare(copy: _Copy) -> None:
    copy.keep(2)
    if copy.rest:
        copy.replaced(2, "share")


def _offeredKeys(copy: _Copy) -> None:
    def identity(inside: _Copy) -> None:
        inside.replaced(2, "ticket")
        inside.replace(4, "age")

    copy.vector(2, lambda inside: inside.each(identity))
    copy.vector(2, lambda inside: inside.each(lambda each: each.replaced(1, "binder")))


def _authorities(copy: _Copy) -> None:
    def name(inside: _Copy) -> None:
        inside.put(inside.rest, lambda value: redactName(value, inside.pseudonyms))

    if copy.rest:
        copy.vector(2, lambda inside: inside.each(lambda each: each.vector(2, name)))


def _renegotiation(copy: _Copy) -> None:
    copy.replaced(1, "renegotiation")


def _ticketOf(copy: _Copy) -> None:
    copy.replace(copy.rest, "ticket")


def _cookie(copy: _Copy) -> None:
    copy.replaced(2, "cookie")


def _newSessionTicket(copy: _Copy, version: int) -> None:
    copy.keep(4)
    if version == _TLS_1_3:
        copy.replace(4, "age")
        copy.replaced(1, "nonce")
    copy.replaced(2, "ticket")
    if version == _TLS_1_3 and copy.rest:
        copy.vector(2, lambda inside: inside.each(lambda each: _extension(each, isFromClient=False)))


def _certificates(copy: _Copy, version: int) -> None:
    def entry(inside: _Copy) -> None:
        inside.vector(3, _certificate)
        if version == _TLS_1_3:
            inside.vector(2, lambda more: more.each(lambda each: _extension(each, isFromClient=False)))

    if version == _TLS_1_3:
        copy.replaced(1, "context")
    copy.vector(3, lambda inside: inside.each(entry))


def _certificate(copy: _Copy) -> None:
    copy.put(copy.rest, lambda value: redactCertificate(value, copy.pseudonyms))


def _certificateRequest(copy: _Copy, version: int) -> None:
    if version == _TLS_1_3:
        copy.replaced(1, "context")
        _extensions(copy, version)
        return
    copy.vector(1, _whole)
    if version in (0, _TLS_1_2):
        copy.vector(2, _whole)
    _authorities(copy)


def _certificateVerify(copy: _Copy, version: int) -> None:
    if version >= _TLS_1_2:
        copy.keep(2)
    copy.replaced(2, "signature")


def _certificateStatus(copy: _Copy, version: int) -> None:
    copy.keep(1)
    copy.vector(3, _element)


def _serverKeyExchange(copy: _Copy, version: int) -> None:
    """Only that over a named curve is known by its first byte (RFC 8422, section 5.4)."""
    if copy.rest and copy.data[copy.at] == 3:
        copy.keep(3)
        copy.replaced(1, "share")
        _certificateVerify(copy, version)


def _clientKeyExchange(copy: _Copy, version: int) -> None:
    for size in (1, 2):
        if copy.rest > size and int.from_bytes(copy.data[copy.at : copy.at + size], "big") == copy.rest - size:
            copy.replaced(size, "share")
            return


def _finished(copy: _Copy, version: int) -> None:
    copy.replace(copy.rest, "finished")


def _keyUpdate(copy: _Copy, version: int) -> None:
    copy.keep(1)


def _compressed(copy: _Copy, version: int) -> None:
    copy.keep(5)
    copy.vector(3, _nothing)


_KEY_SHARE, _PRE_SHARED_KEY = 51, 41

_EXTENSIONS: dict[int, Callable[[_Copy], None]] = {
    0: _serverNames,
    5: _statusRequest,
    17: _statusRequests,
    35: _ticketOf,
    44: _cookie,
    47: _authorities,
    _KEY_SHARE: _keyShares,
    _PRE_SHARED_KEY: _offeredKeys,
    65281: _renegotiation,
}

#: By the type of the message (RFC 8446, section 4; RFC 5246, section 7.4). All others have nothing, or stay zero.
_FORMS: dict[int, Callable[[_Copy, int], None]] = {
    1: _clientHello,
    2: _serverHello,
    4: _newSessionTicket,
    8: _extensions,
    11: _certificates,
    12: _serverKeyExchange,
    13: _certificateRequest,
    15: _certificateVerify,
    16: _clientKeyExchange,
    20: _finished,
    22: _certificateStatus,
    24: _keyUpdate,
    25: _compressed,
}
