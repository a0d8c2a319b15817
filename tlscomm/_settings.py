"""Configurations from the texts that a person types: options of programs and arguments of endpoint strings.

The command line, the twistd plugin and the endpoint strings all say the same things in the same words, so all of them
come here, and a wrong word is refused in the same sentence everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from cryptography import x509

from tlscomm._identities import Identities, loadIdentity
from tlscomm.access import AccessRules
from tlscomm.configuration import ClientConfiguration, Deadlines, ServerConfiguration
from tlscomm.credentials import loadCertificates
from tlscomm.hook import Hook
from tlscomm.revocation import Revocation
from tlscomm.stapling import Staple
from tlscomm.store import isStoreSource, rootsFromStore, systemRoots
from tlscomm.trust import parsePin

__all__ = [
    "Identities",
    "clientConfiguration",
    "deadlines",
    "loadIdentity",
    "loadRoots",
    "seconds",
    "serverConfiguration",
]


_NOBODY = Identities()


def serverConfiguration(
    *,
    identities: Identities,
    clientCertificates: str | None = None,
    clientRoots: Iterable[str] = (),
    crl: Iterable[str] = (),
    revocation: str | None = None,
    fetchCRLs: str | None = None,
    staple: Iterable[str] = (),
    allow: Iterable[str] = (),
    deny: Iterable[str] = (),
    intermediates: Iterable[str] = (),
    pins: Iterable[str] = (),
    profile: str = "compatible",
    minimumTLS: str = "1.2",
    maximumTLS: str = "1.3",
    hook: Hook | None = None,
    resumption: bool = True,
    revalidation: bool = True,
    limits: Deadlines | None = None,
) -> ServerConfiguration:
    """Return a server's configuration.

    Args:
        identities: where the credentials are, at least one.
        clientCertificates: ``none``, ``requested`` or ``required``.
        clientRoots: files or folders with the authorities that may issue client certificates, or ``system``.
        crl: files and folders with revocation lists.
        revocation: ``off``, ``soft`` or ``required``.
        fetchCRLs: the folder for lists that are fetched.
        staple: files with OCSP responses for the credentials, or ``fetch``.
        allow: access rules of which one has to fit.
        deny: access rules of which none may fit.
        intermediates: files or folders with authorities that are known and not trusted.
        pins: ``fingerprint=sha256:…`` or ``spki=sha256:…``, of which one has to fit.
        profile: ``compatible`` or ``strict``.
        minimumTLS: ``1.2`` or ``1.3``.
        maximumTLS: ``1.2`` or ``1.3``.
        hook: is asked about each client.
        resumption: whether sessions may be resumed.
        revalidation: whether open connections are judged again.
        limits: the deadlines.

    Raises:
        TLSFailure: a file or the credential cannot be used.
        ValueError: the rest does not fit together.
    """
    first, *others = identities.load()
    return ServerConfiguration(
        credential=first,
        others=tuple(others),
        clientRoots=tuple(root for source in clientRoots for root in loadRoots(source)),
        clientCertificates=clientCertificates,  # type: ignore[arg-type]
        revocation=Revocation(files=[*crl], mode=revocation, fetchCRLs=fetchCRLs),  # type: ignore[arg-type]
        staple=_staple([*staple]),
        access=AccessRules.parse(allow, deny),
        **_chainSettings(intermediates, pins, profile),
        minimumTLS=minimumTLS,  # type: ignore[arg-type]
        maximumTLS=maximumTLS,  # type: ignore[arg-type]
        hook=hook,
        resumption=resumption,
        revalidation=revalidation,
        deadlines=limits or Deadlines(),
    )


def clientConfiguration(
    serverName: str,
    *,
    identities: Identities = _NOBODY,
    roots: Iterable[str] = (),
    crl: Iterable[str] = (),
    revocation: str | None = None,
    fetchCRLs: str | None = None,
    allow: Iterable[str] = (),
    deny: Iterable[str] = (),
    intermediates: Iterable[str] = (),
    pins: Iterable[str] = (),
    profile: str = "compatible",
    minimumTLS: str = "1.2",
    maximumTLS: str = "1.3",
    resumption: bool = True,
    revalidation: bool = True,
    limits: Deadlines | None = None,
) -> ClientConfiguration:
    """Return a client's configuration; the arguments are those of `serverConfiguration`.

    Args:
        serverName: the name that the server's certificate must be for.
        identities: where the credentials are, if any.
        roots: files or folders with the authorities that may issue it, or ``system``, which is also meant by none.
        crl: files and folders with revocation lists.
    """
    credentials = identities.load()
    sources = list(roots)
    return ClientConfiguration(
        serverName=serverName,
        credential=credentials[0] if credentials else None,
        others=credentials[1:],
        roots=None if sources in ([], ["system"]) else tuple(root for source in sources for root in loadRoots(source)),
        revocation=Revocation(files=[*crl], mode=revocation, fetchCRLs=fetchCRLs),  # type: ignore[arg-type]
        access=AccessRules.parse(allow, deny),
        **_chainSettings(intermediates, pins, profile),
        minimumTLS=minimumTLS,  # type: ignore[arg-type]
        maximumTLS=maximumTLS,  # type: ignore[arg-type]
        resumption=resumption,
        revalidation=revalidation,
        deadlines=limits or Deadlines(),
    )


def _chainSettings(intermediates: Iterable[str], pins: Iterable[str], profile: str) -> dict[str, Any]:
    return {
        "intermediates": tuple(each for source in intermediates for each in loadRoots(source)),
        "pins": tuple(parsePin(pin) for pin in pins),
        "profile": profile,
    }


def loadRoots(source: str) -> tuple[x509.Certificate, ...]:
    """Load authorities from where a person said they are: a file, a folder, ``store:…``, or ``system``."""
    if source == "system":
        return systemRoots()
    return rootsFromStore(source) if isStoreSource(source) else loadCertificates(source)


def seconds(text: str | float, name: str) -> float | None:
    """Return a deadline that was typed: seconds, or None for 0, which means none.

    Raises:
        ValueError: it is no such number.
    """
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e9:
        raise ValueError(f"{name} is a number of seconds, or 0 for none, not {text!r}")
    return value or None


def deadlines(**texts: Any) -> Deadlines:
    """Return deadlines from typed numbers of seconds; those that are None keep their default.

    Args:
        texts: ``handshake``, ``write`` and ``close``, as in `Deadlines`.
    """
    typed = {name: text for name, text in texts.items() if text is not None}
    return Deadlines(**{name: seconds(text, f"the {name} deadline") for name, text in typed.items()})  # type: ignore[arg-type]


def _staple(sources: Sequence[str]) -> Staple | None:
    files = [source for source in sources if source != "fetch"]
    return Staple(files, fetches="fetch" in sources) if sources else None
