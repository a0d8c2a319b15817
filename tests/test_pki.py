"""What a user can rely on in ``tlscomm pki``."""

from __future__ import annotations

import os
import shlex
import stat
from pathlib import Path

from click.testing import CliRunner, Result
from cryptography import x509
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.commandline import program
from tlscomm.credentials import loadCertificates, loadCredential
from tlscomm.issuing import ensureDevelopmentAuthority, writeDevelopmentAuthority
from tlscomm.x509._facts import certificateFacts


def init(*arguments: str) -> Result:
    return CliRunner().invoke(program, ["pki", "init", *arguments])


class InitTests(SynchronousTestCase):
    """``tlscomm pki init``."""

    def test_made(self) -> None:
        """It makes an authority, and both sides' credentials, of which private keys are their owner's alone."""
        result = init("certs")
        self.assertEqual(result.exit_code, 0)
        self.assertIn("The development authority in certs was made.\n", result.output)
        for name in ("server.pfx", "client.pfx"):
            loadCredential(Path("certs", name)).requireKey()
        for path in Path("certs").iterdir():
            if path.suffix in (".key", ".pfx"):
                self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600, path)

    def test_tryIt(self) -> None:
        """It ends with commands to try, which do what they say, whatever the folder is called."""
        result = init("my certs")
        lines = [line for line in result.output.splitlines() if line.startswith("  t")]
        server, client, *more = (shlex.split(line) for line in lines)
        self.assertEqual(server[:3], ["twistd", "-n", "tlscomm"])
        self.assertEqual(client[:3], ["tlscomm", "connect", "localhost:8443"])
        for word in (*server, *client):
            if word.startswith("my certs"):
                self.assertTrue(Path(word).exists(), word)
        self.assertEqual(sum(word.startswith("my certs") for word in (*server, *client)), 4)
        for words in more:
            self.assertEqual(CliRunner().invoke(program, words[1:]).exit_code, 0, words)

    def test_hosts(self) -> None:
        """The server is called by the names that are given, in ASCII, besides those of this machine."""
        words = ("--host", "bücher.example", "--host", "10.1.2.3", "--host", "*.example.org")
        self.assertEqual(init("certs", *words).exit_code, 0)
        names = certificateFacts(loadCertificates(Path("certs/server.pem"))[0]).names
        self.assertEqual(
            set(names),
            {
                "dns:localhost",
                "ip:127.0.0.1",
                "ip:::1",
                "dns:xn--bcher-kva.example",
                "ip:10.1.2.3",
                "dns:*.example.org",
            },
        )

    def test_noHost(self) -> None:
        """A name that cannot be one is wrong usage, and nothing is made."""
        self.assertEqual(init("certs", "--host", "a..b").exit_code, 2)
        self.assertFalse(Path("certs").exists())

    def test_again(self) -> None:
        """An authority that is there already is kept, and that is said."""
        init("certs")
        before = Path("certs/server.key").read_bytes()
        result = init("certs")
        self.assertEqual(result.exit_code, 0)
        self.assertIn("The development authority in certs is there already.\n", result.output)
        self.assertEqual(Path("certs/server.key").read_bytes(), before)

    def test_renewed(self) -> None:
        """What is broken in it is renewed by the same authority, and that is said."""
        init("certs")
        before = Path("certs/ca.pem").read_bytes()
        Path("certs/server.pem").write_bytes(b"")
        result = init("certs")
        self.assertEqual(result.exit_code, 0)
        self.assertIn("The development authority in certs was renewed.\n", result.output)
        self.assertEqual(Path("certs/ca.pem").read_bytes(), before)
        loadCredential(Path("certs/server-with-key.pem")).requireKey()

    def test_renewedHosts(self) -> None:
        """What has expired is renewed for the same names and addresses that it had."""
        init("certs", "--host", "db.example", "--host", "192.0.2.1")
        Path("certs/server.key").unlink()
        result = init("certs")
        self.assertEqual(result.exit_code, 0)
        self.assertIn("localhost, db.example, 127.0.0.1, ::1, 192.0.2.1", result.output)

    def test_otherHosts(self) -> None:
        """One whose server is called otherwise is kept, and refused by name."""
        init("certs")
        before = Path("certs/server.pem").read_bytes()
        result = init("certs", "--host", "db.example")
        self.assertEqual(result.exit_code, 1)
        self.assertIn("its server is not called db.example; name another folder", result.output)
        self.assertEqual(Path("certs/server.pem").read_bytes(), before)

    def test_othersFile(self) -> None:
        """A file that somebody else made is not overwritten, and is named."""
        Path("certs").mkdir()
        Path("certs/ca.pem").write_text("somebody's")
        result = init("certs")
        self.assertEqual(result.exit_code, 1)
        self.assertIn("Error: certs/ca.pem: not made by tlscomm, so it is not overwritten", result.output)
        self.assertEqual(Path("certs/ca.pem").read_text(), "somebody's")

    def test_noFolder(self) -> None:
        """A folder that cannot be made is an error that says why."""
        Path("file").touch()
        result = init("file/certs")
        self.assertEqual(result.exit_code, 1)
        self.assertRegex(result.output, "^Error: file.*: Not a directory\n")

    def test_unsafe(self) -> None:
        """A private key that others can read is a named failure with its next step."""
        init("certs")
        os.chmod("certs/server.key", 0o644)
        result = init("certs")
        self.assertEqual(result.exit_code, 1)
        self.assertIn("unsafe-permissions: ", result.output)
        self.assertIn("chmod 600", result.output)

    def test_sameAsInPython(self) -> None:
        """It is the authority that `ensureDevelopmentAuthority` knows."""
        made = writeDevelopmentAuthority("certs")
        self.assertEqual(init("certs").exit_code, 0)
        found = ensureDevelopmentAuthority("certs")
        self.assertEqual(found.authority.certificate, made.authority.certificate)
        self.assertIsInstance(found.server.certificate, x509.Certificate)
