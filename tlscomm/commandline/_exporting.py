"""A credential out of a store as a file, in the forms that other programs read.

A private key is in a file of its owner's from the first byte, and nothing is overwritten that nobody named to be.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import cast

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    pkcs7,
    pkcs12,
)

from tlscomm._folder import File, writeFiles
from tlscomm.credentials import Credential
from tlscomm.failures import NoPrivateKey, PassphraseRequired

__all__ = ["ENDINGS", "FORMS", "KEYED_FORMS", "exported", "write"]

#: As the default of OpenSSL and Windows.
_OLD_ITERATIONS = 2000


def exported(credential: Credential, form: str, passphrase: bytes) -> bytes:
    """Return a credential as the content of a file.

    Args:
        credential: what to export; without its key where that is to stay.
        form: as in `FORMS`.
        passphrase: what is to open it; empty for none.

    Raises:
        NoPrivateKey: a PFX is a certificate with its key, and there is none.
        PassphraseRequired: what reads old PFX files needs one.
    """
    return FORMS[form](credential, passphrase)


def write(path: Path, content: bytes, *, isSecret: bool, force: bool) -> None:
    """Write a file, whole or not at all.

    Raises:
        FileExistsError: it is there already, and ``force`` does not say that it may be replaced.
        OSError: it cannot be written.
    """
    if not force:
        # Looking first would leave a moment in which somebody else makes it.
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        writeFiles(path.parent, {path.name: File(content, isSecret)})
    except BaseException:
        if not force:
            path.unlink(missing_ok=True)
        raise


def _pem(credential: Credential, passphrase: bytes) -> bytes:
    certificates = b"".join(
        certificate.public_bytes(Encoding.PEM) for certificate in (credential.certificate, *credential.chain)
    )
    if credential.privateKey is None:
        return certificates
    hidden = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    return certificates + credential.privateKey.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, hidden)


def _pfx(credential: Credential, passphrase: bytes) -> bytes:
    return _sealed(credential, BestAvailableEncryption(passphrase) if passphrase else NoEncryption())


def _oldPFX(credential: Credential, passphrase: bytes) -> bytes:
    if not passphrase:
        raise PassphraseRequired("the old form of PFX has none without a pass phrase")
    builder = PrivateFormat.PKCS12.encryption_builder().kdf_rounds(_OLD_ITERATIONS)
    # All that Windows before 10 (1709), mono and the older versions of .NET read.
    builder = builder.key_cert_algorithm(pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC).hmac_hash(hashes.SHA1())
    return _sealed(credential, builder.build(passphrase))


def _sealed(credential: Credential, encryption: KeySerializationEncryption) -> bytes:
    if credential.privateKey is None:
        raise NoPrivateKey(f"{credential.source} is a certificate alone, which --form cer, pem and p7b hold")
    name = credential.friendlyName.encode(errors="replace") if credential.friendlyName else None
    key = cast(pkcs12.PKCS12PrivateKeyTypes, credential.privateKey)
    return pkcs12.serialize_key_and_certificates(name, key, credential.certificate, credential.chain, encryption)


def _p7b(credential: Credential, passphrase: bytes) -> bytes:
    return pkcs7.serialize_certificates([credential.certificate, *credential.chain], Encoding.DER)


def _cer(credential: Credential, passphrase: bytes) -> bytes:
    return credential.certificate.public_bytes(Encoding.DER)


FORMS: dict[str, Callable[[Credential, bytes], bytes]] = {
    "pem": _pem,
    "pfx": _pfx,
    "pfx-legacy": _oldPFX,
    "p7b": _p7b,
    "cer": _cer,
}

#: Those that hold the private key.
KEYED_FORMS = frozenset({"pem", "pfx", "pfx-legacy"})

#: What the ending of a file's name means where no form is given.
ENDINGS = {".pem": "pem", ".pfx": "pfx", ".p12": "pfx", ".p7b": "p7b", ".cer": "cer", ".crt": "cer", ".der": "cer"}
