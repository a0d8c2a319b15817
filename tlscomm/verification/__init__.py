"""Which peers are accepted: path building, the rules of a path, server names, trust, and the application's hook.

A peer is accepted by a path from its certificate to an authority that is trusted, which OpenSSL and the core rules both
accept. The `Verifier` is the one place that decides, for handshakes, resumed sessions, open connections and off line.
The *hook* is the application's say: it is asked about each peer before that peer hears that it is accepted. An answer
of a hook overrules what it names, and nothing else.

`sslPolicyErrors` and `chainStatus` say what is wrong with a peer in the words of .NET's ``SslStream``.
"""

from tlscomm._lazy import lazyFace

__all__ = [
    "PROFILES",
    "RULES",
    "Answer",
    "Hook",
    "OpenSSLResult",
    "Pin",
    "Profile",
    "Question",
    "Roots",
    "SslPolicyErrors",
    "Trust",
    "VerificationResult",
    "Verifier",
    "X509ChainStatusFlags",
    "accept",
    "chainStatus",
    "codeForStatus",
    "insecurelyAccept",
    "nameProblem",
    "nameToAskFor",
    "parsePin",
    "refuse",
    "sslPolicyErrors",
]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tlscomm.verification._hook import Answer, Hook, Question, accept, insecurelyAccept, refuse
    from tlscomm.verification._owncredential import nameToAskFor
    from tlscomm.verification._rule import PROFILES, Profile
    from tlscomm.verification._rulebooks import RULES
    from tlscomm.verification._servernames import nameProblem
    from tlscomm.verification._sslpolicy import (
        SslPolicyErrors,
        X509ChainStatusFlags,
        chainStatus,
        codeForStatus,
        sslPolicyErrors,
    )
    from tlscomm.verification._trust import Pin, Roots, Trust, parsePin
    from tlscomm.verification._verifier import OpenSSLResult, VerificationResult, Verifier
else:
    __getattr__, __dir__ = lazyFace(
        __name__,
        {
            "Answer": "tlscomm.verification._hook",
            "Hook": "tlscomm.verification._hook",
            "OpenSSLResult": "tlscomm.verification._verifier",
            "PROFILES": "tlscomm.verification._rule",
            "Pin": "tlscomm.verification._trust",
            "Profile": "tlscomm.verification._rule",
            "Question": "tlscomm.verification._hook",
            "RULES": "tlscomm.verification._rulebooks",
            "Roots": "tlscomm.verification._trust",
            "SslPolicyErrors": "tlscomm.verification._sslpolicy",
            "Trust": "tlscomm.verification._trust",
            "VerificationResult": "tlscomm.verification._verifier",
            "Verifier": "tlscomm.verification._verifier",
            "X509ChainStatusFlags": "tlscomm.verification._sslpolicy",
            "accept": "tlscomm.verification._hook",
            "chainStatus": "tlscomm.verification._sslpolicy",
            "codeForStatus": "tlscomm.verification._sslpolicy",
            "insecurelyAccept": "tlscomm.verification._hook",
            "nameProblem": "tlscomm.verification._servernames",
            "nameToAskFor": "tlscomm.verification._owncredential",
            "parsePin": "tlscomm.verification._trust",
            "refuse": "tlscomm.verification._hook",
            "sslPolicyErrors": "tlscomm.verification._sslpolicy",
        },
    )
