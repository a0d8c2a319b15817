"""What a user can rely on in ``tlscomm pki sign``: names are granted, and nothing that makes more of a certificate."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier
from test_pki_issue import extension, pki, put, told
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.credentials import loadCertificates, loadCredential
from tlscomm.failures import TLSFailure
from tlscomm.issuing import writeDevelopmentAuthority
from tlscomm.issuing._requests import LARGEST_REQUEST, readRequest
from tlscomm.x509._encoding import keyPEM

KEY = ec.generate_private_key(ec.SECP256R1())
WEAK = rsa.generate_private_key(65537, 1024)


def request(
    *names: x509.GeneralName,
    common: str = "carol",
    key: Any = KEY,
    extensions: tuple[tuple[x509.ExtensionType, bool], ...] = (),
) -> bytes:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)] if common else [])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    for value, isCritical in extensions:
        builder = builder.add_extension(value, isCritical)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def usage(**bits: bool) -> x509.KeyUsage:
    usual = dict.fromkeys(
        (
            *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
            *("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
        ),
        False,
    )
    return x509.KeyUsage(**{**usual, **bits})


class SignTests(SynchronousTestCase):
    """``tlscomm pki sign``."""

    def setUp(self) -> None:
        writeDevelopmentAuthority("certs")

    def code(self, content: bytes, *words: str) -> str:
        """Return how a request is refused, after which nothing has been issued."""
        put("a.csr", content)
        failed = told("sign", "a.csr", "--as", "client", *words, status=1)
        self.assertFalse(Path("certs/a.pem").exists())
        self.assertIn("a.csr", failed["failure"]["message"])
        return str(failed["failure"]["code"])

    def test_openssl(self) -> None:
        """One that OpenSSL made is signed for its names, and its owner uses the certificate with the key."""
        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "carol.key"]
        names = ["-subj", "/O=Example/CN=carol", "-addext", "subjectAltName=DNS:carol.example.org,IP:10.0.0.1"]
        subprocess.run(["openssl", "req", "-new", *key, "-out", "carol.csr", *names], check=True, capture_output=True)
        output = pki("sign", "carol.csr", "--as", "client")
        self.assertIn("dns:carol.example.org, ip:10.0.0.1", output)
        Path("carol.key").chmod(0o600)
        loadCredential("certs/carol.pem", key="carol.key").requireKey()
        subprocess.run(
            [
                "openssl",
                "verify",
                "-x509_strict",
                "-purpose",
                "sslclient",
                "-CAfile",
                "certs/ca.pem",
                "certs/carol.pem",
            ],
            check=True,
            capture_output=True,
        )
        self.assertEqual({path.name for path in Path("certs").glob("carol*")}, {"carol.pem", "carol.cer", "carol.p7b"})

    def test_purposes(self) -> None:
        """What it is for says the command line alone, and what was asked for besides is told."""
        asked = ((x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CODE_SIGNING]), True),)
        put("carol.csr", request(extensions=(*asked, (usage(digital_signature=True), True))))
        notes = told("sign", "carol.csr", "--as", "client")["notes"]
        self.assertIn("Code Signing", notes[0])
        certificate = loadCertificates("certs/carol.pem")[0]
        self.assertEqual(list(extension(certificate, x509.ExtendedKeyUsage)), [ExtendedKeyUsageOID.CLIENT_AUTH])
        self.assertFalse(extension(certificate, x509.BasicConstraints).ca)
        pki("sign", "carol.csr", status=2)

    def test_windows(self) -> None:
        """What Windows adds by habit, attributes and a template, is passed over and told."""
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "pc1.example.org")])
        builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
        builder = builder.add_attribute(ObjectIdentifier("1.3.6.1.4.1.311.13.2.3"), b"10.0.22621.2")
        template = x509.UnrecognizedExtension(ObjectIdentifier("1.3.6.1.4.1.311.20.2"), b"\x0c\x07Machine")
        builder = builder.add_extension(template, critical=False)
        put("pc1.csr", builder.sign(KEY, hashes.SHA256()).public_bytes(Encoding.DER))
        signed = told("sign", "pc1.csr", "--as", "both")
        self.assertEqual(signed["certificate"]["names"], ["dns:pc1.example.org"])
        self.assertIn("the name of a template", signed["notes"][0])

    def test_names(self) -> None:
        """Names on the command line are granted instead; without any the common name is, where it can be one."""
        put("carol.csr", request(x509.DNSName("carol.example.org")))
        words = ("--as", "server", "--dry-run")
        self.assertEqual(told("sign", "carol.csr", *words)["granted"], ["dns:carol.example.org"])
        self.assertEqual(told("sign", "carol.csr", *words, "--dns", "b.example")["granted"], ["dns:b.example"])
        self.assertFalse(Path("certs/carol.pem").exists())
        put("carol.csr", request(common="Carol Example"))
        self.assertEqual(
            told("sign", "carol.csr", "--as", "server", status=1)["failure"]["code"], "invalid-certificate"
        )
        self.assertEqual(
            told("sign", "carol.csr", "--as", "client")["certificate"]["names"], ["directory:CN=Carol Example"]
        )

    def test_svid(self) -> None:
        """A SPIFFE id is granted where it is the only URI."""
        uris = [x509.UniformResourceIdentifier(f"spiffe://example.org/{name}") for name in "ab"]
        self.assertEqual(self.code(request(*uris)), "invalid-certificate")
        put("carol.csr", request(uris[0], common=""))
        self.assertEqual(
            told("sign", "carol.csr", "--as", "client")["certificate"]["names"], ["uri:spiffe://example.org/a"]
        )
        names = loadCertificates("certs/carol.pem")[0].extensions.get_extension_for_class(x509.SubjectAlternativeName)
        self.assertTrue(names.critical, "there is no subject (RFC 5280, section 4.2.1.6)")

    def test_authority(self) -> None:
        """One that asks to be an authority, or to sign as one, is refused."""
        for value in (
            x509.BasicConstraints(ca=True, path_length=None),
            usage(digital_signature=True, key_cert_sign=True),
            usage(crl_sign=True),
        ):
            self.assertEqual(self.code(request(extensions=((value, True),))), "wrong-purpose")

    def test_extensions(self) -> None:
        """One that asks for what is not known here is refused, and so is a kind of name."""
        odd = x509.UnrecognizedExtension(ObjectIdentifier("1.2.3.4"), b"\x05\x00")
        template = x509.UnrecognizedExtension(ObjectIdentifier("1.3.6.1.4.1.311.20.2"), b"\x0c\x07Machine")
        constraints = x509.NameConstraints([x509.DNSName("example.org")], None)
        for value, isCritical in ((odd, False), (template, True), (constraints, False)):
            self.assertEqual(self.code(request(extensions=((value, isCritical),))), "invalid-certificate")
        other = x509.OtherName(ObjectIdentifier("1.3.6.1.4.1.311.20.2.3"), b"\x0c\x05admin")
        self.assertEqual(self.code(request(other)), "invalid-certificate")
        for name in ("a\x1b[2J.example", "*", "*.org", "a..b", "10.0.0.1", "w*.example.org", "a.example:443"):
            self.assertEqual(self.code(request(x509.DNSName(name))), "invalid-certificate", name)
        for uri in ("spiffe://example.org", "spiffe://example.org/../a", "no uri"):
            self.assertEqual(self.code(request(x509.UniformResourceIdentifier(uri))), "invalid-certificate", uri)
        self.assertEqual(self.code(request(common="carol\n\x1b[2J")), "invalid-certificate")

    def test_keys(self) -> None:
        """Weak keys, kinds of keys that TLS does not have, and broken digests are refused."""
        for key in (WEAK, ec.generate_private_key(ec.SECP256K1()), ec.generate_private_key(ec.SECP224R1())):
            self.assertEqual(self.code(request(key=key)), "key-too-weak")
        put("k.key", keyPEM(rsa.generate_private_key(65537, 2048)))
        words = ["openssl", "req", "-new", "-key", "k.key", "-md5", "-subj", "/CN=md5"]
        self.assertEqual(self.code(subprocess.run(words, check=True, capture_output=True).stdout), "key-too-weak")

    def test_signature(self) -> None:
        """One that another key has signed is refused."""
        encoded = bytearray(x509.load_pem_x509_csr(request()).public_bytes(Encoding.DER))
        encoded[-1] ^= 1
        self.assertEqual(self.code(bytes(encoded)), "bad-signature")

    def test_none(self) -> None:
        """What is no request is said to be none, and one that is broken is."""
        self.assertEqual(self.code(b"hello"), "unknown-format")
        self.assertEqual(self.code(Path("certs/ca.pem").read_bytes()), "unknown-format")
        self.assertEqual(self.code(b""), "unknown-format")
        self.assertEqual(self.code(request()[:200] + b"\n-----END CERTIFICATE REQUEST-----\n"), "damaged")
        self.assertEqual(told("sign", "none.csr", "--as", "client", status=1)["failure"]["code"], "file-not-found")

    def test_large(self) -> None:
        """What is larger than any, or asks for more names than any, is refused before it costs anything."""
        self.assertEqual(self.code(request() + b" " * LARGEST_REQUEST), "unknown-format")
        for count in (101, 600):
            names = [x509.DNSName(f"{number}.example") for number in range(count)]
            self.assertIn(self.code(request(*names)), ("invalid-certificate", "unknown-format"))

    def test_garbled(self) -> None:
        """Whatever bytes are changed in a request, it is read or refused by a name."""
        usual = (x509.DNSName("a.example"), x509.RFC822Name("a@example.org"))
        sound = x509.load_pem_x509_csr(request(*usual, extensions=((usage(digital_signature=True), True),)))
        encoded, chance = sound.public_bytes(Encoding.DER), random.Random(14)
        for _ in range(1500):
            changed = bytearray(encoded)
            for _ in range(chance.choice((1, 1, 2, 5))):
                changed[chance.randrange(len(changed))] = chance.randrange(256)
            try:
                readRequest(bytes(changed), "a.csr")
            except TLSFailure as failure:
                self.assertTrue(failure.message.isprintable())
