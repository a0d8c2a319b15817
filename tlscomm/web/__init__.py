"""HTTP over tlscomm: clients that present certificates, and servers that know who has sent a request.

For clients `agentFor` makes an ``Agent`` of Twisted's, and treq and others take one. For servers `peerOf` says who has
sent a request; `AccessByPath` asks access rules for each path; `PeerWSGIResource`, `TLSExtension` (ASGI) and
`IdentityHeaders` tell applications and the servers behind.
"""

from tlscomm._lazy import lazyFace

__all__ = [
    "IDENTITY_HEADERS",
    "PUBLIC",
    "AccessByPath",
    "AgentEndpoints",
    "HTTPSPolicy",
    "IdentityHeaders",
    "PathDecision",
    "PathRules",
    "PeerWSGIResource",
    "TLSExtension",
    "agentFor",
    "agentFromFiles",
    "enableAutobahn",
    "environOf",
    "failureIn",
    "peerOf",
    "withoutIdentity",
]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tlscomm.web._accessbypath import PUBLIC, AccessByPath, PathDecision, PathRules
    from tlscomm.web._agents import AgentEndpoints, agentFor
    from tlscomm.web._asgi import TLSExtension
    from tlscomm.web._autobahn import enableAutobahn
    from tlscomm.web._causes import failureIn
    from tlscomm.web._environ import environOf
    from tlscomm.web._fileagents import agentFromFiles
    from tlscomm.web._identityheaders import IDENTITY_HEADERS, IdentityHeaders, withoutIdentity
    from tlscomm.web._peers import peerOf
    from tlscomm.web._policy import HTTPSPolicy
    from tlscomm.web._wsgi import PeerWSGIResource
else:
    # A client needs nothing of servers, and neither needs WSGI.
    __getattr__, __dir__ = lazyFace(
        __name__,
        {
            "AccessByPath": "tlscomm.web._accessbypath",
            "AgentEndpoints": "tlscomm.web._agents",
            "HTTPSPolicy": "tlscomm.web._policy",
            "IDENTITY_HEADERS": "tlscomm.web._identityheaders",
            "IdentityHeaders": "tlscomm.web._identityheaders",
            "PUBLIC": "tlscomm.web._accessbypath",
            "PathDecision": "tlscomm.web._accessbypath",
            "PathRules": "tlscomm.web._accessbypath",
            "PeerWSGIResource": "tlscomm.web._wsgi",
            "TLSExtension": "tlscomm.web._asgi",
            "agentFor": "tlscomm.web._agents",
            "agentFromFiles": "tlscomm.web._fileagents",
            "enableAutobahn": "tlscomm.web._autobahn",
            "environOf": "tlscomm.web._environ",
            "failureIn": "tlscomm.web._causes",
            "peerOf": "tlscomm.web._peers",
            "withoutIdentity": "tlscomm.web._identityheaders",
        },
    )
