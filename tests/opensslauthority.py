"""An authority as a person has one: OpenSSL's ``ca`` and ``ocsp`` on the command line, with a folder of files."""

from __future__ import annotations

import subprocess
from datetime import timezone
from pathlib import Path

from cryptography import x509

from tlscomm.credentials import Credential
from tlscomm.issuing import Authority
from tlscomm.x509._encoding import keyPEM, pem

__all__ = ["OpenSSLAuthority"]

_CONFIGURATION = """
[ca]
default_ca = this
[this]
database = index.txt
crlnumber = crlnumber
certificate = ca.pem
private_key = ca.key
default_md = sha256
default_crl_days = 1
crl_extensions = full
[full]
authorityKeyIdentifier = keyid
[delta]
deltaCRL = critical,ASN1:INTEGER:BASE
[part]
issuingDistributionPoint = critical,@point
[point]
onlyuser = TRUE
[reasons]
issuingDistributionPoint = critical,@some
[some]
onlysomereasons = keyCompromise
[indirect]
issuingDistributionPoint = critical,@other
[other]
indirectCRL = TRUE
"""


class OpenSSLAuthority:
    """Revokes and answers with OpenSSL's own tools.

    Args:
        authority: whose certificate and key they get.
    """

    def __init__(self, authority: Authority) -> None:
        self.authority = authority
        self.folder = Path("openssl-authority").absolute()
        self.folder.mkdir()
        self._write("ca.pem", pem([authority.certificate]))
        self._write("ca.key", keyPEM(authority.privateKey))
        self._write("ca.cnf", _CONFIGURATION.encode())
        self._write("crlnumber", b"01\n")
        self._write("index.txt", b"")
        self._write("index.txt.attr", b"unique_subject = no\n")

    def issued(self, certificate: x509.Certificate) -> None:
        """Have it know a certificate."""
        end = certificate.not_valid_after_utc.astimezone(timezone.utc)
        serial = f"{certificate.serial_number:X}"
        name = "".join(f"/{part.rfc4514_string()}" for part in certificate.subject.rdns)
        line = f"V\t{end:%y%m%d%H%M%SZ}\t\t{serial.zfill(len(serial) + len(serial) % 2)}\tunknown\t{name}\n"
        with open(self.folder / "index.txt", "a", encoding="ascii") as index:
            index.write(line)

    def revoke(self, certificate: x509.Certificate, reason: str | None = None) -> None:
        self._write("revoked.pem", pem([certificate]))
        why = () if reason is None else ("-crl_reason", reason)
        self.run("ca", "-config", "ca.cnf", "-revoke", "revoked.pem", *why)

    def crl(self, *options: str, base: int | None = None) -> bytes:
        """Return a list, PEM, with the next number."""
        if base is not None:
            self._write("ca.cnf", _CONFIGURATION.replace("BASE", str(base)).encode())
            options = ("-crlexts", "delta", *options)
        self.run("ca", "-config", "ca.cnf", "-gencrl", "-out", "list.pem", *options)
        return (self.folder / "list.pem").read_bytes()

    def staple(self, certificate: x509.Certificate, *options: str, by: Credential | None = None) -> bytes:
        """Return a response, DER."""
        self._write("asked.pem", pem([certificate]))
        self.run("ocsp", "-issuer", "ca.pem", "-cert", "asked.pem", "-reqout", "request.der", "-no_nonce")
        signer = ("-rsigner", "ca.pem", "-rkey", "ca.key") if by is None else self._responder(by)
        answering = ("-index", "index.txt", "-CA", "ca.pem", *signer, "-reqin", "request.der")
        self.run("ocsp", *answering, "-respout", "response.der", *options)
        return (self.folder / "response.der").read_bytes()

    def _responder(self, by: Credential) -> tuple[str, ...]:
        self._write("responder.pem", pem([by.certificate]))
        self._write("responder.key", keyPEM(by.privateKey))  # type: ignore[arg-type]
        return "-rsigner", "responder.pem", "-rkey", "responder.key"

    def run(self, *words: str) -> None:
        subprocess.run(["openssl", *words], cwd=self.folder, check=True, capture_output=True, timeout=60)

    def _write(self, name: str, content: bytes) -> None:
        (self.folder / name).write_bytes(content)
