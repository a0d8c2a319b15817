"""What a user of Twisted's own TLS can rely on."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from dataclasses import replace

from credentialfiles import NOW, authority, issued, made
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, x25519
from OpenSSL import SSL
from OpenSSL.crypto import X509
from twisted.internet.ssl import Certificate, optionsForClientTLS, trustRootFromCertificates
from twisted.trial.unittest import SynchronousTestCase

from tlscomm import failures
from tlscomm.configuration import ExternalContextConfiguration
from tlscomm.issuing import Authority


def handshake(server: SSL.Connection, client: SSL.Connection) -> None:
    """Let two connections without sockets agree."""
    server.set_accept_state()
    client.set_connect_state()
    for _ in range(6):
        for one, other in ((client, server), (server, client)):
            with contextlib.suppress(SSL.WantReadError):
                one.do_handshake()
            with contextlib.suppress(SSL.WantReadError):
                other.bio_write(one.bio_read(1 << 16))


class TwistedTests(SynchronousTestCase):
    def test_privateCertificate(self) -> None:
        """A credential becomes Twisted's private certificate, with every kind of key that TLS has."""
        for key in (
            ec.generate_private_key(ec.SECP256R1()),
            rsa.generate_private_key(65537, 2048),
            ed25519.Ed25519PrivateKey.generate(),
        ):
            credential = authority().issue("x", role="both", privateKey=key, now=NOW)
            private = credential.asPrivateCertificate()
            self.assertEqual(private.original.to_cryptography(), credential.certificate)
            self.assertTrue(private.privateKey.matches(private.getPublicKey()))

    def test_unusable(self) -> None:
        """A credential without its key, with another's, or with one that cannot sign is refused by name."""
        exchange = x25519.X25519PrivateKey.generate()
        odd = authority().issue("x", role="both", publicKey=exchange.public_key(), now=NOW)
        for failure, credential in (
            (failures.NoPrivateKey, replace(issued(), privateKey=None)),
            (failures.KeyMismatch, replace(issued(), privateKey=rsa.generate_private_key(65537, 2048))),
            (failures.KeyTooWeak, replace(odd, privateKey=exchange)),
        ):
            self.assertRaises(failure, credential.asPrivateCertificate)
        self.assertRaises(failures.NoPrivateKey, replace(issued(), privateKey=None).certificateOptions)

    def test_options(self) -> None:
        """Twisted's options present the certificate and the whole chain, on a server and on a client."""
        # Twisted looks at the clock.
        root = Authority.create("root")
        server = root.intermediate("servers").issue("server", role="server", dnsNames=("a.example",))
        client = root.intermediate("clients").issue("client", role="client")
        roots = trustRootFromCertificates([Certificate(X509.from_cryptography(root.certificate))])
        options = optionsForClientTLS("a.example", trustRoot=roots, extraCertificateOptions=client.contextArguments())
        clientSide = ExternalContextConfiguration(creator=options, serverName="a.example").newConnection(None)
        serverSide = SSL.Connection(server.certificateOptions(trustRoot=roots).getContext())
        handshake(serverSide, clientSide)
        self.assertEqual(clientSide.get_peer_cert_chain(as_cryptography=True), [server.certificate, *server.chain])
        self.assertEqual(serverSide.get_peer_certificate(as_cryptography=True), client.certificate)
        self.assertEqual(serverSide.get_peer_cert_chain(as_cryptography=True), [*client.chain])

    def test_reactor(self) -> None:
        """Neither loading a credential nor handing it to Twisted installs a reactor."""
        program = (
            "import sys, tlscomm.credentials as c; assert 'OpenSSL' not in sys.modules; "
            "c.loadCredential('-').asPrivateCertificate(); assert 'twisted.internet.reactor' not in sys.modules"
        )
        subprocess.run((sys.executable, "-c", program), input=made()["c.pem"] + made()["k.pem"], check=True, timeout=60)
