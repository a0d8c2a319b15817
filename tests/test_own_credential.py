"""What is wrong with a credential of one's own has one name, whichever part of the program is asked."""

from __future__ import annotations

import json
import os
import subprocess
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from functools import cache
from pathlib import Path

from chains import extensionsEdited, remade
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa, x25519
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID
from failuretable import VERSIONS, gallery
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.commandline import program
from tlscomm.commandline._plan import addressIn, planFor
from tlscomm.configuration import ClientConfiguration, ServerConfiguration, insecurelyPresenting
from tlscomm.credentials import Credential, loadCredential
from tlscomm.failures import TLSFailure
from tlscomm.issuing import EXHIBITS, Authority
from tlscomm.issuing._exhibits import signedWithSHA1
from tlscomm.server import Options, makeService
from tlscomm.tls import handshake
from tlscomm.verification._owncredential import chainProblems
from tlscomm.x509._encoding import keyPEM, pem
from tlscomm.x509._roles import ROLES, Role, otherRole

NOW = datetime.now(timezone.utc).replace(microsecond=0)
DAY = timedelta(days=1)
NAME = "server.example"


@cache
def root() -> Authority:
    return Authority.create("root", now=NOW - 9 * DAY)


@cache
def rsaRoot() -> Authority:
    return Authority.create("RSA root", now=NOW - 9 * DAY, privateKey=rsa.generate_private_key(65537, 2048))


def issued(role: Role | None, authority: Authority | None = None, **changes: object) -> Credential:
    arguments = {"dnsNames": (NAME,), "now": NOW, **changes}
    return (authority or root()).issue(NAME, role=role, **arguments)  # type: ignore[arg-type]


def withKey(make: Callable[[], PrivateKeyTypes]) -> Callable[[Role], Credential]:
    """Return what issues a credential whose key is of some kind, the same key for both sides."""
    make = cache(make)

    def credential(role: Role) -> Credential:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            key = make()
            return replace(issued(role, publicKey=key.public_key()), privateKey=key)

    return credential


def withUsage(**allowed: bool) -> Callable[[Role], Credential]:
    names = (
        "digital_signature content_commitment key_encipherment data_encipherment key_agreement key_cert_sign crl_sign "
        "encipher_only decipher_only"
    )
    usage = x509.KeyUsage(**{name: allowed.get(name, False) for name in names.split()})
    return lambda role: issued(role, extensions=((usage, True),))


def forPSSAlone(role: Role) -> Credential:
    """Make a key that `cryptography` cannot make."""
    key, configuration = Path("pss.key"), Path("cnf")
    words = f"genpkey -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048 -out {key}"
    subprocess.run(["openssl", *words.split()], check=True, capture_output=True)
    usage = "serverAuth" if role == "server" else "clientAuth"
    configuration.write_text(
        f"[req]\ndistinguished_name=n\nx509_extensions=x\n[n]\n[x]\nsubjectAltName=DNS:{NAME}\n"
        f"extendedKeyUsage={usage}\nkeyUsage=digitalSignature\n"
    )
    words = f"req -x509 -key {key} -subj /CN=pss -days 9 -config {configuration} -out pss.pem"
    subprocess.run(["openssl", *words.split()], check=True, capture_output=True)
    os.chmod(key, 0o600)
    return loadCredential("pss.pem", key=key)


def signedWithMuchTooLittle(role: Role) -> Credential:
    credential = issued(role, rsaRoot())
    assert isinstance(rsaRoot().privateKey, rsa.RSAPrivateKey)
    return replace(credential, certificate=signedWithSHA1(credential.certificate, rsaRoot().privateKey))


def unreadable(role: Role) -> Credential:
    names = x509.UnrecognizedExtension(ExtensionOID.SUBJECT_ALTERNATIVE_NAME, b"garbage")
    return issued(role, dnsNames=(), extensions=((names, False),))


def withEveryExtensionTwice(role: Role) -> Credential:
    credential = issued(role)
    certificate = remade(credential.certificate, root(), extensionsEdited(lambda parts: [*parts, *parts]))
    return replace(credential, certificate=certificate)


def anAuthority(role: Role) -> Credential:
    authority = root().intermediate("an authority", now=NOW)
    return Credential(authority.certificate, (), authority.privateKey)


def belowWeakIssuer(role: Role) -> Credential:
    return issued(role, root().intermediate("weak", now=NOW, privateKey=rsa.generate_private_key(65537, 1024)))


def anyPurpose(role: Role) -> Credential:
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE])
    return issued(None, extensions=((usage, False),))


@dataclass(frozen=True)
class Kind:
    """A kind of credential.

    Attributes:
        about: what it is, as a phrase.
        make: makes one for a side.
        code: what is wrong with it, None where nothing is.
        roles: the sides of which this is true.
    """

    about: str
    make: Callable[[Role], Credential]
    code: str | None
    roles: tuple[Role, ...] = ROLES


KINDS = (
    Kind("with a key on P-256", issued, None),
    Kind("with an Ed25519 key", withKey(ed25519.Ed25519PrivateKey.generate), None),
    Kind("with an Ed448 key", withKey(ed448.Ed448PrivateKey.generate), None),
    Kind("with a key on brainpoolP384r1", withKey(lambda: ec.generate_private_key(ec.BrainpoolP384R1())), None),
    Kind("with a key on secp256k1", withKey(lambda: ec.generate_private_key(ec.SECP256K1())), "key-too-weak"),
    Kind("with a key on P-192", withKey(lambda: ec.generate_private_key(ec.SECP192R1())), "key-too-weak"),
    Kind("with a key on P-224", withKey(lambda: ec.generate_private_key(ec.SECP224R1())), "key-too-weak"),
    Kind("with an RSA key of 1024 bits", withKey(lambda: rsa.generate_private_key(65537, 1024)), "key-too-weak"),
    Kind("with a key for RSASSA-PSS alone", forPSSAlone, "key-too-weak"),
    Kind("with a DSA key", withKey(lambda: dsa.generate_private_key(2048)), "key-too-weak"),
    Kind("with a key for X25519", withKey(x25519.X25519PrivateKey.generate), "key-too-weak"),
    Kind("below an issuer with an RSA key of 1024 bits", belowWeakIssuer, "key-too-weak"),
    Kind("signed with SHA-1", signedWithMuchTooLittle, "key-too-weak"),
    Kind("with a key usage without any signature", withUsage(data_encipherment=True), "wrong-purpose"),
    Kind("with a key usage for decryption alone", withUsage(key_encipherment=True), "wrong-purpose"),
    Kind("with a key usage for agreement alone", withUsage(key_agreement=True), "wrong-purpose"),
    Kind("of an authority", anAuthority, "wrong-purpose"),
    Kind("for the other side", lambda role: issued(otherRole(role)), "wrong-purpose"),
    Kind("for any purpose and no other", anyPurpose, "wrong-purpose"),
    Kind("for any purpose, in that it names none", lambda _: issued(None), None),
    Kind("that has expired", lambda role: issued(role, notBefore=NOW - 2 * DAY, notAfter=NOW - DAY), "expired"),
    Kind("that is not valid yet", lambda role: issued(role, notBefore=NOW + DAY), "not-yet-valid"),
    Kind("without its key", lambda role: replace(issued(role), privateKey=None), "no-private-key"),
    Kind("with another one's key", lambda role: replace(issued(role), privateKey=root().privateKey), "key-mismatch"),
    Kind("with names that cannot be read", unreadable, "invalid-certificate"),
    Kind("with each extension twice", withEveryExtensionTwice, "invalid-certificate"),
    Kind(
        "that has expired and is for the other side",
        lambda role: issued(otherRole(role), notBefore=NOW - 2 * DAY, notAfter=NOW - DAY),
        "wrong-purpose",
    ),
    Kind(
        "that has expired and has a weak key",
        lambda role: issued(
            role, notBefore=NOW - 2 * DAY, notAfter=NOW - DAY, privateKey=ec.generate_private_key(ec.SECP224R1())
        ),
        "expired",
    ),
)


@cache
def made(kind: Kind, role: Role) -> Credential:
    """Return a side's credential of a kind, the same in every test."""
    return kind.make(role)


class OneAnswerCase(SynchronousTestCase):
    """Asks each part of the program for the same files."""

    def write(self, credential: Credential, *roots: x509.Certificate) -> None:
        key = b"" if credential.privateKey is None else keyPEM(credential.privateKey)
        file = os.open("own.pem", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(file, "wb") as stream:
            stream.write(pem([credential.certificate, *credential.chain]) + key)
        Path("roots.pem").write_bytes(pem(roots))

    def inspect(self, role: Role) -> str | None:
        done = CliRunner().invoke(program, ["inspect", "own.pem", "--roots", "roots.pem", "--json"])
        ((credential,),) = [file["credentials"] for file in json.loads(done.stdout)["files"]]
        return next((failure["code"] for failure in credential["obstacles"][role]), None)

    def verify(self, role: Role) -> str | None:
        done = CliRunner().invoke(program, ["verify", "own.pem", "--as", role, "--roots", "roots.pem", "--json"])
        failure = json.loads(done.stdout)["failure"]
        return None if failure is None else str(failure["code"])

    def configure(self, role: Role) -> str | None:
        credential = loadCredential("own.pem")
        if role == "server":
            return self.codeOf(lambda: ServerConfiguration(credential=credential))
        return self.codeOf(
            lambda: ClientConfiguration(serverName=NAME, roots=(root().certificate,), credential=credential)
        )

    def start(self, role: Role) -> str | None:
        """Ask the program that is a server or client: twistd's plugin, and what ``tlscomm connect`` is about to do."""
        if role == "client":
            settings = {"identity": ("own.pem",), "roots": ("roots.pem",)}
            return self.codeOf(lambda: planFor(addressIn(f"{NAME}:1"), settings))
        options = Options()
        options.parseOptions(["--identity", "own.pem"])
        return self.codeOf(lambda: makeService(options, MemoryReactorClock()))

    def evident(self, role: Role) -> str | None:
        """Ask for what a refused side finds out by itself; it has signed with the key, which is not asked about."""
        credential = loadCredential("own.pem")
        problems = chainProblems((credential.certificate, *credential.chain), role, datetime.now(timezone.utc))
        return next((problem.code for problem in problems), None)

    def codeOf(self, ask: Callable[[], object]) -> str | None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                ask()
            except TLSFailure as failure:
                self.assertEqual((failure.stage, failure.side), ("credential", "local"))
                self.assertIsNotNone(failure.certificate)
                return failure.code
        return None


class OneAnswer(OneAnswerCase):
    def answers(self, role: Role) -> Iterator[tuple[str, str | None]]:
        yield "inspect", self.inspect(role)
        yield "verify", self.verify(role)
        yield "a configuration", self.configure(role)
        yield "twistd or connect", self.start(role)

    def test_isGivenWhoeverIsAsked(self) -> None:
        """The first code is the same in ``inspect``, ``verify``, configurations, twistd and ``connect``."""
        for kind in KINDS:
            for role in kind.roles:
                credential = made(kind, role)
                self.write(credential, root().certificate, rsaRoot().certificate, credential.certificate)
                for asked, code in self.answers(role):
                    self.assertEqual(code, kind.code, f"{asked} about a {role}'s certificate {kind.about}")

    def test_isGivenAfterARefusalAsWell(self) -> None:
        """What a side that was refused finds wrong with its own chain is what it would have been told before."""
        for kind in KINDS:
            for role in kind.roles:
                if kind.code not in ("no-private-key", "key-mismatch"):
                    self.write(made(kind, role), root().certificate)
                    self.assertEqual(self.evident(role), kind.code, f"a {role}'s certificate {kind.about}")


class OfTheHandshake(SynchronousTestCase):
    def test_namesAKeyThatCannotSign(self) -> None:
        """A side that was made to present such a key says so, where OpenSSL speaks of ciphers or of no certificate."""
        roots = (root().certificate,)
        for version in VERSIONS:
            versions = {"minimumTLS": version, "maximumTLS": version}
            client = ClientConfiguration(serverName=NAME, roots=roots, credential=issued("client"), **versions)
            server = ServerConfiguration(credential=issued("server"), clientRoots=roots, **versions)
            odd = withKey(lambda: ec.generate_private_key(ec.SECP256K1()))
            for role in ROLES:
                presenting = insecurelyPresenting(server if role == "server" else client, odd(role))
                sides = handshake(client, presenting) if role == "server" else handshake(presenting, server)
                failure = sides[role == "server"].failure
                assert failure is not None
                self.assertEqual(failure.code, "key-too-weak", f"{role}, TLS {version}")
                self.assertIn("secp256k1", failure.message)


#: What no peer accepts, or OpenSSL does not send, of the gallery; the rest is for the peer to find.
OWN_EXHIBITS = (
    "no-private-key key-mismatch wrong-purpose expired not-yet-valid weak-key weak-key-intermediate weak-signature "
    "malformed-alternative-name hostile-name"
)


class OfTheGallery(OneAnswerCase):
    def test_eachExhibitHasOneName(self) -> None:
        """``inspect`` and ``verify`` agree on all of it, and configurations refuse what every peer refuses."""
        for exhibit in EXHIBITS:
            # For the lists that verify has inspect has no option.
            for role in () if exhibit.needsLists else exhibit.roles:
                self.write(gallery().credential(exhibit.name, role=role), *gallery().roots)
                isOwn = exhibit.name in OWN_EXHIBITS.split()
                found = self.verify(role)
                self.assertEqual(self.inspect(role), found, f"{exhibit.name}, {role}")
                for code in (self.configure(role), self.start(role)):
                    self.assertEqual(code, exhibit.code if isOwn else None, f"{exhibit.name}, {role}")
                if isOwn:
                    self.assertEqual(found, exhibit.code, f"{exhibit.name}, {role}")
