"""One certificate in a store: what is known of it, and the file that keeps it."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa

from tlscomm._dataclasses import dataclass
from tlscomm.credentials import Credential
from tlscomm.failures import TLSFailure, UnknownFormat, printable
from tlscomm.store._prefix import PREFIX
from tlscomm.x509 import _encoding as _export
from tlscomm.x509._digests import thumbprintOf
from tlscomm.x509._facts import certificateFacts
from tlscomm.x509._keystrengths import keyKind

__all__ = ["StoreEntry", "sealed", "sourceOf"]


_KEYS = (
    rsa.RSAPrivateKey,
    dsa.DSAPrivateKey,
    ec.EllipticCurvePrivateKey,
    ed25519.Ed25519PrivateKey,
    ed448.Ed448PrivateKey,
)


@dataclass(frozen=True, repr=False)
class StoreEntry:
    """A certificate in a store, with what is kept beside it.

    Attributes:
        store: the store, as in ``CurrentUser/My``.
        credential: the certificate, the chain that is kept with it, the private key if it has one. Its source is
            `source`.
        path: the file; None for a trust root that is the operating system's.
        failure: why it is not to be used: others can read its key, or change the file, or the certificate itself
            cannot be read. None where all is well.
    """

    store: str
    credential: Credential
    path: Path | None = None
    failure: TLSFailure | None = None

    @property
    def certificate(self) -> x509.Certificate:
        return self.credential.certificate

    @property
    def hasPrivateKey(self) -> bool:
        return self.credential.privateKey is not None

    @property
    def isExportable(self) -> bool:
        """Whether its key may be exported."""
        return self.credential.isExportable

    @property
    def friendlyName(self) -> str | None:
        return self.credential.friendlyName

    @cached_property
    def thumbprint(self) -> str:
        """The SHA-1 digest of the certificate, as .NET and Windows show it. It is a name and no proof."""
        return thumbprintOf(self.certificate)

    @property
    def source(self) -> str:
        """What names this entry wherever a source is named: ``store:CurrentUser/My:thumbprint=…``."""
        return sourceOf(self.store, self.certificate)

    def requireExportable(self) -> StoreEntry:
        """Return this entry if its key may be exported, or it has none.

        Raises:
            NotExportable: it may not. The module says what that is good for.
        """
        self.credential.requireExportable()
        return self

    def toJSON(self) -> dict[str, object]:
        """Return everything but the key, for a program."""
        return {
            "store": self.store,
            "source": self.source,
            "thumbprint": self.thumbprint,
            **certificateFacts(self.certificate).toJSON(),
            "friendlyName": None if self.friendlyName is None else printable(self.friendlyName),
            "hasPrivateKey": self.hasPrivateKey,
            "isExportable": self.isExportable,
            "chain": [certificateFacts(certificate).toJSON() for certificate in self.credential.chain],
            "path": None if self.path is None else str(self.path),
            "failure": None if self.failure is None else self.failure.toJSON(),
        }

    def __repr__(self) -> str:
        return f"<StoreEntry {self.source} {self.credential!r}>"


def sealed(credential: Credential) -> bytes:
    """Return the file of a credential."""
    key = None if credential.privateKey is None else credential.requireKey().privateKey
    if key is not None and not isinstance(key, _KEYS):
        raise UnknownFormat(
            f"a store keeps PKCS#12, which cannot be written here with a private key of the kind {keyKind(key)}"
        )
    # .NET takes the certificate that has a key, and where none has one, the last.
    chain = credential.chain if key is not None else ()
    # Without encryption, for that needs no pass phrase and no algorithm that one of the readers lacks: .NET on Linux
    # reads it since its first version, and its integrity check is by an empty pass phrase.
    return _export.pfx(credential.friendlyName or "", key, credential.certificate, chain)


def sourceOf(store: str, certificate: x509.Certificate) -> str:
    return f"{PREFIX}{store}:thumbprint={thumbprintOf(certificate)}"
