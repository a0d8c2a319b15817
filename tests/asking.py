"""A peer that asks for what TLS answers by itself, record after record, and nothing else.

Its handshake is Python's; then it writes records of its own, under the secrets of the handshake, because no TLS library
asks for so many answers.
"""

from __future__ import annotations

import hmac
import ssl
from collections.abc import Iterable
from pathlib import Path

from conversation import ConversationCase, PythonPeer
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

__all__ = ["AskingPeer", "askingPeer"]

#: RFC 8446, section 4.6.3: KeyUpdate with update_requested, and the content type of a handshake message.
_KEY_UPDATE = bytes((24, 0, 0, 1, 1))
_HANDSHAKE = 22
_ALERT = 21

#: RFC 5246, section 7.4.1: what begins another handshake, from a client (cut short) and from a server.
_CLIENT_HELLO, _HELLO_REQUEST = bytes((1, 0, 0, 0)), bytes(4)


def askingPeer(case: ConversationCase, serverSide: bool, version: str) -> AskingPeer:
    """Return one for a conversation.

    Args:
        case: the test.
        serverSide: whether it is the server.
        version: of TLS.
    """
    context = case.pythonPeer(serverSide, tickets=1).tls.context
    keylog = Path(case.mktemp())
    context.keylog_filename = str(keylog)
    context.maximum_version = ssl.TLSVersion.TLSv1_3 if version == "1.3" else ssl.TLSVersion.TLSv1_2
    return AskingPeer(PythonPeer(context, serverSide), keylog, version)


class AskingPeer:
    """The records of a peer on Python's TLS.

    Attributes:
        peer: that peer, which takes a side in a conversation.
    """

    def __init__(self, peer: PythonPeer, keylog: Path, version: str) -> None:
        self.peer = peer
        self._keylog = keylog
        self._version = version
        self._serverSide = peer.tls.server_side
        self._secret = b""
        # A server's first record under its last secret is the ticket, and under TLS 1.2 Finished is.
        self._sequence = int(self._serverSide or version == "1.2")

    def ask(self, count: int, serverRandom: bytes = b"") -> None:
        """Ask for so many answers.

        Args:
            count: of answers.
            serverRandom: what ServerHello had, which TLS 1.2 needs.
        """
        records = self._keyUpdates(count) if self._version == "1.3" else self._hellos(count, serverRandom)
        self.peer.transport.write(b"".join(records))

    def cancel(self) -> None:
        """Close in order as Java does under TLS 1.3: user_canceled, then close_notify, each on its way alone."""
        for number in (90, 0):
            self.peer.transport.write(self._sealed(bytes((1, number)), _ALERT))

    def giveTickets(self, count: int) -> None:
        """Send so many session tickets, each of 4,000 bytes (RFC 8446, section 4.6.1)."""
        for number in range(count):
            nonce = number.to_bytes(4, "big")
            body = bytes((0, 0, 28, 32, *nonce, 4, *nonce)) + (4000).to_bytes(2, "big") + bytes(4000) + bytes(2)
            self.peer.transport.write(self._sealed(b"\x04" + len(body).to_bytes(3, "big") + body, _HANDSHAKE))

    def _keyUpdates(self, count: int) -> Iterable[bytes]:
        for _ in range(count):
            yield self._sealed(_KEY_UPDATE, _HANDSHAKE)
            # RFC 8446, section 7.2.
            self._secret, self._sequence = self._expanded(b"traffic upd", len(self._secret)), 0

    def _sealed(self, content: bytes, contentType: int) -> bytes:
        """Return the next record under TLS 1.3 (RFC 8446, section 5.2)."""
        side = "SERVER" if self._serverSide else "CLIENT"
        self._secret = self._secret or self._logged(f"{side}_TRAFFIC_SECRET_0")[1]
        header = bytes((23, 3, 3)) + (len(content) + 1 + 16).to_bytes(2, "big")
        nonce = int.from_bytes(self._expanded(b"iv", 12), "big") ^ self._sequence
        self._sequence += 1
        key = AESGCM(self._expanded(b"key", 32 if len(self._secret) == 48 else 16))
        return header + key.encrypt(nonce.to_bytes(12, "big"), content + bytes((contentType,)), header)

    def _expanded(self, label: bytes, length: int) -> bytes:
        # HKDF-Expand-Label of one block (RFC 8446, section 7.1).
        info = length.to_bytes(2, "big") + bytes((6 + len(label),)) + b"tls13 " + label + b"\0\1"
        return hmac.digest(self._secret, info, f"sha{8 * len(self._secret)}")[:length]

    def _hellos(self, count: int, serverRandom: bytes) -> Iterable[bytes]:
        clientRandom, master = self._logged("CLIENT_RANDOM")
        cipher = self.peer.tls.cipher()
        assert cipher is not None
        isLong = "AES256" in cipher[0]
        size = 32 if isLong else 16
        # RFC 5246, sections 5 and 6.3, and RFC 5288, section 3: the keys, then the fixed parts of the nonces.
        seed, block = b"key expansion" + serverRandom + clientRandom, b""
        step, digest = seed, "sha384" if isLong else "sha256"
        while len(block) < 2 * size + 8:
            step = hmac.digest(master, step, digest)
            block += hmac.digest(master, step + seed, digest)
        start = size if self._serverSide else 0
        key = AESGCM(block[start : start + size])
        fixed = block[2 * size :][4:8] if self._serverSide else block[2 * size :][:4]
        message = _HELLO_REQUEST if self._serverSide else _CLIENT_HELLO
        for _ in range(count):
            nonce, kind = self._sequence.to_bytes(8, "big"), bytes((_HANDSHAKE, 3, 3))
            self._sequence += 1
            sealed = key.encrypt(fixed + nonce, message, nonce + kind + len(message).to_bytes(2, "big"))
            yield kind + (8 + len(sealed)).to_bytes(2, "big") + nonce + sealed

    def _logged(self, label: str) -> tuple[bytes, bytes]:
        """Return the client's random and the secret of a line of the key log."""
        for line in self._keylog.read_text("ascii").splitlines():
            if line.startswith(label + " "):
                _, random, secret = line.split()
                return bytes.fromhex(random), bytes.fromhex(secret)
        raise AssertionError(f"{label} was not logged")
