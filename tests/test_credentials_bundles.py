"""Bundles and folders of authorities in which some cannot be read."""

from __future__ import annotations

import base64
from pathlib import Path

from credentialfiles import NOW, PASSPHRASE, authority, openssl, pfxOf
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from logs import logged
from pfxfiles import der
from rawchains import Chain, Raw, keyOf, name
from twisted.trial.unittest import SynchronousTestCase

from tlscomm import failures
from tlscomm.configuration import ServerConfiguration
from tlscomm.credentials import checkUsable, loadCertificates, loadCredential
from tlscomm.issuing import Authority
from tlscomm.tls import verdict
from tlscomm.verification import Trust
from tlscomm.x509._encoding import cer, pem

ROOT, OTHER = Authority.create("one").certificate, Authority.create("two").certificate

#: Windows writes it into a PrintableString, and X.520 does not have it there.
PRINTABLE = cer(ROOT).replace(b"\x0c\x03one", b"\x13\x03o!e")


def latin1() -> x509.Certificate:
    """A root whose name is Latin-1 and says to be UTF-8."""
    root = Chain().root
    root.subject = name("M\xe4rchen", "old root").replace("M\xe4rchen".encode(), b"M\xe4rchen\xfc")
    return root.signedBy(root)


def armoured(content: bytes) -> bytes:
    return b"-----BEGIN CERTIFICATE-----\n%s-----END CERTIFICATE-----\n" % base64.encodebytes(content)


class BundleTests(SynchronousTestCase):
    def read(self, content: bytes | str) -> tuple[tuple[x509.Certificate, ...], list[str]]:
        with logged() as events:
            certificates = loadCertificates(content)
        return certificates, [event["problem"] for event in events]

    def test_namedAndPassedOver(self) -> None:
        """What cannot be read is named with its place and the reason, and the others are trusted."""
        for broken, reason in (
            (armoured(PRINTABLE), "a value is not permitted"),
            (pem([latin1()]), "it cannot be read: a value is not permitted (subject)"),
            (pem([ROOT]).replace(b"\nMII", b"\nM?I"), "CERTIFICATE"),
        ):
            certificates, problems = self.read(pem([ROOT]) + broken + pem([OTHER]))
            self.assertEqual(certificates, (ROOT, OTHER))
            (problem,) = problems
            self.assertIn(f"line {1 + pem([ROOT]).count(10)}", problem)
            self.assertIn(reason, problem)

    def test_otherForms(self) -> None:
        """It is so in DER and PKCS#7 as well, where the place is a byte, or the number of the certificate."""
        certificates, problems = self.read(cer(ROOT) + PRINTABLE + cer(OTHER))
        self.assertEqual(certificates, (ROOT, OTHER))
        self.assertIn(f"certificate 2 of the given content (byte {len(cer(ROOT))}): ", problems[0])
        p7b = pkcs7.serialize_certificates([OTHER, ROOT], Encoding.DER).replace(b"\x0c\x03one", b"\x13\x03o!e")
        certificates, problems = self.read(p7b)
        self.assertEqual(certificates, (OTHER,))
        self.assertRegex(problems[0], "certificate [12] of the given content: ")

    def test_blockWithoutEnd(self) -> None:
        """A block whose end is missing hides none of the others; a file that is cut off is refused, for now."""
        unended = pem([ROOT]).replace(b"-----END CERTIFICATE-----\n", b"")
        certificates, problems = self.read(unended + pem([OTHER]))
        self.assertEqual(certificates, (OTHER,))
        self.assertIn("the PEM block at line 1 (byte 0) has no end", problems[0])
        self.assertRaises(failures.Damaged, loadCertificates, pem([OTHER]) + unended)

    def test_nothingLeft(self) -> None:
        """Where nothing can be read that is a failure."""
        for content in (pem([latin1()]), armoured(PRINTABLE), PRINTABLE):
            self.assertRaises(failures.Damaged, loadCertificates, content)

    def test_ofOnesOwn(self) -> None:
        """A credential with such a certificate in its chain is refused, and its place named."""
        leaf = authority().issue("leaf", role="client").certificate
        failure = self.assertRaises(failures.Damaged, loadCredential, pem([leaf]) + armoured(PRINTABLE))
        self.assertIn("certificate 2 of the given content (line ", str(failure))

    def test_folders(self) -> None:
        """A file that cannot be read, an encrypted one and a link to itself hide nothing else in a folder."""
        Path("roots").mkdir()
        Path("roots/a.pem").write_bytes(armoured(PRINTABLE))
        Path("roots/b.pem").write_bytes(pem([ROOT]))
        Path("roots/c.p12").write_bytes(pfxOf(authority().issue("c", role="client")))
        Path("roots/d.0").symlink_to("d.0")
        Path("roots/e.r0").write_bytes(Authority.create().revocationList().public_bytes(Encoding.PEM))
        Path("roots/f.0").symlink_to("b.pem")
        certificates, problems = self.read("roots")
        self.assertEqual(certificates, (ROOT,))
        self.assertEqual(["a.pem" in problems[0], "c.p12" in problems[1], len(problems)], [True, True, 2])
        self.assertEqual(len(loadCertificates("roots", passphrase=PASSPHRASE)), 2)

    def test_aSystemsBundle(self) -> None:
        """OpenSSL's text around each block does no harm, nor do line ends of Windows or of old Macs."""
        Path("root.pem").write_bytes(pem([ROOT]))
        openssl("x509", "-in", "root.pem", "-text", "-out", "text.pem")
        described = Path("text.pem").read_bytes()
        for content in (described, described.replace(b"\n", b"\r\n"), pem([ROOT]).replace(b"\n", b"\r")):
            self.assertEqual(self.read(content), ((ROOT,), []))


class UndecodableTests(SynchronousTestCase):
    """OpenSSL reads all of a certificate, and `cryptography` a part when it is asked for."""

    def test_anAuthority(self) -> None:
        """An authority that a program hands over and that OpenSSL cannot read is a failure with a name."""
        failure = self.assertRaises(failures.Damaged, lambda: Trust([ROOT, latin1()]).trustRoot)
        self.assertIn("invalid utf8string", str(failure))
        server = authority().issue("server", role="server", dnsNames=["a.example"])
        self.assertRaises(failures.Damaged, ServerConfiguration, credential=server, clientRoots=[latin1()])

    def test_ourOwn(self) -> None:
        """Our own certificate is invalid before anything is opened, and in the verdict off line."""
        chain = Chain()
        chain.leaf.subject = name("M\xe4rchen", "leaf").replace("M\xe4rchen".encode(), b"M\xe4rchen\xfc")
        leaf, *_ = chain.certificates()
        credential = loadCredential(pem([leaf]), key=keyOf(chain.leaf))
        self.assertRaises(failures.InvalidCertificate, checkUsable, credential, "server", NOW)
        found = verdict(credential, "server", roots=[ROOT])
        self.assertIsInstance(found, failures.InvalidCertificate)

    def test_datesInTheYearZero(self) -> None:
        """An authority without readable dates is named, and stays, so that the verdict on what it issued names it."""
        raw = Raw("device", notBefore=der(0x18, b"00000101000000Z"))
        device = raw.signedBy(raw)
        with logged() as events:
            self.assertEqual(loadCertificates(pem([device, ROOT])), (device, ROOT))
        self.assertIn("year 0", events[0]["problem"])
