"""TLS alerts: their numbers, their names, and the failure that each one means.

An alert is all that a refused peer ever hears (RFC 8446, section 6), so this table decides what the refused side may
say. An alert that fits several causes maps to ``refused``: the connection's other facts then settle it, or nothing can.
"""

from __future__ import annotations

from typing import Literal

from tlscomm._dataclasses import dataclass

__all__ = ["CLOSE_NOTIFY", "Alert", "alertForCode", "alertName", "codeForAlert"]

CLOSE_NOTIFY = 0

#: RFC 8446, section 6, and RFC 5246, section 7.2, with their own names.
_NAMES = {
    0: "close_notify",
    10: "unexpected_message",
    20: "bad_record_mac",
    21: "decryption_failed_RESERVED",
    22: "record_overflow",
    30: "decompression_failure_RESERVED",
    40: "handshake_failure",
    41: "no_certificate_RESERVED",
    42: "bad_certificate",
    43: "unsupported_certificate",
    44: "certificate_revoked",
    45: "certificate_expired",
    46: "certificate_unknown",
    47: "illegal_parameter",
    48: "unknown_ca",
    49: "access_denied",
    50: "decode_error",
    51: "decrypt_error",
    60: "export_restriction_RESERVED",
    70: "protocol_version",
    71: "insufficient_security",
    80: "internal_error",
    86: "inappropriate_fallback",
    90: "user_canceled",
    100: "no_renegotiation",
    109: "missing_extension",
    110: "unsupported_extension",
    111: "certificate_unobtainable_RESERVED",
    112: "unrecognized_name",
    113: "bad_certificate_status_response",
    114: "bad_certificate_hash_value_RESERVED",
    115: "unknown_psk_identity",
    116: "certificate_required",
    120: "no_application_protocol",
    121: "ech_required",
}

#: What an alert from the peer says of us. Alerts that are not here say that we broke the protocol.
_CODES = {
    40: "refused",
    41: "no-certificate",
    42: "refused",
    43: "wrong-purpose",
    44: "revoked",
    45: "expired",
    46: "refused",
    48: "unknown-issuer",
    49: "not-allowed",
    70: "no-common-version",
    71: "no-common-cipher",
    80: "refused",
    86: "no-common-version",
    90: "closed-in-handshake",
    112: "unknown-server-name",
    113: "revocation-unknown",
    115: "refused",
    116: "no-certificate",
    120: "no-common-protocol",
}


#: What we say to a peer whose certificate we refuse: what OpenSSL says for the same cause, where it knows the cause.
#: Codes that are not here are said as bad_certificate.
_ALERTS = {
    "bad-signature": 51,
    "chain-too-long": 48,
    "expired": 45,
    "hook-failed": 80,
    "hook-timeout": 80,
    "incomplete-chain": 48,
    "no-certificate": 116,
    "not-allowed": 49,
    "not-permitted": 46,
    "refused-by-hook": 49,
    "revocation-unknown": 46,
    "revoked": 44,
    "self-signed": 48,
    # "Unrelated to the peer or the correctness of the protocol" (RFC 8446, section 6.2).
    "too-many-connections": 80,
    "unknown-issuer": 48,
    "wrong-purpose": 43,
}


@dataclass(frozen=True)
class Alert:
    """A TLS alert that was sent or received.

    Attributes:
        number: the AlertDescription of RFC 8446, appendix B.2.
        direction: ``"sent"`` by us or ``"received"`` from the peer.
    """

    number: int
    direction: Literal["sent", "received"]

    @property
    def name(self) -> str:
        """The name in the RFC, or ``alert_N`` for a number that no RFC names."""
        return alertName(self.number)

    def toJSON(self) -> dict[str, object]:
        return {"name": self.name, "number": self.number, "direction": self.direction}


def alertName(number: int) -> str:
    """Return the name that an RFC has for an alert, or ``alert_N`` where none names it."""
    return _NAMES.get(number, f"alert_{number}")


def codeForAlert(number: int) -> str:
    """Return the failure code that a received alert means when nothing else is known."""
    return _CODES.get(number, "protocol-violation")


def alertForCode(code: str) -> int:
    """Return the number of the alert for a peer whose certificate is refused with a failure code."""
    return _ALERTS.get(code, 42)
