"""Credentials as files for other programs.

    >>> from tlscomm.testing import Gallery
    >>> credential = Gallery().credential("good", role="client")
    >>> exportCredential(credential, "cer")[:1]
    b'0'

A private key leaves this process encrypted, or because the user said in so many words that it need not be.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa

from tlscomm.credentials._credential import Credential
from tlscomm.credentials._passphrase import Secret
from tlscomm.failures import FileNotFound, PassphraseRequired, UnknownFormat, Unreadable, printable
from tlscomm.x509 import _encoding as _export
from tlscomm.x509._files import File, writeFiles
from tlscomm.x509._keystrengths import keyKind

__all__ = ["EXPORT_FORMATS", "PFX_KEYS", "ExportFormat", "exportCredential", "writeCredential"]

ExportFormat: TypeAlias = Literal["pem", "pfx", "p7b", "cer"]
"""``pem``: the certificate, its chain and its key. ``pfx``: the same, for Windows, .NET and Java. ``p7b``: certificate
and chain, without the key. ``cer``: the certificate alone."""

EXPORT_FORMATS: tuple[ExportFormat, ...] = get_args(ExportFormat)
"""Every form."""

_WITH_KEY = ("pem", "pfx")

#: What `cryptography` puts into PKCS#12.
PFX_KEYS = (
    rsa.RSAPrivateKey,
    dsa.DSAPrivateKey,
    ec.EllipticCurvePrivateKey,
    ed25519.Ed25519PrivateKey,
    ed448.Ed448PrivateKey,
)


def exportCredential(
    credential: Credential,
    form: ExportFormat,
    *,
    passphrase: bytes | None = None,
    legacy: bool = False,
    withoutKey: bool = False,
    insecureUnencryptedKey: bool = False,
) -> bytes:
    """Return a credential as the content of a file.

    Args:
        credential: what to export. Its root is not in it, for a peer that has it not does not trust it either.
        form: which kind of file.
        passphrase: what is to open it. PEM keys are encrypted with PBES2, AES-256 and PBKDF2, and so are PFX files.
        legacy: encrypt a PFX so that old programs can read it: Windows before 10 (1709) and Server 2019, mono, .NET of
            that age, Java 8 before update 301. Triple DES and SHA-1 protect less; choose a long pass phrase.
        withoutKey: leave the private key of PEM out.
        insecureUnencryptedKey: write the key in the clear where no pass phrase is given. Each reader of the file can
            pretend to be its owner.

    Raises:
        NoPrivateKey: a PFX holds a private key, and there is none. A P7B holds certificates alone.
        NotExportable: there is a key to be written, and a certificate store has marked it.
        KeyMismatch: the key is another certificate's.
        PassphraseRequired: there is a key to be written and no pass phrase, or the old form of a PFX is wanted, which
            is none without one.
        UnknownFormat: a PFX has no place for this kind of key.
        ValueError: there is no such form, or the rest does not fit together.
    """
    secret = Secret(passphrase or b"")
    # A traceback that shows local variables must not show it.
    del passphrase
    exported = replace(credential, privateKey=None) if withoutKey else credential
    _checkForm(form, legacy, withoutKey)
    if form == "cer":
        return _export.cer(exported.certificate)
    if form == "p7b":
        return _export.p7b((exported.certificate, *exported.chain))
    exported.requireExportable()
    if exported.privateKey is not None and not secret.value and (legacy or not insecureUnencryptedKey):
        raise PassphraseRequired(f"the private key of {exported.source} is exported encrypted")
    return _pem(exported, secret) if form == "pem" else _pfx(exported, secret, legacy)


def writeCredential(
    credential: Credential,
    path: str | os.PathLike[str],
    form: ExportFormat,
    *,
    passphrase: bytes | None = None,
    legacy: bool = False,
    withoutKey: bool = False,
    insecureUnencryptedKey: bool = False,
) -> None:
    """Write a credential into a file, in place of one that is there. The file is seen whole or not at all.

    One with a private key, encrypted or not, has mode 0600 from the moment it exists; any other 0644. The arguments but
    ``path`` are those of `exportCredential`.

    Raises:
        FileNotFound: there is no such folder.
        Unreadable: the file cannot be written.
        TLSFailure, ValueError: as `exportCredential`.
    """
    secret = Secret(passphrase or b"")
    del passphrase
    content = Secret(
        exportCredential(
            credential,
            form,
            passphrase=secret.value,
            legacy=legacy,
            withoutKey=withoutKey,
            insecureUnencryptedKey=insecureUnencryptedKey,
        )
    )
    isSecret = form in _WITH_KEY and credential.privateKey is not None and not withoutKey
    target = Path(path)
    try:
        writeFiles(target.parent, {target.name: File(content.value, isSecret)})
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFound(f"the folder of {printable(os.fsdecode(path))}") from None
    except OSError as problem:
        raise Unreadable(f"{printable(os.fsdecode(path))} cannot be written: {problem.strerror}") from None


def _checkForm(form: str, legacy: bool, withoutKey: bool) -> None:
    if form not in EXPORT_FORMATS:
        raise ValueError(f"credentials are exported as {', '.join(EXPORT_FORMATS)}, not as {form!r}")
    if legacy and form != "pfx":
        raise ValueError("only a PFX has an old form")
    if withoutKey and form == "pfx":
        raise ValueError("a PFX without its private key is no credential; export a P7B")


def _pem(credential: Credential, secret: Secret) -> bytes:
    certificates = _export.pem((credential.certificate, *credential.chain))
    if credential.privateKey is None:
        return certificates
    return certificates + _export.keyPEM(credential.privateKey, secret.value)


def _pfx(credential: Credential, secret: Secret, legacy: bool) -> bytes:
    key = credential.requireKey().privateKey
    if not isinstance(key, PFX_KEYS):
        raise UnknownFormat(
            f"PKCS#12 cannot be written here with a private key of the kind {keyKind(key)}; export it as PEM"
        )
    name = credential.friendlyName or ""
    return _export.pfx(name, key, credential.certificate, credential.chain, secret.value, legacy=legacy)
