"""What a user can rely on once certificates are loaded: roots, what is wrong with a credential, and descriptions."""

from __future__ import annotations

import subprocess
import warnings
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from credentialfiles import NOW, authority, issued, made
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa, x25519
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID
from twisted.trial.unittest import SynchronousTestCase

from tlscomm import failures
from tlscomm.credentials import Credential, checkUsable, loadCertificates
from tlscomm.credentials import _credential as credentials
from tlscomm.issuing import Authority, withBadSignature
from tlscomm.tls import verdict
from tlscomm.x509 import _encoding as _export
from tlscomm.x509._facts import certificateFacts


class CertificatesTests(SynchronousTestCase):
    def test_file(self) -> None:
        """A file of roots may hold any number, in PEM, or one in DER; each is loaded once."""
        roots = tuple(Authority.create(name, now=NOW).certificate for name in "abc")
        self.assertEqual(loadCertificates(_export.pem((*roots, roots[0]))), roots)
        self.assertEqual(loadCertificates(_export.cer(roots[0])), roots[:1])

    def test_folder(self) -> None:
        """Of a folder all certificates are loaded, and what is something else is passed over."""
        roots = tuple(Authority.create(name, now=NOW).certificate for name in "abc")
        Path("roots/inner").mkdir(parents=True)
        for name, content in {
            "a.pem": _export.pem(roots[:2]),
            "b.crt": _export.cer(roots[2]),
            "README": b"Our roots\n",
            ".hidden.pem": made()["c.pem"],
            "k.key": made()["pkcs8.pem"],
            "else.pfx": made()["modern.pfx"],
        }.items():
            Path("roots", name).write_bytes(content)
        self.assertEqual(loadCertificates(Path("roots")), roots)

    def test_brokenInFolder(self) -> None:
        """A root that is broken is not passed over."""
        Path("roots").mkdir()
        Path("roots/a.pem").write_bytes(made()["c.pem"][:-20])
        failure = self.assertRaises(failures.Damaged, loadCertificates, "roots")
        self.assertIn("a.pem", failure.detail)

    def test_none(self) -> None:
        """No certificate where some were wanted is a failure, whatever else is there."""
        Path("roots").mkdir()
        for source in ("roots", made()["k.pem"], made()["pkcs8.pem"]):
            refused = self.assertRaises(failures.NoCertificate, loadCertificates, source)
            self.assertIn("--roots", refused.nextStep)


class UsableTests(SynchronousTestCase):
    def refused(
        self,
        failure: type[failures.TLSFailure],
        credential: Credential,
        says: str = "",
        role: credentials.Role = "server",
    ) -> None:
        raised = self.assertRaises(failure, checkUsable, credential, role, NOW)
        self.assertIn(says, raised.detail)
        self.assertEqual((raised.side, raised.stage), ("local", "credential"))
        self.assertEqual(raised.certificate, certificateFacts(credential.certificate))

    def test_pssKey(self) -> None:
        """A key that is for PSS alone is refused, for with it no handshake would come about."""
        Path("cnf").write_text("[req]\ndistinguished_name=n\n[n]\n")
        words = "req -x509 -newkey rsa-pss -nodes -subj /CN=pss -days 9 -config cnf -keyout pss.key -out pss.pem"
        subprocess.run(["openssl", *words.split()], check=True, capture_output=True)
        credential = credentials.loadCredential("pss.pem", key="pss.key")
        now = credential.certificate.not_valid_before_utc
        failure = self.assertRaises(failures.KeyTooWeak, checkUsable, credential, "server", now)
        self.assertIn("PSS", failure.detail)
        self.assertEqual(verdict(credential, "server", roots=[credential.certificate]), failure)

    def test_good(self) -> None:
        """A good credential can be used on the side that it is for; one without any purpose on both."""
        checkUsable(issued(), "server", NOW)
        checkUsable(authority().issue("x", role="both", now=NOW), "client", NOW)
        checkUsable(authority().issue("x", role=None, now=NOW), "client", NOW)

    def test_key(self) -> None:
        """A credential without its key, or with another's, cannot be used."""
        self.refused(failures.NoPrivateKey, replace(issued(), privateKey=None))
        self.refused(failures.KeyMismatch, replace(issued(), privateKey=ec.generate_private_key(ec.SECP256R1())))
        self.refused(failures.KeyMismatch, replace(issued(), privateKey=ed25519.Ed25519PrivateKey.generate()))

    def test_purpose(self) -> None:
        """A certificate for the other side, or for something else, cannot be used; the purpose is named."""
        client = authority().issue("x", role="client", now=NOW)
        self.refused(failures.WrongPurpose, client, "Server Authentication (1.3.6.1.5.5.7.3.1)")
        self.refused(failures.WrongPurpose, issued(), "Client Authentication (1.3.6.1.5.5.7.3.2)", role="client")

    def test_anyPurpose(self) -> None:
        """The usage for any purpose is not enough: peers on OpenSSL refuse it."""
        anything = (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE]), False)
        self.refused(failures.WrongPurpose, authority().issue("x", role=None, extensions=(anything,), now=NOW))

    def test_time(self) -> None:
        """A certificate can be used from its first second to its last."""
        for failure, start, end in (
            (failures.Expired, -2, -1),
            (failures.NotYetValid, 1, 2),
        ):
            begin, finish = NOW + timedelta(seconds=start), NOW + timedelta(seconds=end)
            self.refused(failure, authority().issue("x", role="server", notBefore=begin, notAfter=finish), "2026-11-23")
        checkUsable(authority().issue("x", role="server", notBefore=NOW, notAfter=NOW), "server", NOW)

    def test_weak(self) -> None:
        """A key that TLS peers refuse cannot be used, and its kind and size are named."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            weak = rsa.generate_private_key(65537, 1024)
            old = dsa.generate_private_key(1024)
            small = ec.generate_private_key(ec.SECP192R1())
        unusual = ec.generate_private_key(ec.SECP256K1())
        for key, says in ((weak, "1024"), (old, "DSA"), (small, "secp192r1"), (unusual, "secp256k1")):
            self.refused(failures.KeyTooWeak, authority().issue("x", role="server", privateKey=key, now=NOW), says)
        exchange = x25519.X25519PrivateKey.generate()
        certified = authority().issue("x", role="server", publicKey=exchange.public_key(), now=NOW)
        self.refused(failures.KeyTooWeak, replace(certified, privateKey=exchange), "X25519")

    def test_strong(self) -> None:
        """Keys of every kind that TLS has can be used."""
        for key in (
            rsa.generate_private_key(65537, 2048),
            ec.generate_private_key(ec.SECP521R1()),
            ec.generate_private_key(ec.BrainpoolP256R1()),
            ed25519.Ed25519PrivateKey.generate(),
        ):
            checkUsable(authority().issue("x", role="server", privateKey=key, now=NOW), "server", NOW)

    def test_malformed(self) -> None:
        """A certificate whose extensions cannot be read is no use to any peer."""
        san = (x509.UnrecognizedExtension(ExtensionOID.SUBJECT_ALTERNATIVE_NAME, b"garbage"), False)
        credential = authority().issue("x", role="server", extensions=(san,), now=NOW)
        self.refused(failures.InvalidCertificate, credential, "CN=x")

    def test_firstProblem(self) -> None:
        """Of several problems the first of the documented order is raised."""
        credential = authority().issue(
            "x", role="client", notAfter=NOW - timedelta(days=1), now=NOW - timedelta(days=2)
        )
        self.refused(failures.WrongPurpose, credential)
        self.refused(failures.Expired, credential, role="client")
        self.refused(failures.NoPrivateKey, replace(credential, privateKey=None))

    def test_signatureNotJudged(self) -> None:
        """Whether a chain is trusted is the peer's to say."""
        checkUsable(withBadSignature(issued()), "server", NOW)


class FactsTests(SynchronousTestCase):
    def test_good(self) -> None:
        """A certificate is described by names, dates, number and fingerprint."""
        credential = authority().issue(
            "x",
            role="client",
            dnsNames=("a.example",),
            addresses=("127.0.0.1", "::1"),
            uris=("spiffe://a/b",),
            emails=("a@b.example",),
            serialNumber=0xABCDEF,
            now=NOW,
        )
        facts = certificateFacts(credential.certificate)
        self.assertEqual((facts.subject, facts.issuer, facts.serial), ("CN=x", "CN=the root", "abcdef"))
        self.assertEqual(facts.notBefore, "2026-11-23T11:00:00+00:00")
        self.assertEqual(
            facts.names, ("dns:a.example", "ip:127.0.0.1", "ip:::1", "uri:spiffe://a/b", "email:a@b.example")
        )
        self.assertEqual(facts.der, _export.cer(credential.certificate))
        self.assertRegex(facts.fingerprint, "^sha256:[0-9a-f]{64}$")

    def test_hostile(self) -> None:
        """A certificate with names that do not parse, or that command a terminal, is described all the same."""
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "\x1b[2Jnice\nname" * 4)])
        san = (x509.UnrecognizedExtension(ExtensionOID.SUBJECT_ALTERNATIVE_NAME, b"garbage"), False)
        credential = authority().issue("", role=None, subject=name, extensions=(san,), now=NOW)
        facts = certificateFacts(credential.certificate)
        self.assertTrue(facts.subject.isprintable())
        self.assertEqual(facts.names, ("unreadable",))
        # A UTF8String that is none.
        der = _export.cer(credential.certificate).replace(b"\x1b[2J", b"\xff\xfe\xfd\xfc")
        self.assertEqual(certificateFacts(x509.load_der_x509_certificate(der)).subject, "unreadable")
