"""Stores with certificates that cannot be read, on disks and with links that do not work."""

from __future__ import annotations

import json
import os
import resource
from pathlib import Path
from unittest import mock

from click.testing import CliRunner, Result
from cryptography import x509
from pfxfiles import der
from rawchains import Chain, Raw
from storefiles import StoreCase, client, mode, pemOf, server

from tlscomm.commandline import program
from tlscomm.failures import InvalidCertificate, NotInStore, Unreadable
from tlscomm.store import Search, loadFromStore, rootsFromStore
from tlscomm.x509._encoding import pem


def yearZero() -> x509.Certificate:
    """A certificate that is valid from the year 0 on, which Python's calendar does not have."""
    authority = Chain().root
    device = Raw("device", notBefore=der(0x18, b"00000101000000Z"), notAfter=der(0x18, b"99991231235959Z"))
    return device.signedBy(authority)


class YearZeroTests(StoreCase):
    """Devices write the year 0 for "always"."""

    def setUp(self) -> None:
        super().setUp()
        self.store().add(yearZero())
        self.store().add(server())

    def run_(self, *arguments: str, status: int = 0) -> Result:
        result = CliRunner().invoke(program, arguments)
        self.assertEqual(result.exit_code, status, result.output)
        return result

    def test_listed(self) -> None:
        """It is listed as invalid, after all that can be read."""
        entries = json.loads(self.run_("store", "list", "--json").stdout)["entries"]
        self.assertEqual(
            [entry["failure"] and entry["failure"]["code"] for entry in entries], [None, "invalid-certificate"]
        )
        self.assertIsNone(entries[1]["daysLeft"])
        self.assertRegex(self.run_("store", "list").stdout, "device +unreadable +invalid-certificate")

    def test_othersAreFound(self) -> None:
        """It is in nobody's way."""
        self.assertEqual(loadFromStore("store:CurrentUser/My:dns=gateway.example").certificate, server().certificate)
        self.assertEqual(rootsFromStore("store:CurrentUser/My"), (server().certificate,))

    def test_removed(self) -> None:
        """It is found by its name, shown, and removed."""
        self.run_("store", "show", "subject=device")
        self.run_("store", "remove", "subject=device", "--yes")
        self.assertEqual(self.titles(self.store()), ["CN=Gateway"])

    def test_notUsed(self) -> None:
        """It is refused by name where it is what was asked for."""
        for load in (loadFromStore, rootsFromStore):
            self.refused(InvalidCertificate, load, "store:CurrentUser/My:subject=device")

    def test_inspected(self) -> None:
        """Its file is shown, with what keeps it from being used."""
        Path("device.pem").write_bytes(pem([yearZero()]))
        shown = self.run_("inspect", "device.pem").stdout
        self.assertIn("unreadable", shown)
        self.assertIn("year 0 is out of range", shown)


class LinkTests(StoreCase):
    """A link that leads to itself, or nowhere, is named, and hides nothing else."""

    def setUp(self) -> None:
        super().setUp()
        self.store().add(server())
        for name, target in (("loop.pfx", "loop.pfx"), ("gone.pfx", "nowhere.pfx")):
            (self.store().path / name).symlink_to(target)

    def test_named(self) -> None:
        contents = self.store().contents()
        self.assertEqual([entry.certificate for entry in contents.entries], [server().certificate])
        self.assertEqual([type(problem) for problem in contents.problems], [Unreadable, Unreadable])
        self.assertIn("gone.pfx: No such file or directory", str(contents.problems[0]))
        self.assertIn("loop.pfx: Too many levels of symbolic links", str(contents.problems[1]))

    def test_changed(self) -> None:
        """The store can be changed, and what is not there is searched for with the links named."""
        self.store().add(client())
        self.store().remove(server().certificate)
        failure = self.refused(NotInStore, self.store().find, Search(subject="missing"))
        self.assertIn("2 files in it have problems", str(failure))


class PlaceTests(StoreCase):
    """Where files are made."""

    def test_parents(self) -> None:
        """Nobody else can change the folders above a new store, whatever the umask is."""
        self.addCleanup(os.umask, os.umask(0))
        with mock.patch.dict(os.environ, {"TLSCOMM_STORE": str(Path("a/b/c").absolute())}):
            self.store().add(server())
        self.assertEqual([mode(path) for path in (Path("a"), Path("a/b"), Path("a/b/c"))], [0o700] * 3)

    def test_fullDisk(self) -> None:
        """What cannot be written is an error that names the file and says why."""
        self.store().add(client())
        Path("new.pem").touch(0o600)
        Path("new.pem").write_bytes(pemOf(server()))
        # The system's limit on the size of a file, for there is no full disk to be had.
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
        try:
            result = CliRunner().invoke(program, ["store", "add", "new.pem"])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        self.assertEqual(result.exit_code, 1)
        self.assertRegex(result.output, r"^Error: /.+/my/[0-9A-F]{40}\.staged: File too large\n$")
        self.assertEqual(self.titles(self.store()), [client().certificate.subject.rfc4514_string()])
