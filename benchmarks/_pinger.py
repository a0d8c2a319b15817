"""Pings over one connection, and tells the longest wait: ``_pinger.py PORT CERTIFICATE``.

A process of its own, since the load that it is measured under would delay it. Each line that it reads begins another
count, and it answers with the longest wait since the last, in seconds.
"""

from __future__ import annotations

import select
import socket
import ssl
import sys
import time

_PAUSE = 0.001


def connect(port: int, certificate: str) -> ssl.SSLSocket:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.load_cert_chain(certificate)
    plain = socket.create_connection(("127.0.0.1", port))
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return context.wrap_socket(plain, server_hostname="localhost")


def ping(connection: ssl.SSLSocket) -> float:
    began = time.perf_counter()
    connection.sendall(b"ping<EOF>")
    if connection.recv(100) != b"ping<EOF>":
        raise SystemExit(1)
    return time.perf_counter() - began


def main() -> None:
    connection = connect(int(sys.argv[1]), sys.argv[2])
    longest = 0.0
    while True:
        longest = max(longest, ping(connection))
        if select.select([sys.stdin], [], [], _PAUSE)[0]:
            if not sys.stdin.readline():
                return
            print(longest, flush=True)
            longest = 0.0


main()
