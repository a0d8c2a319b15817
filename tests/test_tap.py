"""From a command line to a service: no test here touches the network."""

import getpass
import io
import os
import stat
import sys
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from ocspresponses import ocspResponse
from twisted.application.service import IService
from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IAddress, IListeningPort, IStreamServerEndpoint
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs, formatEvent
from twisted.python.usage import UsageError
from twisted.scripts.twistd import ServerOptions
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from tlscomm.access import parseRule
from tlscomm.configuration import Deadlines, ServerConfiguration
from tlscomm.failures import FileNotFound, KeyMismatch, PassphraseRequired
from tlscomm.issuing import Authority
from tlscomm.messages import MessageFactory
from tlscomm.server import Echo, Greet, Listener, Options, Server, TLSService, makeService
from tlscomm.verification import Pin
from tlscomm.x509._encoding import keyPEM, pem

AUTHORITY = Authority.create()
SERVER = AUTHORITY.issue("server", role="server", dnsNames=["localhost"])

DEFAULTS: dict[str, Any] = {
    "listen": ["tcp:8443:interface=127.0.0.1"],
    "identity": [],
    "key": [],
    "renew-command": None,
    "renew-before": None,
    "passphrase-file": [],
    "passphrase-env": [],
    "passphrase-fd": [],
    "insecure-allow-readable-key": 0,
    "client-certificates": None,
    "client-roots": [],
    "crl": [],
    "revocation": None,
    "fetch-crls": None,
    "fetch-from-private-addresses": 0,
    "staple": [],
    "allow": [],
    "deny": [],
    "intermediates": [],
    "pin": [],
    "profile": "compatible",
    "hook": None,
    "hook-timeout": 5.0,
    "no-resumption": 0,
    "no-revalidation": 0,
    "application": None,
    "forward": [],
    "send-proxy": None,
    "send-proxy-options": [],
    "insecure-forward-plain": 0,
    "connect-timeout": 10.0,
    "half-close-timeout": 600.0,
    "framing": "eof",
    "maximum-message": 1048576,
    "minimum-tls": "1.2",
    "maximum-tls": "1.3",
    "groups": None,
    "ja4": 0,
    "handshake-timeout": 10.0,
    "read-timeout": 5.0,
    "write-timeout": None,
    "close-timeout": 5.0,
    "maximum-connections": 10000,
    "maximum-pending": None,
    "connections-per-address": None,
    "connections-per-identity": None,
    "handshake-rate": None,
    "handshake-rate-per-address": None,
    "refusals-per-address": None,
    "address-prefix": None,
    "connection-lifetime": None,
    "idle-timeout": None,
    "proxy-from": [],
    "proxy-protocol": None,
    "upgrade": None,
    "trace": None,
    "capture": None,
    "capture-size": None,
    "keylog": None,
    "refused-traces": None,
    "drain-timeout": 10.0,
    "drain-delay": None,
    "handover": None,
    "reuse-port": 0,
    "trace-application-data": None,
    "log-format": "text",
    "log-file": None,
    "log-size": None,
    "log-files": None,
    "processes": 1,
    "metrics": None,
    "status": None,
    "health": None,
    "configuration": None,
}

ALL = f"""
    --listen tcp:1 --listen tcp:2 --identity a.pem --identity b.pem --key a.key --key b.key --passphrase-file a.txt
    --passphrase-file b.txt --passphrase-env A --passphrase-env B --passphrase-fd 3 --passphrase-fd 0
    --insecure-allow-readable-key --hook test_tap:hook --hook-timeout 2 --no-resumption --no-revalidation
    --client-certificates required --client-roots b.pem --client-roots system --application greet --framing int32
    --forward tcp:3 --send-proxy v2 --send-proxy-options crc32c
    --insecure-forward-plain --connect-timeout 6 --half-close-timeout 9
    --crl a.crl --crl b.crl --revocation soft --fetch-crls lists --staple a.der --staple fetch
    --fetch-from-private-addresses
    --allow dns=*.example.org --allow cn=x=y --deny o=Example&!ou=a
    --intermediates i.pem --intermediates more --pin spki=sha256:{64 * "0"} --profile strict
    --maximum-message 7 --minimum-tls 1.3 --maximum-tls 1.3 --handshake-timeout 1.5 --read-timeout 0 --write-timeout 3
    --groups X25519,P-256 --ja4
    --close-timeout 4 --maximum-connections 8 --log-format json --log-file a.log --log-size 100000 --log-files 3
    --maximum-pending 5 --connections-per-address 2 --connections-per-identity 3 --handshake-rate 100
    --handshake-rate-per-address 0.5 --refusals-per-address 4 --address-prefix 24,56 --connection-lifetime 3600
    --idle-timeout 60
    --trace traces --capture a.pcapng --capture-size 1000000 --keylog keys.log --refused-traces 9
    --drain-timeout 30 --drain-delay 5 --handover next.sock --reuse-port --processes 3
    --trace-application-data 100 --metrics tcp:3 --status unix:status --health tcp:4
    --proxy-from 10.0.0.0/8 --proxy-from unix --proxy-protocol v2 --upgrade postgresql
    --renew-command true --renew-before 9
"""


def parsed(*words: str, parent: Any = None) -> Options:
    options = Options()
    options.parent = parent
    options.parseOptions(words)
    return options


def twistd(*words: str) -> ServerOptions:
    """The options of twistd itself, with these words before those of the plugin."""
    options = ServerOptions()
    options.parseOptions([*words, "tlscomm"])
    return options


class OptionsTests(SynchronousTestCase):
    """What is typed."""

    def test_defaults(self) -> None:
        """Nothing typed is a whole set of options."""
        self.assertEqual(parsed(), DEFAULTS)

    def test_all(self) -> None:
        """Each option has its place and its type."""
        self.assertEqual(
            parsed(*ALL.split()),
            {
                "listen": ["tcp:1", "tcp:2"],
                "identity": ["a.pem", "b.pem"],
                "key": ["a.key", "b.key"],
                "passphrase-file": ["a.txt", "b.txt"],
                "passphrase-env": ["A", "B"],
                "passphrase-fd": [3, 0],
                "insecure-allow-readable-key": 1,
                "client-certificates": "required",
                "client-roots": ["b.pem", "system"],
                "crl": ["a.crl", "b.crl"],
                "revocation": "soft",
                "fetch-crls": "lists",
                "fetch-from-private-addresses": 1,
                "staple": ["a.der", "fetch"],
                "allow": [parseRule("dns=*.example.org"), parseRule("cn=x=y")],
                "deny": [parseRule("o=Example&!ou=a")],
                "intermediates": ["i.pem", "more"],
                "pin": [Pin("spki", 64 * "0")],
                "profile": "strict",
                "hook": "test_tap:hook",
                "hook-timeout": 2.0,
                "no-resumption": 1,
                "no-revalidation": 1,
                "application": "greet",
                "forward": ["tcp:3"],
                "send-proxy": "v2",
                "send-proxy-options": ["crc32c"],
                "insecure-forward-plain": 1,
                "connect-timeout": 6.0,
                "half-close-timeout": 9.0,
                "framing": "int32",
                "maximum-message": 7,
                "minimum-tls": "1.3",
                "maximum-tls": "1.3",
                "groups": ("X25519", "P-256"),
                "ja4": 1,
                "handshake-timeout": 1.5,
                "read-timeout": None,
                "write-timeout": 3.0,
                "close-timeout": 4.0,
                "maximum-connections": 8,
                "maximum-pending": 5,
                "connections-per-address": 2,
                "connections-per-identity": 3,
                "handshake-rate": 100.0,
                "handshake-rate-per-address": 0.5,
                "refusals-per-address": 4,
                "address-prefix": (24, 56),
                "connection-lifetime": 3600.0,
                "idle-timeout": 60.0,
                "trace": "traces",
                "capture": "a.pcapng",
                "capture-size": 1000000,
                "keylog": "keys.log",
                "renew-command": "true",
                "renew-before": 9,
                "refused-traces": 9,
                "drain-timeout": 30.0,
                "drain-delay": 5.0,
                "handover": "next.sock",
                "reuse-port": 1,
                "trace-application-data": 100,
                "proxy-from": [ip_network("10.0.0.0/8"), None],
                "proxy-protocol": "v2",
                "upgrade": "postgresql",
                "log-format": "json",
                "log-file": "a.log",
                "log-size": 100000,
                "log-files": 3,
                "processes": 3,
                "metrics": "tcp:3",
                "status": "unix:status",
                "health": "tcp:4",
                "configuration": None,
            },
        )

    def test_notShared(self) -> None:
        """What one set of options collects, another does not have."""
        parsed("--client-roots", "a.pem")
        self.assertEqual(parsed(), DEFAULTS)

    def test_help(self) -> None:
        """The help explains every option and has every default."""
        text = " ".join(str(Options()).split())
        for name, value in DEFAULTS.items():
            isFlag = value == 0
            self.assertIn(f"--{name} " if isFlag else f"--{name}= ", text)
            if not isFlag and name != "listen" and value not in (None, []):
                self.assertIn(f"[default: {value:.0f}]" if isinstance(value, float) else f"[default: {value}]", text)
        self.assertIn("[default: tcp:8443:interface=127.0.0.1]", text)

    def test_wrongWords(self) -> None:
        """A wrong word is refused with the option's name and what it may be."""
        for words, said in (
            ("--framing x", "--framing is one of eof, line, netstring, int32, not 'x'"),
            ("--minimum-tls 1.1", "--minimum-tls is one of 1.2, 1.3, not '1.1'"),
            ("--maximum-tls 1", "--maximum-tls is one of 1.2, 1.3, not '1'"),
            ("--client-certificates yes", "--client-certificates is one of none, requested, required, not 'yes'"),
            ("--log-format xml", "--log-format is one of text, json, journal, not 'xml'"),
            ("--read-timeout soon", "--read-timeout is a number of seconds, or 0 for none, not 'soon'"),
            ("--close-timeout -1", "--close-timeout is a number of seconds, or 0 for none, not '-1'"),
            ("--write-timeout nan", "--write-timeout is a number of seconds, or 0 for none, not 'nan'"),
            ("--maximum-message 0", "--maximum-message is a whole number of 1 or more, not '0'"),
            ("--maximum-connections 1.5", "--maximum-connections is a whole number of 1 or more, not '1.5'"),
            ("--nonsense", "option --nonsense not recognized"),
            ("nonsense", "'nonsense' is not an option"),
            ("--key a.key", "--key says more about --identity, which is missing"),
            ("--passphrase-fd x", "--passphrase-fd is a whole number of 0 or more, not 'x'"),
            (
                "--pin 1",
                "--pin: '1' is no pin: a pin is fingerprint= or spki= with sha256: and 64 hexadecimal digits",
            ),
            ("--passphrase-env A", "--passphrase-env says more about --identity, which is missing"),
        ):
            refusal = self.assertRaises((UsageError, ValueError), parsed, *words.split())
            self.assertEqual(str(refusal), said)

    def test_wrongRule(self) -> None:
        """A rule that is none is refused before any file is looked at."""
        refusal = self.assertRaises(ValueError, parsed, "--allow", "everybody")
        self.assertIn("'everybody' is no access rule: a rule is one of cn=", str(refusal))

    def test_wrongWordUnderTwistd(self) -> None:
        """twistd ends with the message alone, and says where there is more."""
        refusal = self.assertRaises(SystemExit, parsed, "--framing", "x", parent=twistd())
        self.assertEqual(
            refusal.code,
            "twistd tlscomm: --framing is one of eof, line, netstring, int32, not 'x'\n"
            "`twistd tlscomm --help` explains every option.",
        )

    def test_jsonInForeground(self) -> None:
        """Where standard output is for JSON, Twisted's log is sent to standard error."""
        for words in ((), ("--logfile", "-")):
            parent = twistd("-n", *words)
            parsed("--log-format", "json", parent=parent)
            self.assertEqual(parent["logger"], "tlscomm.serving._eventlog.onStandardError")

    def test_logElsewhere(self) -> None:
        """A log that does not go to standard output stays where it is."""
        for words in (("-n", "--logfile", "file"), ("-n", "--syslog"), ("--pidfile", "x")):
            parent = twistd(*words)
            parsed("--log-format", "json", parent=parent)
            self.assertIsNone(parent["logger"])
        parent = twistd("-n", "--logger", "twisted.logger.textFileLogObserver")
        before = parent["logger"]
        parsed("--log-format", "json", parent=parent)
        self.assertIs(parent["logger"], before)

    def test_foreground(self) -> None:
        """Only twistd takes a program's terminal away, and not with --nodaemon."""
        self.assertEqual(
            [parsed(parent=parent).isForeground for parent in (None, twistd("-n"), twistd())], [True, True, False]
        )


class ServiceCase(SynchronousTestCase):
    """Services from options, with files in the test's own folder."""

    def setUp(self) -> None:
        self.home = Path("home").absolute()
        self.patch(os, "environ", {**os.environ, "TLSCOMM_HOME": str(self.home)})
        self.reactor = MemoryReactorClock()
        self.secret("server.pem", pem([SERVER.certificate]) + keyPEM(SERVER.privateKey))
        Path("ca.pem").write_bytes(pem([AUTHORITY.certificate]))

    def secret(self, name: str, content: bytes) -> None:
        Path(name).write_bytes(content)
        os.chmod(name, 0o600)

    def service(self, *words: str) -> TLSService:
        (listener,) = self.server(*words).listeners
        return listener

    def server(self, *words: str) -> Server:
        return makeService(parsed(*words), self.reactor)

    def configuration(self, *words: str) -> ServerConfiguration:
        configuration = self.service(*words).factory.configuration
        assert isinstance(configuration, ServerConfiguration)
        return configuration


class MakeServiceTests(ServiceCase):
    """What options make."""

    def test_noSideEffect(self) -> None:
        """No port is open before the service is started, and then the one that was named."""
        service = self.service("--listen", "tcp:4711:interface=127.0.0.2", "--identity", "server.pem")
        self.assertTrue(verifyObject(IService, service))
        self.assertEqual(self.reactor.tcpServers, [])
        service.privilegedStartService()
        ((port, factory, backlog, interface),) = self.reactor.tcpServers
        self.assertEqual((port, backlog, interface), (4711, 1024, "127.0.0.2"))
        self.assertIs(factory, service.factory)

    def test_everyListener(self) -> None:
        """Each --listen is a port of the same server."""
        places = ["tcp:1", "tcp6:2", "tcp:3:backlog=7"]
        words = " ".join(f"--listen {place}" for place in places)
        service = self.service(*words.split(), "--identity", "server.pem")
        self.assertEqual([listener.place for listener in service.listeners], places)
        service.privilegedStartService()
        self.assertEqual([server[0] for server in self.reactor.tcpServers], [1, 2, 3])
        self.assertEqual([server[2] for server in self.reactor.tcpServers], [1024, 1024, 7])

    def test_messages(self) -> None:
        """The application has the framing, the limit and the deadline that were asked for."""
        words = "--identity server.pem --application greet --framing line --maximum-message 99 --read-timeout 0"
        application: Any = self.service(*words.split()).factory.wrappedFactory
        self.assertIsInstance(application, MessageFactory)
        self.assertEqual(
            (application.protocol, application.framing.name, application.maximumMessage, application.readTimeout),
            (Greet, "line", 99, None),
        )
        self.assertIs(application.clock, self.reactor)

    def test_ownApplication(self) -> None:
        """An application of one's own is used as it is."""
        application = self.service("--identity", "server.pem", "--application", "test_tap:OWN").factory.wrappedFactory
        self.assertIs(application, sys.modules["test_tap"].OWN)  # type: ignore[attr-defined]

    def test_hook(self) -> None:
        """A hook of one's own is asked, with its own deadline; a wrong name is a sentence."""
        with_ = ("--identity", "server.pem", "--client-roots", "ca.pem", "--hook")
        configuration = self.configuration(*with_, "test_tap:hook", "--hook-timeout", "2")
        self.assertIs(configuration.hook, sys.modules["test_tap"].hook)  # type: ignore[attr-defined]
        self.assertEqual(configuration.deadlines, Deadlines(hook=2.0))
        for name, says in (
            ("hook", "package.module:name"),
            ("test_tap:nothing", "has no 'nothing'"),
            ("no_such_module:hook", "cannot be imported"),
            ("test_tap:Echo", "a hook is a function"),
            ("test_tap:ALL", "a hook is a function"),
        ):
            with self.assertRaisesRegex(ValueError, says):
                self.configuration(*with_, name)

    def test_resumption(self) -> None:
        """Sessions are resumed unless that is turned off."""
        self.assertTrue(self.configuration("--identity", "server.pem").resumption)
        self.assertFalse(self.configuration("--identity", "server.pem", "--no-resumption").resumption)

    def test_judgingAgain(self) -> None:
        """Open connections are judged again unless an option says otherwise, or its former name, which is not shown."""
        self.assertTrue(self.configuration("--identity", "server.pem").revalidation)
        for option in ("--no-revalidation", "--no-judging-again"):
            self.assertFalse(self.configuration("--identity", "server.pem", option).revalidation)
        self.assertNotIn("judging", str(Options()))

    def test_deadlines(self) -> None:
        """Deadlines are those that were asked for, and 0 is none."""
        words = "--identity server.pem --handshake-timeout 3 --write-timeout 0 --close-timeout 1.5"
        self.assertEqual(self.configuration(*words.split()).deadlines, Deadlines(handshake=3.0, write=None, close=1.5))

    def test_versions(self) -> None:
        """Versions are those that were asked for."""
        configuration = self.configuration("--identity", "server.pem", "--minimum-tls", "1.3")
        self.assertEqual((configuration.minimumTLS, configuration.maximumTLS), ("1.3", "1.3"))

    def test_identityAlone(self) -> None:
        """A server with an identity and without client roots asks clients for nothing."""
        configuration = self.configuration("--identity", "server.pem")
        self.assertEqual(configuration.credential.certificate, SERVER.certificate)
        self.assertEqual((configuration.clientCertificates, configuration.clientRoots), ("none", ()))

    def test_clientRoots(self) -> None:
        """A server with client roots demands certificates of these authorities."""
        configuration = self.configuration("--identity", "server.pem", "--client-roots", "ca.pem")
        self.assertEqual(
            (configuration.clientCertificates, configuration.clientRoots), ("required", (AUTHORITY.certificate,))
        )

    def test_restrictions(self) -> None:
        """Revocation lists and access rules restrict who of those is let in."""
        revoked = AUTHORITY.revocationList([7])
        Path("ca.crl").write_bytes(revoked.public_bytes(Encoding.DER))
        words = "--identity server.pem --client-roots ca.pem --crl ca.crl --allow dns=a.example --allow cn=b"
        configuration = self.configuration(*words.split())
        self.assertEqual(configuration.revocation.lists, (revoked,))
        self.assertEqual([str(rule) for rule in configuration.access.allow], ["dns=a.example", "cn=b"])

    def test_revocation(self) -> None:
        """What is stapled, where lists are kept, and what happens where nothing is known."""
        certificate = SERVER.certificate
        Path("server.ocsp").write_bytes(ocspResponse(AUTHORITY, certificate))
        words = "--identity server.pem --client-roots ca.pem --staple server.ocsp --fetch-crls lists --revocation soft"
        configuration = self.configuration(*words.split())
        assert configuration.staple is not None
        self.assertEqual(configuration.staple.responseFor(certificate), Path("server.ocsp").read_bytes())
        self.assertEqual(configuration.revocation.mode, "soft")
        self.assertTrue(Path("lists").is_dir())
        words = "--identity server.pem --client-roots ca.pem --fetch-crls x"
        self.assertEqual(self.configuration(*words.split()).revocation.mode, "required")

    def test_idle(self) -> None:
        """What only client certificates have a use for is refused where none are asked for."""
        for words in ("--profile strict", "--revocation required", "--pin spki=sha256:" + 64 * "0"):
            with self.assertRaisesRegex(ValueError, "no client certificates are asked for"):
                self.configuration("--identity", "server.pem", *words.split())

    def test_limit(self) -> None:
        """The limit of connections is the service's."""
        service = self.service("--identity", "server.pem", "--maximum-connections", "1")
        self.assertIsNotNone(service.factory.buildProtocol(None))
        with capturedLogs() as captured:
            self.assertIsNone(service.factory.buildProtocol(IPv4Address("TCP", "127.0.0.1", 40001)))
        self.assertIn("too-many-connections", str(formatEvent(captured[0])))

    def test_badCredential(self) -> None:
        """A credential that cannot be used is its failure, before any port is open."""
        self.secret("other.key", keyPEM(AUTHORITY.privateKey))
        self.assertRaises(FileNotFound, self.service, "--identity", "nothing.pem")
        self.assertRaises(KeyMismatch, self.service, "--identity", "server.pem", "--key", "other.key")
        self.assertEqual(self.reactor.tcpServers, [])

    def test_badCredentialUnderTwistd(self) -> None:
        """twistd ends with the failure's code, sentence and next step."""
        options = parsed("--identity", "nothing.pem", parent=twistd("-n"))
        refusal = self.assertRaises(SystemExit, makeService, options, self.reactor)
        first, second = str(refusal.code).splitlines()
        self.assertEqual(first, f"twistd tlscomm: {FileNotFound('nothing.pem')}")
        self.assertEqual(second, f"Next step: {FileNotFound().nextStep}")

    def test_misfits(self) -> None:
        """What does not fit together is one sentence."""
        for words, said in (
            ("--listen nonsense", "--listen nonsense: Unknown endpoint type: 'nonsense'"),
            ("--listen tcp:http-ish", "--listen tcp:http-ish: "),
            ("--listen tcp:1:nonsense=2", "--listen tcp:1:nonsense=2: "),
            ("--application nonsense", "no application is named 'nonsense'"),
            ("--identity server.pem --client-certificates required", "name the authorities"),
            ("--identity server.pem --minimum-tls 1.3 --maximum-tls 1.2", "the minimum TLS 1.3 is above"),
            ("--listen ssl:8443 --identity server.pem", "would put TLS into TLS"),
            ("--identity server.pem --allow cn=a", "access rules let no client in without a certificate"),
        ):
            options = parsed(*words.split(), parent=twistd())
            refusal = self.assertRaises(SystemExit, makeService, options, self.reactor)
            self.assertIn(said, str(refusal.code))
            self.assertNotIn("Traceback", str(refusal.code))
        self.assertFalse(self.home.exists())

    def test_passphrase(self) -> None:
        """A pass phrase comes from a file or the environment; with neither, and nobody to ask, the failure says so."""
        self.encrypt()
        self.secret("phrase.txt", b"open sesame\n")
        self.patch(sys, "stdin", io.StringIO())
        os.environ["PHRASE"] = "open sesame"
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        os.write(writing, b"open sesame")
        os.close(writing)
        for words in (
            ("--passphrase-file", "phrase.txt"),
            ("--passphrase-env", "PHRASE"),
            ("--passphrase-fd", str(reading)),
        ):
            configuration = self.configuration("--identity", "encrypted.pem", *words)
            self.assertEqual(configuration.credential.certificate, SERVER.certificate)
        self.assertRaises(PassphraseRequired, self.service, "--identity", "encrypted.pem")

    def test_passphraseAgain(self) -> None:
        """What a file descriptor gave is remembered for a reload."""
        self.encrypt()
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        os.write(writing, b"open sesame")
        os.close(writing)
        service = self.service("--identity", "encrypted.pem", "--passphrase-fd", str(reading))
        self.assertTrue(service.reload())

    def test_passphraseOfAPerson(self) -> None:
        """At a terminal a person is asked for it, by the name of the file, and need not answer."""
        asked: list[str] = []

        def answer(prompt: str) -> str:
            asked.append(prompt)
            if len(asked) > 1:
                raise EOFError
            return "open sesame"

        self.encrypt()
        self.patch(sys, "stdin", _Terminal())
        self.patch(getpass, "getpass", answer)
        self.configuration("--identity", "encrypted.pem")
        self.assertEqual(asked, ["Pass phrase for encrypted.pem: "])
        self.assertRaises(PassphraseRequired, self.service, "--identity", "encrypted.pem")

    def encrypt(self) -> None:
        key: Any = SERVER.privateKey
        encrypted = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"open sesame"))
        self.secret("encrypted.pem", pem([SERVER.certificate]) + encrypted)


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class DevelopmentTests(ServiceCase):
    """Without an identity."""

    def test_madeOnFirstUse(self) -> None:
        """The development authority is made in a folder of the owner's, and is the same ever after."""
        first, second = self.configuration(), self.configuration()
        self.assertEqual(stat.S_IMODE(self.home.stat().st_mode), 0o700)
        self.assertEqual(first.credential.certificate, second.credential.certificate)
        ca = x509.load_pem_x509_certificate((self.home / "ca.pem").read_bytes())
        self.assertEqual((first.clientCertificates, first.clientRoots), ("required", (ca,)))

    def test_home(self) -> None:
        """The folder is in the user's home where the environment names none."""
        del os.environ["TLSCOMM_HOME"]
        os.environ["HOME"] = str(Path("user").absolute())
        self.configuration()
        self.assertTrue(Path("user/.tlscomm/development/server.pem").exists())

    def test_echoes(self) -> None:
        """It echoes, on the default port of this machine alone."""
        service = self.service()
        service.privilegedStartService()
        ((port, _, _, interface),) = self.reactor.tcpServers
        application: Any = service.factory.wrappedFactory
        self.assertEqual((port, interface, application.protocol), (8443, "127.0.0.1", Echo))

    def test_otherRoots(self) -> None:
        """With client roots alone the server is the development server, and only those authorities' clients get in."""
        configuration = self.configuration("--client-roots", "ca.pem")
        self.assertEqual(configuration.clientRoots, (AUTHORITY.certificate,))
        self.assertEqual(configuration.credential.certificate.issuer.rfc4514_string()[:3], "CN=")
        self.assertTrue((self.home / "server.pem").exists())

    def test_noCertificates(self) -> None:
        """Without client certificates nobody's are trusted."""
        configuration = self.configuration("--client-certificates", "none")
        self.assertEqual((configuration.clientCertificates, configuration.clientRoots), ("none", ()))

    def test_requested(self) -> None:
        """Where they are only requested, they are still those of the development authority."""
        configuration = self.configuration("--client-certificates", "requested")
        self.assertEqual((configuration.clientCertificates, len(configuration.clientRoots)), ("requested", 1))

    def test_noPlace(self) -> None:
        """A folder that cannot be made is one sentence that says what to do."""
        Path("home").write_text("a file")
        options = parsed(parent=twistd())
        refusal = self.assertRaises(SystemExit, makeService, options, self.reactor)
        self.assertIn("the development identity cannot be made: ", str(refusal.code))
        self.assertIn("TLSCOMM_HOME", str(refusal.code))

    def test_connectLine(self) -> None:
        """A server that has started says how to talk to it."""
        connect = f"tlscomm connect 127.0.0.1:8443 --roots {self.home}/ca.pem"
        client = f"--identity {self.home}/client.pfx"
        for words, said in (
            ("", f"{connect} {client} --message Hello"),
            ("--framing line", f"{connect} {client} --framing line --message Hello"),
            ("--client-certificates none", f"{connect} --message Hello"),
            ("--allow dns=*.localhost", f"{connect} {client} --message Hello"),
            ("--client-certificates requested --client-roots ca.pem", f"{connect} --message Hello"),
        ):
            self.assertEqual(self.introduction(*words.split()), [f"talk to it with: {said}"])

    def test_connectLineOfOtherAddresses(self) -> None:
        """A line never has an address that nobody can connect to, nor a name that the certificate is not for."""
        (line,) = self.introduction("--listen", "tcp6:8443")
        self.assertIn("tlscomm connect '[::1]:8443' ", line)
        (line,) = self.introduction(address=IPv4Address("TCP", "192.0.2.1", 8443))
        self.assertIn("tlscomm connect 192.0.2.1:8443 ", line)
        self.assertIn(" --server-name localhost ", line)
        self.assertEqual(self.introduction(address=UNIXAddress("socket")), [])

    def test_connectLineIsOneCommand(self) -> None:
        """The line can be pasted into a shell whatever the folder is called."""
        os.environ["TLSCOMM_HOME"] = str(Path("my home").absolute())
        (line,) = self.introduction()
        self.assertIn("my home/client.pfx' --message Hello", line)

    def test_noConnectLine(self) -> None:
        """Where the development client is not let in, and where the identity is not ours, there is no such line."""
        self.assertEqual(self.introduction("--client-roots", "ca.pem"), [])
        self.assertEqual(self.introduction("--allow", "dns=other.localhost"), [])
        self.assertEqual(self.introduction("--identity", "server.pem"), [])

    def introduction(self, *words: str, address: IAddress | None = None) -> list[str]:
        service = self.service(*words)
        if address is not None:
            service.listeners = (Listener("elsewhere", _Listening(address)),)
        with capturedLogs() as captured:
            service.startService()
        lines = [str(formatEvent(event)) for event in captured]
        return [line for line in lines if "tlscomm connect" in line]


@implementer(IStreamServerEndpoint, IListeningPort)
class _Listening:
    """Listens at an address."""

    def __init__(self, address: IAddress) -> None:
        self.address = address

    def listen(self, protocolFactory: Any) -> Deferred[Any]:
        return succeed(self)

    def getHost(self) -> IAddress:
        return self.address


def hook(_: object) -> bool:
    """A hook of one's own."""
    return True


OWN = MessageFactory(Echo)
