"""What strangers may have of a server: how many connections, how many handshakes a second, how many refusals.

An `Admission` is asked for each TCP connection before anything is done for it, and counts it until it is gone. It is
plain logic: the time is an argument, and there is no input and no output in here. All that serves one process shares
one, so that what holds in all holds for all listeners together.
"""

from tlscomm._lazy import lazyFace

__all__ = ["Admission", "Admitted", "Limits", "identityOf", "prefixOf"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tlscomm.limits._admission import Admission, Admitted
    from tlscomm.limits._identity import identityOf
    from tlscomm.limits._limits import Limits
    from tlscomm.limits._prefixes import prefixOf
else:
    __getattr__, __dir__ = lazyFace(
        __name__,
        {
            "Admission": "tlscomm.limits._admission",
            "Admitted": "tlscomm.limits._admission",
            "Limits": "tlscomm.limits._limits",
            "identityOf": "tlscomm.limits._identity",
            "prefixOf": "tlscomm.limits._prefixes",
        },
    )
