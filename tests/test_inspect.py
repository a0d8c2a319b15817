"""What a user can rely on in ``tlscomm inspect``."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from functools import cache
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result
from credentialfiles import PASSPHRASE, made, openssl
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from failuretable import gallery
from forkserver import python
from storefiles import StoreCase
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.commandline import program
from tlscomm.credentials import Credential, exportCredential
from tlscomm.issuing import EXHIBITS, Authority, Exhibit
from tlscomm.tls import verdict
from tlscomm.x509 import _encoding as _export
from tlscomm.x509._roles import Role

NOW = datetime.now(timezone.utc)


@cache
def authority() -> Authority:
    return Authority.create("the root")


@cache
def intermediate() -> Authority:
    return authority().intermediate("the middle")


@cache
def server() -> Credential:
    return intermediate().issue("gateway", role="server", dnsNames=("gateway.example",))


@cache
def request() -> x509.CertificateSigningRequest:
    key = ec.generate_private_key(ec.SECP256R1())
    names = x509.SubjectAlternativeName([x509.DNSName("wanted.example")])
    builder = x509.CertificateSigningRequestBuilder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "wanted")]))
    return builder.add_extension(names, critical=False).sign(key, hashes.SHA256())


def private(credential: Credential) -> bytes:
    assert credential.privateKey is not None
    return _export.keyPEM(credential.privateKey)


def pem(*certificates: x509.Certificate) -> bytes:
    return _export.pem(certificates)


class InspectCase(SynchronousTestCase):
    """Runs the command."""

    def file(self, content: bytes, name: str = "file") -> str:
        Path(name).touch(0o600)
        Path(name).write_bytes(content)
        return name

    def run_(self, *arguments: str, status: int = 0) -> Result:
        result = CliRunner().invoke(program, ["inspect", *arguments])
        self.assertEqual(result.exit_code, status, result.output)
        return result

    def inspected(self, content: bytes, *options: str, status: int = 0) -> Any:
        """Return what is said of one file."""
        result = self.run_(self.file(content), *options, "--json", status=status)
        self.assertEqual(result.stderr, "")
        (found,) = json.loads(result.stdout)["files"]
        return found

    def codes(self, found: Any, role: str) -> list[str]:
        """Return the codes of what is in the way of a role."""
        (credential,) = found["credentials"]
        return [failure["code"] for failure in credential["obstacles"][role]]


class KindTests(InspectCase):
    """What a file holds."""

    def test_everyKind(self) -> None:
        """Each kind of file is told from the others by its content."""
        revocations = authority().revocationList((1, 2))
        for content, form, holds in (
            (pem(server().certificate), "PEM", ["1 certificate"]),
            (_export.cer(server().certificate), "DER certificate", ["1 certificate"]),
            (private(server()), "PEM", ["1 private key"]),
            (
                exportCredential(server(), "pfx", passphrase=PASSPHRASE),
                "PKCS#12 (PFX)",
                ["2 certificates", "1 private key"],
            ),
            (_export.p7b((server().certificate, intermediate().certificate)), "PKCS#7 (P7B)", ["2 certificates"]),
            (revocations.public_bytes(Encoding.PEM), "PEM", ["1 revocation list"]),
            (revocations.public_bytes(Encoding.DER), "DER revocation list", ["1 revocation list"]),
            (request().public_bytes(Encoding.PEM), "PEM", ["1 request"]),
            (request().public_bytes(Encoding.DER), "DER certificate request", ["1 request"]),
            (
                private(server()) + pem(server().certificate) + revocations.public_bytes(Encoding.PEM),
                "PEM",
                ["1 certificate", "1 private key", "1 revocation list"],
            ),
        ):
            found = self.inspected(content, "--passphrase-file", self.file(PASSPHRASE, "phrase"))
            self.assertEqual((found["form"], found["holds"]), (form, holds))

    def test_armouredContainers(self) -> None:
        """A P7B or PFX is called that in an armour, too, and in base64 without one."""
        links = (server().certificate, intermediate().certificate)
        self.file(PASSPHRASE, "phrase")
        pfx = exportCredential(server(), "pfx", passphrase=PASSPHRASE)
        for content, label, name in (
            (_export.p7b(links), b"PKCS7", "PKCS#7 (P7B)"),
            (_export.p7b(links), b"CERTIFICATE", "PKCS#7 (P7B)"),
            (pfx, b"PKCS12", "PKCS#12 (PFX)"),
        ):
            text = base64.encodebytes(content)
            armoured = b"-----BEGIN %s-----\n%s-----END %s-----\n" % (label, text, label)
            for given, form in ((armoured, "PEM"), (text, "base64 without armour")):
                found = self.inspected(given, "--passphrase-file", "phrase")
                self.assertEqual((found["form"], len(found["certificates"])), (f"{name}, {form}", 2))

    def test_openssl(self) -> None:
        """Files of OpenSSL's are told from each other, whatever their encryption."""
        self.file(PASSPHRASE, "phrase")
        for name, holds in (
            ("modern.pfx", ["1 certificate", "1 private key"]),
            ("rc2.pfx", ["1 certificate", "1 private key"]),
            ("nokeys.pfx", ["1 certificate"]),
            ("pkcs8-scrypt.pem", ["1 private key"]),
            ("sec1-aes256.pem", ["1 private key"]),
            ("csr.pem", ["1 request"]),
            ("crl.p7b", ["1 certificate"]),
        ):
            self.assertEqual(self.inspected(made()[name], "--passphrase-file", "phrase")["holds"], holds, name)

    def test_certificate(self) -> None:
        """Of a certificate it says whose it is, whom from, how long, for what, and what its key is."""
        output = self.run_(self.file(pem(server().certificate))).stdout
        for part in (
            *("CN=gateway", "CN=the middle", "dns:gateway.example", "396 days", "server", "digitalSignature"),
            *("ECDSA P-256", server().certificate.fingerprint(hashes.SHA1()).hex().upper(), "sha256:"),
        ):
            self.assertIn(part, output)

    def test_revocationList(self) -> None:
        """Of a revocation list it says whose it is, until when, and how many it has."""
        revocations = authority().revocationList((1, 2), number=7, lastUpdate=NOW - timedelta(9), nextUpdate=NOW)
        output = self.run_(self.file(revocations.public_bytes(Encoding.DER))).stdout
        for part in ("CN=the root", "which is over", "7", "2 certificates"):
            self.assertIn(part, output)

    def test_request(self) -> None:
        """Of a request it says what is wanted, and whether its signature is right."""
        (found,) = self.inspected(request().public_bytes(Encoding.PEM))["requests"]
        self.assertEqual(
            found, {"subject": "CN=wanted", "names": ["wanted.example"], "publicKey": "ECDSA P-256", "isSigned": True}
        )
        der = bytearray(request().public_bytes(Encoding.DER))
        der[-1] ^= 1
        self.assertFalse(self.inspected(bytes(der))["requests"][0]["isSigned"])

    def test_standardInput(self) -> None:
        """A file may come through standard input."""
        done = subprocess.run(
            python("-m", "tlscomm.commandline", "inspect", "-", "--json"),
            input=pem(server().certificate),
            capture_output=True,
            timeout=120,
            check=True,
        )
        self.assertEqual(json.loads(done.stdout)["files"][0]["holds"], ["1 certificate"])


class KeyTests(InspectCase):
    """Whether key and certificate fit."""

    def test_fits(self) -> None:
        """They do, or they do not, or one is missing."""
        other = authority().issue("other", role="server")
        for content, isSo in (
            (pem(server().certificate) + private(server()), True),
            (pem(server().certificate) + private(other), False),
            (pem(server().certificate), None),
        ):
            self.assertIs(self.inspected(content)["credentials"][0]["keyFits"], isSo)
        self.assertEqual(self.inspected(private(server()))["credentials"], [])

    def test_apart(self) -> None:
        """A key that is kept apart is compared with the certificate; its file is shown as well."""
        self.file(pem(server().certificate), "server.pem")
        other = authority().issue("other", role="server")
        for key, isSo in ((server(), True), (other, False)):
            self.file(private(key), "it.key")
            files = json.loads(self.run_("server.pem", "--key", "it.key", "--json").stdout)["files"]
            self.assertEqual([each["file"] for each in files], ["server.pem", "it.key"])
            self.assertIs(files[0]["credentials"][0]["keyFits"], isSo)
            self.assertEqual("key-mismatch" in self.codes(files[0], "server"), not isSo)

    def test_apartLocked(self) -> None:
        """The key may be encrypted, and where it cannot be opened, or there is none, that is the failure."""
        self.file(pem(server().certificate), "server.pem")
        self.file(exportCredential(server(), "pem", passphrase=PASSPHRASE), "it.key")
        self.file(PASSPHRASE, "phrase")
        arguments = ("server.pem", "--key", "it.key")
        self.assertIn("the key is the certificate's", self.run_(*arguments, "--passphrase-file", "phrase").stdout)
        self.assertIn("passphrase-required", self.run_(*arguments, status=1).stderr)
        self.assertIn("no-private-key", self.run_("server.pem", "--key", "server.pem", status=1).stderr)

    def test_several(self) -> None:
        """Of several credentials in one file each is judged by itself."""
        other = authority().issue("other", role="client")
        found = self.inspected(pem(server().certificate, other.certificate) + private(other) + private(server()))
        roles = {
            each["leaf"]["subject"]: [role for role, o in each["obstacles"].items() if not o]
            for each in found["credentials"]
        }
        self.assertEqual(roles, {"CN=gateway": ["server"], "CN=other": ["client"]})

    def test_locked(self) -> None:
        """Where the key cannot be opened the certificate is shown, the failure named, and the exit status 1."""
        content = exportCredential(server(), "pem", passphrase=PASSPHRASE)
        found = self.inspected(content, status=1)
        self.assertEqual(
            (found["holds"], found["failure"]["code"]),
            (["2 certificates", "a private key that is not opened"], "passphrase-required"),
        )
        self.file(b"wrong\n", "phrase")
        found = self.inspected(content, "--passphrase-file", "phrase", status=1)
        self.assertEqual(found["failure"]["code"], "passphrase-wrong")

    def test_readable(self) -> None:
        """A key that others can read is warned of, with the command that mends it."""
        name = self.file(private(server()))
        Path(name).chmod(0o644)
        self.assertIn("chmod 600 file", self.run_(name).stderr)
        self.assertEqual(
            json.loads(self.run_(name, "--json").stdout)["files"][0]["warnings"][0]["code"], "unsafe-permissions"
        )


class StoreTests(StoreCase, InspectCase):
    """What names an entry of a store."""

    def test_entry(self) -> None:
        """An entry of a store is shown as a file is."""
        self.store().add(server())
        (found,) = json.loads(self.run_("store:CurrentUser/My:subject=gateway", "--json").stdout)["files"]
        self.assertEqual((found["form"], found["credentials"][0]["keyFits"]), ("certificate store", True))
        self.assertIn("not-in-store", self.run_("store:CurrentUser/My:subject=nobody", status=1).stderr)
        self.run_("store:nowhere", status=2)


class ChainTests(InspectCase):
    """Whether the chain is complete and in order."""

    def chain(self, *certificates: x509.Certificate, roots: bytes | None = None, status: int = 0) -> Any:
        options = () if roots is None else ("--roots", self.file(roots, "roots.pem"))
        (found,) = self.inspected(pem(*certificates), *options, status=status)["credentials"]
        return found

    def test_complete(self) -> None:
        """It is complete where it leads to a root in the file, or to one that is trusted."""
        links = (server().certificate, intermediate().certificate)
        self.assertIs(self.chain(*links, authority().certificate)["isComplete"], True)
        self.assertIs(self.chain(*links, roots=pem(authority().certificate))["isComplete"], True)

    def test_unknown(self) -> None:
        """Where its end is not in the file, and nothing is trusted, nobody can know."""
        found = self.chain(server().certificate, intermediate().certificate)
        self.assertIsNone(found["isComplete"])
        self.assertIn("if peers trust the root", self.run_("file").stdout)

    def test_incomplete(self) -> None:
        """Where something is missing on the way to what is trusted, it is incomplete, which both sides refuse."""
        found = self.chain(server().certificate, roots=pem(authority().certificate))
        self.assertIs(found["isComplete"], False)
        self.assertIn("incomplete-chain", [failure["code"] for failure in found["obstacles"]["server"]])

    def test_ordered(self) -> None:
        """It is in order where the leaf is first, and each is followed by its issuer."""
        links = (server().certificate, intermediate().certificate, authority().certificate)
        self.assertTrue(self.chain(*links)["isOrdered"])
        self.assertFalse(self.chain(*reversed(links))["isOrdered"])
        self.assertFalse(self.chain(links[0], links[2], links[1])["isOrdered"])

    def test_stranger(self) -> None:
        """What does not belong to it is counted."""
        stranger = Authority.create("stranger").certificate
        found = self.chain(server().certificate, intermediate().certificate, stranger)
        self.assertEqual((found["others"], len(found["chain"])), (1, 1))

    def test_wrongRoots(self) -> None:
        """Trusted authorities that cannot be read are named."""
        self.assertIn("file-not-found", self.run_(self.file(b""), "--roots", "nothing", status=1).stderr)
        self.run_("file", "--roots", "store:nowhere", status=2)


class ObstacleTests(InspectCase):
    """What would keep it from working."""

    def credential(self, credential: Credential) -> Any:
        return self.inspected(pem(credential.certificate, *credential.chain) + private(credential))

    def test_nothing(self) -> None:
        """Where nothing is in the way that is said, for each side."""
        both = authority().issue("both", role="both", dnsNames=("both.example",))
        found = self.credential(both)
        self.assertEqual([self.codes(found, role) for role in ("server", "client")], [[], []])
        self.assertEqual(self.run_("file").stdout.count("nothing is in the way"), 2)

    def test_codes(self) -> None:
        """Each cause has its code: all of them, and not the first alone."""
        past, future = NOW - timedelta(days=9), NOW + timedelta(days=9)
        weak = ec.generate_private_key(ec.SECP224R1())
        for settings, server, client in (
            ({"role": "server"}, [], ["wrong-purpose"]),
            ({"role": "both", "notBefore": past, "notAfter": past + timedelta(1)}, ["expired"], ["expired"]),
            ({"role": "both", "notBefore": future, "notAfter": future + timedelta(1)}, *[["not-yet-valid"]] * 2),
            ({"role": "client", "privateKey": weak}, ["wrong-purpose", "key-too-weak"], ["key-too-weak"]),
        ):
            found = self.credential(authority().issue("it", dnsNames=("it.example",), **settings))
            self.assertEqual([self.codes(found, role) for role in ("server", "client")], [server, client])

    def test_withoutKey(self) -> None:
        """What is wrong with a certificate is said also where its key is missing."""
        expired = authority().issue("it", role="server", notBefore=NOW - timedelta(9), notAfter=NOW - timedelta(1))
        found = self.inspected(pem(expired.certificate))
        # Which is no failure to read it.
        self.run_("file")
        self.assertEqual(self.codes(found, "client"), ["no-private-key", "wrong-purpose", "expired"])
        self.assertIn("name-mismatch", self.codes(found, "server"))

    def test_issuer(self) -> None:
        """An intermediate that has expired is in the way as well."""
        old = authority().intermediate("old", notBefore=NOW - timedelta(9), notAfter=NOW - timedelta(1))
        self.assertEqual(
            self.codes(self.credential(old.issue("it", role="server", dnsNames=("it.example",))), "server"), ["expired"]
        )

    def test_authority(self) -> None:
        """An authority's certificate is to be trusted, and not to be presented."""
        self.assertIn("to be trusted", self.run_(self.file(pem(authority().certificate))).stdout)


class GalleryTests(InspectCase):
    """What peers would find wrong with a chain."""

    def exhibits(self) -> Iterator[tuple[Exhibit, Any, Role]]:
        roots = ("--roots", self.file(pem(*gallery().roots), "roots.pem"))
        for exhibit in EXHIBITS:
            for role in exhibit.roles:
                credential = gallery().credential(exhibit.name, role=role)
                content = pem(credential.certificate, *credential.chain)
                content += private(credential) if credential.privateKey is not None else b""
                yield exhibit, self.inspected(content, *roots), role

    def test_agreement(self) -> None:
        """With the roots, something is in the way of what the verdict of a handshake refuses, and of nothing else."""
        for exhibit, found, role in self.exhibits():
            credential = gallery().credential(exhibit.name, role=role)
            refusal = verdict(credential, role, roots=gallery().roots)
            codes = self.codes(found, role)
            if refusal is None:
                self.assertEqual(codes, [], exhibit.name)
            else:
                self.assertIn(refusal.code, codes, exhibit.name)

    def test_untrusted(self) -> None:
        """A chain that ends elsewhere than at the roots is not called trusted."""
        for exhibit, found, _ in self.exhibits():
            (credential,) = found["credentials"]
            if exhibit.name in ("self-signed", "unknown-issuer-sent", "unknown-issuer"):
                self.assertIs(credential["isTrusted"], False, exhibit.name)
            elif exhibit.code is None:
                self.assertIs(credential["isTrusted"], True, exhibit.name)

    def test_chainItself(self) -> None:
        """Without roots, what is wrong with the chain itself is found, and whether it is trusted is left open."""
        codes = (
            "not-an-authority",
            "path-too-long",
            "name-excluded",
            "unknown-critical-extension",
            "no-alternative-name",
        )
        for name in codes:
            credential = gallery().credential(name, role="server")
            found = self.inspected(
                pem(credential.certificate, *credential.chain, *gallery().roots) + private(credential)
            )
            self.assertIn(gallery()[name].code, self.codes(found, "server"), name)
            self.assertIsNone(found["credentials"][0]["isTrusted"])
        self.assertIn("for the peer to say", self.run_("file").stdout)

    def test_selfSigned(self) -> None:
        """A certificate that a server issued to itself may be trusted and presented."""
        self.file(made()["k.pem"], "k.pem")
        name = ("-subj", "/CN=own", "-addext", "subjectAltName=DNS:own.example")
        openssl("req", "-x509", "-key", "k.pem", *name, "-out", "own.pem")
        own = Path("own.pem").read_bytes()
        self.assertIn("or to be presented with its key", self.run_(self.file(own)).stdout)
        found = self.inspected(own + made()["k.pem"], "--roots", "own.pem")
        self.assertEqual((self.codes(found, "server"), self.codes(found, "client")), ([], []))


class FailureTests(InspectCase):
    """Files that cannot be read."""

    def test_others(self) -> None:
        """A file that cannot be read is named with its code, the others are shown, and the exit status is 1."""
        good = self.file(pem(server().certificate), "good.pem")
        bad = {
            "missing": None,
            "picture": b"\x89PNG\r\n",
            "cut.pfx": made()["clear.pfx"][:-50],
            "cut.pem": pem(server().certificate)[:-60],
            "empty": b"",
        }
        for name, content in bad.items():
            if content is not None:
                self.file(content, name)
        result = self.run_(*bad, good, status=1)
        self.assertIn("CN=gateway", result.stdout)
        for code in ("file-not-found", "unknown-format", "damaged"):
            self.assertIn(f"{code}: ", result.stderr)
        files = json.loads(self.run_(*bad, good, "--json", status=1).stdout)["files"]
        self.assertEqual(
            [each["failure"] and each["failure"]["code"] for each in files],
            ["file-not-found", "unknown-format", "damaged", "damaged", "unknown-format", None],
        )

    def test_folder(self) -> None:
        """Who names a folder is told to name files."""
        Path("folder").mkdir()
        result = self.run_("folder", status=1)
        self.assertIn("unreadable", result.stderr)
        self.assertIn("name the file in it", result.stderr)

    def test_hostile(self) -> None:
        """Nothing in a file, nor in its name, is obeyed by the terminal."""
        evil = "evil\x1b]0;title\x07\u202e"
        credential = authority().issue(evil, role="client", organization=evil, uris=())
        result = self.run_(self.file(pem(credential.certificate), evil))
        for character in "\x1b\x07\u202e":
            self.assertNotIn(character, result.output)
        self.assertIn(r"evil\x1b]0;title\x07\u202e", result.output)

    def test_notes(self) -> None:
        """Where a certificate deviates from the standards and is read all the same, that is noted."""
        self.file(made()["k.pem"], "k.pem")
        openssl("req", "-x509", "-key", "k.pem", "-subj", "/CN=zero", "-set_serial", "0", "-out", "zero.pem")
        (note,) = self.inspected(Path("zero.pem").read_bytes())["notes"]
        self.assertIn("serial number", note)
        self.assertEqual(self.inspected(pem(server().certificate))["notes"], [])

    def test_bundles(self) -> None:
        """Of a bundle in which one cannot be read the others are shown, and that one is named; with a key it fails."""
        broken = pem(Authority.create().certificate).replace(b"MII", b"MIA", 1)
        found = self.inspected(pem(server().certificate) + broken)
        self.assertEqual((len(found["certificates"]), found["failure"]), (1, None))
        self.assertEqual([warning["code"] for warning in found["warnings"]], ["damaged"])
        self.file(exportCredential(server(), "pem", insecureUnencryptedKey=True) + broken)
        self.assertIn("damaged: The file is damaged: the CERTIFICATE in file (line", self.run_("file", status=1).stderr)

    def test_manyCertificates(self) -> None:
        """Of a long list of certificates the first are shown to a person, and all of them to a program."""
        many = [Authority.create(f"authority {number}").certificate for number in range(15)]
        found = self.inspected(pem(*many))
        self.assertEqual(len(found["certificates"]), 15)
        self.assertIn("3 more certificates", self.run_("file").stdout)

    def test_wrongUsage(self) -> None:
        """Without a file it is wrong usage, and so is the number of no open file."""
        self.run_(status=2)
        self.run_("file", "--passphrase-fd", "a", status=2)
