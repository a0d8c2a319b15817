"""What the numbers in a handshake are called, for a person who has to find two sides something in common.

The names are those of IANA's registries (TLS Parameters), of versions and groups those that people write. A number that
is not here is shown as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tlscomm._wire.suitenames import SUITES

__all__ = ["HANDSHAKE_TYPES", "groupsText", "signatureAlgorithmsText", "suitesText", "versionsText"]

#: So many are named; a person compares two short lists.
_MOST_NAMED = 8

_VERSIONS = {0x0300: "SSL 3.0", 0x0301: "TLS 1.0", 0x0302: "TLS 1.1", 0x0303: "TLS 1.2", 0x0304: "TLS 1.3"}

_GROUPS = {
    19: "secp192r1",
    21: "secp224r1",
    22: "secp256k1",
    23: "P-256",
    24: "P-384",
    25: "P-521",
    26: "brainpoolP256r1",
    27: "brainpoolP384r1",
    28: "brainpoolP512r1",
    29: "X25519",
    30: "X448",
    31: "brainpoolP256r1tls13",
    32: "brainpoolP384r1tls13",
    33: "brainpoolP512r1tls13",
    256: "ffdhe2048",
    257: "ffdhe3072",
    258: "ffdhe4096",
    259: "ffdhe6144",
    260: "ffdhe8192",
    4587: "SecP256r1MLKEM768",
    4588: "X25519MLKEM768",
    4589: "SecP384r1MLKEM1024",
}

_SIGNATURE_ALGORITHMS = {
    0x0201: "rsa_pkcs1_sha1",
    0x0203: "ecdsa_sha1",
    0x0401: "rsa_pkcs1_sha256",
    0x0403: "ecdsa_secp256r1_sha256",
    0x0501: "rsa_pkcs1_sha384",
    0x0503: "ecdsa_secp384r1_sha384",
    0x0601: "rsa_pkcs1_sha512",
    0x0603: "ecdsa_secp521r1_sha512",
    0x0804: "rsa_pss_rsae_sha256",
    0x0805: "rsa_pss_rsae_sha384",
    0x0806: "rsa_pss_rsae_sha512",
    0x0807: "ed25519",
    0x0808: "ed448",
    0x0809: "rsa_pss_pss_sha256",
    0x080A: "rsa_pss_pss_sha384",
    0x080B: "rsa_pss_pss_sha512",
    0x081A: "ecdsa_brainpoolP256r1tls13_sha256",
    0x081B: "ecdsa_brainpoolP384r1tls13_sha384",
    0x081C: "ecdsa_brainpoolP512r1tls13_sha512",
    0x0904: "mldsa44",
    0x0905: "mldsa65",
    0x0906: "mldsa87",
}

#: IANA, TLS HandshakeType.
HANDSHAKE_TYPES = {
    0: "HelloRequest",
    1: "ClientHello",
    2: "ServerHello",
    3: "HelloVerifyRequest",
    4: "NewSessionTicket",
    5: "EndOfEarlyData",
    6: "HelloRetryRequest",
    8: "EncryptedExtensions",
    11: "Certificate",
    12: "ServerKeyExchange",
    13: "CertificateRequest",
    14: "ServerHelloDone",
    15: "CertificateVerify",
    16: "ClientKeyExchange",
    20: "Finished",
    21: "CertificateURL",
    22: "CertificateStatus",
    23: "SupplementalData",
    24: "KeyUpdate",
    25: "CompressedCertificate",
    67: "NextProtocol",
    254: "message_hash",
}

#: TLS_EMPTY_RENEGOTIATION_INFO_SCSV and TLS_FALLBACK_SCSV say something else by the place of a suite.
_NO_SUITES = frozenset({0x00FF, 0x5600})


def versionsText(versions: Iterable[int]) -> str:
    """Return versions of TLS as people name them, the newest first."""
    return _text(sorted((v for v in versions if not _isGrease(v)), reverse=True), _VERSIONS)


def suitesText(suites: Iterable[int]) -> str:
    """Return cipher suites in the order in which they are."""
    return _text([suite for suite in suites if suite not in _NO_SUITES and not _isGrease(suite)], SUITES)


def groupsText(groups: Iterable[int]) -> str:
    """Return key exchange groups, in the order of their numbers."""
    return _text(sorted(group for group in groups if not _isGrease(group)), _GROUPS)


def signatureAlgorithmsText(algorithms: Iterable[int]) -> str:
    """Return signature algorithms in the order in which they are."""
    return _text([each for each in algorithms if not _isGrease(each)], _SIGNATURE_ALGORITHMS)


def _isGrease(number: int) -> bool:
    """Return whether a number means nothing, and is there so that peers get used to new ones (RFC 8701)."""
    return number & 0x0F0F == 0x0A0A and number >> 8 == number & 0xFF


def _text(numbers: list[int], names: Mapping[int, str]) -> str:
    named = [names.get(number, f"0x{number:04X}") for number in numbers[:_MOST_NAMED]]
    more = len(numbers) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "") if named else "none"
