"""Configurations from what options, endpoint strings or a file say: values of the settings table, by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cryptography import x509

from tlscomm.access import AccessRules
from tlscomm.configuration._base import Deadlines
from tlscomm.configuration._client import ClientConfiguration
from tlscomm.configuration._identities import Identities
from tlscomm.configuration._server import ServerConfiguration
from tlscomm.configuration._settings import defaultsOn
from tlscomm.configuration._settingtypes import Interface
from tlscomm.credentials import loadCertificates
from tlscomm.credentials._passphrasesources import Prompt
from tlscomm.revocation import Revocation, Staple
from tlscomm.store import isStoreSource
from tlscomm.verification import Hook
from tlscomm.watching._filewatch import LOOK_SECONDS
from tlscomm.watching._watchedfiles import Sources
from tlscomm.x509._roles import Role

__all__ = [
    "clientConfiguration",
    "identitiesOf",
    "loadRoots",
    "serverConfiguration",
    "sourcesIn",
    "verificationSettings",
]

#: The settings that name files, and those that name revocation lists and OCSP responses.
_FILES = ("identity", "key", "passphraseFile", "clientRoots", "roots", "intermediates")
_LISTS = ("crl", "staple")

_DEADLINES = ("handshake", "hook", "write", "close", "idle")


def serverConfiguration(
    settings: Mapping[str, Any],
    *,
    prompt: Prompt | None = None,
    hook: Hook | None = None,
    serverNames: tuple[str, ...] | None = None,
) -> ServerConfiguration:
    """Return a server's configuration.

    Args:
        settings: parsed values by the names of the settings table; what is missing has its default.
        prompt: asks a person for pass phrases.
        hook: decides about each client.
        serverNames: the names that clients may ask for; None for any.

    Raises:
        TLSFailure: a file or the credential cannot be used.
        ValueError: the rest does not fit together.
    """
    given = {**defaultsOn(Interface.SERVER_STRING), **settings}
    identities = identitiesOf(given, prompt)
    credential, *others = identities.load()
    return ServerConfiguration(
        credential=credential,
        others=tuple(others),
        clientRoots=_authorities(given["clientRoots"], identities.passphrase, "client"),
        clientCertificates=given.get("clientCertificates"),
        serverNames=serverNames,
        ja4=given.get("ja4", False),
        staple=_staple(given),
        hook=hook,
        **verificationSettings(given, identities.passphrase, "client"),
        **_connectionSettings(given),
    )


def clientConfiguration(
    serverName: str, settings: Mapping[str, Any], *, prompt: Prompt | None = None
) -> ClientConfiguration:
    """Return a client's configuration; arguments and errors are as with `serverConfiguration`.

    Args:
        serverName: the name that the server's certificate must be for.
        settings: parsed values by name.
        prompt: asks a person for pass phrases.
    """
    given = {**defaultsOn(Interface.CLIENT_STRING), **settings}
    identities = identitiesOf(given, prompt)
    credentials = identities.load()
    roots = tuple(given["roots"])
    return ClientConfiguration(
        serverName=serverName,
        credential=credentials[0] if credentials else None,
        others=credentials[1:],
        roots=None if roots in ((), ("system",)) else _authorities(roots, identities.passphrase, "server"),
        **verificationSettings(given, identities.passphrase, "server"),
        **_connectionSettings(given),
    )


def sourcesIn(*settings: Mapping[str, Any]) -> Sources:
    """Return the files and folders that configurations are read from.

    Args:
        settings: parsed values by name, of each configuration.
    """
    files = [source for each in settings for name in _FILES for source in each.get(name, ())]
    lists = [source for each in settings for name in _LISTS for source in each.get(name, ()) if source != "fetch"]
    return Sources(tuple(files), tuple(lists))


def identitiesOf(settings: Mapping[str, Any], prompt: Prompt | None = None) -> Identities:
    """Return where the settings say that our credentials are, and what opens them."""
    return Identities(
        **{name: tuple(settings[name]) for name in ("identity", "key", "passphraseFile", "passphraseEnv")},
        passphraseFD=tuple(settings["passphraseFD"]),
        insecureAllowReadableKey=settings["insecureAllowReadableKey"],
        prompt=prompt,
    )


def verificationSettings(settings: Mapping[str, Any], passphrase: Prompt | None, peerRole: Role) -> dict[str, Any]:
    """Return what configurations, and the verdict without a connection, are told about the verification of peers.

    Args:
        settings: parsed values by name.
        passphrase: what opens files with authorities that are encrypted.
        peerRole: the side of the peers.
    """
    return {
        "revocation": Revocation(
            files=settings["crl"],
            mode=settings.get("revocation"),
            fetchCRLs=settings.get("fetchCRLs"),
            fetchFromPrivateAddresses=settings.get("fetchFromPrivateAddresses", False),
            # A server's files are watched together.
            interval=None if peerRole == "client" else LOOK_SECONDS,
        ),
        "access": AccessRules(settings["allow"], settings["deny"]),
        "intermediates": _authorities(settings["intermediates"], passphrase, peerRole),
        "pins": tuple(settings["pin"]),
        "profile": settings["profile"],
    }


def loadRoots(
    source: str, passphrase: Prompt | None = None, peerRole: Role | None = None
) -> tuple[x509.Certificate, ...]:
    """Load authorities from where a person said they are: a file, a folder, ``store:…``, or ``system``.

    Args:
        source: where.
        passphrase: what opens a file that is encrypted, as Java's stores of trusted authorities are.
        peerRole: the side of the peers that they are to be trusted for; either where None.
    """
    if source == "system":
        from tlscomm.store import systemRoots

        return systemRoots()
    if isStoreSource(source):
        from tlscomm.store import rootsFromStore

        return rootsFromStore(source)
    return loadCertificates(source, passphrase=passphrase, peerRole=peerRole)


def _connectionSettings(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **{name: settings[name] for name in ("minimumTLS", "maximumTLS", "resumption", "revalidation")},
        "groups": settings.get("groups"),
        "applicationProtocols": settings.get("alpn", ()),
        "deadlines": Deadlines(
            **{name: settings[f"{name}Timeout"] for name in _DEADLINES if f"{name}Timeout" in settings},
            lifetime=settings.get("connectionLifetime"),
        ),
    }


def _authorities(sources: Iterable[str], passphrase: Prompt | None, peerRole: Role) -> tuple[x509.Certificate, ...]:
    return tuple(authority for source in sources for authority in loadRoots(source, passphrase, peerRole))


def _staple(settings: Mapping[str, Any]) -> Staple | None:
    sources: Sequence[str] = settings["staple"]
    if not sources:
        return None
    return Staple(
        [source for source in sources if source != "fetch"],
        fetches="fetch" in sources,
        fetchFromPrivateAddresses=settings["fetchFromPrivateAddresses"],
        interval=None,
    )
