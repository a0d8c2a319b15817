"""What a user can rely on in what is encrypted with a pass phrase: the right result, at a bounded cost."""

from __future__ import annotations

import base64

from credentialfiles import PASSPHRASE, issued, made
from cryptography.hazmat.primitives.asymmetric import rsa
from pfxfiles import (
    BAG_OF_BAGS,
    HMAC_SHA256,
    PBES2,
    PBKDF2,
    PBMAC1,
    SHROUDED_BAG,
    Locked,
    OldLocked,
    bag,
    certificateBag,
    der,
    integer,
    macOf,
    octets,
    oid,
    pbes2,
    pbkdf2,
    pfx,
    pkcs8,
    safe,
    scrypt,
    seq,
)
from twisted.trial.unittest import SynchronousTestCase

from tlscomm import failures
from tlscomm.credentials import _cost as cost
from tlscomm.credentials import loadCredential
from tlscomm.x509 import _encoding as _export

HUGE = 2**31 - 1


class CostTests(SynchronousTestCase):
    """Whoever writes a file decides what it costs to open it; here he does not."""

    def refused(self, content: bytes, says: str, failure: type[failures.TLSFailure] = failures.UnknownFormat) -> None:
        """Refused without a pass phrase being asked for, and with one."""
        for passphrase in (self.fail, PASSPHRASE):
            found = self.assertRaises(failure, loadCredential, content, passphrase=passphrase)
            self.assertIn(says, found.detail)

    def key(self, algorithm: bytes) -> bytes:
        return _export.cer(issued().certificate) + seq(algorithm, octets(bytes(256)))

    def test_pbkdf2(self) -> None:
        """A key with thousands of millions of rounds of PBKDF2 is refused."""
        for function in ("1.2.840.113549.2.7", "1.2.840.113549.2.11"):
            self.refused(self.key(pbes2(pbkdf2(HUGE, function))), "PBKDF2 costs")

    def test_scrypt(self) -> None:
        """A key for which scrypt would need the memory, or the time, of the machine is refused."""
        for n, r, says in ((2**30, 8, "memory"), (2, 2**30, "memory"), (2**62, 1, "memory")):
            self.refused(self.key(pbes2(scrypt(n, r, 1))), says)
        self.refused(self.key(pbes2(scrypt(2**10, 8, 2**28))), "scrypt costs")
        self.refused(self.key(pbes2(scrypt(3, 1, 1))), "impossible", failures.Damaged)

    def test_old(self) -> None:
        """So are the derivations of PKCS#12 and of PBES1."""
        parameters = seq(octets(b"saltsalt"), integer(HUGE))
        for scheme, says in (
            ("1.2.840.113549.1.12.1.3", "PKCS#12's key derivation costs"),
            ("1.2.840.113549.1.12.1.6", "PKCS#12's key derivation costs"),
            ("1.2.840.113549.1.5.3", "PBKDF1 costs"),
        ):
            self.refused(self.key(seq(oid(scheme), parameters)), says)

    def test_pfx(self) -> None:
        """A PFX is refused whichever of its parts costs too much: the integrity check, a safe, or a key."""
        dear = Locked(PASSPHRASE, derivation=pbkdf2(HUGE))
        certificate = certificateBag(issued().certificate)
        for content in (
            pfx(safe(certificate), mac=macOf(HUGE)),
            pfx(safe(certificate), mac=macOf(HUGE, "1.3.14.3.2.26")),
            pfx(safe(certificate), mac=seq(seq(seq(oid(PBMAC1), dearMAC()), octets(b"x")), octets(b""), integer(1))),
            pfx(dear.safe(certificate)),
            pfx(safe(certificate, bag(SHROUDED_BAG, dear.key(b"x")))),
        ):
            self.refused(content, "costs")

    def test_hidden(self) -> None:
        """So it is where the cost shows only when what is around has been decrypted."""
        dear, open_ = Locked(b"", derivation=pbkdf2(HUGE)), Locked(b"")
        hidden = open_.safe(certificateBag(issued().certificate), bag(SHROUDED_BAG, dear.key(b"x")))
        self.refused(pfx(hidden), "costs")

    def test_hiddenInOld(self) -> None:
        """In an old encryption a hidden key is never opened, so that it costs nothing, whatever it asks for."""
        hidden = bag(SHROUDED_BAG, OldLocked(b"", HUGE).key(b"x"))
        certificate = certificateBag(issued().certificate)
        for bags in ((certificate, hidden), (hidden, certificate), (bag(BAG_OF_BAGS, seq(hidden)), certificate)):
            self.assertEqual(loadCredential(pfx(OldLocked(b"").safe(*bags))).certificate, issued().certificate)

    def test_muchInOld(self) -> None:
        """Megabytes in an old encryption, of which the parts cannot be counted one by one, are refused."""
        content = pfx(OldLocked(b"").safe(*[bag("1.2", b"\5\0")] * 300_000))
        self.refused(content, "bytes in an old encryption")

    def test_sum(self) -> None:
        """Many parts that each cost little are refused when all together cost too much."""
        self.patch(cost, "MOST_ROUNDS_IN_ALL", 9_500)
        assert issued().privateKey is not None
        shrouded = bag(SHROUDED_BAG, Locked(PASSPHRASE).key(pkcs8(issued().privateKey)))
        certificate = certificateBag(issued().certificate)
        loadCredential(pfx(safe(certificate, *[shrouded] * 9)), passphrase=PASSPHRASE)
        failure = self.assertRaises(
            failures.UnknownFormat, loadCredential, pfx(safe(certificate, *[shrouded] * 10)), passphrase=PASSPHRASE
        )
        self.assertIn("in all", failure.detail)

    def test_openSSH(self) -> None:
        """An OpenSSH key with millions of rounds of bcrypt is refused."""
        fields = (b"aes256-ctr", b"bcrypt", string(b"saltsalt") + (2**31).to_bytes(4, "big"))
        content = b"openssh-key-v1\0" + b"".join(map(string, fields)) + b"\0\0\0\1" + string(b"x" * 50) * 2
        text = b"-----BEGIN OPENSSH PRIVATE KEY-----\n%s-----END OPENSSH PRIVATE KEY-----\n"
        self.refused(made()["c.pem"] + text % base64.encodebytes(content), "bcrypt costs")

    def test_nonsense(self) -> None:
        """Numbers of rounds that are none, and salts of megabytes, are damage."""
        for algorithm in (
            pbes2(pbkdf2(0)),
            pbes2(seq(oid(PBKDF2), seq(octets(b"salt"), der(2, b"\xff")))),
            pbes2(seq(oid(PBKDF2), seq(octets(b"salt"), der(2, b"\x7f" * 5000)))),
            pbes2(pbkdf2(salt=bytes(1 << 20))),
            pbes2(b"0\0"),
            seq(oid(PBES2)),
            seq(oid("1.2.840.113549.1.12.1.3"), seq(octets(bytes(1 << 20)), integer(1))),
        ):
            self.refused(self.key(algorithm), "", failures.Damaged)

    def test_usual(self) -> None:
        """What careful programs ask for is worked out: 1,300,000 rounds of PBKDF2, 128 MiB for scrypt."""
        assert issued().privateKey is not None
        dear = Locked(PASSPHRASE, rounds=1_300_000).key(pkcs8(issued().privateKey))
        loadCredential(_export.cer(issued().certificate), key=dear, passphrase=PASSPHRASE).requireKey()
        key = self.key(pbes2(scrypt(2**17, 8, 1)))
        self.assertRaises(failures.PassphraseRequired, loadCredential, key)

    def test_largeKey(self) -> None:
        """A key that would take minutes to check is refused, in the clear and encrypted."""
        number = (1 << 16384) - 1
        key = seq(integer(0), *[integer(number)] * 8)
        certificate = _export.cer(issued().certificate)
        for content in (
            key,
            seq(integer(0), seq(oid("1.2.840.113549.1.1.1")), octets(key)),
            Locked(b"").key(key),
            OldLocked(b"").key(key),
        ):
            failure = self.assertRaises(failures.UnknownFormat, loadCredential, certificate, key=content)
            self.assertIn("bytes", failure.detail)

    def test_largeKeys(self) -> None:
        """So are many keys that are each of a sensible size."""
        key = rsa.generate_private_key(65537, 1024)
        for form in (pkcs8(key), Locked(b"").key(pkcs8(key)), OldLocked(b"").key(pkcs8(key))):
            content = _export.cer(issued().certificate) + form * 16
            loadCredential(content)
            failure = self.assertRaises(failures.UnknownFormat, loadCredential, content + form)
            self.assertIn("16 private keys", failure.detail)


def dearMAC() -> bytes:
    return seq(pbkdf2(HUGE), seq(oid(HMAC_SHA256)))


def string(value: bytes) -> bytes:
    return len(value).to_bytes(4, "big") + value
