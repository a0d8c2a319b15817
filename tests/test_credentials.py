"""What a user can rely on when a credential is loaded."""

from __future__ import annotations

import os
import traceback
from dataclasses import replace
from pathlib import Path

from credentialfiles import NOW, PASSPHRASE, authority, issued, keyOf, made, pfxOf
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtensionOID
from twisted.trial.unittest import SynchronousTestCase

from tlscomm import failures
from tlscomm.credentials import Credential, loadCertificates, loadCredential
from tlscomm.credentials import _credential as credentials
from tlscomm.issuing import Authority
from tlscomm.x509 import _encoding as _export
from tlscomm.x509._facts import certificateFacts


def shown(failure: BaseException) -> str:
    """A traceback with the local variables of our own code."""
    summary = traceback.TracebackException.from_exception(failure, capture_locals=True)
    ours = Path(credentials.__file__).parent
    summary.stack = traceback.StackSummary.from_list([f for f in summary.stack if Path(f.filename).parent == ours])
    return "".join(summary.format())


class FormTests(SynchronousTestCase):
    def loaded(self, name: str, passphrase: bytes | None = PASSPHRASE) -> Credential:
        return loadCredential(made()[name], passphrase=passphrase)

    def loadedKey(self, name: str, passphrase: bytes | None = PASSPHRASE) -> Credential:
        return loadCredential(made()["c.pem"], key=made()[name], passphrase=passphrase)

    def test_pfxOfEveryEncryption(self) -> None:
        """A PFX loads whether its encryption is today's, that of old Windows, without MAC, or none."""
        for name in ("modern.pfx", "legacy.pfx", "rc2.pfx", "nomac.pfx", "clear.pfx"):
            credential = self.loaded(name)
            self.assertIs(credential.requireKey(), credential, name)
            self.assertEqual(credential.friendlyName, "the name")

    def test_pfxWithoutKey(self) -> None:
        """A PFX that was exported without its key loads as a certificate alone."""
        credential = self.loaded("nokeys.pfx")
        self.assertIsNone(credential.privateKey)
        self.assertEqual(certificateFacts(credential.certificate).subject, "CN=somebody")

    def test_keysOfEveryEncryption(self) -> None:
        """PEM keys load in SEC1 and PKCS#8, in the clear and in each encryption that cryptography has."""
        plain = ("k.pem", "sec1.pem")
        old = ("sec1-aes256.pem", "sec1-aes128.pem", "sec1-des3.pem")
        for name in (*plain, *old, "pkcs8.pem", "pkcs8-scrypt.pem", "pkcs8-des3.pem", "pkcs8-v1.pem"):
            self.loadedKey(name).requireKey()

    def test_rsaInPKCS1(self) -> None:
        """An RSA key in OpenSSL's traditional encryption loads."""
        self.assertIsInstance(self.loadedKey("pkcs1-aes256.pem").privateKey, rsa.RSAPrivateKey)

    def test_emptyPassphrase(self) -> None:
        """What is encrypted with the empty pass phrase opens without one, with one, and without asking."""
        for name in ("pkcs8-empty.pem", "pkcs8-scrypt-empty.pem", "pkcs8-v1-empty.pem"):
            for passphrase in (None, b"", b"another"):
                self.loadedKey(name, passphrase).requireKey()
        for passphrase in (None, b"", b"another"):
            self.loaded("empty.pfx", passphrase).requireKey()
        loadCredential(made()["empty.pfx"], passphrase=self.fail)

    def test_parametersBeforeKey(self) -> None:
        """The curve's parameters, which OpenSSL writes before a key, are passed over."""
        self.assertIsNotNone(self.loadedKey("parameters.pem").privateKey)

    def test_der(self) -> None:
        """One DER certificate is a credential without a key, with bytes after its end or without."""
        for content in (made()["c.der"], made()["c.der"] + b"\r\n"):
            self.assertEqual(loadCredential(content).certificate, self.loaded("c.pem").certificate)

    def test_pfxWithLineEnd(self) -> None:
        """Bytes after the end of a PFX do no harm."""
        loadCredential(made()["modern.pfx"] + b"\n", passphrase=PASSPHRASE).requireKey()

    def test_textAround(self) -> None:
        """PEM loads with Windows line ends, and with text before, between and after the blocks."""
        content = b"0 0 Bag Attributes\n" + made()["c.pem"] + b"key:\n" + made()["k.pem"] + b"end\n"
        loadCredential(content).requireKey()
        loadCredential(content.replace(b"\n", b"\r\n")).requireKey()

    def test_nameSaysNothing(self) -> None:
        """The content decides what a file is, whatever it is called."""
        Path("server.pem").write_bytes(made()["empty.pfx"])
        self.assertEqual(loadCredential("server.pem", checkPermissions=False).friendlyName, "the name")

    def test_friendlyNameInAnyScript(self) -> None:
        """A friendly name is text."""
        self.assertEqual(loadCredential(pfxOf(issued()), passphrase=PASSPHRASE).friendlyName, "Größe")


class OrderTests(SynchronousTestCase):
    def ordered(self, *certificates: x509.Certificate, keys: bytes = b"") -> list[str]:
        credential = loadCredential(_export.pem(certificates) + keys)
        return [
            certificateFacts(certificate).subject.removeprefix("CN=")
            for certificate in (credential.certificate, *credential.chain)
        ]

    def test_anyOrder(self) -> None:
        """Leaf, intermediates and root are found in whatever order a file has them, and the root is left out."""
        root = authority()
        upper = root.intermediate("upper", pathLength=1, now=NOW)
        lower = upper.intermediate("lower", now=NOW)
        leaf = lower.issue("leaf", role="client", now=NOW)
        for certificates in (
            (leaf.certificate, lower.certificate, upper.certificate, root.certificate),
            (root.certificate, upper.certificate, lower.certificate, leaf.certificate),
            (lower.certificate, root.certificate, leaf.certificate, upper.certificate, lower.certificate),
        ):
            self.assertEqual(self.ordered(*certificates), ["leaf", "lower", "upper"])
            self.assertEqual(self.ordered(*certificates, keys=keyOf(leaf)), ["leaf", "lower", "upper"])

    def test_keyChoosesLeaf(self) -> None:
        """The leaf is the certificate that the key fits, even one that issued others of the file."""
        middle = authority().intermediate("middle", now=NOW)
        leaf = middle.issue("leaf", role="client", now=NOW)
        assert isinstance(middle.privateKey, ec.EllipticCurvePrivateKey)
        keys = _export.keyPEM(middle.privateKey)
        self.assertEqual(self.ordered(leaf.certificate, middle.certificate, keys=keys), ["middle"])

    def test_keyAmongKeys(self) -> None:
        """Of several keys the one that fits is taken."""
        other = authority().issue("other", role="client", now=NOW)
        content = keyOf(other) + _export.pem((issued().certificate,)) + keyOf(issued())
        loadCredential(content).requireKey()

    def test_keyElsewhereWins(self) -> None:
        """A key that is named is taken, and one that lies beside the certificate is not even decrypted."""
        content = made()["c.pem"] + made()["pkcs8.pem"]
        loadCredential(content, key=made()["k.pem"]).requireKey()

    def test_strangersLeftOut(self) -> None:
        """Certificates that have no part in the chain are not sent."""
        stranger = Authority.create("stranger", now=NOW).intermediate("also strange", now=NOW)
        issuer = issued().chain[0]
        certificates = (issued().certificate, stranger.certificate, issuer)
        self.assertEqual(self.ordered(*certificates, keys=keyOf(issued())), ["leaf", "middle"])

    def test_namesakes(self) -> None:
        """Of issuers of one name the one that signed is taken, also where no key identifiers tell them apart."""
        identifiers = (ExtensionOID.SUBJECT_KEY_IDENTIFIER, ExtensionOID.AUTHORITY_KEY_IDENTIFIER)
        for omit in ((), identifiers):
            wrong, right = (authority().intermediate("twin", now=NOW, omit=omit) for _ in range(2))
            leaf = right.issue("leaf", role="client", now=NOW, omit=omit)
            credential = loadCredential(_export.pem((leaf.certificate, wrong.certificate, right.certificate)))
            self.assertEqual(credential.chain, (right.certificate,))

    def test_renewedIssuer(self) -> None:
        """Of an issuer's certificates for one key the one that is valid longest is sent."""
        old = authority().intermediate("middle", now=NOW, days=10)
        new = authority().intermediate("middle", now=NOW, days=100, privateKey=old.privateKey)
        leaf = old.issue("leaf", role="client", now=NOW)
        credential = loadCredential(_export.pem((leaf.certificate, old.certificate, new.certificate)))
        self.assertEqual(credential.chain, (new.certificate,))

    def test_circle(self) -> None:
        """Authorities that certify each other do not make an endless chain."""
        first = Authority.create("first", now=NOW)
        second = Authority.create("second", now=NOW)
        crossed = [
            first.intermediate("second", now=NOW, privateKey=second.privateKey).certificate,
            second.intermediate("first", now=NOW, privateKey=first.privateKey).certificate,
        ]
        leaf = first.issue("leaf", role="client", now=NOW)
        self.assertEqual(self.ordered(leaf.certificate, *crossed), ["leaf", "first", "second"])

    def test_selfSigned(self) -> None:
        """A self-signed certificate is a leaf without a chain."""
        self.assertEqual(self.ordered(authority().certificate), ["the root"])


class PassphraseTests(SynchronousTestCase):
    encrypted = ("modern.pfx", "legacy.pfx", "nomac.pfx", "sec1-aes256.pem", "pkcs8.pem", "pkcs8-scrypt.pem")

    def load(self, name: str, passphrase: credentials.PassphraseSource) -> Credential:
        if name.endswith(".pfx"):
            return loadCredential(made()[name], passphrase=passphrase)
        return loadCredential(made()["c.pem"], key=made()[name], passphrase=passphrase)

    def test_wrong(self) -> None:
        """A pass phrase that does not fit is called wrong, in every form, even one that no such file can have."""
        for name in self.encrypted:
            for passphrase in (b"wrong", b"with \0 inside", b"\xff", b"x" * 5000):
                self.assertRaises(failures.PassphraseWrong, self.load, name, passphrase)

    def test_missing(self) -> None:
        """Encrypted content without a pass phrase, or with nobody to ask, needs one."""
        for name in self.encrypted:
            self.assertRaises(failures.PassphraseRequired, self.load, name, None)
            self.assertRaises(failures.PassphraseRequired, self.load, name, lambda name: None)

    def test_asked(self) -> None:
        """Who is to be asked is asked once, and shown which file it is about."""
        Path("my.pem").write_bytes(made()["c.pem"] + made()["pkcs8.pem"] + made()["pkcs8-scrypt.pem"])
        asked: list[str] = []

        def ask(name: str) -> bytes:
            asked.append(name)
            return PASSPHRASE

        loadCredential("my.pem", passphrase=ask, checkPermissions=False).requireKey()
        self.assertEqual(asked, ["my.pem"])

    def test_notAskedForNothing(self) -> None:
        """Nobody is asked for a pass phrase of something that is not encrypted, or is damaged."""
        loadCredential(made()["c.pem"] + made()["k.pem"], passphrase=self.fail)
        for content in (made()["modern.pfx"][:-1], made()["c.pem"] + made()["pkcs8.pem"][:-40]):
            self.assertRaises(failures.Damaged, loadCredential, content, passphrase=self.fail)

    def test_wrongAnswer(self) -> None:
        """A wrong answer is a wrong pass phrase."""
        self.assertRaises(failures.PassphraseWrong, self.load, "modern.pfx", lambda name: b"wrong")

    def test_notNeeded(self) -> None:
        """A pass phrase that is not needed does no harm."""
        self.load("k.pem", b"not needed").requireKey()
        loadCredential(made()["c.der"], passphrase=b"not needed")

    def test_secret(self) -> None:
        """A pass phrase is not in a failure, nor in its traceback with all local variables."""
        for name in self.encrypted:
            for passphrase in (b"my wrong secret", lambda name: b"my wrong secret"):
                failure = self.assertRaises(failures.PassphraseWrong, self.load, name, passphrase)
                self.assertFalse("my wrong secret" in shown(failure) + repr(failure) + str(failure.toJSON()))

    def test_secretKey(self) -> None:
        """Neither is a private key of a file that cannot be loaded for another reason."""
        for name in ("k.pem", "clear.pfx"):
            Path("file").write_bytes(made()[name] + b"-----BEGIN CERTIFICATE-----")
            failure = self.assertRaises(failures.TLSFailure, loadCredential, "file", key="file")
            self.assertFalse(repr(made()[name][30:60])[2:-1] in shown(failure))

    def test_textRefused(self) -> None:
        """Text is no pass phrase, because nobody said in which encoding; the refusal does not show it."""
        for passphrase in ("secret text", lambda name: "secret text"):
            error = self.assertRaises(TypeError, loadCredential, made()["modern.pfx"], passphrase=passphrase)
            self.assertNotIn("secret text", str(error))


class FailureTests(SynchronousTestCase):
    def refused(self, failure: type[failures.TLSFailure], content: bytes, says: str = "", **options: object) -> None:
        raised = self.assertRaises(failure, loadCredential, content, **options)
        self.assertIn(says, raised.detail)
        self.assertEqual((raised.side, raised.stage), ("local", "credential"))

    def test_unknown(self) -> None:
        """What is of no known form is called so, with how it begins; so is an empty file."""
        self.refused(failures.UnknownFormat, b"\x89PNG\r\n\x1a\n", "89 50 4e 47")
        self.refused(failures.UnknownFormat, b"", "empty")

    def test_otherPEM(self) -> None:
        """A PEM file of something else is told by what it holds."""
        self.refused(failures.UnknownFormat, made()["csr.pem"], "certificate request (CSR)")

    def test_unsupportedCipher(self) -> None:
        """An encryption that cannot be undone is named, whatever the pass phrase: it is not a wrong one."""
        for passphrase in (None, PASSPHRASE, b"wrong"):
            for name, cipher in (
                ("sec1-des.pem", "DES-CBC"),
                ("pkcs8-aria.pem", "ARIA-256-CBC (1.2.410.200046.1.1.12)"),
                ("pkcs8-camellia.pem", "Camellia-256-CBC"),
            ):
                content = made()["c.pem"] + made()[name]
                self.refused(failures.UnknownFormat, content, cipher, passphrase=passphrase)

    def test_unsupportedKey(self) -> None:
        """A key of a kind that cannot be used is of an unknown form, and not damaged."""
        self.refused(failures.UnknownFormat, made()["c.pem"] + made()["sect163.pem"], "1.3.132.0.1")

    def test_damaged(self) -> None:
        """Files of a known form that are broken are called damaged, with a pass phrase or without."""
        flipped = bytearray(made()["modern.pfx"])
        # In the length of what the MAC covers.
        flipped[9] ^= 0x10
        for content in (
            made()["c.der"][:-10],
            made()["c.pem"].replace(b"MII", b"MI!"),
            made()["c.pem"][:-30],
            made()["c.pem"].replace(b"END CERT", b"END KERT"),
            made()["c.pem"] + made()["k.pem"].replace(b"\nMI", b"\nAA"),
            made()["c.pem"] + made()["pkcs8.pem"].replace(b"\nMI", b"\nAA"),
            made()["c.pem"] + made()["sec1-aes256.pem"].replace(b"DEK-Info", b"DAK-Info"),
            made()["modern.pfx"][:500],
            bytes(flipped),
            made()["clear.pfx"].replace(made()["c.der"][:40], bytes(40)),
        ):
            self.refused(failures.Damaged, content)
            self.refused(failures.Damaged, content, passphrase=PASSPHRASE)

    def test_noCertificate(self) -> None:
        """A key alone is no credential."""
        self.refused(failures.NoCertificate, made()["k.pem"])

    def test_noKeyWhereOneWasNamed(self) -> None:
        """A key file without a key is named."""
        self.refused(failures.NoPrivateKey, made()["c.pem"], key=made()["c.pem"])

    def test_tooMany(self) -> None:
        """A file full of keys, or of certificates, is refused before it costs much time."""
        self.refused(failures.UnknownFormat, made()["c.pem"] + made()["k.pem"] * 17, "16 private keys")
        self.refused(failures.UnknownFormat, made()["c.pem"] * 1001, "1000 certificates")


class FileTests(SynchronousTestCase):
    def written(self, content: bytes, mode: int = 0o600, name: str = "a file") -> str:
        Path(name).write_bytes(content)
        os.chmod(name, mode)
        return name

    def test_missing(self) -> None:
        """A file that does not exist is named; so is a name that no file can have."""
        for name in ("nowhere.pem", "nowhere/server.pem", "nul\0.pem"):
            failure = self.assertRaises(failures.FileNotFound, loadCredential, name)
            self.assertIn(name.replace("\0", "\\x00"), failure.detail)
            self.assertRaises(failures.FileNotFound, loadCertificates, name)
        self.assertRaises(failures.FileNotFound, loadCredential, made()["c.pem"], key=Path("nowhere.key"))

    def test_unreadable(self) -> None:
        """A folder, a link to itself and a file of somebody else cannot be read."""
        Path("folder").mkdir()
        Path("loop").symlink_to("loop")
        for name in ("folder", "loop"):
            self.assertRaises(failures.Unreadable, loadCredential, name)
        Path("folder").chmod(0)
        if os.geteuid() == 0:
            os.seteuid(65534)
            self.addCleanup(os.seteuid, 0)
        self.assertRaises(failures.Unreadable, loadCredential, Path("folder/server.pem"))
        self.assertRaises(failures.Unreadable, loadCertificates, "folder")

    def test_tooLarge(self) -> None:
        """What has more than 16 MiB is not read, from a file or a device that never ends."""
        self.assertRaises(failures.Unreadable, loadCredential, bytes(16 * 1024 * 1024 + 1))
        self.assertRaises(failures.Unreadable, loadCredential, "/dev/zero")

    def test_openToOthers(self) -> None:
        """A file with a private key that others can read is refused, with the command that mends it."""
        combined = made()["c.pem"] + made()["k.pem"]
        for mode in (0o640, 0o604, 0o620, 0o644):
            name = self.written(combined, mode)
            failure = self.assertRaises(failures.UnsafePermissions, loadCredential, name)
            self.assertIn("chmod 600 'a file'", failure.detail)
        self.assertRaises(failures.UnsafePermissions, loadCredential, made()["c.pem"], key=name)
        self.assertRaises(failures.UnsafePermissions, loadCredential, self.written(made()["empty.pfx"], 0o644))

    def test_openCertificate(self) -> None:
        """A certificate may be read by everybody."""
        loadCredential(self.written(made()["c.pem"], 0o644), key=self.written(made()["k.pem"], name="key"))

    def test_openOnPurpose(self) -> None:
        """Who says so may use a key that others can read."""
        name = self.written(made()["c.pem"] + made()["k.pem"], 0o644)
        loadCredential(name, insecureAllowReadableKey=True).requireKey()
        loadCredential(name, checkPermissions=False).requireKey()

    def test_pipe(self) -> None:
        """A credential can come through a pipe, as from a shell's ``<(…)``."""
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        os.write(writing, made()["c.pem"] + made()["k.pem"])
        os.close(writing)
        loadCredential(f"/dev/fd/{reading}").requireKey()

    def test_hostileName(self) -> None:
        """A file's name cannot command a terminal."""
        failure = self.assertRaises(failures.FileNotFound, loadCredential, "\x1b[2J.pem")
        self.assertTrue(str(failure).isprintable())

    def test_source(self) -> None:
        """A credential says where it came from, and its repr whose it is and whether it has a key."""
        credential = loadCredential(self.written(made()["c.pem"] + made()["k.pem"]))
        self.assertEqual(credential.source, "a file")
        facts = certificateFacts(credential.certificate)
        self.assertEqual(
            repr(credential),
            f"<Credential CN=somebody, issued by CN=somebody, until {facts.notAfter}, with private key>",
        )
        self.assertIn("without private key", repr(replace(credential, privateKey=None)))
