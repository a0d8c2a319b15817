"""Which certificates have been revoked: lists that authorities publish, and responses that servers staple.

A user who names a list wants to know of every certificate whether it was revoked. So where lists are given, a
certificate that no valid list covers is refused as well (``revocation-unknown``), unless the mode is ``soft``, in which
that is a warning. What was revoked is refused in both. Lists and responses are fetched only where a setting says so.
"""

from tlscomm._lazy import lazyFace

__all__ = [
    "MODES",
    "Mode",
    "Revocation",
    "Staple",
    "loadRevocationLists",
    "warnOfUnstapled",
]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tlscomm.revocation._revocation import MODES, Mode, Revocation, loadRevocationLists
    from tlscomm.revocation._stapling import Staple, warnOfUnstapled
else:
    __getattr__, __dir__ = lazyFace(
        __name__,
        {
            "MODES": "tlscomm.revocation._revocation",
            "Mode": "tlscomm.revocation._revocation",
            "Revocation": "tlscomm.revocation._revocation",
            "Staple": "tlscomm.revocation._stapling",
            "loadRevocationLists": "tlscomm.revocation._revocation",
            "warnOfUnstapled": "tlscomm.revocation._stapling",
        },
    )
