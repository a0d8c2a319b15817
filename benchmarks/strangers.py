"""What a refused handshake costs a server, whatever chain a stranger sends.

    .venv/bin/python benchmarks/strangers.py [--rounds N] [PART OF A TITLE]

Each chain is sent in memory by OpenSSL's own client to three servers: one of tlscomm with both forms of its event log,
one of plain Twisted, which logs nothing, and OpenSSL as Twisted sets it up is what the second one measures. Only the
servers' processor time counts. The first line is a handshake that both accept.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from OpenSSL import SSL, crypto
from twisted.internet.ssl import Certificate, CertificateOptions, PrivateCertificate, trustRootFromCertificates

from tests.dearchains import KEY, answer, contextShowing, dearChains
from tlscomm.configuration import ServerConfiguration
from tlscomm.credentials import Credential
from tlscomm.failures import TLSFailure
from tlscomm.issuing import Authority
from tlscomm.tls import TLSConnection
from tlscomm.x509._bounds import _price
from tlscomm.x509._certificate import _kept


def connect(context: SSL.Context) -> SSL.Connection:
    connection = SSL.Connection(context)
    connection.set_tlsext_host_name(b"localhost")
    connection.set_connect_state()
    return connection


class Ours:
    """A server of tlscomm."""

    def __init__(self, configuration: ServerConfiguration) -> None:
        self._configuration = configuration
        self.said = 0
        self.code = ""

    def shake(self, client: SSL.Connection) -> float:
        if self.code != "accepted":
            # A stranger writes others each time.
            forgetCertificates()
        used, flight = 0.0, answer(client, b"")
        before = time.thread_time()
        server = TLSConnection(self._configuration)
        used += time.thread_time() - before
        while flight:
            before = time.thread_time()
            server.receive(flight)
            reply = server.outgoing()
            used += time.thread_time() - before
            flight = answer(client, reply) if reply else b""
        before = time.thread_time()
        self.code, self.said = "accepted", 0
        if server.failure is not None:
            self._write(server.failure)
        server.release()
        return used + time.thread_time() - before

    def _write(self, failure: TLSFailure) -> None:
        self.code = failure.code
        self.said = max(len(f"{failure} {failure.nextStep}"), len(json.dumps(failure.toJSON())))


def forgetCertificates() -> None:
    _kept.forget()  # type: ignore[attr-defined]
    _price.cache_clear()


class Twisteds:
    """A server of plain Twisted."""

    def __init__(self, options: CertificateOptions) -> None:
        self._context = options.getContext()

    def shake(self, client: SSL.Connection) -> float:
        used, flight = 0.0, answer(client, b"")
        before = time.thread_time()
        server = SSL.Connection(self._context)
        server.set_accept_state()
        used += time.thread_time() - before
        while flight:
            before = time.thread_time()
            reply = answer(server, flight)
            used += time.thread_time() - before
            flight = answer(client, reply) if reply else b""
        return used


def certificateOptions(server: Credential, authority: x509.Certificate) -> CertificateOptions:
    assert server.privateKey is not None
    key = server.privateKey.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    own = PrivateCertificate.loadPEM(key + server.certificate.public_bytes(Encoding.PEM))
    root = Certificate.loadPEM(authority.public_bytes(Encoding.PEM))
    return CertificateOptions(
        privateKey=own.privateKey.original, certificate=own.original, trustRoot=trustRootFromCertificates([root])
    )


def median(rounds: int, shake: Callable[[], float]) -> float:
    shake()
    return statistics.median(shake() for _ in range(rounds)) * 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("part", nargs="?", default="", metavar="PART OF A TITLE")
    arguments = parser.parse_args()
    authority = Authority.create(organization="we")
    credential, good = (authority.issue(each, role=each, dnsNames=["localhost"]) for each in ("server", "client"))
    ours = Ours(ServerConfiguration(credential=credential, clientRoots=[authority.certificate]))
    twisteds = Twisteds(certificateOptions(credential, authority.certificate))
    print(f"{'':62}{'KB':>5}{'tlscomm':>9}{'Twisted':>9}{'more':>8}{'said':>8}   milliseconds of CPU, bytes")
    chains = dearChains(authority.certificate)
    accepted = ("(a good handshake)", [good.certificate.public_bytes(Encoding.DER)])
    for title, chain in (accepted, *(each for each in chains if arguments.part in each[0])):
        try:
            client = contextShowing(chain, good.privateKey if title == accepted[0] else KEY)
        except (crypto.Error, SSL.Error) as unreadable:
            print(f"{title:62}   OpenSSL's client cannot send it: {unreadable}")
            continue
        mine, theirs = (median(arguments.rounds, lambda s=s, c=client: s.shake(connect(c))) for s in (ours, twisteds))
        size = sum(map(len, chain)) / 1e3
        print(
            f"{title:62}{size:5.0f}{mine:9.2f}{theirs:9.2f}{mine - theirs:8.2f}{ours.said:8}   {ours.code}", flush=True
        )


if __name__ == "__main__":
    main()
