"""What a user can rely on in what is encrypted with a pass phrase: the right result, at a bounded cost."""

from __future__ import annotations

import base64

from credentialfiles import PASSPHRASE, issued, made
from cryptography.hazmat.primitives.asymmetric import rsa
from pfxfiles import (
    DATA,
    ENCRYPTED_DATA,
    HMAC_SHA256,
    PBES2,
    PBKDF2,
    PBMAC1,
    SHROUDED_BAG,
    Locked,
    bag,
    certificateBag,
    der,
    explicit,
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

from tlscomm import _export, failures
from tlscomm._reading import kdf, rc2
from tlscomm.credentials import loadCredential

#: From RFC 2268, section 5: effective bits, key and ciphertext; the plaintext is in the last column.
RC2_VECTORS = """
63  0000000000000000                                                    ebb773f993278eff 0000000000000000
64  ffffffffffffffff                                                    278b27e42e2f0d49 ffffffffffffffff
64  3000000000000000                                                    30649edf9be7d2c2 1000000000000001
64  88                                                                  61a8a244adacccf0 0000000000000000
64  88bca90e90875a                                                      6ccf4308974c267f 0000000000000000
64  88bca90e90875a7f0f79c384627bafb2                                    1a807d272bbe5db1 0000000000000000
128 88bca90e90875a7f0f79c384627bafb2                                    2269552ab0f85ca6 0000000000000000
129 88bca90e90875a7f0f79c384627bafb216f80a6f85920584c42fceb0be255daf1e  5b78d3a43dfff1f1 0000000000000000
"""

HUGE = 2**31 - 1


class RC2Tests(SynchronousTestCase):
    def test_vectors(self) -> None:
        """RC2 is the cipher of its standard."""
        for line in RC2_VECTORS.strip().splitlines():
            bits, key, ciphertext, plaintext = line.split()
            found = rc2.decrypt(bytes.fromhex(key), int(bits), bytes(8), bytes.fromhex(ciphertext))
            self.assertEqual(found.hex(), plaintext)

    def test_much(self) -> None:
        """RC2, which Python decrypts slowly, is refused where there is much of it."""
        algorithm = seq(oid("1.2.840.113549.1.12.1.6"), seq(octets(b"salt"), integer(1)))
        info = seq(oid(DATA), algorithm, der(0x80, bytes(1 << 20)))
        content = pfx(seq(oid(ENCRYPTED_DATA), explicit(seq(integer(0), info))))
        failure = self.assertRaises(failures.UnknownFormat, loadCredential, content, passphrase=PASSPHRASE)
        self.assertIn("RC2", failure.detail)


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

    def test_sum(self) -> None:
        """Many parts that each cost little are refused when all together cost too much."""
        self.patch(kdf, "MOST_ROUNDS_IN_ALL", 9_500)
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
        for content in (key, seq(integer(0), seq(oid("1.2.840.113549.1.1.1")), octets(key)), Locked(b"").key(key)):
            failure = self.assertRaises(failures.UnknownFormat, loadCredential, certificate, key=content)
            self.assertIn("bytes", failure.detail)

    def test_largeKeys(self) -> None:
        """So are many keys that are each of a sensible size."""
        key = rsa.generate_private_key(65537, 2048)
        content = _export.cer(issued().certificate) + pkcs8(key) * 16
        loadCredential(content)
        failure = self.assertRaises(failures.UnknownFormat, loadCredential, content + pkcs8(key))
        self.assertIn("16 private keys", failure.detail)


def dearMAC() -> bytes:
    return seq(pbkdf2(HUGE), seq(oid(HMAC_SHA256)))


def string(value: bytes) -> bytes:
    return len(value).to_bytes(4, "big") + value
