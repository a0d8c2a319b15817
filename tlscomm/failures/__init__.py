"""Every way in which a connection can fail, under one name each.

An operator who is called at night acts on the name, so a name says the cause and not the mechanism, and the list is
closed: the exception, the log line, the command line and the documentation all use it, and nothing outside it ever
leaves tlscomm's own code. The sentences are part of the table. They are written for a person who did not write the
program.

A failure that the *peer* decided has the same name with ``side="remote"``. Its sentence then speaks of us, because it
is our certificate, or our configuration, that the peer did not accept.
"""

from __future__ import annotations

from tlscomm.failures._alerts import Alert, alertForCode, codeForAlert
from tlscomm.failures._certificate import (
    BadSignature,
    ChainTooLong,
    Expired,
    HookFailed,
    HookTimeout,
    IncompleteChain,
    InvalidCertificate,
    KeyTooWeak,
    NameMismatch,
    NoCertificate,
    NotAllowed,
    NotPermitted,
    NotYetValid,
    Refused,
    RefusedByHook,
    RevocationUnknown,
    Revoked,
    SelfSigned,
    UnknownIssuer,
    WrongPurpose,
)
from tlscomm.failures._connection import (
    BackendLost,
    BackendUnavailable,
    ClosedInHandshake,
    CloseTimeout,
    ConnectFailed,
    HandshakeTimeout,
    IdleTimeout,
    LifetimeOver,
    ReadTimeout,
    Reset,
    TooManyConnections,
    TooManyHandshakes,
    TooManyRefusals,
    Truncated,
    WriteTimeout,
)
from tlscomm.failures._credential import (
    Ambiguous,
    Damaged,
    FileNotFound,
    KeyMismatch,
    NoPrivateKey,
    NotExportable,
    NotInStore,
    PassphraseRequired,
    PassphraseWrong,
    StoreReadOnly,
    UnknownFormat,
    Unreadable,
    UnsafePermissions,
)
from tlscomm.failures._failure import (
    CertificateFacts,
    CertificateFailure,
    ConnectionFailure,
    CredentialFailure,
    MessageFailure,
    NegotiationFailure,
    Problem,
    Side,
    Stage,
    TLSFailure,
    printable,
)
from tlscomm.failures._message import MessageTooLong, Undecodable
from tlscomm.failures._negotiation import (
    BadProxyHeader,
    NoCommonCipher,
    NoCommonGroup,
    NoCommonProtocol,
    NoCommonVersion,
    NotTLS,
    PlaintextInjected,
    ProtocolViolation,
    UnknownServerName,
)

__all__ = [
    "CODES",
    "Alert",
    "Ambiguous",
    "BackendLost",
    "BackendUnavailable",
    "BadProxyHeader",
    "BadSignature",
    "CertificateFacts",
    "CertificateFailure",
    "ChainTooLong",
    "CloseTimeout",
    "ClosedInHandshake",
    "ConnectFailed",
    "ConnectionFailure",
    "CredentialFailure",
    "Damaged",
    "Expired",
    "FileNotFound",
    "HandshakeTimeout",
    "HookFailed",
    "HookTimeout",
    "IdleTimeout",
    "IncompleteChain",
    "InvalidCertificate",
    "KeyMismatch",
    "KeyTooWeak",
    "LifetimeOver",
    "MessageFailure",
    "MessageTooLong",
    "NameMismatch",
    "NegotiationFailure",
    "NoCertificate",
    "NoCommonCipher",
    "NoCommonGroup",
    "NoCommonProtocol",
    "NoCommonVersion",
    "NoPrivateKey",
    "NotAllowed",
    "NotExportable",
    "NotInStore",
    "NotPermitted",
    "NotTLS",
    "NotYetValid",
    "PassphraseRequired",
    "PassphraseWrong",
    "PlaintextInjected",
    "Problem",
    "ProtocolViolation",
    "ReadTimeout",
    "Refused",
    "RefusedByHook",
    "Reset",
    "RevocationUnknown",
    "Revoked",
    "SelfSigned",
    "Side",
    "Stage",
    "StoreReadOnly",
    "TLSFailure",
    "TooManyConnections",
    "TooManyHandshakes",
    "TooManyRefusals",
    "Truncated",
    "Undecodable",
    "UnknownFormat",
    "UnknownIssuer",
    "UnknownServerName",
    "Unreadable",
    "UnsafePermissions",
    "WriteTimeout",
    "WrongPurpose",
    "alertForCode",
    "codeForAlert",
    "failureForCode",
    "printable",
]


#: Every code and its class, group by group.
CODES: dict[str, type[TLSFailure]] = {
    failure.code: failure
    for group in (CredentialFailure, CertificateFailure, NegotiationFailure, ConnectionFailure, MessageFailure)
    for failure in group.__subclasses__()
}


def failureForCode(code: str) -> type[TLSFailure]:
    """Return the exception type of a code.

    Raises:
        KeyError: there is no such code; the list is closed.
    """
    return CODES[code]
