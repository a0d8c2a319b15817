"""Authorities in an encrypted PFX, as Java's programs keep them: the pass phrases that are named open them as well."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from pathlib import Path

from click.testing import CliRunner, Result
from credentialfiles import PASSPHRASE
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.commandline import program
from tlscomm.configuration._fromsettings import clientConfiguration, serverConfiguration
from tlscomm.credentials import exportCredential
from tlscomm.failures import PassphraseRequired
from tlscomm.issuing import Authority
from tlscomm.x509._encoding import pem

ROOT = Authority.create("the root", now=datetime.now(timezone.utc))
SERVER = ROOT.issue("server", role="server", dnsNames=["localhost"])


class AuthorityTests(SynchronousTestCase):
    def setUp(self) -> None:
        encryption = BestAvailableEncryption(PASSPHRASE)
        trusted = pkcs12.serialize_key_and_certificates(None, None, None, [ROOT.certificate], encryption)
        Path("trust.p12").write_bytes(trusted)
        Path("server.pfx").write_bytes(exportCredential(SERVER, "pfx", passphrase=b"another"))
        os.chmod("server.pfx", 0o600)
        Path("phrase").write_bytes(PASSPHRASE + b"\n")
        Path("another").write_bytes(b"another")

    def command(self, *arguments: str) -> Result:
        return CliRunner().invoke(program, arguments)

    def test_configurations(self) -> None:
        """A server's client roots, a client's roots and intermediates are opened by what opens the identity."""
        given = {"identity": ("server.pfx",), "passphraseFile": ("another", "phrase")}
        server = serverConfiguration({**given, "clientRoots": ("trust.p12",), "intermediates": ("trust.p12",)})
        self.assertEqual((server.clientRoots, server.intermediates), ((ROOT.certificate,),) * 2)
        client = clientConfiguration("localhost", {"roots": ("trust.p12",), "passphraseFile": ("phrase",)})
        self.assertEqual(client.roots, (ROOT.certificate,))
        self.assertRaises(PassphraseRequired, clientConfiguration, "localhost", {"roots": ("trust.p12",)})

    def test_aPipe(self) -> None:
        """A pass phrase that comes through a pipe, and can be read once, opens several."""
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        os.write(writing, PASSPHRASE)
        os.close(writing)
        settings = {"roots": ("trust.p12",), "intermediates": ("trust.p12",), "passphraseFD": (reading,)}
        self.assertEqual(clientConfiguration("localhost", settings).intermediates, (ROOT.certificate,))

    def test_aPerson(self) -> None:
        """A person is asked for it by the name of the file."""
        asked = []

        def prompt(name: str) -> bytes:
            asked.append(name)
            return PASSPHRASE

        clientConfiguration("localhost", {"roots": ("trust.p12",)}, prompt=prompt)
        self.assertEqual(asked, ["trust.p12"])

    def test_commands(self) -> None:
        """``verify`` and ``inspect`` open them, and ``inspect`` says what they are for."""
        phrases = ("--passphrase-file", "another", "--passphrase-file", "phrase")
        verified = self.command("verify", "server.pfx", "--as", "server", "--roots", "trust.p12", *phrases)
        self.assertIn("Accepted as a server", verified.output)
        inspected = self.command("inspect", "server.pfx", "--roots", "trust.p12", *phrases)
        self.assertRegex(inspected.output, "Trusted +yes")
        self.assertIn("to be trusted", self.command("inspect", "trust.p12", *phrases).output)

    def test_whatIsLeftOutIsSaid(self) -> None:
        """A command says on standard error which authority of a bundle it cannot read, and goes on with the others."""
        Path("roots.pem").write_bytes(pem([ROOT.certificate]) + pem([ROOT.certificate]).replace(b"MII", b"MIA", 1))
        arguments = ("--as", "server", "--roots", "roots.pem", "--passphrase-file", "another")
        result = self.command("verify", "server.pfx", *arguments)
        self.assertIn("Accepted as a server", result.stdout)
        self.assertRegex(result.stderr, r"^Warning: cannot be used as an authority, damaged: .*roots.pem \(line \d+\)")
