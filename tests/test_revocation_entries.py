"""A revocation list is read piece by piece, and says what the library says of it as a whole."""

from __future__ import annotations

import random
from datetime import datetime, timedelta, timezone
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from pfxfiles import der, seq
from revocationlists import NOW, entry, revocationList
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.issuing import Authority
from tlscomm.revocation._entries import EncodedList, decoded
from tlscomm.revocation._revocationlist import RevocationList
from tlscomm.x509 import _der

ROOT = Authority.create("the root")
REASONS = (None, x509.ReasonFlags.key_compromise, x509.ReasonFlags.certificate_hold)


def encoded(crl: x509.CertificateRevocationList) -> bytes:
    return crl.public_bytes(Encoding.DER)


def indexed(content: bytes) -> EncodedList:
    found = EncodedList(content)
    for _ in found.index():
        pass
    return found


def withParts(change: Any, crl: x509.CertificateRevocationList) -> bytes:
    """A list whose signed fields were changed, by a function of them."""
    signed, *rest = _der.first(encoded(crl)).parts()
    return seq(seq(*change([part.encoded for part in signed.parts()])), *(each.encoded for each in rest))


class Entries(SynchronousTestCase):
    def test_eachIsFound(self) -> None:
        """However many there are, and whatever their numbers."""
        draw = random.Random(1)
        for count in (0, 1, 511, 512, 513, 1100):
            numbers = [draw.getrandbits(draw.randint(1, 159)) or 1 for _ in range(count)] + [127, 128, 255, 256][:count]
            entries = [entry(number, draw.choice(REASONS)) for number in dict.fromkeys(numbers)]
            crl = revocationList(ROOT, entries=entries)
            found = indexed(encoded(crl))
            for each in crl:
                one = found.entry(each.serial_number)
                assert one is not None
                self.assertEqual(
                    (one.serial_number, one.revocation_date_utc, list(one.extensions)),
                    (each.serial_number, each.revocation_date_utc, list(each.extensions)),
                )
            for number in (draw.getrandbits(159) for _ in range(100)):
                self.assertIsNone(found.entry(number))
            self.assertEqual(found.whole, crl)

    def test_ofTwoForOneNumberTheLastCounts(self) -> None:
        entries = [entry(5, reason) for reason in (*REASONS, x509.ReasonFlags.superseded)] * 500
        one = indexed(encoded(revocationList(ROOT, entries=entries))).entry(5)
        assert one is not None
        reason: Any = one.extensions[0].value
        self.assertEqual(reason.reason, x509.ReasonFlags.superseded)

    def test_whatTheLibraryDoesNotReadIsNotRead(self) -> None:
        crl = revocationList(ROOT, [1, 2, 3])
        good = encoded(crl)
        odd = der(0x30, der(0x02, b"\0\0\1") + der(0x17, b"260101000000Z"))
        for content in (
            *(b"", b"\x30", b"hello", good[:-9], good + b"\n", b"\x30\x80" + good[4:] + b"\0\0"),
            withParts(lambda parts: [*parts[:5], seq(odd), *parts[6:]], crl),
            withParts(lambda parts: [*parts[:5], seq(b"\x30\x7f\x02\x01\x01"), *parts[6:]], crl),
            withParts(lambda parts: [*parts[:5], seq(der(0x31, b"\x02\x01\x01")), *parts[6:]], crl),
            withParts(lambda parts: parts[:3], crl),
        ):
            self.assertRaises(ValueError, indexed, content)

    def test_whatStandsBesideTheEntriesIsBounded(self) -> None:
        large = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.999.1"), bytes(1 << 16))
        self.assertRaises(ValueError, EncodedList, encoded(revocationList(ROOT, extensions=[(large, False)])))

    def test_aCriticalExtensionIsFoundInAnyEntry(self) -> None:
        odd = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.999.1"), b"")
        entries = [*map(entry, range(1, 700)), entry(700, extensions=[(odd, True)]), *map(entry, range(701, 1400))]
        self.assertIn("2.999.1", RevocationList(encoded(revocationList(ROOT, entries=entries))).fault)

    def test_PEMIsDecodedPieceByPiece(self) -> None:
        crl = revocationList(ROOT, range(1, 20_000))
        text = crl.public_bytes(Encoding.PEM)
        for content in (text, b"a list:\n" + text.replace(b"\n", b"\r\n")):
            self.assertEqual(decoded(content), encoded(crl))
        for content in (b"", text[:-40], text + text):
            self.assertRaises(ValueError, decoded, content)


class Signatures(SynchronousTestCase):
    """The verdict on a signature is the library's."""

    def signed(self, key: Any, algorithm: Any, **more: Any) -> x509.CertificateRevocationList:
        builder = x509.CertificateRevocationListBuilder().issuer_name(ROOT.certificate.subject)
        return builder.last_update(NOW).next_update(NOW + timedelta(days=1)).sign(key, algorithm, **more)

    def holder(self, key: Any) -> x509.Certificate:
        now = datetime.now(timezone.utc)
        builder = x509.CertificateBuilder().subject_name(ROOT.certificate.subject).issuer_name(ROOT.certificate.subject)
        builder = builder.not_valid_before(now).not_valid_after(now + timedelta(days=1)).serial_number(1)
        return builder.public_key(key.public_key()).sign(ROOT.privateKey, hashes.SHA256())  # type: ignore[arg-type]

    def test_theKeyThatSignedCounts(self) -> None:
        keys: list[Any] = [
            rsa.generate_private_key(65537, 2048),
            ec.generate_private_key(ec.SECP384R1()),
            ed25519.Ed25519PrivateKey.generate(),
        ]
        holders = [self.holder(key) for key in keys]
        pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
        lists = [
            (0, self.signed(keys[0], hashes.SHA512())),
            (0, self.signed(keys[0], hashes.SHA256(), rsa_padding=pss)),
            (1, self.signed(keys[1], hashes.SHA256())),
            (2, self.signed(keys[2], None)),
        ]
        for owner, crl in lists:
            one = RevocationList(encoded(crl))
            self.assertEqual([one.isSignedBy(holder) for holder in holders], [number == owner for number in range(3)])
            changed = withParts(lambda parts: [*parts[:3], parts[4], parts[4]], crl)
            self.assertFalse(RevocationList(changed).isSignedBy(holders[owner]))

    def test_anotherAlgorithmInsideThanOutsideDoesNotCount(self) -> None:
        """RFC 5280, section 5.1.1.2."""
        key = ec.generate_private_key(ec.SECP256R1())
        other = _der.first(encoded(self.signed(key, hashes.SHA512()))).parts()[1].encoded
        signed, algorithm, _ = _der.first(encoded(self.signed(key, hashes.SHA256()))).parts()
        fields = [part.encoded for part in signed.parts()]
        inside = seq(*fields[:1], other, *fields[2:])
        signature = key.sign(inside, ec.ECDSA(hashes.SHA256()))
        forged = seq(inside, algorithm.encoded, der(0x03, b"\0" + signature))
        self.assertRaises(ValueError, RevocationList, forged)
