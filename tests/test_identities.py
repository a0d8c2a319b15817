"""What a user can rely on when credentials, keys and pass phrases are named on a command line or in a string."""

from __future__ import annotations

import fcntl
import os
import struct
from pathlib import Path

from credentialfiles import authority
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from twisted.trial.unittest import SynchronousTestCase

from tlscomm import failures
from tlscomm.configuration._identities import Identities
from tlscomm.credentials import Credential, exportCredential, loadCredential
from tlscomm.credentials import _sources as sources
from tlscomm.credentials._passphrasesources import passphraseSource
from tlscomm.x509 import _files as _folder
from tlscomm.x509._encoding import pem
from tlscomm.x509._files import exclusively

#: An access control list's entries: tag, permissions, number (linux/posix_acl_xattr.h).
NOBODY = 0xFFFFFFFF
OWNER, GROUP, OTHERS = (0x01, 4, NOBODY), (0x04, 0, NOBODY), (0x20, 0, NOBODY)


def server(name: str) -> Credential:
    return authority().issue(name, role="server", dnsNames=[name])


def write(name: str, content: bytes, mode: int = 0o600) -> str:
    Path(name).write_bytes(content)
    os.chmod(name, mode)
    return name


def keyOf(credential: Credential, passphrase: bytes = b"") -> bytes:
    assert credential.privateKey is not None
    encryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    return credential.privateKey.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


class SeveralTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.a, self.b = server("a.example"), server("b.example")
        for name, credential in (("a", self.a), ("b", self.b)):
            write(f"{name}.pem", pem((credential.certificate, *credential.chain)))
            write(f"{name}.key", keyOf(credential))
            write(f"{name}.encrypted", keyOf(credential, name.encode()))
            write(f"{name}.pfx", exportCredential(credential, "pfx", passphrase=name.encode()))
            write(f"{name}.phrase", name.encode())

    def load(self, **words: tuple[object, ...]) -> list[Credential]:
        return [credential.requireKey() for credential in Identities(**words).load()]  # type: ignore[arg-type]

    def loads(self, **words: tuple[object, ...]) -> None:
        self.assertEqual(
            [credential.certificate for credential in self.load(**words)], [self.a.certificate, self.b.certificate]
        )

    def test_keys(self) -> None:
        """Each key is that of the certificate that it fits, in whatever order they are named."""
        for keys in (("a.key", "b.key"), ("b.key", "a.key")):
            self.loads(identity=("a.pem", "b.pem"), key=keys)

    def test_passphrases(self) -> None:
        """Each pass phrase opens what it opens, wherever it comes from, in whatever order."""
        self.patch(os, "environ", {**os.environ, "B": "b"})
        for phrases in (("a.phrase", "b.phrase"), ("b.phrase", "a.phrase")):
            self.loads(identity=("a.pfx", "b.pfx"), passphraseFile=phrases)
            self.loads(identity=("a.pem", "b.pem"), key=("b.encrypted", "a.encrypted"), passphraseFile=phrases)
        self.loads(identity=("a.pfx", "b.pfx"), passphraseFile=("a.phrase",), passphraseEnv=("B",))

    def test_missingPassphrase(self) -> None:
        """Where none of them opens it, that is said of the file that stayed closed."""
        write("c.phrase", b"c")
        failure = self.assertRaises(
            failures.PassphraseWrong,
            self.load,
            identity=("a.pfx", "b.pfx"),
            passphraseFile=("a.phrase", "c.phrase"),
        )
        self.assertIn("b.pfx", failure.detail)

    def test_foreignKey(self) -> None:
        """A key that fits none of the certificates is named."""
        write("c.key", keyOf(server("c.example")))
        failure = self.assertRaises(
            failures.KeyMismatch, self.load, identity=("a.pem", "b.pem"), key=("a.key", "c.key")
        )
        self.assertIn("c.key", failure.detail)

    def test_missingKey(self) -> None:
        """A certificate whose key is not among them has none."""
        failure = self.assertRaises(failures.NoPrivateKey, self.load, identity=("a.pem", "b.pem"), key=("a.key",))
        self.assertIn("b.pem", failure.detail)

    def test_none(self) -> None:
        """A key without an identity is a mistake; nothing at all is nothing."""
        self.assertRaises(ValueError, self.load, key=("a.key",))
        self.assertEqual(self.load(), [])


class PipeTests(SynchronousTestCase):
    """A named pipe may be waited for, and not for ever."""

    def setUp(self) -> None:
        os.mkfifo("pipe")

    def test_written(self) -> None:
        """A pipe that somebody writes to is read to its end, without waiting for more."""
        credential = server("a.example")
        self.patch(sources, "PATIENCE", 0.0)
        reading = os.open("pipe", os.O_RDONLY | os.O_NONBLOCK)
        with open("pipe", "wb") as writing:
            writing.write(pem((credential.certificate,)) + keyOf(credential))
        self.addCleanup(os.close, reading)
        loadCredential("pipe").requireKey()

    def test_noWriter(self) -> None:
        """A pipe that nobody writes to cannot be read, as a credential and as a pass phrase."""
        self.patch(sources, "PATIENCE", 0.0)
        failure = self.assertRaises(failures.Unreadable, loadCredential, "pipe")
        self.assertIn("no program wrote to this pipe", failure.detail)
        source = passphraseSource("pipe")
        assert source is not None
        self.assertRaises(failures.Unreadable, source, "a file")


class PermissionTests(SynchronousTestCase):
    """Who else may read a private key."""

    def setUp(self) -> None:
        credential = server("a.example")
        write("key.pem", pem((credential.certificate,)) + keyOf(credential), 0o400)

    def allow(self, *entries: tuple[int, int, int]) -> None:
        """Give the file an access control list, as systemd does."""
        content = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in sorted(entries))
        os.setxattr("key.pem", "system.posix_acl_access", content)

    def test_ourselves(self) -> None:
        """A list that lets this very user read, as systemd's does, lets nobody else."""
        self.allow(OWNER, (0x02, 4, os.geteuid()), GROUP, (0x10, 4, NOBODY), OTHERS)
        self.assertTrue(os.stat("key.pem").st_mode & 0o040)
        loadCredential("key.pem").requireKey()

    def test_others(self) -> None:
        """A list that lets another user or group read is refused; not where its mask takes that back."""
        for entry in ((0x02, 4, 12345), (0x08, 4, 12345), (0x04, 4, NOBODY)):
            group = () if entry[0] == 0x04 else (GROUP,)
            self.allow(OWNER, entry, *group, (0x10, 4, NOBODY), OTHERS)
            self.assertRaises(failures.UnsafePermissions, loadCredential, "key.pem")
            loadCredential("key.pem", insecureAllowReadableKey=True)
            self.allow(OWNER, entry, *group, (0x10, 0, NOBODY), OTHERS)
            loadCredential("key.pem")

    def test_systemd(self) -> None:
        """In the folder of systemd's credentials the group is nobody; everybody is still everybody."""
        os.chmod("key.pem", 0o440)
        self.assertRaises(failures.UnsafePermissions, loadCredential, "key.pem")
        self.patch(os, "environ", {**os.environ, "CREDENTIALS_DIRECTORY": os.getcwd()})
        loadCredential("key.pem")
        os.chmod("key.pem", 0o444)
        self.assertRaises(failures.UnsafePermissions, loadCredential, "key.pem")


class LockTests(SynchronousTestCase):
    def test_stopped(self) -> None:
        """A process that keeps a lock and does nothing is not waited for for ever, and what to do is said."""
        self.patch(_folder, "PATIENCE", 0.0)
        with open("lock", "w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            failure = self.assertRaises(failures.Unreadable, self.enter)
        self.assertIn("lock", failure.detail)
        self.assertIn("fuser", failure.nextStep)
        self.enter()

    def enter(self) -> None:
        with exclusively(Path("lock")):
            pass
