"""A revocation list in a file, that a test changes."""

from __future__ import annotations

from pathlib import Path

from conversation import AUTHORITY
from cryptography.hazmat.primitives.serialization import Encoding
from revocationlists import revocationList

from tlscomm.credentials import Credential
from tlscomm.revocation import Revocation

__all__ = ["Lists"]


class Lists:
    """A revocation list in a file, of the authority that everybody trusts."""

    def __init__(self, name: str = "list.crl") -> None:
        self._path = Path(name)
        self._number = 0
        self.revoke()
        self.revocation = Revocation(files=[self._path])

    def revoke(self, *credentials: Credential) -> None:
        """Write another list, on which these are."""
        self._number += 1
        serials = [credential.certificate.serial_number for credential in credentials]
        listed = revocationList(AUTHORITY, serials, number=self._number)
        self._path.write_bytes(listed.public_bytes(Encoding.PEM))

    def publish(self, *credentials: Credential) -> None:
        """Write another list and have it read."""
        self.revoke(*credentials)
        assert self.revocation.reread() == []
