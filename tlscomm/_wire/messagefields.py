"""The handshake messages, field by field, in the names of RFC 8446 and of RFC 5246.

A ClientHello has the names of RFC 8446, whatever the version, and every other message those of the version that was
chosen.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable

from tlscomm._wire.events import Event
from tlscomm._wire.extensionfields import readCertificateStatus, readExtensions
from tlscomm._wire.fieldreader import FieldReader
from tlscomm._wire.names import GROUPS, SIGNATURE_ALGORITHMS, VERSIONS
from tlscomm._wire.registries import (
    CLIENT_CERTIFICATE_TYPES,
    COMPRESSION_ALGORITHMS,
    COMPRESSION_METHODS,
    CURVE_TYPES,
    KEY_UPDATE_REQUESTS,
)
from tlscomm._wire.suitenames import SUITES

__all__ = ["BODIES", "readSSL2ClientHello"]

_Read = Callable[[FieldReader, Event], object]

_TLS_1_2, _TLS_1_3 = 0x0303, 0x0304

_NAMED_CURVE = 3

_ZLIB = 1

#: The longest chain that is unpacked; OpenSSL takes 100 KiB.
_MOST_UNPACKED = 1 << 18


def _certificateText(value: bytes) -> str:
    return f"a certificate of {len(value):,} bytes"


def _clientHello(reader: FieldReader, _: Event) -> None:
    reader.number("legacy_version", 2, VERSIONS)
    reader.opaque("random", 32)
    reader.vector("legacy_session_id", 1)
    reader.numbers("cipher_suites", 2, "CipherSuite", 2, SUITES)
    reader.numbers("legacy_compression_methods", 1, "CompressionMethod", 1, COMPRESSION_METHODS)
    # One of old may end before them.
    if not reader.isEmpty:
        readExtensions(reader, "ClientHello")


def readSSL2ClientHello(reader: FieldReader) -> None:
    """Read a ClientHello in the form of SSL 2 (RFC 5246, appendix E.2)."""
    reader.number("msg_type", 1, {1: "ClientHello"})
    reader.number("version", 2, VERSIONS)
    lengths = [reader.number(f"{name}_length", 2) for name in ("cipher_spec", "session_id", "challenge")]

    def specs(inside: FieldReader) -> None:
        for _ in range(lengths[0] // 3):
            inside.number("V2CipherSpec", 3, SUITES)

    reader.entry("cipher_specs", specs)
    reader.opaque("session_id", lengths[1])
    reader.opaque("challenge", lengths[2])


def _serverHello(reader: FieldReader, event: Event) -> None:
    isVersion13 = event.version == _TLS_1_3
    reader.number("legacy_version" if isVersion13 else "server_version", 2, VERSIONS)
    reader.opaque("random", 32)
    reader.vector("legacy_session_id_echo" if isVersion13 else "session_id", 1)
    reader.number("cipher_suite", 2, SUITES)
    reader.number("legacy_compression_method" if isVersion13 else "compression_method", 1, COMPRESSION_METHODS)
    if not reader.isEmpty:
        readExtensions(reader, event.name)


def _encryptedExtensions(reader: FieldReader, event: Event) -> None:
    readExtensions(reader, event.name)


def _certificateRequest(reader: FieldReader, event: Event) -> None:
    if event.version == _TLS_1_3:
        reader.vector("certificate_request_context", 1)
        readExtensions(reader, "CertificateRequest")
        return
    reader.numbers("certificate_types", 1, "ClientCertificateType", 1, CLIENT_CERTIFICATE_TYPES)
    if event.version in (0, _TLS_1_2):
        reader.numbers("supported_signature_algorithms", 2, "SignatureAndHashAlgorithm", 2, SIGNATURE_ALGORITHMS)
    reader.entries("certificate_authorities", 2, lambda inside: inside.vector("DistinguishedName", 2))


def _certificate(reader: FieldReader, event: Event) -> None:
    if event.version == _TLS_1_3:
        reader.vector("certificate_request_context", 1)
        reader.entries("certificate_list", 3, lambda inside: inside.entry("CertificateEntry", _certificateEntry))
    else:
        reader.entries("certificate_list", 3, lambda inside: inside.vector("ASN.1Cert", 3, _certificateText))


def _certificateEntry(reader: FieldReader) -> None:
    reader.vector("cert_data", 3, _certificateText)
    readExtensions(reader, "Certificate")


def _compressedCertificate(reader: FieldReader, event: Event) -> None:
    """RFC 8879, section 4. What zlib has packed is read too; its fields have no place in the message."""
    algorithm = reader.number("algorithm", 2, COMPRESSION_ALGORITHMS)
    reader.number("uncompressed_length", 3)
    packed = reader.vector("compressed_certificate_message", 3)
    if algorithm == _ZLIB:
        try:
            message = zlib.decompressobj().decompress(packed, _MOST_UNPACKED)
        except zlib.error:
            return
        reader.unpacked("Certificate", message, lambda inside: _certificate(inside, event))


def _certificateVerify(reader: FieldReader, event: Event) -> None:
    _signature(reader, event)


def _signature(reader: FieldReader, event: Event) -> None:
    if event.version in (0, _TLS_1_2, _TLS_1_3):
        reader.number("algorithm", 2, SIGNATURE_ALGORITHMS)
    reader.vector("signature", 2)


def _serverKeyExchange(reader: FieldReader, event: Event) -> None:
    """RFC 8422, section 5.4, and RFC 5246, section 7.4.3. The suite tells which it is, and `Event.detail` its name."""
    exchange = event.detail
    if "PSK" in exchange:
        reader.vector("psk_identity_hint", 2)
    if exchange.startswith("DH"):
        for name in ("dh_p", "dh_g", "dh_Ys"):
            reader.vector(name, 2)
    elif exchange.startswith("ECDH"):
        if reader.number("curve_type", 1, CURVE_TYPES) != _NAMED_CURVE:
            reader.rest("exchange_keys")
            return
        reader.number("namedcurve", 2, GROUPS)
        reader.vector("point", 1)
    elif "PSK" not in exchange:
        reader.rest("exchange_keys")
        return
    if not reader.isEmpty:
        _signature(reader, event)


def _clientKeyExchange(reader: FieldReader, event: Event) -> None:
    """RFC 8422, section 5.7, and RFC 5246, section 7.4.7."""
    exchange = event.detail
    if "PSK" in exchange:
        reader.vector("psk_identity", 2)
    if exchange.startswith("ECDH"):
        reader.vector("ecdh_Yc", 1)
    elif exchange.startswith("DH"):
        reader.vector("dh_Yc", 2)
    elif exchange.startswith("RSA"):
        reader.vector("encrypted_pre_master_secret", 2)
    elif "PSK" not in exchange:
        reader.rest("exchange_keys")


def _finished(reader: FieldReader, _: Event) -> None:
    reader.rest("verify_data")


def _newSessionTicket(reader: FieldReader, event: Event) -> None:
    if event.version != _TLS_1_3:
        reader.number("ticket_lifetime_hint", 4)
        reader.vector("ticket", 2)
        return
    reader.number("ticket_lifetime", 4)
    reader.number("ticket_age_add", 4)
    reader.vector("ticket_nonce", 1)
    reader.vector("ticket", 2)
    readExtensions(reader, "NewSessionTicket")


def _certificateStatus(reader: FieldReader, _: Event) -> None:
    readCertificateStatus(reader)


def _keyUpdate(reader: FieldReader, _: Event) -> None:
    reader.number("request_update", 1, KEY_UPDATE_REQUESTS)


def _empty(_: FieldReader, __: Event) -> None:
    """The message has no body."""


#: What reads the body of a message, by the type of the message.
BODIES: dict[int, _Read] = {
    0: _empty,
    1: _clientHello,
    2: _serverHello,
    4: _newSessionTicket,
    5: _empty,
    8: _encryptedExtensions,
    11: _certificate,
    12: _serverKeyExchange,
    13: _certificateRequest,
    14: _empty,
    15: _certificateVerify,
    16: _clientKeyExchange,
    20: _finished,
    22: _certificateStatus,
    24: _keyUpdate,
    25: _compressedCertificate,
}
