"""Who a peer is, and which of the peers with a valid certificate are let in.

A trusted authority says who its certificates belong to. Whether the holder has business here is for the server to say,
in access rules of one word each: ``dns=*.example.org``, ``uri=spiffe://example.org/billing``. A rule that denies wins
over every rule that allows, in whatever order they were given. Where there are rules that allow, one of them has to
fit; where there are none, each peer is let in that no rule denies. A peer that is kept out is refused as
``not-allowed``, which never means that its certificate is bad.

What cannot be decided, because a part of the certificate cannot be read or a name in it is not one, keeps the peer out:
then no rule that allows fits, and every rule that denies does.
"""

from tlscomm._lazy import lazyFace

__all__ = [
    "NO_ACCESS_RULES",
    "AccessRule",
    "AccessRules",
    "Condition",
    "Decision",
    "Peer",
    "allOf",
    "anyOf",
    "noneOf",
    "parseRule",
]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tlscomm.access._accessrules import NO_ACCESS_RULES, AccessRules, Decision
    from tlscomm.access._peer import Peer
    from tlscomm.access._rule import AccessRule, Condition, allOf, anyOf, noneOf
    from tlscomm.access._ruletext import parseRule
else:
    __getattr__, __dir__ = lazyFace(
        __name__,
        {
            "AccessRule": "tlscomm.access._rule",
            "AccessRules": "tlscomm.access._accessrules",
            "Condition": "tlscomm.access._rule",
            "Decision": "tlscomm.access._accessrules",
            "NO_ACCESS_RULES": "tlscomm.access._accessrules",
            "Peer": "tlscomm.access._peer",
            "allOf": "tlscomm.access._rule",
            "anyOf": "tlscomm.access._rule",
            "noneOf": "tlscomm.access._rule",
            "parseRule": "tlscomm.access._ruletext",
        },
    )
