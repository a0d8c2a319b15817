"""The clients, each by the command that says one line and reads one, or fails."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from making.credentials import PASSWORD
from making.places import PROGRAMS, Place, python

__all__ = ["CLIENTS", "Client"]

#: From a place, an identity or None, the trusted root, the expected name, and more options to a command.
Client = Callable[[Place, "str | None", str, str, Sequence[str]], list[str]]


def openssl(place: Place, identity: str | None, root: str, name: str, options: Sequence[str]) -> list[str]:
    command = ["openssl", "s_client", "-connect", place.address, "-servername", name, "-verify_hostname", name]
    command += [place.option]
    if identity:
        pem = place.file(f"client-{identity}.pem")
        command += ["-cert", pem, "-key", pem]
    return [
        *(*command, "-CAfile", place.file(f"{root}.pem"), "-verify_return_error", "-keylogfile", str(place.keylog)),
        *options,
    ]


def gnutls(place: Place, identity: str | None, root: str, name: str, options: Sequence[str]) -> list[str]:
    command = ["gnutls-cli", "--priority", f"NORMAL:-VERS-ALL:+VERS-TLS{place.version}", "-p", str(place.port)]
    command += ["--verify-hostname", name, "--sni-hostname", name, "--x509cafile", place.file(f"{root}.pem")]
    if identity:
        pem = place.file(f"client-{identity}.pem")
        command += ["--x509certfile", pem, "--x509keyfile", pem]
    return [*command, *options, place.host]


def threads(place: Place, identity: str | None, root: str, name: str, options: Sequence[str]) -> list[str]:
    pem = place.file(f"client-{identity}.pem") if identity else "-"
    words = ("client", place.host, str(place.port), place.version, pem, place.file(f"{root}.pem"), name)
    return python(str(PROGRAMS / "peer.py"), *words, str(place.keylog), *options)


def go(place: Place, identity: str | None, root: str, name: str, options: Sequence[str]) -> list[str]:
    pem = place.file(f"client-{identity}.pem") if identity else "-"
    words = ("client", place.address, place.version, pem, place.file(f"{root}.pem"), name, str(place.keylog))
    return [str(place.built / "peer"), *words, *(options or ["1"])]


def java(place: Place, identity: str | None, root: str, name: str, options: Sequence[str]) -> list[str]:
    p12 = place.file(f"client-{identity}.p12") if identity else "-"
    words = ("client", place.host, str(place.port), place.version, p12, place.file(f"{root}.der"), name, PASSWORD)
    return ["java", "-cp", str(place.built), "Peer", *words]


def mono(place: Place, identity: str | None, root: str, name: str, options: Sequence[str]) -> list[str]:
    p12 = place.file(f"client-{identity}.p12") if identity else "-"
    words = ("client", place.host, str(place.port), p12, place.file(f"{root}.der"), name, PASSWORD)
    return ["mono", str(place.built / "Peer.exe"), *words]


def curl(place: Place, identity: str | None, root: str, name: str, options: Sequence[str]) -> list[str]:
    own = ["--cert", place.file(f"client-{identity}.pem")] if identity else []
    scheme = "http" if "plain" in options else "https"
    return [
        *("curl", "-s", "-S", "-m", "5", "--noproxy", "*", "--tlsv" + place.version, "--tls-max", place.version),
        *("--http1.1", "--cacert", place.file(f"{root}.pem"), *own),
        *("--connect-to", f"{name}:{place.port}:{place.address}", f"{scheme}://{name}:{place.port}/"),
    ]


def tlscomm(place: Place, identity: str | None, root: str, name: str, options: Sequence[str]) -> list[str]:
    own = ["--identity", place.file(f"client-{identity}.pem")] if identity else []
    return python(
        *("-m", "tlscomm.commandline", "connect", place.address, "--roots", place.file(f"{root}.pem"), *own),
        *("--server-name", name, "--maximum-tls", place.version, "--minimum-tls", place.version),
        *("--framing", "line", "--message", "hello", *options),
    )


CLIENTS: dict[str, Client] = {
    "openssl": openssl,
    "gnutls": gnutls,
    "python": threads,
    "go": go,
    "java": java,
    "mono": mono,
    "curl": curl,
    "tlscomm": tlscomm,
}
