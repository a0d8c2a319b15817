"""What is no credential, and what a person can do who took it for one.

"Unknown format" sends a person to look for a damaged file. A request or a public key that was named by mistake is
whole, and a keystore of Java's can be converted; so what is not read here is at least called by its name.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from tlscomm.credentials._structure import Structure
from tlscomm.failures import UnknownFormat

__all__ = ["UnsupportedFormat", "blockCalled", "contentCalled", "structureCalled"]


class UnsupportedFormat(NamedTuple):
    """What something is that is no credential.

    Attributes:
        what: its name.
        step: what to do about it, as a sentence.
    """

    what: str
    step: str

    def refusal(self, source: str) -> UnknownFormat:
        return UnknownFormat(f"{source} is {self.what}", remedy=self.step)


_NAME_ANOTHER = "Name the file with the certificate, and that with the private key where the two are apart."
_JAVA = "Convert it: keytool -importkeystore -srckeystore FILE -destkeystore NEW.p12 -deststoretype pkcs12."
_NSS = "Take the credential out: pk12util -d FOLDER -n NAME -o NEW.p12."
_UNPACK = "Unpack it, and name what was in it."
_DOWNLOAD = "Download it again, and see in a browser what the address answers."

_REQUEST = UnsupportedFormat("a certificate request (CSR)", "Name the certificate that the authority answered it with.")
_REVOCATION_LIST = UnsupportedFormat(
    "a certificate revocation list (CRL), which says what is not to be trusted and holds no certificate",
    f"{_NAME_ANOTHER} Revocation lists have options of their own (--crl).",
)
_PUBLIC_KEY = UnsupportedFormat("a public key", _NAME_ANOTHER)
_SSH_PUBLIC_KEY = UnsupportedFormat("an SSH public key; SSH knows no certificates of this kind", _NAME_ANOTHER)
_PGP = UnsupportedFormat("an OpenPGP key or message, which TLS does not use", _NAME_ANOTHER)
_DATABASE = UnsupportedFormat("a database, perhaps one of NSS (cert9.db, key4.db)", _NSS)
_WEB_PAGE = UnsupportedFormat("a web page, perhaps a login page in the place of a download", _DOWNLOAD)

_WRITE_BYTES = (
    "Write it again as bytes: by the option of the program that names the file (-out FILE) and not by a shell, or in "
    "PowerShell by [IO.File]::WriteAllBytes."
)

_STRUCTURES = {
    Structure.REQUEST: _REQUEST,
    Structure.REVOCATION_LIST: _REVOCATION_LIST,
    Structure.PUBLIC_KEY: _PUBLIC_KEY,
    Structure.OCSP_RESPONSE: UnsupportedFormat(
        "an OCSP response, which says whether a certificate was revoked", _NAME_ANOTHER
    ),
}

_LABELS = {
    "CERTIFICATE REQUEST": _REQUEST,
    "NEW CERTIFICATE REQUEST": _REQUEST,
    "X509 CRL": _REVOCATION_LIST,
    "PUBLIC KEY": _PUBLIC_KEY,
    "RSA PUBLIC KEY": _PUBLIC_KEY,
    "EC PARAMETERS": UnsupportedFormat("the parameters of an elliptic curve, without the key", _NAME_ANOTHER),
    "DH PARAMETERS": UnsupportedFormat("parameters for a Diffie-Hellman key exchange", _NAME_ANOTHER),
    "ATTRIBUTE CERTIFICATE": UnsupportedFormat("an attribute certificate, which TLS does not use", _NAME_ANOTHER),
}

#: The first bytes of files. Text is compared without regard to upper and lower case.
_BEGINNINGS = (
    (b"\xfe\xed\xfe\xed", UnsupportedFormat("a Java keystore (JKS)", _JAVA)),
    (b"\xce\xce\xce\xce", UnsupportedFormat("a Java keystore (JCEKS)", _JAVA)),
    (b"\0\0\0\1\0\0\0\x14", UnsupportedFormat("a keystore of Bouncy Castle (BKS)", _JAVA)),
    (b"\0\0\0\2\0\0\0\x14", UnsupportedFormat("a keystore of Bouncy Castle (BKS)", _JAVA)),
    (
        b"\x1e\xf1\xb5\xb0",
        UnsupportedFormat(
            "a private key in Microsoft's PVK format", "Convert it: openssl rsa -inform PVK -in FILE -out NEW.pem."
        ),
    ),
    (
        b"\0\0\0\0cert",
        UnsupportedFormat(
            "a serialized certificate store of Windows (SST)", "Open it with certmgr, and export to PFX or P7B."
        ),
    ),
    (b"sqlite format 3\0", _DATABASE),
    (b"\0\x06\x15\x61", _DATABASE),
    (
        b"putty-user-key-file-",
        UnsupportedFormat("a PuTTY private key", "Convert it: puttygen FILE -O private-openssh -o NEW."),
    ),
    (b"---- begin ssh2 public key", _SSH_PUBLIC_KEY),
    (
        b"---- begin ssh2 encrypted private key",
        UnsupportedFormat("a private key of ssh.com", "Convert it: ssh-keygen -i -f FILE."),
    ),
    (
        b"<rsakeyvalue>",
        UnsupportedFormat("an RSA key in .NET's XML format", "Export it from .NET: ExportPkcs8PrivateKeyPem()."),
    ),
    (b"<!doctype html", _WEB_PAGE),
    (b"<html", _WEB_PAGE),
    (b"pk\3\4", UnsupportedFormat("a ZIP archive", _UNPACK)),
    (b"\x1f\x8b", UnsupportedFormat("compressed with gzip", _UNPACK)),
    (b"\x99\x01", _PGP),
    (b"%pdf-", UnsupportedFormat("a PDF document", _NAME_ANOTHER)),
)

#: What the beginning of a text looks like, in the order in which it is looked at; compiled for a file that is no other.
_PATTERNS = (
    # RFC 4253, section 6.6, and others, as in OpenSSH's authorized_keys.
    (rb"\s*(ssh-(rsa|dss|ed25519|ed448)|ecdsa-sha2-|sk-(ssh|ecdsa)-)\S* AAAA", _SSH_PUBLIC_KEY),
    (
        rb"(?s)\s*\{.{,2000}\"(kty|keys)\"\s*:",
        UnsupportedFormat("a JSON Web Key, which is not read here", "Convert it to PEM with the program that made it."),
    ),
    # DER begins with a zero, which is 0x30, and a byte that is not ASCII: what programs make of it in their encodings.
    (
        rb"0(?:\xef\xbf\xbd|\xc2[\x80-\x84]|\xc3[\x87\xa9\xbc\xa2\xa4]|\xe2\x80\x9a|\xe2\x82\xac)",
        UnsupportedFormat("a binary file that a program took for text, so that its bytes are lost", _WRITE_BYTES),
    ),
    (
        rb"48\s+1(?:2[89]|3[0-2])\s+[0-9]{1,3}\s+[0-9]{1,3}\s",
        UnsupportedFormat("text with the bytes as decimal numbers, as PowerShell writes them", _WRITE_BYTES),
    ),
    (
        rb"(?:[0-9a-fA-F]{4,8}:?\s+)?(?:0x)?30[\s:,]*(?:0x)?8[0-4](?:[\s:,]*(?:0x)?[0-9a-fA-F]{2}){6}",
        UnsupportedFormat("text with the bytes in hexadecimal", "Convert it: xxd -r -p FILE NEW.der."),
    ),
    (
        rb"(?s)(?:.*\n)?[ \t]*\"?kind\"?:[ \t]*\"?(?:Secret|ConfigMap|Config)\b",
        UnsupportedFormat(
            "an object of Kubernetes, and none of its values is PEM",
            "Take the value out: kubectl get secret NAME -o jsonpath='{.data.KEY}' | base64 -d > FILE. Then name FILE.",
        ),
    ),
    (
        rb"[\[{]\s*(?:\"|[\[{])",
        UnsupportedFormat(
            "JSON, and none of its values is PEM",
            "Take the value out, and name the file: jq -r .FIELD FILE > NEW, with | base64 -d where it is in base64.",
        ),
    ),
)

#: How much of a file is looked at.
_BEGINNING = 4096


def structureCalled(structure: Structure) -> UnsupportedFormat | None:
    """Say what a structure is that is no credential; None where it is one."""
    return _STRUCTURES.get(structure)


def blockCalled(label: str) -> UnsupportedFormat | None:
    """Say what a PEM block is that is no credential; None where that is not known."""
    if label.startswith("PGP "):
        return _PGP
    return _LABELS.get(label)


def contentCalled(content: bytes) -> UnsupportedFormat | None:
    """Say what content is that is neither PEM nor a known structure of ASN.1; None where that is not known."""
    start = content[:_BEGINNING].lstrip(b" \t\r\n")
    folded = start[:64].lower()
    known = next((what for beginning, what in _BEGINNINGS if folded.startswith(beginning)), None)
    return known or next((what for pattern, what in _PATTERNS if re.match(pattern, start)), None)
