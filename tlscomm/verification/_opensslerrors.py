"""What OpenSSL's error numbers and reasons mean in tlscomm's names.

OpenSSL says which of its checks failed; a person needs to know what is wrong. These tables are the only translation,
and no other code looks at the numbers. Numbers are those of OpenSSL's x509_vfy.h, reasons those of its error strings;
``tests/test_reasons.py`` holds both against the OpenSSL in use.
"""

from __future__ import annotations

from collections.abc import Iterable

from tlscomm._openssl.paths import verifyErrorText
from tlscomm.failures import Problem

__all__ = ["FOLLOWING", "asProblem", "codeForReasons", "codeForVerifyError", "errorToReport"]

#: Errors that OpenSSL reports only because of an earlier one: they are no cause.
FOLLOWING = frozenset({21})

#: Codes that stand for several of OpenSSL's errors, so that its own text is needed to know which.
_UNSPECIFIC = frozenset(
    {"chain-too-long", "invalid-certificate", "key-too-weak", "not-permitted", "revocation-unknown"}
)

_VERIFY_ERRORS = {
    2: "unknown-issuer",  # unable to get issuer certificate
    3: "revocation-unknown",  # unable to get certificate CRL
    4: "bad-signature",  # unable to decrypt certificate's signature
    5: "revocation-unknown",  # unable to decrypt CRL's signature
    6: "invalid-certificate",  # unable to decode issuer public key
    7: "bad-signature",  # certificate signature failure
    8: "revocation-unknown",  # CRL signature failure
    9: "not-yet-valid",
    10: "expired",
    11: "revocation-unknown",  # CRL is not yet valid
    12: "revocation-unknown",  # CRL has expired
    13: "invalid-certificate",  # format error in certificate's notBefore field
    14: "invalid-certificate",  # format error in certificate's notAfter field
    15: "revocation-unknown",  # format error in CRL's lastUpdate field
    16: "revocation-unknown",  # format error in CRL's nextUpdate field
    18: "self-signed",
    19: "unknown-issuer",  # self-signed certificate in certificate chain
    20: "unknown-issuer",  # unable to get local issuer certificate
    21: "unknown-issuer",  # unable to verify the first certificate
    22: "chain-too-long",
    23: "revoked",
    24: "invalid-certificate",  # issuer certificate doesn't have a public key
    25: "chain-too-long",  # path length constraint exceeded
    26: "wrong-purpose",
    27: "unknown-issuer",  # certificate not trusted
    28: "not-permitted",  # certificate rejected
    29: "unknown-issuer",  # subject issuer mismatch
    30: "unknown-issuer",  # authority and subject key identifier mismatch
    31: "unknown-issuer",  # authority and issuer serial number mismatch
    32: "not-permitted",  # key usage does not include certificate signing
    33: "revocation-unknown",  # unable to get CRL issuer certificate
    34: "not-permitted",  # unhandled critical extension
    35: "revocation-unknown",  # key usage does not include CRL signing
    36: "revocation-unknown",  # unhandled critical CRL extension
    37: "not-permitted",  # invalid non-CA certificate
    38: "not-permitted",  # proxy path length constraint exceeded
    39: "not-permitted",  # key usage does not include digital signature
    40: "not-permitted",  # proxy certificates not allowed
    43: "not-permitted",  # no explicit policy
    44: "revocation-unknown",  # different CRL scope
    47: "not-permitted",  # permitted subtree violation
    48: "not-permitted",  # excluded subtree violation
    49: "not-permitted",  # name constraints minimum and maximum not supported
    54: "revocation-unknown",  # CRL path validation error
    62: "name-mismatch",
    63: "name-mismatch",
    64: "name-mismatch",
    66: "key-too-weak",  # end entity key too small
    67: "key-too-weak",  # authority key too small
    68: "key-too-weak",  # authority digest too weak
    79: "not-permitted",  # invalid CA certificate
}

#: An error that OpenSSL's table of alerts does not have is sent as certificate_unknown: different CRL scope.
_WITHOUT_AN_ENTRY = 44

#: Sent as internal_error, which it is: a check of ours broke, and nothing was found out about the peer.
_UNSPECIFIED = 1

#: The error to report to OpenSSL for a problem that tlscomm found, chosen for the alert that OpenSSL then sends.
_ERRORS_FOR_CODES = {
    "bad-signature": 7,
    "chain-too-long": 25,
    "expired": 10,
    "hook-failed": _UNSPECIFIED,
    "hook-timeout": _UNSPECIFIED,
    "incomplete-chain": 20,
    "invalid-certificate": 28,
    "key-too-weak": 66,
    "name-mismatch": 62,
    "no-certificate": 28,
    "not-allowed": 28,
    "not-permitted": 28,
    "not-yet-valid": 9,
    "refused-by-hook": 28,
    "revoked": 23,
    "self-signed": 18,
    "unknown-issuer": 20,
    "wrong-purpose": 26,
}

#: OpenSSL's alerts for these say that the certificate has expired or its authority is unknown, which they do not mean.
_WITHOUT_AN_ALERT = frozenset({"revocation-unknown"})

_REASONS = {
    "application protocol": "no-common-protocol",
    "ca key too small": "key-too-weak",
    "ca md too weak": "key-too-weak",
    "ee key too small": "key-too-weak",
    "http request": "not-tls",
    "https proxy request": "not-tls",
    "inappropriate fallback": "no-common-version",
    "legacy sigalg disallowed or unsupported": "no-common-cipher",
    "no application protocol": "no-common-protocol",
    "no ciphers available": "no-common-cipher",
    "no common groups": "no-common-group",
    "no protocols available": "no-common-version",
    "no shared cipher": "no-common-cipher",
    "no shared group": "no-common-group",
    "no shared groups": "no-common-group",
    "no shared signature algorithms": "no-common-cipher",
    "no suitable groups": "no-common-group",
    "no suitable key share": "no-common-group",
    "no suitable signature algorithm": "no-common-cipher",
    "peer did not return a certificate": "no-certificate",
    "unknown protocol": "no-common-version",
    "unsupported protocol": "no-common-version",
    "unsupported ssl version": "no-common-version",
    "version too low": "no-common-version",
    "wrong curve": "no-common-group",
    "wrong signature type": "no-common-cipher",
    "wrong ssl version": "no-common-version",
}


def codeForVerifyError(number: int) -> str:
    """Return the code for an error of OpenSSL's certificate verification."""
    return _VERIFY_ERRORS.get(number, "invalid-certificate")


def asProblem(number: int, depth: int) -> Problem:
    """Return an error of OpenSSL's certificate verification as a problem, with its text where the code says less.

    Args:
        number: the error.
        depth: the place of the certificate that it was found in.
    """
    code = codeForVerifyError(number)
    return Problem(code, depth, detail=verifyErrorText(number) if code in _UNSPECIFIC else "", opensslError=number)


def errorToReport(code: str, found: int | None) -> int:
    """Return the error number that makes OpenSSL send the alert that fits.

    Args:
        code: what tlscomm says is wrong.
        found: what OpenSSL itself found, if it was OpenSSL that found it.
    """
    if found is not None and codeForVerifyError(found) == code and code not in _WITHOUT_AN_ALERT:
        return found
    return _ERRORS_FOR_CODES.get(code, _WITHOUT_AN_ENTRY)


def codeForReasons(reasons: Iterable[str]) -> str:
    """Return the code for a handshake that OpenSSL broke off by itself."""
    return next((_REASONS[reason] for reason in reasons if reason in _REASONS), "protocol-violation")
