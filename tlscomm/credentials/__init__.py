"""Certificates with their chain and private key: read from files of every format, judged, selected and exported.

What is wrong with a credential shows late otherwise: a server without its private key starts, listens, and refuses
every client with "no shared cipher" or "unsupported protocol", and its operator looks at the network. So a credential
is loaded whole, put in order, and judged before a port is opened, and each thing that can be wrong has its own name.

Loading and judging are apart. A certificate without a key, or with the key of another, is loaded: programs show it, and
it may be all that is needed. `checkUsable` says whether it can stand on one side of a connection.
"""

from tlscomm._lazy import lazyFace

__all__ = [
    "ChooseCredential",
    "Credential",
    "CredentialChoice",
    "CredentialSelector",
    "PassphraseSource",
    "PeerCapabilities",
    "SourceLike",
    "checkUsable",
    "exportCredential",
    "loadCertificates",
    "loadCredential",
    "loadCredentials",
    "loadPrivateKeys",
    "retrying",
    "usabilityProblems",
    "writeCredential",
]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tlscomm.credentials._credential import (
        Credential,
        checkUsable,
        loadCertificates,
        loadCredential,
        loadCredentials,
        loadPrivateKeys,
        usabilityProblems,
    )
    from tlscomm.credentials._export import exportCredential, writeCredential
    from tlscomm.credentials._passphrase import PassphraseSource, retrying
    from tlscomm.credentials._selection import ChooseCredential, CredentialChoice, CredentialSelector, PeerCapabilities
    from tlscomm.credentials._sources import SourceLike
else:
    __getattr__, __dir__ = lazyFace(
        __name__,
        {
            "ChooseCredential": "tlscomm.credentials._selection",
            "Credential": "tlscomm.credentials._credential",
            "CredentialChoice": "tlscomm.credentials._selection",
            "CredentialSelector": "tlscomm.credentials._selection",
            "PassphraseSource": "tlscomm.credentials._passphrase",
            "PeerCapabilities": "tlscomm.credentials._selection",
            "SourceLike": "tlscomm.credentials._sources",
            "checkUsable": "tlscomm.credentials._credential",
            "exportCredential": "tlscomm.credentials._export",
            "loadCertificates": "tlscomm.credentials._credential",
            "loadCredential": "tlscomm.credentials._credential",
            "loadCredentials": "tlscomm.credentials._credential",
            "loadPrivateKeys": "tlscomm.credentials._credential",
            "retrying": "tlscomm.credentials._passphrase",
            "usabilityProblems": "tlscomm.credentials._credential",
            "writeCredential": "tlscomm.credentials._export",
        },
    )
