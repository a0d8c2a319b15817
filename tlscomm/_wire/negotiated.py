"""What two sides have agreed on, and the keys that follow from it where the secrets are known."""

from __future__ import annotations

from typing import NamedTuple

from tlscomm._wire.events import Protection
from tlscomm._wire.hellos import ClientKeyFacts, ServerKeyFacts
from tlscomm._wire.keyschedule import expandLabel
from tlscomm._wire.protection import Opener, openerFor12
from tlscomm._wire.protection13 import Sealed13
from tlscomm._wire.secrets import Secrets
from tlscomm._wire.suites import Suite, suiteOf

__all__ = ["TLS_1_3", "Agreed", "Key"]

TLS_1_3 = 0x0304
_TLS_1_0 = 0x0301

#: The suites of TLS 1.3, those that are used most first.
_SUITES_13 = (0x1301, 0x1302, 0x1303, 0x1304, 0x1305)

#: Of the client, and of the server.
_LABELS = {
    Protection.EARLY: ("CLIENT_EARLY_TRAFFIC_SECRET", ""),
    Protection.HANDSHAKE: ("CLIENT_HANDSHAKE_TRAFFIC_SECRET", "SERVER_HANDSHAKE_TRAFFIC_SECRET"),
    Protection.APPLICATION: ("CLIENT_TRAFFIC_SECRET_0", "SERVER_TRAFFIC_SECRET_0"),
}


class Key(NamedTuple):
    """A key of one direction.

    Attributes:
        opener: what opens records with it.
        suite: what it is for.
        secret: under TLS 1.3 the traffic secret that it was made of.
    """

    opener: Opener
    suite: Suite
    secret: bytes

    def updated(self) -> Key:
        """Return the key that follows this one at a KeyUpdate (RFC 8446, section 7.2)."""
        secret = expandLabel(self.secret, b"traffic upd", len(self.secret), self.suite.digest)
        return Key(Sealed13(self.suite, secret), self.suite, secret)


class Agreed(NamedTuple):
    """What one handshake has agreed on so far.

    Attributes:
        client: of the ClientHello, None where it was not seen.
        server: of the ServerHello, None where it was not seen.
    """

    client: ClientKeyFacts | None = None
    server: ServerKeyFacts | None = None

    def hasSecrets(self, secrets: Secrets) -> bool:
        """Return whether there may be keys at all."""
        return self.client is not None and len(secrets) > 0

    def keys(self, secrets: Secrets, protection: Protection, *, isFromClient: bool) -> tuple[Key, ...]:
        """Return the keys that records may be sealed with: one, or several where the suite is not known.

        Args:
            secrets: those that are known.
            protection: which keys are meant; up to TLS 1.2 APPLICATION.
            isFromClient: the direction.
        """
        if self.client is None:
            return ()
        if self.server is not None and self.server.version != TLS_1_3:
            isOnly = protection is Protection.APPLICATION
            return self._keys12(secrets, self.client, self.server, isFromClient) if isOnly else ()
        label = _LABELS[protection][0 if isFromClient else 1]
        secret = secrets.find(label, self.client.random) if label else None
        if secret is None:
            return ()
        return tuple(Key(Sealed13(suite, secret), suite, secret) for suite in self._suites13(len(secret)))

    def _keys12(
        self, secrets: Secrets, client: ClientKeyFacts, server: ServerKeyFacts, isFromClient: bool
    ) -> tuple[Key, ...]:
        master, suite = self.master(secrets), suiteOf(server.suite)
        if master is None or suite is None or suite.isVersion13 or server.version < _TLS_1_0:
            return ()
        opener = openerFor12(
            suite,
            master,
            client.random,
            server.random,
            server.version,
            isFromClient=isFromClient,
            isEncryptThenMac=server.isEncryptThenMac,
        )
        return (Key(opener, suite, b""),)

    def master(self, secrets: Secrets) -> bytes | None:
        """Return the master secret up to TLS 1.2, or None where it is not known."""
        if self.client is None or self.server is None:
            return None
        if (found := secrets.find("CLIENT_RANDOM", self.client.random)) is not None:
            return found
        if self.client.ticket and (found := secrets.recall(self.client.ticket)) is not None:
            return found
        isResumed = self.client.session and self.client.session == self.server.session
        return secrets.recall(self.client.session) if isResumed else None

    def remember(self, secrets: Secrets, session: bytes) -> None:
        """Keep the master secret for a connection that resumes a session, by the identifier or the ticket of it."""
        if session and (master := self.master(secrets)) is not None:
            secrets.remember(session, master)

    def _suites13(self, secretLength: int) -> list[Suite]:
        """Return the suite, or all that have a secret of this length while it is not chosen, for early data."""
        numbers = _SUITES_13 if self.server is None else (self.server.suite,)
        suites = [suite for number in numbers if (suite := suiteOf(number)) and suite.isVersion13]
        return [suite for suite in suites if secretLength == (48 if suite.digest == "sha384" else 32)]
