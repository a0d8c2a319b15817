"""A client on pyOpenSSL alone, which can do with its sessions what no honest client does."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from OpenSSL import SSL

from tlscomm import _openssl
from tlscomm.credentials import Credential
from tlscomm.tls import State, TLSConnection

__all__ = ["RawClient"]

_VERSIONS = {"1.2": SSL.TLS1_2_VERSION, "1.3": SSL.TLS1_3_VERSION}


class RawClient:
    """Shakes hands with servers in memory, one connection after the other.

    Attributes:
        connection: the latest connection.
    """

    connection: SSL.Connection

    def __init__(self, version: str | None = None, groups: tuple[str, ...] = ()) -> None:
        """
        Args:
            version: the only version of TLS that is spoken, both where None.
            groups: the key exchange groups; it sends a key share for the first.
        """
        self._context = SSL.Context(SSL.TLS_METHOD)
        self._context.set_session_cache_mode(SSL.SESS_CACHE_CLIENT)
        if version is not None:
            self._context.set_min_proto_version(_VERSIONS[version])
            self._context.set_max_proto_version(_VERSIONS[version])
        if groups:
            _openssl.preferGroups(self._context, groups)

    def begin(self, credential: Credential | None = None, session: Any = None) -> bytes:
        """Begin another connection.

        Args:
            credential: what it shows if it is asked.
            session: what it offers to resume.

        Returns:
            Its first message.
        """
        connection = self.connection = SSL.Connection(self._context)
        if credential is not None and credential.privateKey is not None:
            connection.use_certificate(credential.certificate)
            connection.use_privatekey(credential.privateKey)  # type: ignore[arg-type]
        if session is not None:
            connection.set_session(session)
        connection.set_tlsext_host_name(b"localhost")
        connection.set_connect_state()
        return self.answer(b"")

    def answer(self, flight: bytes) -> bytes:
        """Take what the server says, and return what there is to say to it."""
        if flight:
            self.connection.bio_write(flight)
        with suppress(SSL.Error):
            self.connection.do_handshake()
            self.connection.recv(1)
        with suppress(SSL.Error):
            return self.connection.bio_read(1 << 16)
        return b""

    def shake(self, server: TLSConnection, credential: Credential | None = None, session: Any = None) -> Any:
        """Shake hands with a server, as far as that goes, and return the session that came of it.

        It does not listen to an alert, after which OpenSSL would not use the session any more.
        """
        flight = self.begin(credential, session)
        while flight:
            server.receive(flight)
            if server.state is State.FAILED:
                break
            flight = self.answer(server.outgoing())
        return self.connection.get_session()

    def finish(self, server: TLSConnection) -> None:
        """End a connection in order, so that OpenSSL resumes its session."""
        with suppress(SSL.Error):
            self.connection.shutdown()
        server.receive(self.answer(b""))
        server.close()
        self.answer(server.outgoing())
        server.release()
