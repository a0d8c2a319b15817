"""Configurations that present what no peer should accept, for tests of what the peer says."""

from __future__ import annotations

import copy
from typing import TypeVar

from tlscomm.configuration._client import ClientConfiguration
from tlscomm.configuration._server import ServerConfiguration
from tlscomm.credentials import Credential

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
    changed = copy.copy(configuration)
    for made in ("_negotiating", "silence", "_context", "_contexts", "keyring", "_sessions"):
        changed.__dict__.pop(made, None)
    changed.__dict__.update(credential=None, others=(), choose=None)
    context = changed._context
    context.set_cipher_list(_NO_SECURITY_LEVEL)
    context.use_certificate(credential.certificate)
    for certificate in credential.chain:
        context.add_extra_chain_cert(certificate)
    if credential.privateKey is not None:
        context.use_privatekey(credential.privateKey)  # type: ignore[arg-type]
    if staple:
        context.set_ocsp_server_callback(lambda _connection, _data: staple)
    changed.__dict__["credential"] = credential
    # A copy with protocols would be checked again, and present what can be used.
    changed.__dict__["withProtocols"] = lambda protocols: insecurelyPresenting(
        configuration.withProtocols(protocols), credential, staple=staple
    )
    return changed
