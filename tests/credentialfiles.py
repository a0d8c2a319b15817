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

from tlscomm.credentials import Credential
from tlscomm.issuing import Authority
from tlscomm.x509 import _encoding as _export

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
        "pkcs8-aria.pem": (*pkcs8, "-v2", "aria256", *secret),
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
        "camellia.pfx": (*withKey, "-keypbe", "camellia-256-cbc", "-certpbe", "camellia-256-cbc", *secret),
        "aria.pfx": (*withKey, "-keypbe", "aria-128-cbc", "-certpbe", "aria-128-cbc", *secret),
        "rc4.pfx": (*withKey, *legacy, "-keypbe", "PBE-SHA1-RC4-128", "-certpbe", "PBE-SHA1-RC4-40", *secret),
        "rc2-128.pfx": (*withKey, *legacy, "-keypbe", "PBE-SHA1-2DES", "-certpbe", "PBE-SHA1-RC2-128", *secret),
        "pbes1.pfx": (*withKey, *legacy, "-keypbe", "PBE-MD5-DES", "-certpbe", "PBE-SHA1-RC2-64", *secret),
        "rc2-pbes2.pfx": (*withKey, *legacy, "-keypbe", "rc2-40-cbc", "-certpbe", "rc2-cbc", *secret),
        "blowfish.pfx": (*withKey, *legacy, "-keypbe", "bf-cbc", "-certpbe", "bf-cbc", *secret),
        "rc2-nomac.pfx": (*withKey, "-legacy", "-nomac", *secret),
        "rc2-empty.pfx": (*withKey, "-legacy", "-passout", "pass:"),
        "rc2-nomac-empty.pfx": (*withKey, "-legacy", "-nomac", "-passout", "pass:"),
        "rc2-nokeys.pfx": (*pfx, "-nokeys", "-legacy", *secret),
        "pkcs8-rc2.pem": (*pkcs8, *legacy, "-v1", "PBE-SHA1-RC2-40", *secret),
        "pkcs8-camellia.pem": (*pkcs8, "-v2", "camellia256", *secret),
        "sha1-mac.pfx": (*withKey, "-macalg", "sha1", *secret),
        "sha512-mac.pfx": (*withKey, "-macalg", "sha512", *secret),
        "sha3-mac.pfx": (*withKey, "-macalg", "sha3-256", *secret),
        "clear-certificate.pfx": (*withKey, "-keypbe", "aes-256-cbc", "-certpbe", "NONE", *secret),
        "bags.pem": ("pkcs12", "-in", "modern.pfx", "-nodes", "-passin", secret[1]),
        "pkcs8.der": ("pkcs8", "-topk8", "-nocrypt", "-in", "k.pem", "-outform", "DER"),
        "encrypted.der": (*pkcs8, "-outform", "DER", *secret),
        "sec1.der": ("ec", "-in", "k.pem", "-outform", "DER"),
        "trusted.pem": ("x509", "-in", "c.pem", "-trustout", "-addtrust", "serverAuth"),
        "certificate.txt": ("x509", "-in", "c.pem", "-text"),
        "chain.p7b": ("crl2pkcs7", "-nocrl", "-certfile", "c.pem"),
        "signed.p7m": (
            "cms",
            "-sign",
            "-in",
            "c.pem",
            "-signer",
            "c.pem",
            "-inkey",
            "k.pem",
            "-outform",
            "DER",
            "-md",
            "sha256",
        ),
        "encrypted.p7m": ("cms", "-encrypt", "-in", "c.pem", "-outform", "DER", "-aes256", "-recip", "c.pem"),
        "public.pem": ("pkey", "-in", "k.pem", "-pubout"),
        "public.der": ("pkey", "-in", "k.pem", "-pubout", "-outform", "DER"),
        "csr.der": ("req", "-new", "-key", "k.pem", "-subj", "/CN=somebody", "-outform", "DER"),
        "ed448.pem": ("genpkey", "-algorithm", "ED448"),
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
