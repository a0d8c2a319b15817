"""What a handshake was waiting for when it did not go on.

OpenSSL's state says which message came or went last. A person wants to know which one is missing, and from whom. The
names of the messages are those of RFC 8446, section 4, and RFC 5246, section 7.4.
"""

from __future__ import annotations

__all__ = ["expectedMessage"]

_ALWAYS = {
    "before SSL initialization": "the client's first message (ClientHello)",
    "SSLv3/TLS write client hello": "the server's first message (ServerHello)",
    "SSLv3/TLS read certificate verify": "the client's last message (Finished)",
}

_TLS_1_2 = {
    "SSLv3/TLS read server hello": "the server's certificate (Certificate)",
    "SSLv3/TLS read server certificate": "the server's key exchange (ServerKeyExchange)",
    "SSLv3/TLS read server key exchange": "the rest of the server's messages (CertificateRequest or ServerHelloDone)",
    "SSLv3/TLS read server certificate request": "the rest of the server's messages (ServerHelloDone)",
    "SSLv3/TLS write finished": "the server's last message (Finished)",
    "SSLv3/TLS write server done": "the client's answer (Certificate or ClientKeyExchange)",
    "SSLv3/TLS read client certificate": "the client's key exchange (ClientKeyExchange)",
    "SSLv3/TLS read client key exchange": "the client's proof of its key (CertificateVerify or Finished)",
}

_TLS_1_3 = {
    "SSLv3/TLS read server hello": "the server's answer (EncryptedExtensions)",
    "TLSv1.3 read encrypted extensions": "the server's certificate (CertificateRequest or Certificate)",
    "SSLv3/TLS read server certificate request": "the server's certificate (Certificate)",
    "SSLv3/TLS read server certificate": "the server's proof of its key (CertificateVerify)",
    "TLSv1.3 read server certificate verify": "the server's last message (Finished)",
    "TLSv1.3 early data": "the client's answer (Certificate or Finished)",
    "SSLv3/TLS read client certificate": "the client's proof of its key (CertificateVerify or Finished)",
}


def expectedMessage(state: str, *, isClient: bool, isTLS13: bool) -> str:
    """Return what a side of a handshake is waiting for.

    Args:
        state: OpenSSL's long description of its state.
        isClient: which side it is.
        isTLS13: whether TLS 1.3 was agreed upon.
    """
    known = (_TLS_1_3 if isTLS13 else _TLS_1_2) | _ALWAYS
    if state == "SSLv3/TLS read change cipher spec":
        return f"the {'server' if isClient else 'client'}'s last message (Finished)"
    return known.get(state, "the next message")
