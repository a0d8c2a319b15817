"""Stores to test with, and credentials to put into them."""

from __future__ import annotations

import os
import stat
from datetime import datetime, timezone
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.commandline._exporting import exported
from tlscomm.credentials import Credential
from tlscomm.failures import TLSFailure
from tlscomm.issuing import Authority
from tlscomm.store import StoreEntry, X509Store

NOW = datetime.now(timezone.utc)


@cache
def authority() -> Authority:
    return Authority.create("the root", organization="Example, Inc.")


@cache
def intermediate() -> Authority:
    return authority().intermediate("the middle")


@cache
def server() -> Credential:
    return intermediate().issue(
        "Gateway", role="server", dnsNames=("gateway.example", "*.wild.example"), addresses=("10.1.2.3", "2001:db8::1")
    )


@cache
def client() -> Credential:
    return authority().issue(
        "a client",
        role="client",
        organization="Example",
        uris=("spiffe://example/device",),
        emails=("Somebody@example.org",),
        serialNumber=0xABCDEF,
    )


def thumbprint(certificate: x509.Certificate) -> str:
    return certificate.fingerprint(hashes.SHA1()).hex().upper()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


class StoreCase(SynchronousTestCase):
    """Stores of its own for each test, where the environment says."""

    def setUp(self) -> None:
        self.folder, self.machine = Path("users").absolute(), Path("machines").absolute()
        moved = {"TLSCOMM_STORE": str(self.folder), "TLSCOMM_MACHINE_STORE": str(self.machine)}
        patched = mock.patch.dict(os.environ, moved)
        patched.start()
        self.addCleanup(patched.stop)

    def store(self, name: str = "My", location: str = "CurrentUser", *, writable: bool = True) -> X509Store:
        return X509Store(name, location, writable=writable)

    def titles(self, store: X509Store) -> list[str]:
        return [name(entry) for entry in store.contents().entries]

    def refused(self, failure: type[TLSFailure], call: Any, *arguments: Any, **named: Any) -> TLSFailure:
        """Check that a call is refused, and return the refusal."""
        with self.assertRaises(failure) as raised:
            call(*arguments, **named)
        return raised.exception


def name(entry: StoreEntry) -> str:
    return entry.certificate.subject.rfc4514_string()


def pemOf(credential: Credential) -> bytes:
    return exported(credential, "pem", b"")
