"""Which peers a configuration would refuse: those of a running server, or certificates in files.

What a running server tells of its peers (``/peers.json``) is judged here as it would be by a server that has read the
configuration: by the same verifier that judges open connections again. A hook is not asked.
"""

from __future__ import annotations

import http.client
import ipaddress
import json
import os
import re
import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from typing import Any

from cryptography import x509

from tlscomm._dataclasses import dataclass
from tlscomm.configuration import ServerConfiguration
from tlscomm.credentials import loadCertificates
from tlscomm.failures import NoCertificate, TLSFailure, failureForCode, printable
from tlscomm.x509._facts import subjectText

__all__ = ["JudgedPeer", "PeerToJudge", "judged", "peersFromFiles", "peersFromJSON", "peersOfServer"]

#: Bytes of an answer, certificates of a chain, and seconds for an answer.
_LARGEST = 64 << 20
_MOST_CERTIFICATES = 20
_SECONDS = 10.0

_URL = re.compile(r"(?:http://)?(\[[0-9a-f:]+\]|[^/:\[\]]+):(\d{1,5})/?", re.IGNORECASE)


@dataclass(frozen=True)
class PeerToJudge:
    """One peer.

    Attributes:
        name: its subject, or the file that its certificate is in; printable.
        listener: the one that it was a client of; None for any.
        chain: the certificates that it presents, its own first; empty where it has none.
        isConnected: whether it is connected now; None where that is not known.
    """

    name: str
    listener: str | None
    chain: tuple[x509.Certificate, ...]
    isConnected: bool | None = None


@dataclass(frozen=True)
class JudgedPeer:
    """What a configuration makes of a peer.

    Attributes:
        peer: who it is.
        listener: by the configuration of which listener; empty where it is there no more.
        failure: why it would be refused; None where it would get in.
    """

    peer: PeerToJudge
    listener: str
    failure: TLSFailure | None
    isGone: bool = False

    @property
    def isLetIn(self) -> bool:
        """Whether it would get in."""
        return self.failure is None and not self.isGone

    def toJSON(self) -> dict[str, Any]:
        """Return the facts for JSON."""
        return {
            "name": self.peer.name,
            "listener": self.listener or self.peer.listener,
            "connected": self.peer.isConnected,
            "letIn": self.isLetIn,
            "listenerGone": self.isGone,
            "failure": None if self.failure is None else self.failure.toJSON(),
        }


Peers = tuple[list[PeerToJudge], int]
"""Peers, and how many more there are."""


def judged(peers: Iterable[PeerToJudge], configurations: Mapping[str, ServerConfiguration]) -> Iterator[JudgedPeer]:
    """Judge peers, each by the configuration of its listener, or by all where it belongs to none.

    Args:
        peers: who is judged.
        configurations: by the names of the listeners.
    """
    for peer in peers:
        if peer.listener is not None and peer.listener not in configurations:
            yield JudgedPeer(peer, "", None, isGone=True)
            continue
        names = configurations if peer.listener is None else (peer.listener,)
        for name in names:
            yield JudgedPeer(peer, name, _verdict(peer, configurations[name]))


def _verdict(peer: PeerToJudge, configuration: ServerConfiguration) -> TLSFailure | None:
    if configuration.clientCertificates == "none":
        return None
    if not peer.chain:
        return NoCertificate() if configuration.clientCertificates == "required" else None
    result = configuration.verifier.verify(peer.chain)
    if not result.problems:
        return None
    first = result.problems[0]
    detail = ", ".join(part for part in (first.subject, first.detail) if part)
    return failureForCode(first.code)(
        detail, depth=first.depth, opensslError=first.opensslError, problems=result.problems, remedy=first.remedy
    )


def peersFromFiles(path: str) -> Peers:
    """Return peers from a folder of files with certificates, or from what ``/peers.json`` has told.

    Args:
        path: of a folder, of one file with certificates, or of one with JSON.

    Raises:
        TLSFailure: a file cannot be read.
        ValueError: it is no JSON of that kind.
    """
    if os.path.isdir(path):
        files = sorted(each.path for each in os.scandir(path) if each.is_file() and not each.name.startswith("."))
        if not files:
            raise ValueError(f"the folder {printable(path)} has no files with certificates")
        return [peer for each in files for peer in _peerIn(each)], 0
    if path.endswith(".json"):
        try:
            with open(path, "rb") as file:
                return peersFromJSON(file.read(_LARGEST))
        except OSError as problem:
            raise ValueError(f"{printable(path)}: {problem.strerror}") from None
    return _peerIn(path), 0


def _peerIn(path: str) -> list[PeerToJudge]:
    chain = loadCertificates(path)
    return [PeerToJudge(f"{subjectText(chain[0])} ({printable(os.path.basename(path))})", None, tuple(chain))]


def peersFromJSON(content: bytes) -> Peers:
    """Return the peers that a running server has told of, and how many more there are.

    Args:
        content: of its ``/peers.json``.

    Raises:
        ValueError: it is something else.
    """
    try:
        told = json.loads(content)
        return [_peerFrom(each) for each in told["peers"]], int(told["leftOut"])
    except (ValueError, TypeError, KeyError, RecursionError) as problem:
        raise ValueError(f"this is no list of peers of a server ({printable(repr(problem))})") from None


def _peerFrom(told: Mapping[str, Any]) -> PeerToJudge:
    chain = x509.load_pem_x509_certificates(told["chain"].encode())[:_MOST_CERTIFICATES] if told["chain"] else []
    name = subjectText(chain[0]) if chain else "a client without a certificate"
    return PeerToJudge(name, told["listener"], tuple(chain), bool(told["connected"]))


def peersOfServer(address: str) -> Peers:
    """Ask a server of this machine for its peers, and how many more there are than it tells.

    Args:
        address: where its status is served: ``127.0.0.1:9000``, or the path of a Unix socket.

    Raises:
        ValueError: it is not of this machine, or does not answer; the message says why.
    """
    try:
        with closing(_connectionTo(address)) as connection:
            connection.request("GET", "/peers.json")
            with connection.getresponse() as answer:
                content = answer.read(_LARGEST)
    except (OSError, http.client.HTTPException) as problem:
        reason = getattr(problem, "strerror", None) or printable(str(problem) or repr(problem))
        raise ValueError(f"{printable(address)} does not answer: {reason}") from None
    if answer.status != http.client.OK:
        raise ValueError(
            f"{printable(address)} knows no peers: it answers {answer.status} to /peers.json; name the place that "
            "the server's --status listens on"
        )
    return peersFromJSON(content)


def _connectionTo(address: str) -> http.client.HTTPConnection:
    place = address.removeprefix("unix:")
    if place.startswith(("/", ".")) or place != address or os.path.exists(place):
        return _UnixConnection(place)
    found = _URL.fullmatch(address)
    host = "" if found is None else found.group(1).strip("[]")
    if found is None or not (host == "localhost" or _isLoopback(host)):
        raise ValueError(
            f"{printable(address)} is no place of this machine; say 127.0.0.1:PORT or the path of a Unix socket. What "
            "/peers.json of another one has told can be in a file that --peers names"
        )
    return http.client.HTTPConnection(
        "127.0.0.1" if host == "localhost" else host, int(found.group(2)), timeout=_SECONDS
    )


def _isLoopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)
