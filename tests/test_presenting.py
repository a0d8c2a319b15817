"""What is presented insecurely stays so, and what nobody can read does not keep a refusal from being named."""

from datetime import datetime, timedelta, timezone
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.chains import remade
from tests.pfxfiles import der, seq
from tlscomm.access import AccessRules
from tlscomm.configuration import ClientConfiguration, ServerConfiguration, insecurelyPresenting
from tlscomm.issuing import Authority
from tlscomm.tls import handshake

AUTHORITY = Authority.create()
NAMES: Any = {"role": "server", "dnsNames": ["localhost"]}
SERVER = AUTHORITY.issue("server", **NAMES)


def client(**settings: Any) -> ClientConfiguration:
    return ClientConfiguration(serverName="localhost", roots=(AUTHORITY.certificate,), **settings)


class Presenting(SynchronousTestCase):
    def test_withProtocols(self) -> None:
        """What is presented stays the same where a factory negotiates application protocols."""
        past = datetime.now(timezone.utc) - timedelta(days=9)
        expired = AUTHORITY.issue("old", **NAMES, notBefore=past, notAfter=past + timedelta(days=1))
        negotiating = insecurelyPresenting(ServerConfiguration(credential=SERVER), expired).withProtocols([b"h2"])
        self.assertEqual(negotiating.applicationProtocols, (b"h2",))
        judging, _ = handshake(client().withProtocols([b"h2"]), negotiating)
        self.assertEqual(judging.failure and judging.failure.code, "expired")


class Unreadable(SynchronousTestCase):
    def test_inTheListOfAuthorities(self) -> None:
        """A refusal is named although an authority in the server's list has a name that cannot be read."""
        # A common name in T.61 with a letter outside ASCII, which OpenSSL takes.
        name = seq(der(0x31, seq(bytes.fromhex("0603550403"), der(0x14, b"\xc4rger"))))
        odd = remade(AUTHORITY.certificate, AUTHORITY, lambda parts: [*parts[:5], name, *parts[6:]])
        own = AUTHORITY.issue("client", role="client")
        for version in ("1.2", "1.3"):
            rules = AccessRules.parse(["cn=somebody-else"])
            server = ServerConfiguration(credential=SERVER, clientRoots=(AUTHORITY.certificate,), access=rules)
            server._context.add_client_ca(odd)
            refused, _ = handshake(client(credential=own, maximumTLS=version), server)
            assert refused.failure is not None
            self.assertEqual((refused.failure.code, refused.failure.side), ("not-allowed", "remote"))
