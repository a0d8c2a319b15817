"""The files that hold a credential, with another one in its place: each in the form that it has.

A file is changed where it holds the former certificate or its private key. What else is in it stays, byte for byte in
PEM: the chain, comments, certificates of others.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PrivateFormat, pkcs12

from tlscomm._dataclasses import dataclass
from tlscomm.credentials import Credential, PassphraseSource, loadCertificates
from tlscomm.credentials._ordering import fits
from tlscomm.credentials._passphrase import Passphrase
from tlscomm.credentials._structure import Structure, structureOf
from tlscomm.failures import TLSFailure, UnknownFormat, printable
from tlscomm.x509 import _encoding
from tlscomm.x509._unreadable import REJECTIONS

__all__ = ["filesBeside", "rewritten"]

_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \1-----\r?\n?", re.DOTALL)
_CERTIFICATES = ("CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE")
_OLD_KEYS = ("RSA PRIVATE KEY", "EC PRIVATE KEY")
_LARGEST = 1 << 20
#: pbeWithSHA1And3-KeyTripleDES-CBC (RFC 7292, appendix C): what old programs can open.
_OLD_PFX = bytes.fromhex("2a864886f70d010c0103")
_REMEDY = "Renew it where it is in another form, and make this file from that (openssl, keytool)."


def filesBeside(path: Path) -> list[Path]:
    """Return a credential's file, and those in its folder that have its name and other endings.

    ``server.pem`` has ``server.key``, ``server.pfx`` and ``server-with-key.pem`` beside it for example.

    Raises:
        OSError: the folder cannot be read.
    """
    # A name may have dots of its own, and so may what follows it.
    stems = {stem.removesuffix("-with-key") for stem in (path.name.split(".")[0], path.stem)}
    isForm = re.compile(rf"(?:{'|'.join(map(re.escape, sorted(stems)))})(?:-with-key)?\.[A-Za-z0-9]+").fullmatch
    found = (each for each in path.parent.iterdir() if isForm(each.name) and each.is_file())
    return [path, *sorted(each for each in found if each != path and each.stat().st_size <= _LARGEST)]


def rewritten(path: Path, former: Credential, new: Credential, passphrase: PassphraseSource = None) -> bytes | None:
    """Return the content of a file with another credential in it; None where it does not hold the former one.

    Args:
        path: the file.
        former: what is in it.
        new: what is to be in it.
        passphrase: opens it where it is encrypted, and is to open it afterwards.

    Raises:
        PassphraseRequired, PassphraseWrong: it is encrypted, and cannot be opened.
        UnknownFormat: it holds the former certificate in a form that is not written here.
        OSError: it cannot be read.
    """
    content = path.read_bytes()
    replacing = _Replacing(printable(str(path)), former, new, passphrase)
    changed = replacing.inPEM(content) if b"-----BEGIN" in content else replacing.inBinary(content)
    if changed is not None:
        return changed
    try:
        isThere = former.certificate in loadCertificates(path, passphrase=passphrase)
    except TLSFailure:
        return None
    if isThere:
        raise UnknownFormat(
            f"{replacing.name} holds the certificate in a form that is not written here", remedy=_REMEDY
        )
    return None


@dataclass(frozen=True)
class _Replacing:
    """What is replaced in one file.

    Attributes:
        name: what the file is called in messages.
        former: what may be in it.
        new: what comes in its place.
        passphrase: opens it.
    """

    name: str
    former: Credential
    new: Credential
    passphrase: PassphraseSource

    def inPEM(self, content: bytes) -> bytes | None:
        changed = _BLOCK.sub(self._block, content)
        return None if changed == content else changed

    def inBinary(self, content: bytes) -> bytes | None:
        if content == self.former.certificate.public_bytes(Encoding.DER):
            return self.new.certificate.public_bytes(Encoding.DER)
        kind = structureOf(content)
        if kind is Structure.PKCS12:
            return self._pkcs12(content)
        return self._pkcs7(content, Encoding.DER) if kind is Structure.PKCS7 else None

    def _block(self, block: re.Match[bytes]) -> bytes:
        kind, text = block[1].decode("ascii"), block[0]
        if kind.endswith("PRIVATE KEY"):
            return self._key(kind, text)
        if kind == "PKCS7":
            return self._pkcs7(text, Encoding.PEM) or text
        if kind not in _CERTIFICATES:
            return text
        try:
            isFormer = x509.load_pem_x509_certificate(text) == self.former.certificate
        except REJECTIONS:
            return text
        return self.new.certificate.public_bytes(Encoding.PEM) if isFormer else text

    def _key(self, kind: str, text: bytes) -> bytes:
        isEncrypted = kind.startswith("ENCRYPTED") or b"Proc-Type: 4,ENCRYPTED" in text
        key, secret = self._opened(text) if isEncrypted else (_privateKey(text, None), b"")
        if key is None or self.new.privateKey is None or not fits(self.former.certificate, key):
            return text
        if isEncrypted:
            return _encoding.keyPEM(self.new.privateKey, secret)
        form = PrivateFormat.TraditionalOpenSSL if kind in _OLD_KEYS else PrivateFormat.PKCS8
        return self.new.privateKey.private_bytes(Encoding.PEM, form, serialization.NoEncryption())

    def _opened(self, text: bytes) -> tuple[PrivateKeyTypes, bytes]:
        source = Passphrase(self.passphrase)
        for secret in source.candidates(self.name):
            if secret.value and (key := _privateKey(text, secret.value)) is not None:
                return key, secret.value
        raise source.refusal(self.name)

    def _pkcs7(self, content: bytes, encoding: Encoding) -> bytes | None:
        # It loads Python's library for mail.
        from cryptography.hazmat.primitives.serialization import pkcs7

        load = pkcs7.load_pem_pkcs7_certificates if encoding is Encoding.PEM else pkcs7.load_der_pkcs7_certificates
        try:
            held = load(content)
        except REJECTIONS:
            return None
        if self.former.certificate not in held:
            return None
        return pkcs7.serialize_certificates(self._withNew(held), encoding)

    def _pkcs12(self, content: bytes) -> bytes | None:
        source = Passphrase(self.passphrase)
        for secret in source.candidates(self.name):
            try:
                held = pkcs12.load_pkcs12(content, secret.value)
            except ValueError:
                continue
            return self._pfx(held, secret.value, isOld=_OLD_PFX in content and bool(secret.value))
        raise source.refusal(self.name)

    def _pfx(self, held: pkcs12.PKCS12KeyAndCertificates, secret: bytes, *, isOld: bool) -> bytes | None:
        own = [] if held.cert is None else [held.cert]
        certificates = [each.certificate for each in (*own, *held.additional_certs)]
        if self.former.certificate not in certificates:
            return None
        name = b"" if held.cert is None else held.cert.friendly_name or b""
        others = [each for each in certificates if each != self.former.certificate]
        key: Any = None if held.key is None else self.new.privateKey
        return _encoding.pfx(name.decode(errors="replace"), key, self.new.certificate, others, secret, legacy=isOld)

    def _withNew(self, certificates: Iterable[x509.Certificate]) -> list[x509.Certificate]:
        return [self.new.certificate if each == self.former.certificate else each for each in certificates]


def _privateKey(text: bytes, secret: bytes | None) -> PrivateKeyTypes | None:
    try:
        return serialization.load_pem_private_key(text, secret)
    except REJECTIONS:
        return None
