"""The certificates of one run: an authority, a server, and as many clients as a measure wants, ECDSA P-256 all."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from OpenSSL import SSL

from tlscomm._openssl.contexts import preferGroups

__all__ = ["Certificates"]

_DAY = timedelta(days=1)
_AUTHORITY_USAGE = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


class Certificates:
    """A folder with ``ca.pem``, ``server.pem`` and ``server.key``, and client certificates by number.

    Attributes:
        folder: where they are.
        client: the file of client 0, certificate and key.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._authority = self._issue("authority", self._key, x509.BasicConstraints(True, 0), _AUTHORITY_USAGE)
        (folder / "ca.pem").write_bytes(self._authority.public_bytes(Encoding.PEM))
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
        purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        certificate = self._issue("localhost", key, x509.BasicConstraints(False, None), names, purpose)
        (folder / "server.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
        _writePrivately(folder / "server.key", _pem(key))
        # The clients have certificates of their own and one key: a key costs more to make than to use.
        self._clientKey = ec.generate_private_key(ec.SECP256R1())
        self._clients: dict[int, bytes] = {}
        self.client = folder / "client.pem"
        first = x509.load_der_x509_certificate(self._client(0))
        _writePrivately(self.client, _pem(self._clientKey) + first.public_bytes(Encoding.PEM))
        self._context = self._clientContext()

    def prepare(self, numbers: Iterable[int]) -> None:
        """Make certificates before they are needed."""
        for number in numbers:
            self._client(number)

    def connection(self, number: int = 0) -> SSL.Connection:
        """Return a connection of the client that shows the certificate of a number, and verifies none."""
        made = SSL.Connection(self._context)
        made.set_connect_state()
        made.use_certificate(x509.load_der_x509_certificate(self._client(number)))
        return made

    def _clientContext(self) -> SSL.Context:
        made = SSL.Context(SSL.TLS_CLIENT_METHOD)
        made.set_min_proto_version(SSL.TLS1_3_VERSION)
        # What clients offer by default differs between versions of OpenSSL, and with it the work of the server.
        preferGroups(made, ["X25519"])
        made.use_certificate_file(str(self.client))
        made.use_privatekey_file(str(self.client))
        return made

    def _client(self, number: int) -> bytes:
        if number not in self._clients:
            leaf, purpose = x509.BasicConstraints(False, None), x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
            certificate = self._issue(f"client {number}", self._clientKey, leaf, purpose)
            self._clients[number] = certificate.public_bytes(Encoding.DER)
        return self._clients[number]

    def _issue(self, name: str, key: ec.EllipticCurvePrivateKey, *extensions: x509.ExtensionType) -> x509.Certificate:
        now = datetime.now(timezone.utc)
        authority = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")])
        public = key.public_key()
        identifier = x509.SubjectKeyIdentifier.from_public_key(public)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(authority)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _DAY)
            .not_valid_after(now + _DAY)
        )
        for extension in (*extensions, identifier, issuer):
            builder = builder.add_extension(
                extension, critical=isinstance(extension, x509.BasicConstraints | x509.KeyUsage)
            )
        return builder.sign(self._key, hashes.SHA256())


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _writePrivately(path: Path, content: bytes) -> None:
    path.touch(0o600)
    path.write_bytes(content)
