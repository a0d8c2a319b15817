"""What a user can rely on in ``tlscomm pki issue``, and in the record of what was issued."""

from __future__ import annotations

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, rsa
from cryptography.hazmat.primitives.serialization import Encoding, pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.access import Peer
from tlscomm.commandline import program
from tlscomm.credentials import checkUsable, loadCertificates, loadCredential
from tlscomm.issuing import Authority, writeDevelopmentAuthority
from tlscomm.issuing._certificates import newKey
from tlscomm.x509._encoding import keyPEM, pem, pfx
from tlscomm.x509._facts import certificateFacts
from tlscomm.x509._issuers import hasIssued


def pki(*words: str, status: int = 0) -> str:
    result = CliRunner().invoke(program, ["pki", *words])
    assert result.exit_code == status, (result.exit_code, result.output, result.exception)
    return result.output


def told(*words: str, status: int = 0) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(pki(*words, "--json", status=status))
    return value


def record() -> dict[str, Any]:
    value: dict[str, Any] = json.loads(Path("certs/issued.json").read_bytes())
    return value


def put(path: str, content: bytes) -> None:
    Path(path).write_bytes(content)
    Path(path).chmod(0o600)


def extension(certificate: x509.Certificate, kind: Any) -> Any:
    return certificate.extensions.get_extension_for_class(kind).value


class ObjectTests(SynchronousTestCase):
    """``--json`` of the commands that make folders."""

    def test_init(self) -> None:
        """It says whether the authority was made, kept or renewed."""
        self.assertEqual(told("init", "certs")["outcome"], "made")
        kept = told("init", "certs")
        self.assertEqual((kept["outcome"], kept["names"]), ("kept", ["localhost", "127.0.0.1", "::1"]))
        Path("certs/client.key").unlink()
        self.assertEqual(told("init", "certs")["outcome"], "renewed")

    def test_notMade(self) -> None:
        """A folder that cannot be made is an error in the object."""
        Path("file").touch()
        self.assertIn("file", told("init", "file/certs", status=1)["error"])


class IssueTests(SynchronousTestCase):
    """``tlscomm pki issue``."""

    def setUp(self) -> None:
        self.authority = writeDevelopmentAuthority("certs").authority

    def names(self, *words: str) -> tuple[str, ...]:
        issued = told("issue", *words)["certificate"]
        return tuple(issued["names"])

    def test_client(self) -> None:
        """The second client takes one command: every form of it is beside the others, and its keys are its owner's."""
        output = pki("issue", "client", "alice")
        self.assertIn("tlscomm connect localhost:8443 --identity certs/alice.pfx --roots certs/ca.pem", output)
        forms = {path.name for path in Path("certs").glob("alice*")}
        endings = (".key", ".pem", "-with-key.pem", ".pfx", ".cer", ".p7b")
        self.assertEqual(forms, {f"alice{ending}" for ending in endings})
        for name in ("alice.key", "alice-with-key.pem", "alice.pfx", "issued.json"):
            self.assertEqual(stat.S_IMODE(Path("certs", name).stat().st_mode), 0o600, name)
        credential = loadCredential("certs/alice.pfx").requireKey()
        checkUsable(credential, "client", datetime.now(timezone.utc))
        self.assertTrue(hasIssued(self.authority.certificate, credential.certificate))
        self.assertEqual(Peer((credential.certificate,)).dnsNames, ("alice",))

    def test_purposes(self) -> None:
        """What is for one side is not for the other, and ``both`` is for both."""
        client, server = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH
        for word, purposes in (("client", {client}), ("server", {server}), ("both", {client, server})):
            pki("issue", word, f"{word}.example")
            certificate = loadCertificates(f"certs/{word}.example.pem")[0]
            self.assertEqual(set(extension(certificate, x509.ExtendedKeyUsage)), purposes)
            self.assertFalse(extension(certificate, x509.BasicConstraints).ca)

    def test_serverNames(self) -> None:
        """A server has all the names that are given: wildcards, addresses, and international ones in ASCII."""
        names = self.names(
            "server", "*.example.org", "bücher.example", "10.0.0.7", "::1", "--dns", "db", "--ip", "fe80::1"
        )
        expected = {"dns:*.example.org", "dns:xn--bcher-kva.example", "ip:10.0.0.7", "ip:::1", "dns:db", "ip:fe80::1"}
        self.assertEqual(set(names), expected)
        self.assertTrue(Path("certs/_wildcard.example.org.pem").exists())

    def test_clientNames(self) -> None:
        """A client has the name that it is given, in the form that it has, and its subject where it has none."""
        for name, expected in (
            ("bob@example.org", "email:bob@example.org"),
            ("spiffe://example.org/billing/api", "uri:spiffe://example.org/billing/api"),
            ("192.0.2.1", "ip:192.0.2.1"),
            ("Zoë Example", "directory:CN=Zoë Example"),
        ):
            self.assertEqual(self.names("client", name), (expected,))
        self.assertTrue(Path("certs/example.org_billing_api.pfx").exists())
        self.assertTrue(Path("certs/Zoë Example.pfx").exists())
        self.assertEqual(self.names("client", "carol", "--email", "c@example.org"), ("email:c@example.org",))

    def test_spiffe(self) -> None:
        """A SPIFFE id is the only URI, and is read as one; what is none is refused."""
        pki("issue", "client", "billing", "--spiffe", "spiffe://Example.org/billing")
        peer = Peer(loadCertificates("certs/billing.pem")[:1])
        self.assertEqual((peer.spiffeID, len(peer.uris)), ("spiffe://example.org/billing", 1))
        for words in (
            ("--spiffe", "spiffe://example.org/a", "--uri", "https://example.org"),
            ("--spiffe", "spiffe://example.org"),
            ("--spiffe", "https://example.org/a"),
            ("--spiffe", "spiffe://example.org/a/../b"),
            ("--uri", "spiffe://example.org/a", "--uri", "spiffe://example.org/b"),
        ):
            pki("issue", "client", "other", *words, status=2)
        self.assertEqual(list(Path("certs").glob("other*")), [])

    def test_wrongNames(self) -> None:
        """What is no name, or would be another's file, is wrong usage, and nothing is written."""
        before = sorted(Path().rglob("*"))
        for words in (
            ("server", "a..b"),
            ("server", "*.org"),
            ("server", "a.example", "--ip", "b.example"),
            ("server", "a.example", "--dns", "10.0.0.1"),
            ("client", "../alice"),
            ("client", "a/b"),
            ("client", ".hidden"),
            ("client", "ca"),
            ("client", "a-with-key"),
            ("client", "a\x1b[2J"),
            ("client", "a\nb"),
            ("client", "x" * 65),
            ("client", ""),
            ("client", "alice", "--file", "../../etc/passwd"),
            ("client", "alice", "--format", "cer"),
            ("client", "alice", "--days", "0"),
            ("client", "alice", "--days", "100000"),
            ("client", "alice", "--key", "dsa"),
        ):
            output = pki("issue", *words, status=2)
            self.assertNotIn("\x1b", output)
        self.assertEqual(sorted(Path().rglob("*")), before)

    def test_keys(self) -> None:
        """The private key is of the kind that is wanted; for one that PKCS#12 has no place for, that is said."""
        for word, kind in (("ec384", ec.EllipticCurvePrivateKey), ("ed25519", ed25519.Ed25519PrivateKey)):
            pki("issue", "client", word, "--key", word)
            self.assertIsInstance(loadCredential(f"certs/{word}.pfx").requireKey().privateKey, kind)
        notes = told("issue", "client", "quantum", "--key", "mldsa")["notes"]
        self.assertIn("PKCS#12 (PFX) has no place for this kind of key yet", notes)
        credential = loadCredential("certs/quantum-with-key.pem").requireKey()
        self.assertIsInstance(credential.privateKey, mldsa.MLDSA65PrivateKey)
        pki("issue", "client", "old", "--key", "rsa", "--format", "with-key")
        key = loadCredential("certs/old-with-key.pem").requireKey().privateKey
        assert isinstance(key, rsa.RSAPrivateKey)
        self.assertEqual(key.key_size, 3072)

    def test_passphrase(self) -> None:
        """With a pass phrase, from a file or the environment, no form of the key is in the clear."""
        put("phrase", "öffne dich\n".encode())
        pki("issue", "client", "alice", "--passphrase-file", "phrase")
        for name in ("alice.pfx", "alice-with-key.pem"):
            loadCredential(f"certs/{name}", passphrase="öffne dich".encode()).requireKey()
        for name in ("alice.key", "alice-with-key.pem"):
            self.assertIn(b"BEGIN ENCRYPTED PRIVATE KEY", Path("certs", name).read_bytes())
        with self.assertRaises(ValueError):
            pkcs12.load_pkcs12(Path("certs/alice.pfx").read_bytes(), None)

    def test_noPassphrase(self) -> None:
        """A pass phrase that is empty or cannot be asked for is wrong usage, and an old PFX without one is named."""
        put("empty", b"\n")
        pki("issue", "client", "alice", "--passphrase-file", "empty", status=2)
        pki("issue", "client", "alice", "--ask-passphrase", status=2)
        failed = told("issue", "client", "alice", "--format", "pfx-legacy", status=1)
        self.assertEqual(failed["failure"]["code"], "passphrase-required")
        self.assertEqual(list(Path("certs").glob("alice*")), [])

    def test_days(self) -> None:
        """It is valid as long as is wanted, and never longer than its authority, which is said."""
        own = self.authority.certificate.not_valid_after_utc
        made = told("issue", "client", "short", "--days", "2")
        self.assertEqual(made["notes"], [])
        left = datetime.fromisoformat(made["certificate"]["notAfter"]) - datetime.now(timezone.utc)
        self.assertEqual(left.days, 1)
        made = told("issue", "client", "long", "--days", "3650")
        self.assertEqual(datetime.fromisoformat(made["certificate"]["notAfter"]), own)
        self.assertEqual(made["notes"], ["it ends with its authority, sooner than was asked for"])

    def test_taken(self) -> None:
        """What is there is not overwritten, unless it is this authority's and that is wanted."""
        pki("issue", "client", "alice")
        before = Path("certs/alice.key").read_bytes()
        self.assertIn("there already", told("issue", "client", "alice", status=1)["error"])
        self.assertIn("has alice already", told("issue", "client", "alice", "--output", "other", status=1)["error"])
        self.assertEqual(Path("certs/alice.key").read_bytes(), before)
        pki("issue", "client", "alice", "--replace")
        self.assertNotEqual(Path("certs/alice.key").read_bytes(), before)
        self.assertEqual(
            [each["superseded"] for each in record()["certificates"] if each["name"] == "alice"], [True, False]
        )
        put("certs/notes.pem", b"somebody's")
        pki("issue", "client", "notes", "--replace", status=1)
        self.assertEqual(Path("certs/notes.pem").read_bytes(), b"somebody's")

    def test_elsewhere(self) -> None:
        """Files go to another folder where that is wanted, and the record stays with the authority."""
        pki("issue", "client", "alice", "--output", "for/alice", "--format", "pfx")
        self.assertEqual([path.name for path in Path("for/alice").iterdir()], ["alice.pfx"])
        self.assertEqual([each["name"] for each in record()["certificates"]], ["client", "server", "alice"])


class OwnAuthorityTests(SynchronousTestCase):
    """An authority that ``pki init`` has not made."""

    def test_intermediate(self) -> None:
        """What an intermediate issues carries its chain, and not the root, but where it is imported from."""
        root = Authority.create("root")
        middle = root.intermediate("middle")
        put("ca.pem", pem([middle.certificate, root.certificate]))
        put("ca.key", keyPEM(middle.privateKey))
        made = told("issue", "server", "a.example")
        self.assertEqual(made["files"][0], "a.example.key")
        self.assertEqual(loadCertificates("a.example.pem")[1:], (middle.certificate,))
        self.assertIn(root.certificate, loadCertificates("a.example.p7b"))

    def test_pfx(self) -> None:
        """It may be a PFX with a pass phrase; its record has its name, and so no other's."""
        own = Authority.create("own")
        key: Any = own.privateKey
        put("corporate.pfx", pfx("own", key, own.certificate, (), b"secret"))
        put("phrase", b"secret\n")
        failed = told("issue", "client", "alice", "--ca", "corporate.pfx", status=1)
        self.assertEqual(failed["failure"]["code"], "passphrase-required")
        pki("issue", "client", "alice", "--ca", "corporate.pfx", "--ca-passphrase-file", "phrase")
        self.assertTrue(Path("corporate-issued.json").exists())

    def test_constraints(self) -> None:
        """It issues for no name that its name constraints exclude."""
        constraints = x509.NameConstraints([x509.DNSName("example.org")], None)
        own = Authority.create("own", extensions=[(constraints, True)])
        put("ca.pem", pem([own.certificate]) + keyPEM(own.privateKey))
        self.assertEqual(told("issue", "server", "a.example.com", status=1)["failure"]["code"], "not-permitted")
        pki("issue", "server", "a.example.org")

    def test_mldsa(self) -> None:
        """An authority with a key of ML-DSA issues, renews, signs requests and revokes, as any other."""
        own = Authority.create("own", privateKey=mldsa.MLDSA65PrivateKey.generate())
        put("ca.pem", pem([own.certificate]))
        put("ca.key", keyPEM(own.privateKey))
        pki("issue", "client", "alice", "--key", "mldsa")
        pki("renew", "alice")
        credential = loadCredential("alice-with-key.pem").requireKey()
        self.assertTrue(hasIssued(own.certificate, credential.certificate))
        self.assertIsInstance(credential.privateKey, mldsa.MLDSA65PrivateKey)
        builder = x509.CertificateSigningRequestBuilder().subject_name(credential.certificate.subject)
        key: Any = credential.privateKey
        put("bob.csr", builder.sign(key, None).public_bytes(Encoding.PEM))
        pki("sign", "bob.csr", "--as", "client")
        pki("revoke", "alice", "bob")
        self.assertEqual(len(x509.load_pem_x509_crl(Path("crl.pem").read_bytes())), 3)

    def test_refused(self) -> None:
        """What cannot issue is a named failure: no authority, none there, without its key, with another's, expired."""
        own, other = Authority.create("own"), Authority.create("other")
        years = [datetime(year, 1, 1, tzinfo=timezone.utc) for year in (2019, 2020)]
        old = Authority.create("old", notBefore=years[0], notAfter=years[1])
        leaf = own.issue("leaf", role="server")
        put("own.pem", pem([own.certificate]))
        put("leaf.pem", pem([leaf.certificate]) + keyPEM(leaf.requireKey().privateKey))  # type: ignore[arg-type]
        put("old.pem", pem([old.certificate]) + keyPEM(old.privateKey))
        put("other.key", keyPEM(other.privateKey))
        for words, code in (
            (("--ca", "own.pem"), "no-private-key"),
            (("--ca", "own.pem", "--ca-key", "other.key"), "key-mismatch"),
            (("--ca", "leaf.pem"), "wrong-purpose"),
            (("--ca", "old.pem"), "expired"),
            (("--ca", "none.pem"), "file-not-found"),
            ((), "file-not-found"),
        ):
            self.assertEqual(told("issue", "client", "alice", *words, status=1)["failure"]["code"], code, words)
        self.assertEqual(list(Path().glob("alice*")), [])


class RecordTests(SynchronousTestCase):
    """The record of what was issued."""

    def setUp(self) -> None:
        pki("init", "certs")

    def test_atOnce(self) -> None:
        """Commands that run at once lose nothing of each other's."""
        with ThreadPoolExecutor(8) as several:
            from tlscomm.commandline._pkinames import subjectFor
            from tlscomm.issuing._authorityfiles import loadAuthority
            from tlscomm.issuing._issuing import Wish, issue

            files = loadAuthority(Path("certs"))
            now = datetime.now(timezone.utc)

            def one(number: int) -> None:
                key = newKey()
                name = f"client{number}"
                wish = Wish(name, subjectFor(name), (), "client", key, key.public_key(), Path("certs"), ["key"])
                issue(files, wish, now)

            list(several.map(one, range(16)))
        self.assertEqual(len(record()["certificates"]), 18)

    def test_broken(self) -> None:
        """One that cannot be read is named, and neither written over nor taken for an empty one."""
        sound = Path("certs/issued.json").read_bytes()
        for content in (b"", b"[]", b"{", sound[:-20], sound.replace(b'"version": 1', b'"version": 2'), b"[" * 100_000):
            put("certs/issued.json", content)
            for words in (("issue", "client", "alice"), ("revoke", "client"), ("list",), ("crl",)):
                self.assertEqual(told(*words, status=1)["failure"]["code"], "damaged", (content[:20], words))
            self.assertEqual(Path("certs/issued.json").read_bytes(), content)
        self.assertEqual(list(Path("certs").glob("alice*")), [])

    def test_found(self) -> None:
        """What was issued before there was a record is found by looking at the files."""
        pki("issue", "client", "alice")
        Path("certs/issued.json").unlink()
        self.assertEqual({each["name"] for each in told("list")["certificates"]}, {"alice", "client", "server"})

    def test_otherAuthority(self) -> None:
        """The record of an authority that was replaced is kept beside the new one's."""
        pki("issue", "client", "alice")
        before = record()
        writeDevelopmentAuthority("certs")
        pki("issue", "client", "bob")
        self.assertEqual([each["name"] for each in record()["certificates"]], ["client", "server", "bob"])
        (kept,) = Path("certs").glob("issued-*.json")
        self.assertEqual(json.loads(kept.read_bytes()), before)

    def test_renewed(self) -> None:
        """What is renewed, by its name for one, supersedes the one before."""
        pki("issue", "server", "db.example.org")
        self.assertEqual(told("renew", "db.example.org")["credentials"][0]["outcome"], "renewed")
        status = [each["status"] for each in told("list")["certificates"] if each["name"] == "db.example.org"]
        self.assertEqual(status, ["superseded", "valid"])
        certificate = loadCertificates("certs/db.example.org.pem")[0]
        for name in (".pfx", "-with-key.pem"):
            credential = loadCredential(f"certs/db.example.org{name}").requireKey()
            self.assertEqual(credential.certificate, certificate)
        self.assertEqual(certificateFacts(certificate).names, ("dns:db.example.org",))

    def test_renewedRevoked(self) -> None:
        """What is revoked is not renewed, which would undo that; another can be issued in its place."""
        pki("issue", "client", "alice")
        before = Path("certs/alice.pem").read_bytes()
        pki("revoke", "alice")
        self.assertEqual(told("renew", "alice", status=1)["credentials"][0]["failure"]["code"], "revoked")
        self.assertEqual(Path("certs/alice.pem").read_bytes(), before)
        pki("issue", "client", "alice", "--replace")
        self.assertEqual([each["status"] for each in told("list")["certificates"]][2:], ["revoked", "valid"])

    def test_notWritten(self) -> None:
        """Where the files cannot be written, nothing has been issued."""
        Path("file").touch()
        before = Path("certs/issued.json").read_bytes()
        self.assertIn("file", told("issue", "client", "alice", "--output", "file/folder", status=1)["error"])
        self.assertEqual(json.loads(Path("certs/issued.json").read_bytes()), json.loads(before))

    def test_shown(self) -> None:
        """The list has a line for each, with its status, names and number."""
        pki("issue", "client", "alice", "--days", "5")
        line = next(line for line in pki("list").splitlines() if line.startswith("alice"))
        self.assertIn("valid", line)
        self.assertIn("dns:alice", line)
        pki("revoke", "alice", "--reason", "superseded")
        line = next(line for line in pki("list").splitlines() if line.startswith("alice"))
        self.assertIn("revoked, superseded", line)
        self.assertNotIn("alice", pki("list", "--ca", "certs", "--valid"))
