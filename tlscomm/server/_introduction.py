"""What tells a person how to talk to a server with the development identity."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twisted.logger import Logger

from tlscomm.access import Peer
from tlscomm.configuration import ServerConfiguration
from tlscomm.issuing import DEVELOPMENT_HOSTS, DevelopmentAuthority

__all__ = ["introduction"]

_log = Logger(namespace="tlscomm")


def introduction(
    settings: Mapping[str, Any], configuration: ServerConfiguration, development: DevelopmentAuthority | None
) -> Callable[[Sequence[str]], None] | None:
    """Return what tells a person how to talk to a listener with the development identity; None where it has another."""
    if development is None:
        return None

    def introduce(addresses: Sequence[str]) -> None:
        if words := _connectLine(settings, configuration, development, addresses):
            _log.info("talk to it with: {command}", command=shlex.join(words))

    return introduce


def _connectLine(
    settings: Mapping[str, Any],
    configuration: ServerConfiguration,
    development: DevelopmentAuthority,
    addresses: Sequence[str],
) -> list[str]:
    """Return the command that talks to the first address, empty where the development client cannot."""
    client = Peer((development.client.certificate, development.authority.certificate))
    isTrusted = not settings["clientRoots"] and configuration.revocation.mode != "required"
    isTrusted = isTrusted and configuration.access.judge(client).isLetIn
    host, _, port = (addresses[0] if addresses else "").rpartition(":")
    isTCP = port.isdigit() and not host.startswith("unix:")
    if not isTCP or (configuration.clientCertificates == "required" and not isTrusted):
        return []
    host = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(host, host)
    words = ["tlscomm", "connect", f"{host}:{port}", "--roots", str(development.path("ca.pem"))]
    if configuration.clientCertificates != "none" and isTrusted:
        words += ["--identity", str(development.path("client.pfx"))]
    if host.strip("[]") not in DEVELOPMENT_HOSTS:
        words += ["--server-name", DEVELOPMENT_HOSTS[0]]
    if settings["framing"] != "eof":
        words += ["--framing", settings["framing"]]
    return [*words, "--message", "Hello"]
