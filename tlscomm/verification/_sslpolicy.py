"""What is wrong with a peer in the words of .NET's ``SslStream``.

A ``RemoteCertificateValidationCallback`` is given ``SslPolicyErrors`` and a chain with an ``X509ChainStatus`` for each
thing that is wrong. Who brings such a callback along reads our problems in the same words here, and so do logs and
tables that already speak them. Names and values are .NET's (``System.Net.Security.SslPolicyErrors``,
``System.Security.Cryptography.X509Certificates.X509ChainStatusFlags``).

Our names say more, so the way there loses something and the way back is often open. Nothing that is wrong with a peer
becomes "no errors": what .NET has no word for counts as an error of the chain.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntFlag

from tlscomm.failures import Problem

__all__ = ["SslPolicyErrors", "X509ChainStatusFlags", "chainStatus", "codeForStatus", "sslPolicyErrors"]


class SslPolicyErrors(IntFlag):
    """What is wrong with a peer, as ``SslStream`` tells its callback."""

    #: .NET's ``None``, which is no name in Python.
    NoErrors = 0
    RemoteCertificateNotAvailable = 1
    RemoteCertificateNameMismatch = 2
    RemoteCertificateChainErrors = 4


class X509ChainStatusFlags(IntFlag):
    """What is wrong with a chain, as .NET's ``X509Chain`` says it."""

    NoError = 0
    NotTimeValid = 0x1
    NotTimeNested = 0x2
    Revoked = 0x4
    NotSignatureValid = 0x8
    NotValidForUsage = 0x10
    UntrustedRoot = 0x20
    RevocationStatusUnknown = 0x40
    Cyclic = 0x80
    InvalidExtension = 0x100
    InvalidPolicyConstraints = 0x200
    InvalidBasicConstraints = 0x400
    InvalidNameConstraints = 0x800
    HasNotSupportedNameConstraint = 0x1000
    HasNotDefinedNameConstraint = 0x2000
    HasNotPermittedNameConstraint = 0x4000
    HasExcludedNameConstraint = 0x8000
    PartialChain = 0x1_0000
    CtlNotTimeValid = 0x2_0000
    CtlNotSignatureValid = 0x4_0000
    CtlNotValidForUsage = 0x8_0000
    HasWeakSignature = 0x10_0000
    OfflineRevocation = 0x100_0000
    NoIssuanceChainPolicy = 0x200_0000
    ExplicitDistrust = 0x400_0000
    HasNotSupportedCriticalExtension = 0x800_0000


def sslPolicyErrors(problems: Iterable[Problem]) -> SslPolicyErrors:
    """Return what ``SslStream`` would tell its callback of some problems.

    Args:
        problems: those of a failure, or the warnings of a peer.
    """
    errors = SslPolicyErrors.NoErrors
    for problem in problems:
        errors |= _POLICY.get(problem.code, SslPolicyErrors.RemoteCertificateChainErrors)
    return errors


def chainStatus(problem: Problem) -> X509ChainStatusFlags:
    """Return what .NET calls a problem of a chain.

    It is ``NoError`` for ``no-certificate`` and ``name-mismatch``, which are no matter of the chain there, but of
    `sslPolicyErrors`. Where a code stands for several things, OpenSSL's error decides, as in .NET on Linux. What it has
    no word for, and a refusal by a rule or by the application, is ``ExplicitDistrust``.
    """
    precise = _PRECISE.get((problem.code, problem.opensslError or 0))
    return _STATUS.get(problem.code, X509ChainStatusFlags.ExplicitDistrust) if precise is None else precise


def codeForStatus(status: X509ChainStatusFlags) -> str | None:
    """Return the failure code that one flag means.

    None where it may mean several (``NotTimeValid``: ``expired`` or ``not-yet-valid``), where we have no such failure,
    and for more than one flag at a time.
    """
    return _CODES.get(status)


_POLICY = {
    "name-mismatch": SslPolicyErrors.RemoteCertificateNameMismatch,
    "no-certificate": SslPolicyErrors.RemoteCertificateNotAvailable,
}

_STATUS = {
    "bad-signature": X509ChainStatusFlags.NotSignatureValid,
    "chain-too-long": X509ChainStatusFlags.InvalidBasicConstraints,
    "expired": X509ChainStatusFlags.NotTimeValid,
    "hook-failed": X509ChainStatusFlags.ExplicitDistrust,
    "hook-timeout": X509ChainStatusFlags.ExplicitDistrust,
    "incomplete-chain": X509ChainStatusFlags.PartialChain,
    "invalid-certificate": X509ChainStatusFlags.InvalidExtension,
    "key-too-weak": X509ChainStatusFlags.HasWeakSignature,
    "name-mismatch": X509ChainStatusFlags.NoError,
    "no-certificate": X509ChainStatusFlags.NoError,
    "not-allowed": X509ChainStatusFlags.ExplicitDistrust,
    # Which rule an authority made is in the detail alone.
    "not-permitted": X509ChainStatusFlags.InvalidExtension,
    "not-yet-valid": X509ChainStatusFlags.NotTimeValid,
    "refused": X509ChainStatusFlags.ExplicitDistrust,
    "refused-by-hook": X509ChainStatusFlags.ExplicitDistrust,
    "revocation-unknown": X509ChainStatusFlags.RevocationStatusUnknown,
    "revoked": X509ChainStatusFlags.Revoked,
    "self-signed": X509ChainStatusFlags.UntrustedRoot,
    "unknown-issuer": X509ChainStatusFlags.PartialChain,
    "wrong-purpose": X509ChainStatusFlags.NotValidForUsage,
}

#: The same, where the verification error of OpenSSL (x509_vfy.h) tells more.
_PRECISE = {
    ("unknown-issuer", 19): X509ChainStatusFlags.UntrustedRoot,
    ("unknown-issuer", 27): X509ChainStatusFlags.UntrustedRoot,
    ("not-permitted", 28): X509ChainStatusFlags.ExplicitDistrust,
    ("not-permitted", 32): X509ChainStatusFlags.InvalidBasicConstraints,
    ("not-permitted", 34): X509ChainStatusFlags.HasNotSupportedCriticalExtension,
    ("not-permitted", 37): X509ChainStatusFlags.InvalidBasicConstraints,
    ("not-permitted", 39): X509ChainStatusFlags.InvalidBasicConstraints,
    ("not-permitted", 43): X509ChainStatusFlags.InvalidPolicyConstraints,
    ("not-permitted", 47): X509ChainStatusFlags.HasNotPermittedNameConstraint,
    ("not-permitted", 48): X509ChainStatusFlags.HasExcludedNameConstraint,
    ("not-permitted", 49): X509ChainStatusFlags.HasNotSupportedNameConstraint,
    ("not-permitted", 79): X509ChainStatusFlags.InvalidBasicConstraints,
}

_CODES = {
    X509ChainStatusFlags.Revoked: "revoked",
    X509ChainStatusFlags.NotSignatureValid: "bad-signature",
    X509ChainStatusFlags.NotValidForUsage: "wrong-purpose",
    X509ChainStatusFlags.RevocationStatusUnknown: "revocation-unknown",
    X509ChainStatusFlags.OfflineRevocation: "revocation-unknown",
    X509ChainStatusFlags.InvalidPolicyConstraints: "not-permitted",
    X509ChainStatusFlags.InvalidNameConstraints: "not-permitted",
    X509ChainStatusFlags.HasNotSupportedNameConstraint: "not-permitted",
    X509ChainStatusFlags.HasNotDefinedNameConstraint: "not-permitted",
    X509ChainStatusFlags.HasNotPermittedNameConstraint: "not-permitted",
    X509ChainStatusFlags.HasExcludedNameConstraint: "not-permitted",
    X509ChainStatusFlags.NoIssuanceChainPolicy: "not-permitted",
    X509ChainStatusFlags.HasNotSupportedCriticalExtension: "not-permitted",
    X509ChainStatusFlags.HasWeakSignature: "key-too-weak",
}
