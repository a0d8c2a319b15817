"""What a user can rely on when a file was made to do harm."""

from __future__ import annotations

import base64
import contextlib
import re
import warnings
from collections.abc import Callable
from functools import cache

from credentialfiles import NOW, PASSPHRASE, authority, issued, keyOf, made, pfxOf
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtensionOID
from hypothesis import given, settings
from hypothesis import strategies as st
from pfxfiles import (
    BAG_OF_BAGS,
    DATA,
    KEY_BAG,
    PBES2,
    PBKDF2,
    bag,
    der,
    explicit,
    indefinite,
    integer,
    octets,
    oid,
    pfx,
    safe,
    seq,
)
from twisted.trial.unittest import SynchronousTestCase

from tlscomm import failures
from tlscomm.credentials import checkUsable, loadCertificates, loadCredential, loadPrivateKeys
from tlscomm.credentials._contents import named
from tlscomm.x509 import _encoding as _export
from tlscomm.x509._facts import certificateFacts

#: Without a deadline, which would make the clock part of the test.
unhurried = settings(deadline=None)


class HostileContentTests(SynchronousTestCase):
    """Nothing but our own failures comes out of the loader, whatever goes in."""

    def test_pointOfAnotherForm(self) -> None:
        """An OpenSSH key whose point is not uncompressed, for which the library has no code, is refused by name."""
        text = issued().requireKey().privateKey.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
        content = base64.b64decode(b"".join(text.splitlines()[1:-1])).replace(b"\0\0\0\x41\4", b"\0\0\0\x41\6")
        armoured = b"-----BEGIN OPENSSH PRIVATE KEY-----\n%s-----END OPENSSH PRIVATE KEY-----\n"
        with self.assertRaises(failures.UnknownFormat) as raised:
            loadPrivateKeys(armoured % base64.encodebytes(content))
        self.assertIn("uncompressed", str(raised.exception))

    def tried(self, content: bytes, passphrase: bytes = PASSPHRASE) -> None:
        # cryptography warns of some deviations before it refuses others.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                credential = loadCredential(content, passphrase=passphrase)
                certificateFacts(credential.certificate)
                checkUsable(credential, "server", NOW)
            except failures.TLSFailure as failure:
                self.assertTrue(str(failure).isprintable())
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            self.quietly(loadCredential, content)
            self.quietly(loadCertificates, content)

    def quietly(self, load: Callable[[bytes], object], content: bytes) -> None:
        with contextlib.suppress(failures.TLSFailure):
            load(content)

    @staticmethod
    @cache
    def good() -> dict[str, bytes]:
        chained = issued()
        p7b = _export.p7b((chained.certificate, *chained.chain))
        return {
            "pem": _export.pem((chained.certificate, *chained.chain)) + keyOf(chained),
            "encrypted": made()["c.pem"] + made()["pkcs8.pem"],
            "old": made()["c.pem"] + made()["sec1-aes256.pem"],
            "der": _export.cer(chained.certificate) + made()["pkcs8.der"] + made()["sec1.der"],
            "encrypted der": made()["c.der"] + made()["encrypted.der"],
            "pfx": pfxOf(chained, others=chained.chain),
            "old pfx": made()["rc2.pfx"],
            "clear": made()["clear.pfx"],
            "ber": indefinite(
                0x30, integer(3) + indefinite(0x30, oid(DATA) + explicit(indefinite(0x24, octets(seq()))))
            ),
            "p7b": p7b,
            "base64": base64.encodebytes(p7b),
            "ssh": made()["c.pem"] + SSH_KEY,
        }

    @unhurried
    @given(
        st.binary(max_size=200),
        st.sampled_from(
            (
                *(
                    b"",
                    b"-----BEGIN ",
                    b"0\x82\x01\x00\x02\x01\x030",
                    b"0\x820\x82\xa0\x03\x02\x01",
                    b"openssh-key-v1\0",
                ),
                *(
                    b"\xff\xfe-\0-\0-\0-\0-\0",
                    seq(oid("1.2.840.113549.1.7.2"), b"\xa0\x80"),
                    b"0\x800\x80\x06\x09*\x86H\x86",
                ),
            )
        ),
    )
    def test_anything(self, content: bytes, start: bytes) -> None:
        """Arbitrary bytes, also such that begin as a known form does."""
        self.tried(start + content)

    def test_truncated(self) -> None:
        """Good files that end too early: at every byte of their first and last parts, and at every seventh between."""
        for content in self.good().values():
            for end in sorted({*range(300), *range(300, len(content), 7), *range(len(content) - 100, len(content))}):
                if not 0 <= end < len(content):
                    continue
                self.quietly(loadCertificates, content[:end])
                self.quietly(loadCredential, content[:end])

    @unhurried
    @given(st.data())
    def test_changed(self, data: st.DataObject) -> None:
        """Good files with a few bits or bytes changed, put in or left out."""
        content = bytearray(data.draw(st.sampled_from(sorted(self.good().items())))[1])
        for _ in range(data.draw(st.integers(1, 3))):
            start = data.draw(st.integers(0, len(content)))
            removed = data.draw(st.sampled_from((0, 1, 1, 1, 40)))
            content[start : start + removed] = data.draw(st.binary(max_size=3))
        self.tried(bytes(content))

    @unhurried
    @given(
        st.sampled_from(
            ("modern.pfx", "legacy.pfx", "rc2-nomac.pfx", "pkcs8.pem", "pkcs8-rc2.pem", "sec1-aes256.pem", "clear.pfx")
        ),
        st.binary(max_size=40),
    )
    def test_passphrases(self, name: str, passphrase: bytes) -> None:
        """Any bytes as a pass phrase."""
        self.tried(made()["c.pem"] + made()[name] if name.endswith(".pem") else made()[name], passphrase)

    @unhurried
    @given(st.recursive(st.binary(max_size=6), lambda inner: st.lists(inner, max_size=4), max_leaves=12), st.data())
    def test_structures(self, tree: object, data: st.DataObject) -> None:
        """Whole structures of ASN.1 that mean nothing, or nearly something."""
        tags = st.sampled_from((0x30, 0x31, 0xA0, 0xA1, 0x24, 0x04, 0x02, 0x06, 0x03, 0x0A))
        identifiers = st.sampled_from(("1.2.840.113549.1.7.1", "1.2.840.113549.1.7.2", PBES2, PBKDF2, KEY_BAG))

        def encoded(node: object) -> bytes:
            if isinstance(node, bytes):
                return data.draw(
                    st.sampled_from((integer(3), integer(0), octets(node), oid(data.draw(identifiers)), node))
                )
            assert isinstance(node, list)
            return der(data.draw(tags), b"".join(map(encoded, node)))

        self.tried(seq(data.draw(st.sampled_from((b"", integer(3), integer(0), seq()))), encoded(tree), encoded(tree)))

    def test_nested(self) -> None:
        """Nesting deeper than any stack, in every format that nests."""
        bags = b""
        for _ in range(200):
            bags = bag(BAG_OF_BAGS, seq(bags))
        for content in (
            b"0\x80\x02\x01\x030" + b"\x800" * 100_000,
            pfx(safe(bags)),
            deep(b"\x02\x01\x03", 0x30),
            deep(oid("1.2.840.113549.1.7.2"), 0xA0),
            deep(oid("1.2.840.113549.1.7.2"), 0xA0, b"0\x80"),
            pfx(seq(oid(DATA), explicit(b"\x24\x80" * 100_000))),
        ):
            self.tried(content)

    def test_manyBlocks(self) -> None:
        """A file full of beginnings, or of blocks that say nothing."""
        self.tried(b"-----BEGIN CERTIFICATE-----\n" * 40_000)
        self.tried(b"-----BEGIN NOTHING-----\n-----END NOTHING-----\n" * 12_000)
        self.tried("-----BEGIN NOTHING-----\n-----END NOTHING-----\n".encode("utf-16-le") * 6_000)

    def test_many(self) -> None:
        """Megabytes of the smallest parts that a format has."""
        certificates = explicit(seq() * 400_000)
        for content in (
            pfx() * 40_000,
            pfx(*[safe()] * 40_000),
            pfx(safe(*[bag("1.2", b"\5\0")] * 80_000)),
            pfx(safe(*[bag(BAG_OF_BAGS, seq(*[bag("1.2", b"\5\0")] * 600))] * 150)),
            indefinite(0x30, integer(3) + indefinite(0x30, b"\5\0" * 400_000)),
            seq(oid("1.2.840.113549.1.7.2"), explicit(seq(integer(1), der(0x31, b""), seq(), certificates))),
            made()["c.der"] * 2_000,
            made()["sec1.der"] * 8_000,
            seq(integer(1), octets(b"")) * 160_000,
            base64.encodebytes(made()["c.der"] * 2_000),
            b"M" + b"I" * 1_600_000,
            b" " * 1_600_000,
            b"-" * 1_600_000,
            b"0" * 1_600_000,
        ):
            self.tried(content)

    def test_large(self) -> None:
        """More than four megabytes are no credential, whatever they are."""
        for content in (made()["c.pem"], made()["c.der"], made()["modern.pfx"], b" "):
            large = content * (5_000_000 // len(content))
            failure = self.assertRaises(failures.UnknownFormat, loadCredential, large)
            self.assertIn("bytes", failure.detail)

    def test_panics(self) -> None:
        """What makes cryptography's Rust code give up: an initial value that is too short, a NUL in a pass phrase."""
        for iv in (b"", b",", b",00", b",0011223344556677", b"," + b"0" * 33, b"," + b"x" * 32):
            key = re.sub(rb"DEK-Info: AES-256-CBC.*", b"DEK-Info: AES-256-CBC" + iv, made()["sec1-aes256.pem"])
            self.assertRaises(failures.Damaged, loadCredential, made()["c.pem"] + key, passphrase=PASSPHRASE)
        for name in ("modern.pfx", "rc2.pfx", "rc2-nomac.pfx"):
            self.tried(made()[name], b"\0")
            self.tried(made()[name], PASSPHRASE + b"\0")
        self.tried(made()["c.pem"] + made()["pkcs8-rc2.pem"], PASSPHRASE + b"\0")

        class PanicException(BaseException):
            pass

        with self.assertRaises(failures.Damaged), named("the file"):
            raise PanicException
        with self.assertRaises(KeyboardInterrupt), named("the file"):
            raise KeyboardInterrupt

    def test_namesakes(self) -> None:
        """Hundreds of authorities of one name that all could have issued one another."""
        identifiers = (ExtensionOID.SUBJECT_KEY_IDENTIFIER, ExtensionOID.AUTHORITY_KEY_IDENTIFIER)
        one = authority().intermediate("twin", now=NOW, omit=identifiers)
        twins = [one.intermediate("twin", now=NOW, omit=identifiers, privateKey=one.privateKey) for _ in range(300)]
        leaf = one.issue("leaf", role="client", now=NOW, omit=identifiers)
        self.tried(_export.pem((leaf.certificate, *(twin.certificate for twin in twins))))


def deep(inside: bytes, tag: int, start: bytes = b"") -> bytes:
    """Return an element that is nested 3000 deep."""
    nested = b""
    for _ in range(3000):
        nested = bytes((tag, 0x84)) + len(nested).to_bytes(4, "big") + nested
    return start + b"0\x84" + (len(nested) + len(inside)).to_bytes(4, "big") + inside + nested


SSH_KEY = ed25519.Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
