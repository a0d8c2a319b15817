"""A server that sends back the first line of each client, or a client that says one line, by Python's ssl module.

Arguments: server, asyncio or client; host; port; version; identity or -; roots; name; key log; options.
"""

import asyncio
import socket
import ssl
import struct
import sys

mode, host, port, version, identity, roots, name, keylog, *options = sys.argv[1:]


def makeContext() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT if mode == "client" else ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = context.maximum_version = ssl.TLSVersion["TLSv" + version.replace(".", "_")]
    context.load_verify_locations(roots)
    context.verify_mode = ssl.CERT_OPTIONAL if "pha" in options and mode != "client" else ssl.CERT_REQUIRED
    context.post_handshake_auth = "pha" in options
    if identity != "-":
        context.load_cert_chain(identity)
    context.keylog_filename = keylog
    return context


def sayPreface(connection: socket.socket) -> None:
    if "proxy1" in options:
        connection.sendall(b"PROXY TCP4 192.0.2.7 192.0.2.1 51000 443\r\n")
    elif "proxy2" in options:
        addresses = socket.inet_aton("192.0.2.7") + socket.inet_aton("192.0.2.1") + struct.pack(">HH", 51000, 443)
        connection.sendall(b"\r\n\r\n\0\r\nQUIT\n\x21\x11" + struct.pack(">H", len(addresses)) + addresses)


def readPreface(connection: socket.socket) -> None:
    """Take what stands before TLS: a PROXY header, or a dialogue of a protocol with STARTTLS."""
    if "proxy1" in options:
        while connection.recv(1) != b"\n":
            pass
    elif "proxy2" in options:
        connection.recv(16 + 12, socket.MSG_WAITALL)
    elif "smtp" in options:
        connection.sendall(b"220 server.example ESMTP\r\n")
        connection.recv(500)
        connection.sendall(b"250-server.example\r\n250 STARTTLS\r\n")
        connection.recv(500)
        connection.sendall(b"220 Ready to start TLS\r\n")
    elif "imap" in options:
        connection.sendall(b"* OK IMAP4rev1 ready\r\n")
        tag = connection.recv(500).split()[0]
        connection.sendall(b"* CAPABILITY IMAP4rev1 STARTTLS\r\n" + tag + b" OK done\r\n")
        tag = connection.recv(500).split()[0]
        connection.sendall(tag + b" OK Begin TLS negotiation now\r\n")
    elif "postgres" in options:
        connection.recv(8, socket.MSG_WAITALL)
        connection.sendall(b"S")


def serve(context: ssl.SSLContext) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, int(port)), family=family) as listener:
        print("listening", flush=True)
        while True:
            plain, _ = listener.accept()
            plain.settimeout(5)
            try:
                readPreface(plain)
                if "http" in options:
                    plain.recv(500)
                    plain.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
                    plain.close()
                    continue
                with context.wrap_socket(plain, server_side=True) as connection:
                    if "banner" in options:
                        connection.sendall(b"220 server.example\r\n")
                    line = connection.recv(500)
                    if "pha" in options:
                        connection.verify_client_post_handshake()
                    connection.sendall(line)
                    connection.recv(500)
                    if "cut" not in options:
                        connection.unwrap()
            except OSError as problem:
                print(problem, flush=True)
            plain.close()


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(await reader.readline())
    await writer.drain()
    writer.close()


async def serveLater(context: ssl.SSLContext) -> None:
    server = await asyncio.start_server(echo, host, int(port), ssl=context)
    print("listening", flush=True)
    await server.serve_forever()


def say(context: ssl.SSLContext, session: ssl.SSLSession | None = None) -> ssl.SSLSession | None:
    with socket.create_connection((host, int(port)), 5) as plain:
        sayPreface(plain)
        with context.wrap_socket(plain, server_hostname=name, session=session) as connection:
            if "silent" in options:
                return None
            connection.sendall(b"hello\n")
            line = connection.recv(500)
            print(line)
            if "cut" not in options and line:
                connection.unwrap()
            return connection.session


def breakOff(context: ssl.SSLContext) -> None:
    """Leave in the middle of a handshake: after the ClientHello by a FIN, or after the server's answer by a RST."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = context.wrap_bio(incoming, outgoing, server_hostname=name)
    with socket.create_connection((host, int(port)), 5) as plain:
        try:
            session.do_handshake()
        except ssl.SSLWantReadError:
            plain.sendall(outgoing.read())
        if "leave" in options:
            plain.shutdown(socket.SHUT_WR)
            plain.recv(5000)
        else:
            plain.recv(5)
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


if __name__ == "__main__":
    tls = makeContext()
    if mode == "server":
        serve(tls)
    elif mode == "asyncio":
        asyncio.run(serveLater(tls))
    elif "leave" in options or "reset" in options:
        breakOff(tls)
    else:
        first = say(tls)
        if "again" in options:
            say(tls, first)
