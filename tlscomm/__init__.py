"""Mutual TLS for Twisted.

Two programs prove to each other who they are with certificates, and then exchange messages. A connection counts as
made when both sides have accepted each other, and every refusal has one name out of one closed list.

What most programs need is here, and loaded when it is first used. The packages below have the rest, a subject each.
"""

from tlscomm._lazy import lazyFace

__all__ = [
    "AccessRules",
    "Authority",
    "ClientConfiguration",
    "Credential",
    "Deadlines",
    "ExternalContextConfiguration",
    "MessageFactory",
    "MessageProtocol",
    "Peer",
    "Question",
    "RequestProtocol",
    "Revocation",
    "ServerConfiguration",
    "Staple",
    "TLSClientEndpoint",
    "TLSClientService",
    "TLSFactory",
    "TLSFacts",
    "TLSFailure",
    "TLSServerEndpoint",
    "accept",
    "insecurelyAccept",
    "loadCertificates",
    "loadCredential",
    "loadCredentials",
    "loadFromStore",
    "parsePin",
    "parseRule",
    "refuse",
    "rootsFromStore",
    "systemRoots",
    "verdict",
]

__version__ = "0.1.0.dev0"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tlscomm.access import AccessRules, Peer, parseRule
    from tlscomm.configuration import ClientConfiguration, Deadlines, ExternalContextConfiguration, ServerConfiguration
    from tlscomm.credentials import Credential, loadCertificates, loadCredential, loadCredentials
    from tlscomm.endpoints import TLSClientEndpoint, TLSClientService, TLSServerEndpoint
    from tlscomm.failures import TLSFailure
    from tlscomm.issuing import Authority
    from tlscomm.messages import MessageFactory, MessageProtocol, RequestProtocol
    from tlscomm.revocation import Revocation, Staple
    from tlscomm.store import loadFromStore, rootsFromStore, systemRoots
    from tlscomm.tls import TLSFacts, verdict
    from tlscomm.transport import TLSFactory
    from tlscomm.verification import Question, accept, insecurelyAccept, parsePin, refuse
else:
    __getattr__, __dir__ = lazyFace(
        __name__,
        {
            "AccessRules": "tlscomm.access",
            "Authority": "tlscomm.issuing",
            "ClientConfiguration": "tlscomm.configuration",
            "Credential": "tlscomm.credentials",
            "Deadlines": "tlscomm.configuration",
            "ExternalContextConfiguration": "tlscomm.configuration",
            "MessageFactory": "tlscomm.messages",
            "MessageProtocol": "tlscomm.messages",
            "Peer": "tlscomm.access",
            "Question": "tlscomm.verification",
            "RequestProtocol": "tlscomm.messages",
            "Revocation": "tlscomm.revocation",
            "ServerConfiguration": "tlscomm.configuration",
            "Staple": "tlscomm.revocation",
            "TLSClientEndpoint": "tlscomm.endpoints",
            "TLSClientService": "tlscomm.endpoints",
            "TLSFactory": "tlscomm.transport",
            "TLSFacts": "tlscomm.tls",
            "TLSFailure": "tlscomm.failures",
            "TLSServerEndpoint": "tlscomm.endpoints",
            "accept": "tlscomm.verification",
            "insecurelyAccept": "tlscomm.verification",
            "loadCertificates": "tlscomm.credentials",
            "loadCredential": "tlscomm.credentials",
            "loadCredentials": "tlscomm.credentials",
            "loadFromStore": "tlscomm.store",
            "parsePin": "tlscomm.verification",
            "parseRule": "tlscomm.access",
            "refuse": "tlscomm.verification",
            "rootsFromStore": "tlscomm.store",
            "systemRoots": "tlscomm.store",
            "verdict": "tlscomm.tls",
        },
    )
