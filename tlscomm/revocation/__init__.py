"""Which certificates have been revoked: lists that authorities publish, and responses that servers staple.

A user who names a list wants to know of every certificate whether it was revoked. So where lists are given, a
certificate that no valid list covers is refused as well (``revocation-unknown``), unless the mode is ``soft``, in which
that is a warning. What was revoked is refused in both. Lists and responses are fetched only where a setting says so.
"""

from tlscomm.revocation._revocation import MODES, Mode, Revocation, loadRevocationLists
from tlscomm.revocation._stapling import Staple, warnOfUnstapled

__all__ = [
    "MODES",
    "Mode",
    "Revocation",
    "Staple",
    "loadRevocationLists",
    "warnOfUnstapled",
]
