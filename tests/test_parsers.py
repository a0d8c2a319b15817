"""Endpoint strings that begin with ``tlscomm:``, as every program of Twisted that takes one sees them."""

import subprocess
import sys
from pathlib import Path
from typing import Any

from conversation import CLIENT, ROOTS, SERVER
from cryptography.hazmat.primitives.serialization import Encoding
from naming import NamingReactor
from twisted.internet.endpoints import (
    clientFromString,
    quoteStringArgument,
    serverFromString,
)
from twisted.internet.interfaces import (
    IStreamClientEndpoint,
    IStreamClientEndpointStringParserWithReactor,
    IStreamServerEndpoint,
    IStreamServerEndpointStringParser,
)
from twisted.internet.protocol import Factory
from twisted.plugin import IPlugin
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tlscomm.access import AccessRules
from tlscomm.configuration import ClientConfiguration, ServerConfiguration
from tlscomm.credentials import Credential
from tlscomm.endpoints import TLSClientEndpoint, TLSServerEndpoint
from tlscomm.endpoints._strings import TLSCommClientParser, TLSCommServerParser
from tlscomm.failures import FileNotFound, NoPrivateKey, PassphraseRequired, UnsafePermissions, WrongPurpose
from tlscomm.issuing import Authority
from tlscomm.x509._encoding import keyPEM, pem


def write(name: str, content: bytes) -> str:
    path = Path(name)
    path.write_bytes(content)
    path.chmod(0o600)
    return name


def together(credential: Credential) -> bytes:
    assert credential.privateKey is not None
    return pem((credential.certificate,)) + keyPEM(credential.privateKey)


class ParserCase(SynchronousTestCase):
    """A folder with files in it, and a reactor that connects nothing."""

    def setUp(self) -> None:
        self.reactor: Any = NamingReactor()
        write("server.pem", together(SERVER))
        write("client.pem", together(CLIENT))
        write("ca.pem", pem(ROOTS))

    def server(self, description: str) -> Any:
        endpoint = serverFromString(self.reactor, f"tlscomm:{description}")
        self.assertIsInstance(endpoint, TLSServerEndpoint)
        return endpoint

    def client(self, description: str) -> Any:
        endpoint = clientFromString(self.reactor, f"tlscomm:{description}")
        self.assertIsInstance(endpoint, TLSClientEndpoint)
        return endpoint

    def serverConfiguration(self, description: str) -> ServerConfiguration:
        return self.listening(f"0:identity=server.pem:{description}").configuration  # type: ignore[no-any-return]

    def listening(self, description: str) -> Any:
        """Listen, and return the factory that makes the connections."""
        endpoint = self.server(description)
        self.successResultOf(endpoint.listen(Factory()))
        return endpoint.factory

    def place(self) -> tuple[int, str]:
        """Return the port and the interface on which was listened last."""
        port, _, _, interface = self.reactor.tcpServers[-1]
        return port, interface

    def clientConfiguration(self, description: str) -> ClientConfiguration:
        return self.connecting(f"localhost:1:roots=ca.pem:{description}")

    def connecting(self, description: str) -> ClientConfiguration:
        """Return a client's configuration, which nothing shows before it has connected."""
        return self.client(description)._configuration  # type: ignore[no-any-return]

    def destination(self, description: str) -> tuple[str, int, float]:
        """Connect, and return to what, on which port, and for how many seconds."""
        return self.reactor.connected(self.client(description), Factory())  # type: ignore[no-any-return]

    def assertWrong(self, parse: Any, description: str, *words: str, error: type[Exception] = ValueError) -> None:
        """It is refused, in a sentence with these words."""
        raised = self.assertRaises(error, parse, description)
        for word in words:
            self.assertIn(word, str(raised))


class ServerStringTests(ParserCase):
    """Strings for servers."""

    def test_least(self) -> None:
        """A port and a credential are enough: it listens on all addresses and asks for no certificate."""
        factory = self.listening("8443:identity=server.pem")
        configuration = factory.configuration
        self.assertEqual(configuration.credential.certificate, SERVER.certificate)
        self.assertEqual((configuration.clientCertificates, configuration.clientRoots), ("none", ()))
        self.assertEqual((configuration.minimumTLS, configuration.maximumTLS), ("1.2", "1.3"))
        self.assertEqual(configuration.deadlines, ServerConfiguration(credential=SERVER).deadlines)
        self.assertEqual(self.place(), (8443, ""))
        self.assertIs(factory.clock, self.reactor)

    def test_example(self) -> None:
        """The example of the documentation."""
        configuration = self.listening(
            "8443:identity=server.pem:clientRoots=ca.pem:clientCertificates=required:allow=dns=*.example.org"
            ":interface=127.0.0.1"
        ).configuration
        self.assertEqual((configuration.clientCertificates, configuration.clientRoots), ("required", ROOTS))
        self.assertEqual(self.place(), (8443, "127.0.0.1"))

    def test_clientCertificates(self) -> None:
        """Whom it trusts makes it demand a certificate, unless the string says otherwise."""
        self.assertEqual(self.serverConfiguration("clientRoots=ca.pem").clientCertificates, "required")
        for word in ("none", "requested", "required"):
            configuration = self.serverConfiguration(f"clientRoots=ca.pem:clientCertificates={word}")
            self.assertEqual(configuration.clientCertificates, word)

    def test_key(self) -> None:
        """The private key may be in a file of its own."""
        assert SERVER.privateKey is not None
        write("certificate.pem", pem((SERVER.certificate,)))
        write("key.pem", keyPEM(SERVER.privateKey))
        factory = self.listening("0:identity=certificate.pem:key=key.pem")
        self.assertEqual(factory.configuration.credential.certificate, SERVER.certificate)
        self.assertRaises(NoPrivateKey, self.server, "0:identity=certificate.pem")

    def test_passphrase(self) -> None:
        """The pass phrase comes from a file, the environment or an open file."""
        from cryptography.hazmat.primitives.serialization import BestAvailableEncryption
        from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates

        encryption = BestAvailableEncryption("größer".encode())
        key: Any = SERVER.privateKey
        write("server.pfx", serialize_key_and_certificates(None, key, SERVER.certificate, None, encryption))
        write("phrase", "größer\n".encode())
        self.patch(sys.modules["os"], "environ", {**sys.modules["os"].environ, "PHRASE": "größer"})
        for source in ("passphraseFile=phrase", "passphraseEnv=PHRASE"):
            endpoint = self.server(f"0:identity=server.pfx:{source}")
            self.assertEqual(endpoint.configuration.credential.certificate, SERVER.certificate)
        self.assertRaises(PassphraseRequired, self.server, "0:identity=server.pfx")
        self.assertRaises(PassphraseRequired, self.server, "0:identity=server.pfx:passphraseEnv=NONE")
        self.assertRaises(FileNotFound, self.server, "0:identity=server.pfx:passphraseFile=none")
        self.assertWrong(self.server, "0:identity=server.pfx:passphraseFD=x", "passphraseFD")
        reading, writing = sys.modules["os"].pipe()
        self.addCleanup(sys.modules["os"].close, reading)
        sys.modules["os"].write(writing, "größer".encode())
        sys.modules["os"].close(writing)
        self.server(f"0:identity=server.pfx:passphraseFD={reading}")

    def test_versions(self) -> None:
        """The oldest and the newest version of TLS."""
        configuration = self.serverConfiguration("minimumTLS=1.3:maximumTLS=1.3")
        self.assertEqual((configuration.minimumTLS, configuration.maximumTLS), ("1.3", "1.3"))
        self.assertWrong(self.serverConfiguration, "minimumTLS=1.1", "1.1")
        self.assertWrong(self.serverConfiguration, "minimumTLS=1.3:maximumTLS=1.2", "above the maximum")

    def test_deadlines(self) -> None:
        """Deadlines in seconds; 0 is none."""
        deadlines = self.serverConfiguration("handshakeTimeout=1.5:writeTimeout=0:closeTimeout=20").deadlines
        self.assertEqual((deadlines.handshake, deadlines.write, deadlines.close), (1.5, None, 20.0))
        for wrong in ("soon", "-1", "nan", "inf", "1e9"):
            for name in ("handshake", "write", "close"):
                self.assertWrong(self.serverConfiguration, f"{name}Timeout={wrong}", name, wrong)

    def test_modesAndFetching(self) -> None:
        """What happens where nothing is known, where lists are kept, and what is stapled."""
        configuration = self.serverConfiguration("clientRoots=ca.pem:revocation=soft:fetchCRLs=lists")
        self.assertEqual(configuration.revocation.mode, "soft")
        self.assertTrue(Path("lists").is_dir())
        self.assertRaises(ValueError, self.serverConfiguration, "revocation=hard")
        self.assertRaises(ValueError, self.serverConfiguration, "staple=fetch")
        self.assertRaises(FileNotFound, self.serverConfiguration, "staple=none.der")

    def test_revocation(self) -> None:
        """Revocation lists of the authorities that may issue client certificates, commas between them."""
        other = Authority.create("other")
        authority = Authority.create("one")
        for name, each in (("one", authority), ("other", other)):
            write(f"{name}.pem", pem((each.certificate,)))
            write(f"{name}.crl", each.revocationList([5]).public_bytes(Encoding.PEM))
        write("both.pem", pem((authority.certificate, other.certificate)))
        configuration = self.serverConfiguration("clientRoots=both.pem:crl=one.crl,other.crl")
        self.assertEqual(len(configuration.revocation.lists), 2)
        self.assertRaises(FileNotFound, self.serverConfiguration, "clientRoots=both.pem:crl=none.crl")

    def test_allow(self) -> None:
        """Access rules, commas between them."""
        configuration = self.serverConfiguration("clientRoots=ca.pem:allow=dns=*.example.org,cn=somebody")
        self.assertEqual(len(configuration.access.allow), 2)
        self.assertWrong(self.serverConfiguration, "clientRoots=ca.pem:allow=nonsense", "nonsense")

    def test_chains(self) -> None:
        """Authorities that are known, pins with commas between them, and the profile."""
        pins = f"spki=sha256{'0' * 64},fingerprint=sha256{'1' * 64}"
        configuration = self.serverConfiguration(f"clientRoots=ca.pem:intermediates=ca.pem:pin={pins}:profile=strict")
        self.assertEqual([pin.kind for pin in configuration.pins], ["spki", "fingerprint"])
        self.assertEqual((len(configuration.intermediates), configuration.profile), (1, "strict"))
        self.assertRaises(ValueError, self.serverConfiguration, "clientRoots=ca.pem:pin=1")
        self.assertRaises(ValueError, self.serverConfiguration, "clientRoots=ca.pem:profile=lenient")

    def test_deny(self) -> None:
        """Rules that keep out; a comma in quotes separates none, and an address has its colons behind backslashes."""
        configuration = self.serverConfiguration(
            r'clientRoots=ca.pem:deny=issuer="CN=a,O=b",ip=2001\:db8\:\:1,cn=c&!o=d'
        )
        self.assertEqual(
            [str(rule) for rule in configuration.access.deny], ['issuer="CN=a,O=b"', "ip=2001:db8::1", "cn=c&!o=d"]
        )

    def test_maximumConnections(self) -> None:
        """The most connections at a time."""
        factory = self.listening("0:identity=server.pem:maximumConnections=3")
        self.assertEqual([factory.buildProtocol(None) is None for _ in range(4)], [False, False, False, True])
        for wrong in ("0", "-1", "many", ""):
            self.assertWrong(
                self.server, f"0:identity=server.pem:maximumConnections={wrong}", "maximumConnections", repr(wrong)
            )

    def test_interface(self) -> None:
        """An address of IPv6 is quoted as in any endpoint string."""
        self.listening(f"0:identity=server.pem:interface={quoteStringArgument('::1')}")
        self.assertEqual(self.place(), (0, "::1"))

    def test_endpoint(self) -> None:
        """Instead of a port it may have another endpoint string, quoted."""
        below = quoteStringArgument("tcp:8443:interface=127.0.0.1:backlog=7")
        self.listening(f"endpoint={below}:identity=server.pem")
        port, _, backlog, _ = self.reactor.tcpServers[-1]
        self.assertEqual((port, backlog), (8443, 7))
        for wrong in (f"8443:endpoint={below}:identity=server.pem", "identity=server.pem"):
            self.assertWrong(self.server, wrong, "endpoint=")

    def test_quoting(self) -> None:
        """Names with colons, backslashes and equals signs are quoted as in any endpoint string."""
        for name in ("with:colon.pem", "with\\backslash.pem", "with=equals.pem", "mit Umlaut ü.pem"):
            write(name, together(SERVER))
            factory = self.listening(f"0:identity={quoteStringArgument(name)}")
            self.assertEqual(factory.configuration.credential.certificate, SERVER.certificate)

    def test_port(self) -> None:
        """The port is a number that a port can have."""
        for wrong in ("http", "-1", "１", "65536", "9" * 5000):
            self.assertWrong(self.server, f"{wrong}:identity=server.pem", "port", wrong)

    def test_identity(self) -> None:
        """Without a credential there is no server, and with one that is not a server's neither."""
        self.assertWrong(self.server, "8443", "identity=")
        self.assertRaises(FileNotFound, self.server, "8443:identity=none.pem")
        self.assertRaises(WrongPurpose, self.server, "8443:identity=client.pem")

    def test_identities(self) -> None:
        """Several credentials are separated by semicolons; each key is that of the certificate that it fits."""
        assert SERVER.privateKey is not None
        write("server.pem", together(SERVER))
        write("certificate.pem", pem((SERVER.certificate,)))
        write("key.pem", keyPEM(SERVER.privateKey))
        configuration = self.listening("0:identity=server.pem;certificate.pem:key=key.pem").configuration
        self.assertEqual(len(configuration.others), 1)
        self.assertRaises(NoPrivateKey, self.server, "0:identity=server.pem;certificate.pem")

    def test_readableKey(self) -> None:
        """A private key that others can read is refused, unless the string says that this may be insecure."""
        write("server.pem", together(SERVER))
        sys.modules["os"].chmod("server.pem", 0o644)
        self.assertRaises(UnsafePermissions, self.server, "0:identity=server.pem")
        self.server("0:identity=server.pem:insecureAllowReadableKey=yes")
        self.assertWrong(self.server, "0:identity=server.pem:insecureAllowReadableKey=1", "insecureAllowReadableKey")

    def test_unknown(self) -> None:
        """An argument that does not exist is a TypeError that names it, and those that do; so is a second port."""
        self.assertWrong(self.server, "0:identity=server.pem:x=x", "clientCertificates", error=TypeError)
        for wrong in ("clientRoot", "roots", "prompt", "limits", "reactor", "serverName"):
            self.assertWrong(self.server, f"8443:identity=server.pem:{wrong}=x", wrong, error=TypeError)
        self.assertWrong(self.server, "8443:8444:identity=server.pem", "'8444'", error=TypeError)

    def test_sessions(self) -> None:
        """Whether sessions are resumed and open connections judged again, on both sides."""
        for parse in (self.serverConfiguration, self.clientConfiguration):
            for said, outcome in (("yes", True), ("no", False)):
                configuration = parse(f"resumption={said}:revalidation={said}")
                self.assertEqual((configuration.resumption, configuration.revalidation), (outcome, outcome))
            for name in ("resumption", "revalidation"):
                self.assertWrong(parse, f"{name}=maybe", f"{name}= is yes or no", "maybe")

    def test_formerName(self) -> None:
        """A string that was written for an argument's former name still says the same."""
        for parse in (self.serverConfiguration, self.clientConfiguration):
            self.assertFalse(parse("judgesAgain=no").revalidation)

    def test_aColonTooMany(self) -> None:
        """What stands behind a colon that should have had a backslash is refused like an unknown argument."""
        for parse, description in (
            (self.server, "0:identity=server.pem:clientRoots=ca.pem:pin=spki=sha256:00"),
            (self.client, "localhost:1:roots=ca.pem:deny=ip=2001:db8"),
        ):
            self.assertWrong(parse, description, "no argument", "has a backslash before it", error=TypeError)

    def test_aWrongValueIsNamedWithItsArgument(self) -> None:
        """Whoever reads the refusal need not guess which of the arguments is meant."""
        for name, value in (
            *(("clientCertificates", "maybe"), ("minimumTLS", "1.1"), ("maximumTLS", "2"), ("profile", "lenient")),
            *(("revocation", "hard"), ("pin", "1"), ("allow", "nonsense"), ("deny", "cn=")),
            *(("handshakeTimeout", "soon"), ("writeTimeout", "-1"), ("closeTimeout", "")),
        ):
            self.assertWrong(self.serverConfiguration, f"clientRoots=ca.pem:{name}={value}", f"{name}=", value)

    def test_listens(self) -> None:
        """It listens."""
        self.listening("8443:identity=server.pem")
        self.assertEqual(self.place(), (8443, ""))


class ClientStringTests(ParserCase):
    """Strings for clients."""

    def test_least(self) -> None:
        """A host and a port are enough: the system's authorities are trusted, and the name is the host's."""
        configuration = self.connecting("example.org:443")
        self.assertEqual(
            (configuration.serverName, configuration.credential, configuration.roots), ("example.org", None, None)
        )
        self.assertEqual(configuration.deadlines, ClientConfiguration(serverName="example.org").deadlines)
        self.assertEqual(self.destination("example.org:443"), ("example.org", 443, 30))

    def test_example(self) -> None:
        """The example of the documentation."""
        example = "localhost:8443:identity=client.pem:roots=ca.pem:serverName=other.example:timeout=5"
        configuration = self.connecting(example)
        assert configuration.credential is not None
        self.assertEqual(configuration.credential.certificate, CLIENT.certificate)
        self.assertEqual((configuration.roots, configuration.serverName), (ROOTS, "other.example"))
        self.assertEqual(self.destination(example), ("localhost", 8443, 5))

    def test_access(self) -> None:
        """Access rules about the server, commas between them."""
        access = self.connecting("localhost:8443:allow=dns=a.example,cn=b&o=c:deny=ip=192.0.2.0/24").access
        self.assertEqual(access, AccessRules.parse(["dns=a.example", "cn=b&o=c"], ["ip=192.0.2.0/24"]))

    def test_systemRoots(self) -> None:
        """The system's authorities may be named."""
        self.assertIsNone(self.connecting("localhost:1:roots=system").roots)

    def test_addresses(self) -> None:
        """An address of IPv6 may be in brackets; either way it is quoted as in any endpoint string."""
        for host in ("::1", "[::1]"):
            description = f"{quoteStringArgument(host)}:443:roots=ca.pem"
            self.assertEqual(self.connecting(description).serverName, "::1")
            self.assertEqual(self.destination(description), ("::1", 443, 30))

    def test_otherNames(self) -> None:
        """A name in another script is asked for in its ASCII form (RFC 5890)."""
        self.assertEqual(self.connecting("bücher.example:443").serverName, "xn--bcher-kva.example")
        self.assertWrong(self.client, "two words:443", "two words")

    def test_settings(self) -> None:
        """Versions and deadlines are those of servers."""
        configuration = self.clientConfiguration(
            "minimumTLS=1.3:maximumTLS=1.3:handshakeTimeout=2:writeTimeout=3:closeTimeout=0"
        )
        deadlines = configuration.deadlines
        self.assertEqual((deadlines.handshake, deadlines.write, deadlines.close), (2.0, 3.0, None))
        self.assertEqual((configuration.minimumTLS, configuration.maximumTLS), ("1.3", "1.3"))
        self.assertWrong(self.clientConfiguration, "maximumTLS=2", "2")
        self.assertWrong(self.clientConfiguration, "closeTimeout=soon", "close", "soon")
        self.assertWrong(self.clientConfiguration, "timeout=soon", "timeout", "soon")

    def test_key(self) -> None:
        """A key without an identity is a mistake."""
        self.assertWrong(self.clientConfiguration, "key=client.pem", "identity")

    def test_revocation(self) -> None:
        """Revocation lists of the authorities that may issue the server's certificate."""
        authority = Authority.create("one")
        write("one.pem", pem((authority.certificate,)))
        write("one.crl", authority.revocationList([5]).public_bytes(Encoding.PEM))
        configuration = self.connecting("localhost:1:roots=one.pem:crl=one.crl")
        self.assertEqual(len(configuration.revocation.lists), 1)

    def test_endpoint(self) -> None:
        """Instead of host and port it may have another endpoint string, and then needs the server's name."""
        below = quoteStringArgument("tcp:localhost:8443:timeout=7")
        description = f"endpoint={below}:serverName=localhost:roots=ca.pem"
        self.assertEqual(self.connecting(description).serverName, "localhost")
        self.assertEqual(self.destination(description), ("localhost", 8443, 7))
        self.assertWrong(self.client, f"endpoint={below}:roots=ca.pem", "serverName=")
        self.assertWrong(self.client, f"localhost:1:endpoint={below}:roots=ca.pem", "endpoint=")
        self.assertWrong(self.client, "localhost:roots=ca.pem", "endpoint=")
        self.assertWrong(self.client, "serverName=localhost", "endpoint=")

    def test_port(self) -> None:
        """The port is a number that a port can have, and not 0."""
        for wrong in ("http", "0", "-1", "65536"):
            self.assertWrong(self.client, f"localhost:{wrong}:roots=ca.pem", "port", wrong)

    def test_unknown(self) -> None:
        """An argument that does not exist is a TypeError that names it; so is a third place."""
        for wrong in ("clientRoots", "root", "prompt", "limits", "interface", "access"):
            self.assertWrong(self.client, f"localhost:443:{wrong}=x", wrong, error=TypeError)
        self.assertRaises(TypeError, self.client, "localhost:443:444")

    def test_wrongPurpose(self) -> None:
        """A credential that is not a client's is refused."""
        self.assertRaises(WrongPurpose, self.clientConfiguration, "identity=server.pem")


class PluginTests(SynchronousTestCase):
    """What Twisted finds."""

    def test_interfaces(self) -> None:
        """Both parsers keep the interfaces by which they are found."""
        server, client = TLSCommServerParser(), TLSCommClientParser()
        verifyObject(IPlugin, server)
        verifyObject(IPlugin, client)
        self.assertTrue(IStreamServerEndpointStringParser.providedBy(server))
        self.assertTrue(IStreamClientEndpointStringParserWithReactor.providedBy(client))
        self.assertEqual((server.prefix, client.prefix), ("tlscomm", "tlscomm"))

    def test_endpoints(self) -> None:
        """What they return is an endpoint."""
        write("server.pem", together(SERVER))
        reactor: Any = NamingReactor()
        verifyObject(IStreamServerEndpoint, serverFromString(reactor, "tlscomm:0:identity=server.pem"))
        verifyObject(IStreamClientEndpoint, clientFromString(reactor, "tlscomm:localhost:1"))

    def test_cheap(self) -> None:
        """To look for plugins costs neither OpenSSL nor the choice of a reactor, and little of tlscomm."""
        program = (
            "import sys, twisted.plugins.tlscomm_plugin\n"
            "heavy = ('OpenSSL', 'cryptography', 'twisted.internet.reactor', 'tlscomm.configuration._settings')\n"
            "print([name for name in heavy if name in sys.modules])"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
        self.assertEqual((done.stdout, done.stderr), ("[]\n", ""))
