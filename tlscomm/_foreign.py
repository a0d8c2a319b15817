"""What is no credential, and what a person can do who took it for one.

"Unknown format" sends a person to look for a damaged file. A request or a public key that was named by mistake is
whole, and a keystore of Java's can be converted; so what is not read here is at least called by its name.
"""

from __future__ import annotations

import re

from tlscomm._structure import Structure

__all__ = ["blockCalled", "contentCalled", "structureCalled"]

_REQUEST = "a certificate request (CSR): the authority answers it with the certificate"
_REVOCATION_LIST = "a certificate revocation list (CRL), which says what is not to be trusted and holds no certificate"
_PUBLIC_KEY = "a public key; a certificate, or the private key, is needed"
_SSH_PUBLIC_KEY = "an SSH public key; SSH knows no certificates of this kind"
_PGP = "an OpenPGP key or message, which TLS does not use"
_JAVA = "to convert it: keytool -importkeystore -srckeystore FILE -destkeystore NEW.p12 -deststoretype pkcs12"
_PUTTY = "a PuTTY private key; to convert it: puttygen FILE -O private-openssh -o NEW"

_STRUCTURES = {
    Structure.REQUEST: _REQUEST,
    Structure.REVOCATION_LIST: _REVOCATION_LIST,
    Structure.PUBLIC_KEY: _PUBLIC_KEY,
    Structure.OCSP_RESPONSE: "an OCSP response, which says whether a certificate was revoked and is none",
}

_LABELS = {
    "CERTIFICATE REQUEST": _REQUEST,
    "NEW CERTIFICATE REQUEST": _REQUEST,
    "X509 CRL": _REVOCATION_LIST,
    "PUBLIC KEY": _PUBLIC_KEY,
    "RSA PUBLIC KEY": _PUBLIC_KEY,
    "EC PARAMETERS": "the parameters of an elliptic curve, without the key",
    "DH PARAMETERS": "parameters for a Diffie-Hellman key exchange",
    "ATTRIBUTE CERTIFICATE": "an attribute certificate, which TLS does not use",
}

#: The first bytes of files. Text is compared without regard to upper and lower case.
_BEGINNINGS = (
    (b"\xfe\xed\xfe\xed", f"a Java keystore (JKS); {_JAVA}"),
    (b"\xce\xce\xce\xce", f"a Java keystore (JCEKS); {_JAVA}"),
    (b"\0\0\0\1\0\0\0\x14", f"a keystore of Bouncy Castle (BKS); {_JAVA}"),
    (b"\0\0\0\2\0\0\0\x14", f"a keystore of Bouncy Castle (BKS); {_JAVA}"),
    (
        b"\x1e\xf1\xb5\xb0",
        "a private key in Microsoft's PVK format; to convert it: openssl rsa -inform PVK -in FILE -out NEW.pem",
    ),
    (
        b"\0\0\0\0cert",
        "a serialized certificate store of Windows (SST); to convert it: open it with certmgr and export to PFX or P7B",
    ),
    (b"sqlite format 3\0", "a database, perhaps cert9.db or key4.db of NSS; to convert it: pk12util -o NEW.p12"),
    (b"\0\x06\x15\x61", "a database, perhaps cert8.db or key3.db of NSS; to convert it: pk12util -o NEW.p12"),
    (b"putty-user-key-file-", _PUTTY),
    (b"---- begin ssh2 public key", _SSH_PUBLIC_KEY),
    (b"---- begin ssh2 encrypted private key", "a private key of ssh.com; to convert it: ssh-keygen -i -f FILE"),
    (b"<rsakeyvalue>", "an RSA key in .NET's XML format"),
    (b"<!doctype html", "a web page, perhaps a login page in the place of a download"),
    (b"<html", "a web page, perhaps a login page in the place of a download"),
    (b"pk\3\4", "a ZIP archive; unpack it"),
    (b"\x1f\x8b", "compressed with gzip; unpack it"),
    (b"\x99\x01", _PGP),
    (b"%pdf-", "a PDF document"),
)

#: RFC 4253, section 6.6, and others, as in OpenSSH's authorized_keys.
_SSH = re.compile(rb"\s*(ssh-(rsa|dss|ed25519|ed448)|ecdsa-sha2-|sk-(ssh|ecdsa)-)\S* AAAA")
_JWK = re.compile(rb"\s*\{.{,2000}\"(kty|keys)\"\s*:", re.DOTALL)

#: How much of a file is looked at.
_BEGINNING = 4096


def structureCalled(structure: Structure) -> str | None:
    """Say what a structure is that is no credential; None where it is one."""
    return _STRUCTURES.get(structure)


def blockCalled(label: str) -> str | None:
    """Say what a PEM block is that is no credential; None where that is not known."""
    if label.startswith("PGP "):
        return _PGP
    return _LABELS.get(label)


def contentCalled(content: bytes) -> str | None:
    """Say what content is that is neither PEM nor a known structure of ASN.1; None where that is not known."""
    start = content[:_BEGINNING].lstrip(b" \t\r\n")
    folded = start[:64].lower()
    if _SSH.match(start):
        return _SSH_PUBLIC_KEY
    if _JWK.match(start):
        return "a JSON Web Key, which is not read here"
    return next((what for beginning, what in _BEGINNINGS if folded.startswith(beginning)), None)
