"""What a user can rely on whatever form a credential comes in, and whichever program wrote it."""

from __future__ import annotations

import base64
import subprocess
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from credentialfiles import NOW, PASSPHRASE, authority, issued, keyOf, made, pfxOf
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from pfxfiles import explicit, integer, octets, oid, seq
from twisted.trial.unittest import SynchronousTestCase

from tlscomm import failures
from tlscomm.credentials import Credential, checkUsable, loadCertificates, loadCredential
from tlscomm.x509 import _encoding as _export


def encoded(key: CertificateIssuerPrivateKeyTypes, form: PrivateFormat, encoding: Encoding = Encoding.DER) -> bytes:
    return key.private_bytes(encoding, form, NoEncryption())


def leaf(key: CertificateIssuerPrivateKeyTypes) -> Credential:
    return authority().issue("leaf", role="server", privateKey=key, now=NOW)


class CertificateOnlyTests(SynchronousTestCase):
    def test_p7b(self) -> None:
        """A P7B holds a certificate and its chain, in DER, in PEM, and in the armour of a certificate."""
        chained = issued()
        content = _export.p7b((*reversed(chained.chain), authority().certificate, chained.certificate))
        text = base64.encodebytes(content)
        for armoured in (
            content,
            b"-----BEGIN PKCS7-----\n" + text + b"-----END PKCS7-----\n",
            b"-----BEGIN CERTIFICATE-----\n" + text + b"-----END CERTIFICATE-----\n",
            text,
        ):
            credential = loadCredential(armoured)
            self.assertEqual((credential.certificate, credential.chain), (chained.certificate, chained.chain))

    def test_p7bOfOpenSSL(self) -> None:
        """A P7B of OpenSSL's loads, and so does the signer's certificate of a signed message."""
        for name in ("chain.p7b", "crl.p7b", "signed.p7m"):
            self.assertEqual(_export.pem(loadCertificates(made()[name])), made()["c.pem"])

    def test_otherPKCS7(self) -> None:
        """An encrypted message is told from a P7B."""
        failure = self.assertRaises(failures.UnknownFormat, loadCredential, made()["encrypted.p7m"])
        self.assertIn("an encrypted message", failure.detail)

    def test_keyWanted(self) -> None:
        """A certificate alone loads, and is no use where a private key is needed."""
        for content in (made()["c.der"], made()["c.pem"], made()["chain.p7b"], base64.encodebytes(made()["c.der"])):
            self.assertRaises(failures.NoPrivateKey, loadCredential(content).requireKey)
            self.assertRaises(failures.NoPrivateKey, loadCredential, content, key=content)
            self.assertRaises(failures.NoPrivateKey, checkUsable, loadCredential(content), "server", NOW)

    def test_severalInDER(self) -> None:
        """Certificates and keys in DER that follow one another are all read, as ``cat`` leaves them."""
        chained = issued()
        assert isinstance(chained.privateKey, ec.EllipticCurvePrivateKey)
        parts = [_export.cer(certificate) for certificate in (*chained.chain, chained.certificate)]
        credential = loadCredential(b"".join((*parts, encoded(chained.privateKey, PrivateFormat.PKCS8), b"\r\n")))
        self.assertEqual(credential.requireKey().chain, chained.chain)


class TextTests(SynchronousTestCase):
    def test_base64(self) -> None:
        """Base64 without armour is read for what it encloses: on one line, on many, with Windows line ends."""
        for content in (made()["c.der"], made()["empty.pfx"], made()["pkcs8.der"] + made()["c.der"]):
            for text in (base64.b64encode(content), base64.encodebytes(content)):
                for written in (text, text.replace(b"\n", b"\r\n"), b"\n  " + text, b"\xef\xbb\xbf" + text):
                    loadCredential(written)

    def test_base64Damaged(self) -> None:
        """Base64 that is cut off or broken is damaged."""
        text = base64.encodebytes(made()["c.der"])
        for broken in (text[:200], text[:-9], text.replace(b"\n", b"!\n", 3), text[:100] + b"\xff" + text[100:]):
            self.assertRaises(failures.Damaged, loadCredential, broken)

    def test_base64OfSomethingElse(self) -> None:
        """Base64 of a public key, or of nothing that is known, is told."""
        failure = self.assertRaises(failures.UnknownFormat, loadCredential, base64.encodebytes(made()["public.der"]))
        self.assertIn("public key", failure.detail)
        self.assertRaises(failures.UnknownFormat, loadCredential, base64.encodebytes(b"0\x82\x01\x00" * 40))

    def test_encodings(self) -> None:
        """PEM loads as Windows writes text: in UTF-16 of either kind, marked or not, and in UTF-8 with a mark."""
        text = "Größe: 1\r\n" + (made()["c.pem"] + made()["k.pem"]).decode().replace("\n", "\r\n")
        for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-8-sig", "utf-8", "latin-1"):
            loadCredential(text.encode(encoding)).requireKey()
        loadCredential(b"\xfe\xff" + text.encode("utf-16-be")).requireKey()

    def test_lineEnds(self) -> None:
        """PEM loads with the line ends of old Macintoshes, with blank lines and indented."""
        text = made()["c.pem"] + made()["k.pem"]
        for written in (text.replace(b"\n", b"\r"), text.replace(b"\n", b"\n\n"), b"  " + text.replace(b"\n", b"\n  ")):
            loadCredential(written).requireKey()

    def test_textAround(self) -> None:
        """Text before, between and after the blocks does no harm, as OpenSSL and Java write it."""
        loadCredential(made()["certificate.txt"] + made()["k.pem"]).requireKey()
        loadCredential(b"Alias name: one\nEntry type: x\n" + made()["c.pem"] + b"\n*****\n" + made()["k.pem"])

    def test_bagAttributes(self) -> None:
        """What OpenSSL writes out of a PFX loads, and keeps its friendly name."""
        credential = loadCredential(made()["bags.pem"])
        self.assertEqual((credential.requireKey().friendlyName, credential.chain), ("the name", ()))

    def test_trusted(self) -> None:
        """A certificate of OpenSSL's with trust noted after it loads; the note is passed over."""
        self.assertEqual(_export.pem(loadCertificates(made()["trusted.pem"], peerRole="server")), made()["c.pem"])

    def test_armourSaysNothing(self) -> None:
        """The content decides what a block is, whatever its armour says."""
        mislabelled = made()["k.pem"].replace(b"PRIVATE KEY", b"RSA PRIVATE KEY")
        loadCredential(made()["c.pem"].replace(b"CERTIFICATE", b"X509 CERTIFICATE") + mislabelled).requireKey()
        pfx = b"-----BEGIN PKCS12-----\n" + base64.encodebytes(made()["modern.pfx"]) + b"-----END PKCS12-----\n"
        loadCredential(pfx, passphrase=PASSPHRASE).requireKey()

    def test_nearlyPEM(self) -> None:
        """A block without all of its dashes is damaged."""
        self.assertRaises(failures.Damaged, loadCredential, made()["c.pem"][1:])


class KeyTests(SynchronousTestCase):
    def loads(self, key: CertificateIssuerPrivateKeyTypes, *contents: bytes, passphrase: bytes | None = None) -> None:
        credential = leaf(key)
        for content in contents:
            loadCredential(_export.cer(credential.certificate), key=content, passphrase=passphrase).requireKey()

    def test_der(self) -> None:
        """Keys load in DER: PKCS#8, PKCS#1 and SEC1, in the clear, and PKCS#8 encrypted."""
        number = rsa.generate_private_key(65537, 2048)
        self.loads(number, encoded(number, PrivateFormat.PKCS8), encoded(number, PrivateFormat.TraditionalOpenSSL))
        for name in ("pkcs8.der", "sec1.der", "encrypted.der"):
            loadCredential(made()["c.pem"], key=made()[name], passphrase=PASSPHRASE).requireKey()

    def test_edwards(self) -> None:
        """Ed25519 and Ed448 keys load, in PEM, DER and PFX."""
        for key in (ed25519.Ed25519PrivateKey.generate(), ed448.Ed448PrivateKey.generate()):
            self.loads(key, encoded(key, PrivateFormat.PKCS8), encoded(key, PrivateFormat.PKCS8, Encoding.PEM))
            pfx = _export.pfx("name", key, leaf(key).certificate, (), PASSPHRASE)
            loadCredential(pfx, passphrase=PASSPHRASE).requireKey()

    def test_openSSH(self) -> None:
        """OpenSSH's private keys load, of every kind that can sign in TLS."""
        for key in (
            ed25519.Ed25519PrivateKey.generate(),
            ec.generate_private_key(ec.SECP256R1()),
            rsa.generate_private_key(65537, 2048),
        ):
            self.loads(key, key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))

    def test_openSSHEncrypted(self) -> None:
        """An encrypted OpenSSH key is told from a broken one, whether the package that opens it is there or not."""
        fields = (b"aes256-ctr", b"bcrypt", string(b"saltsalt") + (16).to_bytes(4, "big"))
        content = b"openssh-key-v1\0" + b"".join(map(string, fields)) + b"\0\0\0\1" + string(b"x" * 50) * 2
        failure = self.assertRaises(
            failures.TLSFailure, loadCredential, made()["c.pem"], key=openSSH(content), passphrase=b"wrong"
        )
        self.assertTrue(failure.code == "passphrase-wrong" or "bcrypt" in failure.detail, failure)

    def test_openSSHBroken(self) -> None:
        """An OpenSSH key that is cut off, or none, is damaged."""
        key = ed25519.Ed25519PrivateKey.generate()
        text = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
        whole = base64.b64decode(b"".join(text.splitlines()[1:-1]))
        for content in (whole[:30], whole[:-20], b"openssh-key-v2" + whole[14:]):
            self.assertRaises(failures.Damaged, loadCredential, made()["c.pem"], key=openSSH(content))

    def test_secondVersion(self) -> None:
        """PKCS#8 with the public key in it loads (RFC 5958), as Rust's and Go's tools write it."""
        key = ed25519.Ed25519PrivateKey.generate()
        raw = key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
        public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        common = (integer(1), seq(oid("1.3.101.112")), octets(octets(raw)))
        self.loads(key, seq(*common, b"\x81\x21\0" + public), seq(*common, explicit(b"\x03\x21\0" + public, 1)))

    def test_zeros(self) -> None:
        """A key of an elliptic curve loads with zeros too many or too few in front of its number."""
        curve = ec.SECP256R1()
        # Small enough to have zeros to leave out.
        for number in (2**240 + 7, 2**255 + 7):
            key = ec.derive_private_key(number, curve)
            point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
            for size in (31, 33, 40):
                if number.bit_length() <= size * 8:
                    content = octets(number.to_bytes(size, "big")) + explicit(oid("1.2.840.10045.3.1.7"))
                    sec1 = seq(integer(1), content, explicit(b"\x03\x42\0" + point, 1))
                    algorithm = seq(oid("1.2.840.10045.2.1"), oid("1.2.840.10045.3.1.7"))
                    self.loads(key, sec1, seq(integer(0), algorithm, octets(sec1)), seq(integer(1), content))

    def test_anothersNumber(self) -> None:
        """A number that does not belong to the public key beside it is damage, of whatever length it is."""
        other = ec.generate_private_key(ec.SECP256R1()).public_key()
        point = other.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        for size in (32, 33):
            content = octets((2**200).to_bytes(size, "big")) + explicit(oid("1.2.840.10045.3.1.7"))
            sec1 = seq(integer(1), content, explicit(b"\x03\x42\0" + point, 1))
            self.assertRaises(failures.Damaged, loadCredential, made()["c.pem"], key=sec1)

    def test_unsupported(self) -> None:
        """A key of a kind that nobody uses in TLS is named by its number."""
        gost = seq(integer(0), seq(oid("1.2.643.7.1.1.1.1")), octets(octets(bytes(32))))
        failure = self.assertRaises(failures.UnknownFormat, loadCredential, made()["c.pem"], key=gost)
        self.assertIn("1.2.643.7.1.1.1.1", failure.detail)


class GnuTLSTests(SynchronousTestCase):
    """Files that GnuTLS's certtool writes."""

    def test_keys(self) -> None:
        """Its keys load, though it writes every second one with a zero too many in front."""
        for number in range(3):
            loadCredential(gnutls()[f"{number}.pem"], key=gnutls()[f"{number}.key"]).requireKey()
        encrypted = gnutls()["0.p8"]
        self.assertRaises(failures.PassphraseWrong, loadCredential, encrypted, passphrase=b"wrong")
        loadCredential(gnutls()["0.pem"], key=encrypted, passphrase=PASSPHRASE).requireKey()

    def test_pfx(self) -> None:
        """Its PFX files load, in DER and in PEM, with the empty pass phrase and with none at all."""
        credential = loadCredential(gnutls()["modern.pfx"], passphrase=PASSPHRASE).requireKey()
        self.assertEqual(credential.friendlyName, "the name")
        for name in ("empty.pfx", "null.pfx"):
            loadCredential(gnutls()[name]).requireKey()

    def test_emptyPassphrase(self) -> None:
        """Its encrypted keys load with the empty pass phrase and with none at all."""
        for name in ("empty.p8", "null.p8"):
            loadCredential(gnutls()["0.pem"], key=gnutls()[name]).requireKey()

    def test_gost(self) -> None:
        """A Russian cipher is named."""
        failure = self.assertRaises(failures.UnknownFormat, loadCredential, GOST, passphrase=PASSPHRASE)
        self.assertIn("GOST", failure.detail)

    def test_p7b(self) -> None:
        """Its P7B files load, in DER and in PEM."""
        for name in ("der.p7b", "pem.p7b"):
            self.assertEqual(loadCertificates(gnutls()[name]), loadCertificates(gnutls()["0.pem"]))


class FriendlyNameTests(SynchronousTestCase):
    def test_none(self) -> None:
        """What has no friendly name has none."""
        self.assertIsNone(loadCredential(made()["c.pem"]).friendlyName)

    def test_ofTheLeaf(self) -> None:
        """The friendly name is that of the leaf, not of a certificate beside it."""
        other = authority().issue("other", role="client", now=NOW)
        named = made()["bags.pem"].replace(b"the name", b"another")
        credential = loadCredential(named + _export.pem((other.certificate,)) + keyOf(other))
        self.assertIn(credential.friendlyName, ("another", None))
        content = pfxOf(issued(), others=issued().chain)
        self.assertEqual(loadCredential(content, passphrase=PASSPHRASE).friendlyName, "Größe")


#: Of ``certtool --to-p8 --pkcs-cipher gost28147-tc26z``, which takes three seconds.
GOST = b"""
-----BEGIN ENCRYPTED PRIVATE KEY-----
MIH4MF0GCSqGSIb3DQEFDTBQMC0GCSqGSIb3DQEFDDAgBA3SRGigDyHSw7yd5oJ/
AgMJJ8AwCgYIKoUDBwEBBAIwHwYGKoUDAgIVMBUECNkgFsYo8zkXBgkqhQMHAQIF
AQEEgZYcsymldvnKPV3w8dE739a6d9I5fTXgQOwd2y2EkZjFnq2YnjDh6RvoJPFn
nrygInfpX6GfISL9tgRo/pQQs9XNKq+xEZa+JOgYs2ccXXLLTqiqBMnPVVrL/gp0
worhO1KkO0DfXqcnszuiVCS9cpuULk1dwcNrGvi2ISjaJ/b0GAWND3t/sBBnrvur
aFCzDdFuH7nbZOQ=
-----END ENCRYPTED PRIVATE KEY-----
"""


def string(value: bytes) -> bytes:
    return len(value).to_bytes(4, "big") + value


def openSSH(content: bytes) -> bytes:
    text = base64.encodebytes(content)
    return b"-----BEGIN OPENSSH PRIVATE KEY-----\n" + text + b"-----END OPENSSH PRIVATE KEY-----\n"


@cache
def gnutls() -> dict[str, bytes]:
    """Forms in which certtool writes a credential, by name."""
    secret = ("--password", PASSPHRASE.decode())
    pair = ("--load-certificate", "0.pem", "--load-privkey", "0.key")
    pfx = (*pair, "--to-p12", "--p12-name", "the name")
    key = ("--load-privkey", "0.key", "--to-p8")
    commands: dict[str, tuple[str, ...]] = {}
    for number in range(3):
        commands[f"{number}.key"] = ("--generate-privkey", "--key-type", "ecdsa", "--curve", "secp256r1")
        own = ("--load-privkey", f"{number}.key")
        commands[f"{number}.pem"] = (*own, "--generate-self-signed", "--template", "template")
    # Each pass phrase costs certtool half a second: no more of them than there are forms.
    commands |= {
        "0.p8": (*key, *secret, "--pkcs-cipher", "aes-256"),
        "modern.pfx": (*pfx, "--outder", *secret),
        "empty.pfx": (*pfx, "--empty-password"),
        "null.pfx": (*pfx, "--outder", "--null-password"),
        "empty.p8": (*key, "--empty-password"),
        "null.p8": (*key, "--null-password"),
        "der.p7b": ("--load-certificate", "0.pem", "--p7-generate", "--outder"),
        "pem.p7b": ("--load-certificate", "0.pem", "--p7-generate"),
    }
    with TemporaryDirectory() as folder:
        Path(folder, "template").write_text("cn = somebody\nexpiration_days = 3\n")
        for name, command in commands.items():
            subprocess.run(
                ("certtool", *command, "--outfile", name), check=True, capture_output=True, timeout=60, cwd=folder
            )
        return {path.name: path.read_bytes() for path in Path(folder).iterdir()}
