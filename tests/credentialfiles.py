"""Credentials to test with: in every form in which OpenSSL's command line writes one, and from an authority."""

from __future__ import annotations

import os
import subprocess
from datetime import datetime, timezone
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12

from tlscomm import _export
from tlscomm.authority import Authority
from tlscomm.credentials import Credential

NOW = datetime(2026, 11, 23, 12, tzinfo=timezone.utc)
PASSPHRASE = b"correct horse"


def openssl(*arguments: str) -> None:
    subprocess.run(("openssl", *arguments), check=True, capture_output=True, timeout=60)


@cache
def made() -> dict[str, bytes]:
    """Every form in which OpenSSL writes a credential, by name."""
    legacy = ("-provider", "legacy", "-provider", "default")
    secret = ("-passout", f"pass:{PASSPHRASE.decode()}")
    pfx = ("pkcs12", "-export", "-in", "c.pem", "-name", "the name")
    withKey = (*pfx, "-inkey", "k.pem")
    pkcs8 = ("pkcs8", "-topk8", "-in", "k.pem")
    commands = {
        "k.pem": ("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"),
        "c.pem": ("req", "-x509", "-key", "k.pem", "-days", "3", "-subj", "/CN=somebody"),
        "c.der": ("x509", "-in", "c.pem", "-outform", "DER"),
        "sec1.pem": ("ec", "-in", "k.pem"),
        "parameters.pem": ("ecparam", "-name", "prime256v1", "-genkey"),
        "sec1-aes256.pem": ("ec", "-in", "k.pem", "-aes256", *secret),
        "sec1-aes128.pem": ("ec", "-in", "k.pem", "-aes128", *secret),
        "sec1-des3.pem": ("ec", "-in", "k.pem", "-des3", *secret),
        "sec1-des.pem": ("ec", "-in", "k.pem", "-des", *legacy, *secret),
        "pkcs1-aes256.pem": ("genrsa", "-traditional", "-aes256", *secret),
        "pkcs8.pem": (*pkcs8, *secret),
        "pkcs8-scrypt.pem": (*pkcs8, "-scrypt", *secret),
        "pkcs8-des3.pem": (*pkcs8, "-v2", "des3", *secret),
        "pkcs8-v1.pem": (*pkcs8, "-v1", "PBE-SHA1-3DES", *secret),
        "pkcs8-camellia.pem": (*pkcs8, "-v2", "camellia256", *secret),
        "pkcs8-empty.pem": (*pkcs8, "-passout", "pass:"),
        "pkcs8-scrypt-empty.pem": (*pkcs8, "-scrypt", "-passout", "pass:"),
        "pkcs8-v1-empty.pem": (*pkcs8, "-v1", "PBE-SHA1-3DES", "-passout", "pass:"),
        "modern.pfx": (*withKey, *secret),
        "legacy.pfx": (*withKey, "-legacy", "-descert", *secret),
        "rc2.pfx": (*withKey, "-legacy", *secret),
        "nomac.pfx": (*withKey, "-nomac", *secret),
        "empty.pfx": (*withKey, "-passout", "pass:"),
        "clear.pfx": (*withKey, "-nomac", "-keypbe", "NONE", "-certpbe", "NONE", *secret),
        "nokeys.pfx": (*pfx, "-nokeys", *secret),
        "csr.pem": ("req", "-new", "-key", "k.pem", "-subj", "/CN=somebody"),
        "crl.p7b": ("crl2pkcs7", "-nocrl", "-certfile", "c.pem", "-outform", "DER"),
        "sect163.pem": ("ecparam", "-name", "sect163k1", "-genkey", "-noout"),
    }
    before = Path.cwd()
    with TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            for name, command in commands.items():
                openssl(*command, "-out", name)
            return {path.name: path.read_bytes() for path in Path().iterdir()}
        finally:
            os.chdir(before)


@cache
def authority() -> Authority:
    return Authority.create("the root", now=NOW)


@cache
def issued() -> Credential:
    return authority().intermediate("middle", now=NOW).issue("leaf", role="server", dnsNames=("a.example",), now=NOW)


def keyOf(credential: Credential) -> bytes:
    assert isinstance(credential.privateKey, ec.EllipticCurvePrivateKey)
    return _export.keyPEM(credential.privateKey)


def pfxOf(credential: Credential, passphrase: bytes = PASSPHRASE, others: tuple[x509.Certificate, ...] = ()) -> bytes:
    assert isinstance(credential.privateKey, ec.EllipticCurvePrivateKey)
    return pkcs12.serialize_key_and_certificates(
        "Größe".encode(), credential.privateKey, credential.certificate, others, BestAvailableEncryption(passphrase)
    )
