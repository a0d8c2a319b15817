"""What a user can rely on when a credential comes in a PFX."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner
from credentialfiles import NOW, PASSPHRASE, authority, issued, made, openssl, pfxOf
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import PrivateFormat, pkcs12
from pfxfiles import (
    BAG_OF_BAGS,
    CERTIFICATE_BAG,
    DATA,
    ENVELOPED_DATA,
    KEY_BAG,
    REVOCATION_BAG,
    SECRET_BAG,
    SHROUDED_BAG,
    SIGNED_DATA,
    Locked,
    OldLocked,
    bag,
    certificateBag,
    der,
    explicit,
    indefinite,
    integer,
    macOf,
    octets,
    oid,
    pbmac1,
    pfx,
    pkcs8,
    safe,
    seq,
)
from twisted.trial.unittest import SynchronousTestCase

from tlscomm import failures
from tlscomm.commandline import program
from tlscomm.credentials import Credential, loadCertificates, loadCredential, loadCredentials, retrying
from tlscomm.credentials._passphrase import Retrying

LOCKED = Locked(PASSPHRASE)
OLD = OldLocked(PASSPHRASE)


def keyBag(credential: Credential, name: str = "", localKeyID: bytes = b"") -> bytes:
    return bag(KEY_BAG, rawKey(credential), name, localKeyID)


def shroudedBag(credential: Credential, locked: Locked = LOCKED) -> bytes:
    return bag(SHROUDED_BAG, locked.key(rawKey(credential)))


def rawKey(credential: Credential) -> bytes:
    assert credential.privateKey is not None
    return pkcs8(credential.privateKey)


def another(name: str = "another") -> Credential:
    return authority().issue(name, role="client", now=NOW)


class EncryptionTests(SynchronousTestCase):
    def test_every(self) -> None:
        """A PFX loads in every encryption that Windows, Java, NSS and OpenSSL write, old and new."""
        old = ("legacy.pfx", "rc2.pfx", "rc2-nomac.pfx", "rc4.pfx", "rc2-128.pfx", "pbes1.pfx")
        for name in (
            "modern.pfx",
            "clear-certificate.pfx",
            *old,
            "nomac.pfx",
            "clear.pfx",
            "sha1-mac.pfx",
            "sha512-mac.pfx",
            "sha3-mac.pfx",
        ):
            self.assertEqual(loadCredential(made()[name], passphrase=PASSPHRASE).requireKey().friendlyName, "the name")

    def test_unsupported(self) -> None:
        """An encryption that is not supported is named with the command that converts it, whatever the pass phrase."""
        for name, cipher in (
            ("aria.pfx", "ARIA-128-CBC"),
            ("camellia.pfx", "Camellia-256-CBC"),
            ("blowfish.pfx", "Blowfish-CBC"),
            ("rc2-pbes2.pfx", "RC2-CBC in PBES2"),
        ):
            for passphrase in (PASSPHRASE, b"wrong", None, self.fail):
                failure = self.assertRaises(failures.UnknownFormat, loadCredential, made()[name], passphrase=passphrase)
                self.assertIn(cipher, failure.detail)
                self.assertIn("openssl pkcs12 -legacy -in FILE -aes256 -out NEW.pem", failure.nextStep)

    def test_conversion(self) -> None:
        """The command that is named converts it."""
        Path("old.pfx").write_bytes(made()["blowfish.pfx"])
        secret = f"pass:{PASSPHRASE.decode()}"
        files = ("-in", "old.pfx", "-aes256", "-out", "new.pem")
        openssl("pkcs12", "-legacy", *files, "-passin", secret, "-passout", secret)
        loadCredential(Path("new.pem").read_bytes(), passphrase=PASSPHRASE).requireKey()

    def test_oldWithoutIntegrityCheck(self) -> None:
        """With an old encryption, too, a wrong pass phrase and none are told apart, with and without a check."""
        for name in ("legacy.pfx", "rc2.pfx", "rc2-nomac.pfx", "pbes1.pfx"):
            self.assertEqual(self.refusal(made()[name], b"wrong").code, "passphrase-wrong")
            self.assertEqual(self.refusal(made()[name], None).code, "passphrase-required")

    def test_oldEmpty(self) -> None:
        """An empty pass phrase opens what was encrypted long ago, with and without an integrity check."""
        for name in ("rc2-empty.pfx", "rc2-nomac-empty.pfx"):
            for passphrase in (None, b"", b"not needed"):
                loadCredential(made()[name], passphrase=passphrase).requireKey()

    def test_oldCertificates(self) -> None:
        """Certificates come out of an old encryption where there is no key, or none is wanted."""
        for name in ("rc2-nokeys.pfx", "rc2.pfx"):
            found = loadCertificates(made()[name], passphrase=PASSPHRASE)
            self.assertEqual(found, loadCertificates(made()["c.pem"]))

    def test_oldSpelling(self) -> None:
        """A pass phrase that an old program widened byte by byte opens what it wrote."""
        word = "Größe".encode()
        encryption = (
            PrivateFormat.PKCS12.encryption_builder()
            .key_cert_algorithm(pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC)
            .hmac_hash(hashes.SHA1())
            .build(word.decode("latin-1").encode())
        )
        credential = issued()
        assert isinstance(credential.privateKey, ec.EllipticCurvePrivateKey)
        content = pkcs12.serialize_key_and_certificates(
            b"ours", credential.privateKey, credential.certificate, None, encryption
        )
        self.assertEqual(loadCredential(content, passphrase=word).requireKey().friendlyName, "ours")
        self.assertEqual(self.refusal(content, "größe".encode()).code, "passphrase-wrong")

    def test_oldAndBroken(self) -> None:
        """What the right pass phrase opens and cannot be read is damaged, whatever encrypts it."""
        broken = bag(CERTIFICATE_BAG, seq(oid("1.2.840.113549.1.9.22.1"), explicit(octets(b"0\3\2\1\1"))))
        for safes in ((OLD.safe(broken),), (safe(bag(SHROUDED_BAG, OLD.key(b"0\0"))),)):
            content = pfx(*safes, mac=pbmac1(safes, PASSPHRASE))
            self.assertEqual(self.refusal(content, PASSPHRASE).code, "damaged")

    def refusal(self, content: bytes, passphrase: bytes | None) -> failures.TLSFailure:
        return self.assertRaises(failures.TLSFailure, loadCredential, content, passphrase=passphrase)

    def test_newIntegrityCheck(self) -> None:
        """The integrity check of RFC 9579 is checked: a wrong pass phrase is told from the right one."""
        safes = (safe(certificateBag(issued().certificate), shroudedBag(issued())),)
        content = pfx(*safes, mac=pbmac1(safes, PASSPHRASE))
        loadCredential(content, passphrase=PASSPHRASE).requireKey()
        self.assertEqual(self.refusal(content, b"wrong").code, "passphrase-wrong")

    def test_spelling(self) -> None:
        """A pass phrase in any script opens a PFX, given in UTF-8; one given in another encoding is wrong or right."""
        for word in ("Größe", "密码", "🔑"):
            content = pfxOf(issued(), word.encode())
            loadCredential(content, passphrase=word.encode()).requireKey()
            for given in (word.encode("utf-16"), b"\xff\xfe\xfd", b"with \0 inside", b"x" * 5000):
                self.assertEqual(self.refusal(content, given).code, "passphrase-wrong")

    def test_publicKey(self) -> None:
        """A PFX that is protected by a public key is told from one with a pass phrase."""
        contents = seq(seq(oid(ENVELOPED_DATA), explicit(seq())))
        for content in (
            seq(integer(3), seq(oid(SIGNED_DATA), explicit(seq()))),
            seq(integer(3), seq(oid(DATA), explicit(octets(contents)))),
        ):
            self.assertIn("public key", self.refusal(content, PASSPHRASE).detail)

    def test_twoPassphrases(self) -> None:
        """Where the content has another pass phrase than the integrity check, what is given is wrong, not damaged."""
        safes = (safe(certificateBag(issued().certificate), shroudedBag(issued(), Locked(b"another"))),)
        content = pfx(*safes, mac=pbmac1(safes, PASSPHRASE))
        self.assertEqual(self.refusal(content, PASSPHRASE).code, "passphrase-wrong")

    def test_intactAndBroken(self) -> None:
        """What the right pass phrase opens and nobody can read is damaged."""
        broken = bag(CERTIFICATE_BAG, seq(oid("1.2.840.113549.1.9.22.1"), explicit(octets(b"0\3\2\1\1"))))
        for safes in ((safe(broken),), (LOCKED.safe(broken),)):
            content = pfx(*safes, mac=pbmac1(safes, PASSPHRASE))
            self.assertEqual(self.refusal(content, PASSPHRASE).code, "damaged")

    def test_withoutIntegrityCheck(self) -> None:
        """Without an integrity check a wrong pass phrase is still told from damage, and none from a wrong one."""
        content = pfx(LOCKED.safe(certificateBag(issued().certificate)), safe(shroudedBag(issued())))
        loadCredential(content, passphrase=PASSPHRASE).requireKey()
        self.assertEqual(self.refusal(content, b"wrong").code, "passphrase-wrong")
        self.assertEqual(self.refusal(content, None).code, "passphrase-required")
        self.assertEqual(self.refusal(content[:-3], PASSPHRASE).code, "damaged")


class ContentTests(SynchronousTestCase):
    def test_anyBag(self) -> None:
        """Certificate and key may be in any safe, encrypted together, apart, twice or not, and in bags of bags."""
        credential = issued()
        certificate, key, hidden = certificateBag(credential.certificate), keyBag(credential), shroudedBag(credential)
        for safes in (
            (safe(certificate, key),),
            (safe(key), safe(certificate)),
            (LOCKED.safe(certificate, key),),
            (LOCKED.safe(hidden), safe(certificate)),
            (LOCKED.safe(hidden, certificate),),
            (safe(bag(BAG_OF_BAGS, seq(bag(BAG_OF_BAGS, seq(hidden)), certificate))),),
        ):
            loadCredential(pfx(*safes), passphrase=PASSPHRASE).requireKey()

    def test_chain(self) -> None:
        """The chain is put in order, wherever its certificates are."""
        chained = issued()
        bags = [certificateBag(each) for each in (authority().certificate, *chained.chain, chained.certificate)]
        credential = loadCredential(pfx(safe(bags[0], keyBag(chained)), LOCKED.safe(*bags[1:])), passphrase=PASSPHRASE)
        self.assertEqual((credential.certificate, credential.chain), (chained.certificate, chained.chain))

    def test_passedOver(self) -> None:
        """Revocation lists, secrets, certificates of another kind and bags that nobody knows do no harm."""
        others = (
            bag(REVOCATION_BAG, seq(oid("1.2.840.113549.1.9.23.1"), explicit(octets(b"x")))),
            bag(SECRET_BAG, seq(oid("1.2.840.113549.1.12.10.1.2"), explicit(octets(b"x")))),
            bag(CERTIFICATE_BAG, seq(oid("1.2.840.113549.1.9.22.2"), explicit(der(0x16, b"x")))),
            bag("1.2.3.4", seq()),
        )
        loadCredential(pfx(safe(*others, certificateBag(issued().certificate), keyBag(issued())))).requireKey()

    def test_severalKeys(self) -> None:
        """Each key with its certificate is a credential; the first that issued none of the others comes first."""
        a, b = issued(), another()
        bags = [certificateBag(a.certificate, "a"), certificateBag(b.certificate, "b")]
        content = pfx(safe(keyBag(b), keyBag(a)), safe(*bags, *map(certificateBag, a.chain)))
        found = loadCredentials(content)
        self.assertEqual([(each.friendlyName, each.chain) for each in found], [("a", a.chain), ("b", ())])
        for each in found:
            each.requireKey()
        self.assertEqual(loadCredential(content).friendlyName, "a")

    def test_oneKey(self) -> None:
        """Where no key fits there is one credential, and it says so when its key is needed."""
        found = loadCredentials(pfx(safe(certificateBag(issued().certificate), keyBag(another()))))
        self.assertEqual(len(found), 1)
        self.assertRaises(failures.KeyMismatch, found[0].requireKey)

    def test_nameOfTheKey(self) -> None:
        """A friendly name may stand with the key alone, as some programs write it."""
        for number in (b"\1", b""):
            bags = (certificateBag(issued().certificate, "", number), keyBag(issued(), "ours", number))
            self.assertEqual(loadCredential(pfx(safe(*bags))).friendlyName, "ours")
        bags = (certificateBag(issued().certificate, "", b"\1"), keyBag(issued(), "theirs", b"\2"))
        self.assertIsNone(loadCredential(pfx(safe(*bags))).friendlyName)

    def test_nameOfTheKeyOnly(self) -> None:
        """So it may where the certificate has an old encryption, and there are several keys."""
        bags = [certificateBag(each.certificate, "", number) for each, number in ((issued(), b"1"), (another(), b"2"))]
        keys = (keyBag(another(), "theirs", b"2"), keyBag(issued(), "ours", b"1"))
        content = pfx(OLD.safe(*bags), safe(*keys))
        self.assertEqual(loadCredential(content, passphrase=PASSPHRASE).friendlyName, "ours")

    def test_severalOldKeys(self) -> None:
        """Several keys come out of an old encryption, each shrouded by itself, and a secret in it does no harm."""
        a, b = issued(), another()
        secret = bag(SECRET_BAG, seq(oid("1.2.840.113549.1.12.10.1.2"), explicit(octets(b"x"))))
        certificates = [certificateBag(each.certificate, name) for each, name in ((a, "a"), (b, "b"))]
        keys = [bag(SHROUDED_BAG, OLD.key(rawKey(each))) for each in (b, a)]
        found = loadCredentials(pfx(safe(*keys), OLD.safe(secret, *certificates)), passphrase=PASSPHRASE)
        self.assertEqual([each.requireKey().friendlyName for each in found], ["a", "b"])

    def test_longName(self) -> None:
        """A friendly name of megabytes is cut."""
        named = certificateBag(issued().certificate, "x" * 100_000)
        for content in (pfx(safe(named)), pfx(OldLocked(b"").safe(named))):
            name = loadCredential(content).friendlyName
            assert name is not None
            self.assertTrue(len(name) <= 1000)

    def test_certificates(self) -> None:
        """Certificates alone come out of a PFX with the pass phrase, without a look at its keys."""
        broken = bag(SHROUDED_BAG, b"0\0")
        content = pfx(LOCKED.safe(certificateBag(issued().certificate)), safe(broken))
        self.assertEqual(loadCertificates(content, passphrase=PASSPHRASE), (issued().certificate,))
        self.assertRaises(failures.PassphraseRequired, loadCertificates, content)

    def test_notAsked(self) -> None:
        """Nobody is asked for the pass phrase of what is in the clear."""
        loadCredential(pfx(safe(certificateBag(issued().certificate), keyBag(issued()))), passphrase=self.fail)

    def test_empty(self) -> None:
        """A PFX without anything in it has no certificate."""
        for content in (pfx(), pfx(safe())):
            self.assertRaises(failures.NoCertificate, loadCredential, content)


class EncodingTests(SynchronousTestCase):
    """NSS and old Windows write BER: lengths that are found at the end, and strings in pieces."""

    def test_indefinite(self) -> None:
        """A PFX loads with indefinite lengths, on the outside and inside."""
        bags = indefinite(0x30, certificateBag(issued().certificate) + keyBag(issued()))
        inner = indefinite(0x30, indefinite(0x30, oid(DATA) + indefinite(0xA0, octets(bags))))
        outer = integer(3) + indefinite(0x30, oid(DATA) + indefinite(0xA0, octets(inner)))
        loadCredential(indefinite(0x30, outer)).requireKey()

    def test_pieces(self) -> None:
        """A PFX loads when its octet strings are in pieces, and pieces of pieces."""
        inner = seq(safe(certificateBag(issued().certificate), keyBag(issued())))
        pieces = [octets(inner[start : start + 50]) for start in range(0, len(inner), 50)]
        nested = der(0x24, b"".join(pieces[:3])) + indefinite(0x24, b"".join(pieces[3:]))
        for string in (der(0x24, nested), indefinite(0x24, nested)):
            loadCredential(seq(integer(3), seq(oid(DATA), explicit(string)))).requireKey()

    def test_encryptedPieces(self) -> None:
        """What is encrypted may be in pieces, too."""
        encrypted = LOCKED.encrypt(seq(certificateBag(issued().certificate), keyBag(issued())))
        content = der(0xA0, octets(encrypted[:16]) + octets(encrypted[16:]))
        info = seq(oid(DATA), LOCKED.algorithm, content)
        whole = pfx(seq(oid("1.2.840.113549.1.7.6"), explicit(seq(integer(0), info))))
        loadCredential(whole, passphrase=PASSPHRASE).requireKey()

    def test_other(self) -> None:
        """Another version than 3 there is not, and a check of unknown kind is named."""
        self.assertRaises(
            failures.UnknownFormat, loadCredential, seq(integer(4), seq(oid(DATA), explicit(octets(b""))))
        )
        content = pfx(safe(), mac=macOf(1, "1.2.643.7.1.1.2.2"))
        failure = self.assertRaises(failures.UnknownFormat, loadCredential, content, passphrase=PASSPHRASE)
        self.assertIn("1.2.643.7.1.1.2.2", failure.detail)

    def test_curveWithZero(self) -> None:
        """A key of GnuTLS's with a zero too many loads out of a PFX, in the clear and encrypted in any way."""
        key = issued().privateKey
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        number = key.private_numbers().private_value.to_bytes(33, "big")
        curve = oid("1.2.840.10045.3.1.7")
        info = seq(integer(0), seq(oid("1.2.840.10045.2.1"), curve), octets(seq(integer(1), octets(number))))
        certificate = certificateBag(issued().certificate)
        for key in (bag(KEY_BAG, info), bag(SHROUDED_BAG, LOCKED.key(info)), bag(SHROUDED_BAG, OLD.key(info))):
            loadCredential(pfx(safe(certificate, key)), passphrase=PASSPHRASE).requireKey()


class SeveralPassphrases(SynchronousTestCase):
    """Java's programs give the private key in a PFX a pass phrase of its own (openssl pkcs12 -twopass the rest)."""

    def setUp(self) -> None:
        certificates = safe(certificateBag(issued().certificate))
        inner, old = Locked(b"inner"), OldLocked(b"inner")
        keys = [safe(bag(SHROUDED_BAG, locked.key(rawKey(issued())))) for locked in (inner, old)]
        whole = [(certificates, key) for key in keys]
        whole += [(locked.safe(certificateBag(issued().certificate)), keys[0]) for locked in (inner, old)]
        self.files = [pfx(*safes, mac=pbmac1(safes, b"outer")) for safes in whole]

    def given(self, *secrets: bytes) -> Retrying:
        left = list(secrets) * 9
        return retrying(lambda _: left.pop(0), len(secrets))

    def test_both(self) -> None:
        """With both, in any order and among others, everything opens, whatever encrypts it."""
        for content in self.files:
            for secrets in ((b"outer", b"inner"), (b"inner", b"outer"), (b"no", b"outer", b"no", b"inner")):
                credential = loadCredential(content, passphrase=self.given(*secrets)).requireKey()
                self.assertEqual(credential.certificate, issued().certificate)

    def test_one(self) -> None:
        """With that of the file alone, it is said which part has another one; the other opens nothing."""
        parts = ("private key", "private key", "certificates", "certificates")
        for content, part in zip(self.files, parts, strict=True):
            failure = self.assertRaises(failures.PassphraseWrong, loadCredential, content, passphrase=b"outer")
            self.assertRegex(str(failure), f"the .*{part} in the given content has a pass phrase of its own")
            self.assertIn("Give both", failure.nextStep)
            self.assertRaises(failures.PassphraseWrong, loadCredential, content, passphrase=b"inner")

    def test_certificates(self) -> None:
        """For the certificates alone that of the file is enough where the key alone has another."""
        for content in self.files[:2]:
            self.assertEqual(loadCertificates(content, passphrase=b"outer"), (issued().certificate,))

    def test_aPersonIsAsked(self) -> None:
        """A person who opened the file is asked for the key's pass phrase by that name."""
        asked = []

        def prompt(name: str) -> bytes:
            asked.append(name)
            return b"inner" if "private key" in name else b"outer"

        loadCredential(self.files[0], passphrase=retrying(prompt)).requireKey()
        self.assertEqual(asked, ["the given content", "the private key in the given content"])

    def test_shown(self) -> None:
        """``tlscomm inspect`` shows what the pass phrase of the file opens."""
        Path("two.pfx").write_bytes(self.files[0])
        Path("phrase").write_bytes(b"outer")
        result = CliRunner().invoke(program, ["inspect", "two.pfx", "--passphrase-file", "phrase"])
        self.assertIn("1 certificate, a private key that is not opened", result.stdout)
        self.assertIn("has a pass phrase of its own", result.stderr)
