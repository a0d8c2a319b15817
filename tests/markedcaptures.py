"""Captures full of marked names: a mark of its own in each place where something may tell whose connection it is."""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path
from struct import pack

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID, ObjectIdentifier
from OpenSSL import SSL

from tlscomm._capture.packets import Address
from tlscomm.tracing._capturefile import CaptureFile

__all__ = ["Marks", "writeMarked"]

NOW = datetime(2026, 11, 1, tzinfo=timezone.utc)
TIME = 1_793_491_200_000_000_000
CLIENT, SERVER = Address("11.22.33.44", 50123), Address("155.166.177.188", 8443)
CLIENT_6, SERVER_6 = Address("2a01:4f8:aa:bb::cc", 50124), Address("2a01:4f8:dd:ee::ff", 8443)


class Marks:
    """Makes marks, and finds them again in any of the forms in which they may be written."""

    def __init__(self) -> None:
        self.all: list[bytes] = [
            bytes.fromhex("0b16212c"),
            b"11.22.33.44",
            bytes.fromhex("9ba6b1bc"),
            b"155.166.177.188",
        ]
        self.all += [ipaddress.ip_address(each.host).packed for each in (CLIENT_6, SERVER_6)]
        self.all += [b"2a01:4f8"]

    def new(self, form: str = "{}") -> str:
        mark = f"Zq{len(self.all):04}wkMarked"
        self.all.append(mark.encode())
        return form.format(mark)

    def octets(self, size: int = 12) -> bytes:
        mark = b"\x7a\x51" + pack("!H", len(self.all)) + b"\xa5\x5a\xc3" * 8
        self.all.append(mark[:size])
        return mark[:size]

    def foundIn(self, content: bytes) -> set[bytes]:
        """Return the marks that are in some bytes, as they are or encoded."""
        small = content.lower()
        # Most marks have a part in common. Where that is not in any form, none of them is.
        absent = tuple(stem for stem in _STEMS if not _isIn(stem, small) and not _isIn64(stem, content))
        marks = [mark for mark in self.all if not any(stem in mark for stem in absent)]
        return {mark for mark in marks if _isIn(mark, small) or (len(mark) > 8 and _isIn64(mark, content))}


_STEMS = (b"wkMarked", b"\xa5\x5a\xc3\xa5\x5a\xc3\xa5\x5a")


def _isIn(mark: bytes, small: bytes) -> bool:
    return any(form in small for form in _forms(mark))


def _forms(mark: bytes) -> Iterator[bytes]:
    small = mark.lower()
    yield small
    yield small.hex().encode()
    yield small.hex(":").encode()
    yield mark.hex().encode()
    yield mark.hex(":").encode()
    yield str(int.from_bytes(mark, "big")).encode()
    yield b"\x00".join(bytes((each,)) for each in small)
    if len(mark) in (4, 16):
        yield str(ipaddress.ip_address(mark)).encode()


def _isIn64(mark: bytes, content: bytes) -> bool:
    return any(base64.b64encode(bytes(shift) + mark)[4:-4] in content for shift in range(3))


def _string(tag: int, marks: Marks) -> bytes:
    mark = marks.new().encode()
    return bytes((tag, len(mark))) + mark


def _name(marks: Marks) -> x509.Name:
    kinds = [value for key, value in vars(NameOID).items() if isinstance(value, ObjectIdentifier)]
    skipped = {NameOID.COUNTRY_NAME, NameOID.JURISDICTION_COUNTRY_NAME, NameOID.X500_UNIQUE_IDENTIFIER}
    plain = [x509.NameAttribute(kind, marks.new("Some {}")) for kind in kinds if kind not in skipped]
    odd = [
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, marks.new("Zürich {}")),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, marks.new("{} GmbH"), _ASN1Type.BMPString),
        x509.NameAttribute(NameOID.COMMON_NAME, marks.new("{}.internal.example")),
        x509.NameAttribute(ObjectIdentifier("1.3.6.1.4.1.55555.1"), marks.new()),
    ]
    return x509.Name(plain + odd)


def _directory(marks: Marks) -> x509.GeneralName:
    return x509.DirectoryName(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, marks.new())]))


def _names(marks: Marks) -> list[x509.GeneralName]:
    address = _string(12, marks)
    return [
        x509.DNSName(marks.new("{}.corp.internal")),
        x509.DNSName(marks.new("*.{}.example")),
        x509.DNSName(marks.new()),
        x509.RFC822Name(marks.new("{}@mail.example")),
        x509.RFC822Name(marks.new("someone@{}.example")),
        x509.UniformResourceIdentifier(marks.new("spiffe://{}/service")),
        x509.UniformResourceIdentifier(marks.new("https://web.example/{}?q=1")),
        x509.IPAddress(ipaddress.ip_address(marks.octets(16))),
        _directory(marks),
        x509.OtherName(ObjectIdentifier("1.3.6.1.4.1.311.20.2.3"), address),
    ]


def _extensions(marks: Marks) -> Iterator[x509.ExtensionType]:
    yield x509.BasicConstraints(ca=True, path_length=3)
    yield x509.SubjectAlternativeName([*_names(marks), x509.IPAddress(ipaddress.ip_address(marks.octets(4)))])
    yield x509.IssuerAlternativeName(_names(marks))
    yield x509.SubjectKeyIdentifier(marks.octets())
    yield x509.AuthorityKeyIdentifier(marks.octets(), _names(marks), int.from_bytes(marks.octets(), "big"))
    urls = [
        x509.AccessDescription(kind, x509.UniformResourceIdentifier(marks.new("http://{}.example/a")))
        for kind in (AuthorityInformationAccessOID.OCSP, AuthorityInformationAccessOID.CA_ISSUERS)
    ]
    yield x509.AuthorityInformationAccess(urls)
    point = x509.DistributionPoint(_names(marks), None, None, [_directory(marks)])
    yield x509.CRLDistributionPoints([point])
    yield x509.FreshestCRL([point])
    notice = x509.UserNotice(x509.NoticeReference(marks.new(), [1]), marks.new("said {}"))
    identifier = ObjectIdentifier("1.3.6.1.4.1.55556.7")
    yield x509.CertificatePolicies([x509.PolicyInformation(identifier, [marks.new("http://{}/cps"), notice])])
    network = ipaddress.ip_network((marks.octets(4), 32))
    yield x509.NameConstraints(
        [x509.DNSName(marks.new(".{}.example")), x509.IPAddress(network)], [x509.RFC822Name(marks.new("{}.example"))]
    )
    yield x509.UnrecognizedExtension(ObjectIdentifier("1.3.6.1.4.1.55555.9"), _string(12, marks))
    yield x509.UnrecognizedExtension(ObjectIdentifier("2.16.840.1.113730.1.13"), _string(22, marks))
    yield x509.KeyUsage(True, False, False, False, False, True, True, False, False)


def _certificate(marks: Marks, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(marks))
        .issuer_name(_name(marks))
        .serial_number(int.from_bytes(marks.octets(), "big"))
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(days=90))
        .public_key(key.public_key())
    )
    for extension in _extensions(marks):
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(key, hashes.SHA256())


def _staple(marks: Marks, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> bytes:
    response = ocsp.OCSPResponseBuilder().add_response(
        certificate, certificate, hashes.SHA1(), ocsp.OCSPCertStatus.GOOD, NOW, NOW, None, None
    )
    response = response.responder_id(ocsp.OCSPResponderEncoding.NAME, certificate).certificates([certificate])
    return response.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


class _Sides:
    """A client and a server that speak a version, OpenSSL both, and the key log of all their connections."""

    def __init__(self, marks: Marks) -> None:
        self.lines: list[bytes] = []
        self._marks = marks
        self._server = ec.generate_private_key(ec.SECP256R1())
        self._client = rsa.generate_private_key(65537, 2048)
        self._shown = {False: _certificate(marks, self._client), True: _certificate(marks, self._server)}
        self._staple = _staple(marks, self._shown[True], self._server)

    def said(self, version: int) -> Iterator[tuple[bool, bytes]]:
        """Give what both say in a handshake, and then their data."""
        client, server = (SSL.Connection(self._context(version, isServer), None) for isServer in (False, True))
        client.set_connect_state()
        server.set_accept_state()
        client.set_tlsext_host_name(self._marks.new("{}.sni.example").encode())
        client.request_ocsp()
        for _ in range(3):
            for end, other in ((client, server), (server, client)):
                with suppress(SSL.WantReadError):
                    end.do_handshake()
                yield from _moved(end, other, end is client)
        for end, other in ((client, server), (server, client)):
            end.send(self._marks.new("secret {} said").encode())
            yield from _moved(end, other, end is client)

    def _context(self, version: int, isServer: bool) -> SSL.Context:
        context = SSL.Context(SSL.TLS_METHOD)
        context.set_min_proto_version(version)
        context.set_max_proto_version(version)
        context.use_certificate(self._shown[isServer])
        context.use_privatekey(self._server if isServer else self._client)
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *arguments: True)
        context.set_keylog_callback(lambda connection, line: self.lines.append(line))
        if isServer:
            context.set_session_id(b"test")
            context.add_client_ca(self._shown[True])
            context.set_ocsp_server_callback(lambda connection, data: self._staple)
        else:
            context.set_ocsp_client_callback(lambda connection, staple, data: True)
        return context


def _moved(end: SSL.Connection, other: SSL.Connection, isFromClient: bool) -> Iterator[tuple[bool, bytes]]:
    try:
        said = end.bio_read(1 << 17)
    except SSL.WantReadError:
        return
    other.bio_write(said)
    yield isFromClient, said


def _prefaces(marks: Marks) -> Iterator[list[tuple[bool, bytes]]]:
    """Give what is said before TLS, in several protocols."""
    yield []
    dialogue = (
        f"220 {marks.new('{}.mx.example')} ESMTP {marks.new()}\r\n",
        f"EHLO {marks.new()}\r\n",
        f"250-{marks.new()} Hello\r\n250-SIZE 1000\r\n250 STARTTLS\r\n",
        "STARTTLS\r\n",
        f"220 go ahead {marks.new()}\r\n",
    )
    yield [(turn % 2 == 1, line.encode()) for turn, line in enumerate(dialogue)]
    yield [(True, b"PROXY TCP4 11.22.33.44 155.166.177.188 50123 443\r\n")]
    hosts = ipaddress.ip_address(CLIENT.host).packed + ipaddress.ip_address(SERVER.host).packed
    more = b"\x02\x00\x0e" + marks.new().encode()
    header = b"\r\n\r\n\x00\r\nQUIT\n\x21\x11" + pack("!H", 12 + len(more)) + hosts + pack("!HH", 50123, 443) + more
    yield [(True, header)]
    request = f"CONNECT {marks.new('{}.example')}:443 HTTP/1.1\r\nProxy-Authorization: Basic {marks.new()}\r\n\r\n"
    yield [(True, request.encode()), (False, f"HTTP/1.1 200 {marks.new()}\r\n\r\n".encode())]


def writeMarked(path: Path, marks: Marks) -> int:
    """Write a capture, and return how many connections with TLS are in it."""
    capture, count, sides = CaptureFile(path), 0, _Sides(marks)
    for version in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
        for preface in _prefaces(marks) if version == SSL.TLS1_2_VERSION else [[]]:
            sides.lines.clear()
            said = [*preface, *sides.said(version)]
            client, server = (CLIENT, SERVER) if count % 2 else (CLIENT_6, SERVER_6)
            _write(capture, (client._replace(port=50_000 + count), server), said, sides.lines, marks)
            count += 1
    plain = f"GET /{marks.new()} HTTP/1.1\r\nHost: {marks.new()}\r\n\r\n"
    answer = f"HTTP/1.1 400 Bad {marks.new()}\r\n\r\nThe plain HTTP request was sent to HTTPS port"
    _write(
        capture, (CLIENT._replace(port=40_000), SERVER), [(True, plain.encode()), (False, answer.encode())], [], marks
    )
    other = [(True, marks.new("anything {}").encode()), (False, marks.new("\x01\x02{}").encode())]
    _write(capture, (CLIENT._replace(port=40_001), SERVER), other, [], marks)
    capture.close()
    return count + 1


def _write(
    capture: CaptureFile,
    ends: tuple[Address, Address],
    said: list[tuple[bool, bytes]],
    lines: list[bytes],
    marks: Marks,
) -> None:
    connection = capture.begin(*ends, TIME)
    for line in lines:
        connection.secrets(line)
    for at, (isFromClient, data) in enumerate(said):
        connection.data(isFromClient, data, TIME + at)
    connection.verdict(marks.new("verdict on {}"))
    for isFromClient in (True, False):
        connection.end(isFromClient, "FIN", TIME + len(said))
