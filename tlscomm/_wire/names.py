"""What the numbers in a handshake are called, for a person who has to find two sides something in common.

The names are those of IANA's registries (TLS Parameters), of versions and groups those that people write. A number that
is not here is shown as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

__all__ = [
    "GROUPS",
    "HANDSHAKE_TYPES",
    "SIGNATURE_ALGORITHMS",
    "VERSIONS",
    "groupsText",
    "numberText",
    "signatureAlgorithmsText",
    "suitesText",
    "versionsText",
]

#: So many are named; a person compares two short lists.
_MOST_NAMED = 8

VERSIONS = {0x0300: "SSL 3.0", 0x0301: "TLS 1.0", 0x0302: "TLS 1.1", 0x0303: "TLS 1.2", 0x0304: "TLS 1.3"}

#: IANA, TLS Supported Groups.
GROUPS = {
    1: "sect163k1",
    2: "sect163r1",
    3: "sect163r2",
    4: "sect193r1",
    5: "sect193r2",
    6: "sect233k1",
    7: "sect233r1",
    8: "sect239k1",
    9: "sect283k1",
    10: "sect283r1",
    11: "sect409k1",
    12: "sect409r1",
    13: "sect571k1",
    14: "sect571r1",
    15: "secp160k1",
    16: "secp160r1",
    17: "secp160r2",
    18: "secp192k1",
    19: "secp192r1",
    20: "secp224k1",
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
    34: "GC256A",
    35: "GC256B",
    36: "GC256C",
    37: "GC256D",
    38: "GC512A",
    39: "GC512B",
    40: "GC512C",
    41: "curveSM2",
    256: "ffdhe2048",
    257: "ffdhe3072",
    258: "ffdhe4096",
    259: "ffdhe6144",
    260: "ffdhe8192",
    512: "MLKEM512",
    513: "MLKEM768",
    514: "MLKEM1024",
    4587: "SecP256r1MLKEM768",
    4588: "X25519MLKEM768",
    4589: "SecP384r1MLKEM1024",
    4590: "curveSM2MLKEM768",
    25497: "X25519Kyber768Draft00",
    25498: "SecP256r1Kyber768Draft00",
    65281: "arbitrary_explicit_prime_curves",
    65282: "arbitrary_explicit_char2_curves",
}

#: IANA, TLS SignatureScheme, and the pairs of TLS 1.2 that have no name there.
SIGNATURE_ALGORITHMS = {
    0x0101: "rsa_pkcs1_md5",
    0x0201: "rsa_pkcs1_sha1",
    0x0202: "dsa_sha1",
    0x0203: "ecdsa_sha1",
    0x0301: "rsa_pkcs1_sha224",
    0x0302: "dsa_sha224",
    0x0303: "ecdsa_sha224",
    0x0401: "rsa_pkcs1_sha256",
    0x0402: "dsa_sha256",
    0x0403: "ecdsa_secp256r1_sha256",
    0x0420: "rsa_pkcs1_sha256_legacy",
    0x0501: "rsa_pkcs1_sha384",
    0x0502: "dsa_sha384",
    0x0503: "ecdsa_secp384r1_sha384",
    0x0520: "rsa_pkcs1_sha384_legacy",
    0x0601: "rsa_pkcs1_sha512",
    0x0602: "dsa_sha512",
    0x0603: "ecdsa_secp521r1_sha512",
    0x0620: "rsa_pkcs1_sha512_legacy",
    0x0704: "eccsi_sha256",
    0x0705: "iso_ibs1",
    0x0706: "iso_ibs2",
    0x0707: "iso_chinese_ibs",
    0x0708: "sm2sig_sm3",
    0x0709: "gostr34102012_256a",
    0x070A: "gostr34102012_256b",
    0x070B: "gostr34102012_256c",
    0x070C: "gostr34102012_256d",
    0x070D: "gostr34102012_512a",
    0x070E: "gostr34102012_512b",
    0x070F: "gostr34102012_512c",
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
    0x0911: "slhdsa_sha2_128s",
    0x0912: "slhdsa_sha2_128f",
    0x0913: "slhdsa_sha2_192s",
    0x0914: "slhdsa_sha2_192f",
    0x0915: "slhdsa_sha2_256s",
    0x0916: "slhdsa_sha2_256f",
    0x0917: "slhdsa_shake_128s",
    0x0918: "slhdsa_shake_128f",
    0x0919: "slhdsa_shake_192s",
    0x091A: "slhdsa_shake_192f",
    0x091B: "slhdsa_shake_256s",
    0x091C: "slhdsa_shake_256f",
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
    return _text(sorted((v for v in versions if not _isGrease(v)), reverse=True), VERSIONS)


def suitesText(suites: Iterable[int]) -> str:
    """Return cipher suites in the order in which they are."""
    # Every connection loads this module, and few have to name a suite by its number.
    from tlscomm._wire.suitenames import SUITES

    return _text([suite for suite in suites if suite not in _NO_SUITES and not _isGrease(suite)], SUITES)


def groupsText(groups: Iterable[int]) -> str:
    """Return key exchange groups, in the order of their numbers."""
    return _text(sorted(group for group in groups if not _isGrease(group)), GROUPS)


def signatureAlgorithmsText(algorithms: Iterable[int]) -> str:
    """Return signature algorithms in the order in which they are."""
    return _text([each for each in algorithms if not _isGrease(each)], SIGNATURE_ALGORITHMS)


def numberText(number: int, names: Mapping[int, str], size: int) -> str:
    """Return what a number of so many bytes is called, or the number where it has no name."""
    if (name := names.get(number)) is not None:
        return name
    return f"GREASE (0x{number:04X})" if size == 2 and _isGrease(number) else f"0x{number:0{2 * size}X}"


def _isGrease(number: int) -> bool:
    """Return whether a number means nothing, and is there so that peers get used to new ones (RFC 8701)."""
    return number & 0x0F0F == 0x0A0A and number >> 8 == number & 0xFF


def _text(numbers: list[int], names: Mapping[int, str]) -> str:
    named = [names.get(number, f"0x{number:04X}") for number in numbers[:_MOST_NAMED]]
    more = len(numbers) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "") if named else "none"
