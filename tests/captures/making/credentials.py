"""Credentials for the captures: one authority that is trusted, one that is not, and what each of them has issued."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

__all__ = ["PASSWORD", "makeCredentials"]

#: Of the PKCS#12 files, which are thrown away with all other keys.
PASSWORD = "captures"

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
BEGIN = datetime(2020, 1, 1, tzinfo=timezone.utc)
END = datetime(2049, 1, 1, tzinfo=timezone.utc)
PAST = datetime(2021, 1, 1, tzinfo=timezone.utc)


def makeCredentials(folder: Path, kind: str) -> None:
    """Write the credentials of one kind of key, ``ec`` or ``rsa``, as PEM and PKCS#12."""
    folder.mkdir(parents=True)
    ca, other = _newKey(kind), _newKey(kind)
    roots = {"ca": (_certificate("Trusted CA", ca, "Trusted CA", ca), ca)}
    roots["other"] = (_certificate("Other CA", other, "Other CA", other), other)
    for name, (root, _) in roots.items():
        (folder / f"{name}.pem").write_bytes(root.public_bytes(serialization.Encoding.PEM))
        (folder / f"{name}.der").write_bytes(root.public_bytes(serialization.Encoding.DER))
    for role, purpose in (("server", ExtendedKeyUsageOID.SERVER_AUTH), ("client", ExtendedKeyUsageOID.CLIENT_AUTH)):
        for name, issuer, end in (("good", "ca", END), ("unknown", "other", END), ("expired", "ca", PAST)):
            root, rootKey = roots[issuer]
            key = _newKey(kind)
            certificate = _certificate(f"{role}.example", key, _commonName(root), rootKey, end=end, purpose=purpose)
            _write(folder / f"{role}-{name}", certificate, key, root)
    key = _newKey(kind)
    certificate = _certificate("client.example", key, "Trusted CA", ca, purpose=ExtendedKeyUsageOID.SERVER_AUTH)
    _write(folder / "client-purpose", certificate, key, roots["ca"][0])


def _newKey(kind: str) -> Key:
    return ec.generate_private_key(ec.SECP256R1()) if kind == "ec" else rsa.generate_private_key(65537, 2048)


def _commonName(certificate: x509.Certificate) -> str:
    return str(certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _certificate(
    subject: str,
    key: Key,
    issuer: str,
    issuerKey: Key,
    *,
    end: datetime = END,
    purpose: x509.ObjectIdentifier | None = None,
) -> x509.Certificate:
    isRoot = purpose is None
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(BEGIN)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(isRoot, None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuerKey.public_key()), critical=False)
    )
    if purpose is None:
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    else:
        usage = x509.KeyUsage(True, False, isinstance(key, rsa.RSAPrivateKey), False, False, False, False, False, False)
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(subject)]), critical=False)
    return builder.add_extension(usage, critical=True).sign(issuerKey, hashes.SHA256())


def _write(stem: Path, certificate: x509.Certificate, key: Key, root: x509.Certificate) -> None:
    certificatePEM = certificate.public_bytes(serialization.Encoding.PEM)
    keyPEM = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    encryption = (
        serialization.PrivateFormat.PKCS12.encryption_builder()
        .key_cert_algorithm(pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC)
        .hmac_hash(hashes.SHA1())
        .build(PASSWORD.encode())
    )
    both = stem.with_suffix(".pem")
    both.touch(0o600)
    both.write_bytes(keyPEM + certificatePEM)
    stem.with_suffix(".p12").write_bytes(
        pkcs12.serialize_key_and_certificates(b"peer", key, certificate, [root], encryption)
    )
