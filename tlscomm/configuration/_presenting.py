"""Configurations that present what no peer should accept, for tests of what the peer says."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, TypeVar, cast

from OpenSSL import SSL

from tlscomm._dataclasses import dataclass
from tlscomm.configuration._base import Base
from tlscomm.configuration._client import ClientConfiguration
from tlscomm.configuration._server import ServerConfiguration
from tlscomm.credentials import Credential
from tlscomm.credentials._contextkey import contextKey, unwarned

__all__ = ["insecurelyPresenting"]

_P = TypeVar("_P", ClientConfiguration, ServerConfiguration)

#: OpenSSL refuses to load what is too weak, and to send it, at any other level (SSL_CTX_set_security_level(3)).
_NO_SECURITY_LEVEL = b"DEFAULT:@SECLEVEL=0"


def insecurelyPresenting(configuration: _P, credential: Credential, *, staple: bytes = b"") -> _P:
    """Return a configuration that presents a credential without asking whether it can be used.

    A configuration refuses an expired certificate, for one, before any network is involved. This is for tests of what
    the *peer* says of it. The result is insecure in one more respect: OpenSSL's security level is off on this side, so
    of weak keys and signatures of its peer only those are refused that tlscomm's own rules refuse.

    Args:
        configuration: a server's or a client's; it is not changed.
        credential: what to present. One without a private key is presented as far as OpenSSL goes along: a client then
            sends no certificate at all.
        staple: the OCSP response (DER) that a server sends along, whatever is in it; none where empty.

    Raises:
        OpenSSL.SSL.Error: OpenSSL cannot even load it, as with a key that belongs to another certificate.
    """
    settings: dict[str, Any] = {
        each.name: getattr(configuration, each.name) for each in fields(configuration) if each.init
    }
    settings.update(credential=credential, others=(), choose=None)
    if configuration.isClient:
        return cast(_P, _PresentingClient(**settings))
    settings.update(staple=None, response=staple)
    return cast(_P, _PresentingServer(**settings))


class _Unchecked(Base):
    """A configuration that takes its credential as it is."""

    def _checkUsable(self, credential: Credential) -> None:
        """Let it pass. What the peer says of it is the question."""

    def _prepare(self) -> None:
        # What OpenSSL does not load is raised as OpenSSL says it: a test that breaks a credential sees what it broke.
        _ = self._context


@dataclass(frozen=True, kw_only=True)
class _PresentingClient(_Unchecked, ClientConfiguration):
    """A client's."""

    def _contextWith(self, credential: Credential | None) -> SSL.Context:
        return _loaded(super()._contextWith(None), credential)


@dataclass(frozen=True, kw_only=True)
class _PresentingServer(_Unchecked, ServerConfiguration):
    """A server's.

    Attributes:
        response: the OCSP response (DER) that is sent along; none where empty.
    """

    response: bytes = b""

    def _contextWith(self, credential: Credential | None) -> SSL.Context:
        context = _loaded(super()._contextWith(None), credential)
        if self.response:
            context.set_ocsp_server_callback(lambda _connection, _data: self.response)
        return context


def _loaded(context: SSL.Context, credential: Credential | None) -> SSL.Context:
    """Have a context present a credential at no security level."""
    context.set_cipher_list(_NO_SECURITY_LEVEL)
    if credential is None:
        return context
    context.use_certificate(credential.certificate)
    for certificate in credential.chain:
        context.add_extra_chain_cert(certificate)
    if credential.privateKey is not None:
        with unwarned(credential.privateKey):
            context.use_privatekey(contextKey(credential.privateKey))
    return context
