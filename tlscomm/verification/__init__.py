"""Which peers are accepted: path building, the rules of a path, server names, trust, and the application's hook.

A peer is accepted by a path from its certificate to an authority that is trusted, which OpenSSL and the core rules both
accept. The `Verifier` is the one place that decides, for handshakes, resumed sessions, open connections and off line.
The *hook* is the application's say: it is asked about each peer before that peer hears that it is accepted. An answer
of a hook overrules what it names, and nothing else.

`sslPolicyErrors` and `chainStatus` say what is wrong with a peer in the words of .NET's ``SslStream``.
"""

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
