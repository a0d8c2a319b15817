"""What can be chosen of a certificate. Help texts name it, so nothing is loaded for it."""

from __future__ import annotations

__all__ = [
    "DEFAULT_DAYS",
    "FORMS",
    "KEYED_FORMS",
    "KEY_KINDS",
    "LIST_DAYS",
    "MOST_DAYS",
    "MOST_LIST_DAYS",
    "REASONS",
    "USUAL_FORMS",
]

KEY_KINDS = ("ec", "ec384", "rsa", "rsa4096", "ed25519", "mldsa")
"""ECDSA with P-256 and P-384, RSA with 3072 and 4096 bits, Ed25519, and ML-DSA-65, which is safe from quantum computers
and which few peers take yet."""

USUAL_FORMS = ("key", "pem", "with-key", "pfx", "cer", "p7b")
"""The forms that are written where none is chosen, in the order in which they are written."""

FORMS = (*USUAL_FORMS, "pfx-legacy")
"""All of them; the last is a PFX for old programs, in the place of the other."""

KEYED_FORMS = frozenset({"key", "with-key", "pfx", "pfx-legacy"})
"""Those that hold the private key."""

DEFAULT_DAYS = 397
"""Browsers refuse what is valid for more than 398 days; clocks differ."""

MOST_DAYS = 3650
"""What is valid for longer outlives the programs and the people that know of it."""

LIST_DAYS = 30
"""How long a list of revoked certificates is valid where that is not said."""

MOST_LIST_DAYS = 398
"""A peer that has an old list knows of nothing newer until it has expired."""

REASONS = (
    "unspecified",
    "keyCompromise",
    "cACompromise",
    "affiliationChanged",
    "superseded",
    "cessationOfOperation",
    "certificateHold",
    "privilegeWithdrawn",
    "aACompromise",
)
"""Why a certificate is revoked, as RFC 5280, section 5.3.1, calls it."""
