"""What two sides offered each other where they have nothing in common.

OpenSSL says that there is nothing. A person has to know what the one side offers and what the other has: of a client
that stands in its first message, of ourselves in the first message that our context would write as a client.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from OpenSSL import SSL

from tlscomm._openssl.contexts import firstMessage
from tlscomm._wire.clienthello import chosenVersion, clientHello
from tlscomm._wire.names import groupsText, signatureAlgorithmsText, suitesText, versionsText
from tlscomm._wire.requests import ClientHello, readClientHello
from tlscomm.configuration import Configuration
from tlscomm.failures import printable
from tlscomm.tls._owncertificate import OwnCertificate, text
from tlscomm.x509._keystrengths import keyText

__all__ = ["Negotiation"]

_TLS_1_2 = 0x0303

#: A name of more characters, or more names, are cut.
_MOST_NAMES, _LONGEST_NAME = 8, 80

_OURS, _THEIRS = "we have", "the client offers"


class Negotiation:
    """Tells what the sides of one connection have, for a failure that says that nothing of it is common."""

    def __init__(self, configuration: Configuration, raw: SSL.Connection, own: OwnCertificate) -> None:
        self._configuration = configuration
        self._isClient = configuration.isClient
        self._raw = raw
        self._own = own

    def lacking(self, code: str, opening: bytes) -> str:
        """Return the code of what a client lacks, where OpenSSL has named the first thing that it looked for."""
        if code != "no-common-cipher" or self._isClient:
            return code
        offered, ours = readClientHello(clientHello(opening)), self._ours
        if offered.versions and not set(offered.versions) & set(ours.versions):
            return "no-common-version"
        # OpenSSL does not tell a lack of groups from a lack of ciphers.
        if offered.groups is not None and ours.groups is not None and not offered.groups & ours.groups:
            return "no-common-group"
        return code

    def restricted(self) -> str:
        """Return the code of what a client's own settings restrict, which the peer may lack; "refused" for several.

        handshake_failure says that something is not common, and not what. With nothing restricted it is the suites, for
        which servers send nothing else; GnuTLS sends it for versions too.
        """
        configuration = self._configuration
        if configuration.groups is not None:
            return "no-common-group"
        if getattr(configuration, "ciphers", None) is not None:
            return "no-common-cipher"
        minimum, maximum = (getattr(configuration, f"{end}TLS", None) for end in ("minimum", "maximum"))
        if minimum == "1.3":
            # Each side has a suite and a group of the other then (RFC 8446, section 9.1).
            return "no-common-version"
        return "refused" if maximum == "1.2" else "no-common-cipher"

    @property
    def offered(self) -> str:
        """The versions that a client offers, as a clause."""
        return f"we offer {versionsText(self._ours.versions)}"

    def told(self, code: str, opening: bytes = b"") -> str:
        """Return what was offered and what we have, as a phrase; nothing where a failure is of another kind."""
        try:
            return self._told(code, opening)
        except Exception:
            # What a stranger wrote, or a context that writes no first message.
            return ""

    def _told(self, code: str, opening: bytes) -> str:
        if code == "unknown-server-name":
            return self._names()
        if code == "refused":
            kinds = ("no-common-version", "no-common-cipher", "no-common-group")
            return "; ".join(self._said(kind, self._ours, "we offer") for kind in kinds)
        if self._isClient:
            chosen = versionsText([version]) if (version := chosenVersion(opening)) else ""
            theirs = f"the server chose {chosen}" if code == "no-common-version" and chosen else ""
            ours = self._said(code, self._ours, "we offer")
            return "; ".join(part for part in (ours, theirs or "the server does not say what it has") if part)
        offered = readClientHello(clientHello(opening))
        if not offered.versions:
            return self._said(code, self._ours, _OURS)
        parts = [self._said(code, offered, _THEIRS), self._said(code, self._ours, _OURS)]
        if code == "no-common-cipher":
            parts += self._signatures(offered)
        return "; ".join(parts)

    @property
    def _ours(self) -> ClientHello:
        ours = readClientHello(clientHello(firstMessage(self._raw.get_context())))
        oldest = getattr(self._configuration, "minimumTLS", None)
        # A first message names the newest alone where that is TLS 1.2, and not from which on.
        return ours if oldest is None else replace(ours, versions=tuple(v for v in ours.versions if v >= _TLS_1_2))

    def _said(self, code: str, hello: ClientHello, whose: str) -> str:
        if code == "no-common-version":
            return f"{whose} {versionsText(hello.versions)}"
        if code == "no-common-group":
            return f"{whose} the groups {groupsText(hello.groups or ())}"
        if code == "no-common-protocol":
            protocols = hello.applicationProtocols or getattr(self._configuration, "applicationProtocols", ())
            if not protocols and whose == _OURS:
                # A context that is not ours does not tell them, and one that has none refuses no client for its own.
                return f"{whose} others"
            return f"{whose} {_listed(text(each) or '' for each in protocols)}"
        return f"{whose} {suitesText(hello.cipherSuites)}"

    def _signatures(self, offered: ClientHello) -> list[str]:
        chain = self._own.chain
        key = f"our certificate has {keyText(chain[0])}" if chain else "we have no certificate"
        if offered.signatureAlgorithms is None:
            return [key]
        return [f"{key}, and the client can verify {signatureAlgorithmsText(offered.signatureAlgorithms)}"]

    def _names(self) -> str:
        asked = text(self._raw.get_servername()) or getattr(self._configuration, "serverName", None)
        if self._isClient:
            return f"we asked for {asked}" if asked else "we asked for none"
        known = getattr(self._configuration, "serverNames", None)
        served = f"; it serves {_listed(known)}" if known else ""
        return (f"asked for {asked}" if asked else "it asked for none") + served


def _listed(names: Iterable[str]) -> str:
    several = list(names)
    named = [printable(name, _LONGEST_NAME) for name in several[:_MOST_NAMES]]
    more = len(several) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "") if named else "none"
