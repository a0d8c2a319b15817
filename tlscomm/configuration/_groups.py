"""The key exchange groups of a context, and what is said of names that OpenSSL does not know."""

from __future__ import annotations

from collections.abc import Sequence

from OpenSSL import SSL

from tlscomm import _openssl
from tlscomm._wire.names import GROUPS
from tlscomm.failures import printable

__all__ = ["useGroups"]


def useGroups(context: SSL.Context, groups: Sequence[str], maximumTLS: str) -> None:
    """Have a context accept these groups and no others.

    Raises:
        ValueError: one is not known, there is none, or none is for the newest version of TLS.
    """
    unknown = [printable(each) for each in groups if not _isKnown(each)]
    if unknown or not groups:
        known = ", ".join(each for each in GROUPS.values() if _isKnown(each))
        wrong = f"OpenSSL knows no group {' or '.join(unknown)}" if unknown else "there is no group"
        raise ValueError(f"{wrong}; it knows {known}")
    if maximumTLS == "1.2" and all("MLKEM" in each.upper() for each in groups):
        raise ValueError(f"the groups {', '.join(groups)} are for TLS 1.3 alone, and the maximum TLS is 1.2")
    _openssl.preferGroups(context, groups)


def _isKnown(group: str) -> bool:
    # In a list some signs have a meaning of their own (SSL_CTX_set1_groups_list(3)), and DEFAULT has.
    if not group.replace("-", "").replace("_", "").isalnum() or not group.isascii() or group.upper() == "DEFAULT":
        return False
    try:
        _openssl.preferGroups(SSL.Context(SSL.TLS_METHOD), (group,))
    except ValueError:
        return False
    return True
