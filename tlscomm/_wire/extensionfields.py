"""The extensions of messages, field by field (RFC 8446, section 4.2, and what IANA's list refers to)."""

from __future__ import annotations

from collections.abc import Callable

from tlscomm._wire.fieldreader import FieldReader, bytesText
from tlscomm._wire.names import GROUPS, SIGNATURE_ALGORITHMS, VERSIONS, numberText
from tlscomm._wire.registries import (
    CERTIFICATE_STATUS_TYPES,
    CERTIFICATE_TYPES,
    COMPRESSION_ALGORITHMS,
    ECH_TYPES,
    EXTENSIONS,
    HEARTBEAT_MODES,
    HPKE_AEADS,
    HPKE_KDFS,
    MAX_FRAGMENT_LENGTHS,
    NAME_TYPES,
    POINT_FORMATS,
    PSK_MODES,
    SRTP_PROFILES,
)
from tlscomm.failures import printable

__all__ = ["readCertificateStatus", "readExtensions"]

#: Reads the content of an extension; `message` is the name of the message that it is in.
_Read = Callable[[FieldReader, str], None]

#: Messages in which a side offers. In the others one of what was offered is chosen.
_OFFERS = frozenset({"ClientHello", "CertificateRequest"})


def readExtensions(reader: FieldReader, message: str) -> None:
    """Read the extensions of a message, as one field.

    Args:
        reader: where they begin.
        message: the name of the message, on which the form of an extension depends.
    """
    reader.entries("extensions", 2, lambda inside: _extension(inside, message), isNamed=True)


def _extension(reader: FieldReader, message: str) -> None:
    kind = int.from_bytes(reader.peek(2), "big")
    name = EXTENSIONS.get(kind) or (f"extension_{kind}" if (text := numberText(kind, {}, 2))[0] == "0" else text)
    read = _CONTENTS.get(kind)
    # An extension without content is an offer, or accepts one.
    isEmpty = reader.peek(4)[2:] == b"\0\0"
    if read is None or isEmpty:
        reader.vector(name, 2, _contentText, lead=2)
    else:
        reader.structure(name, 2, lambda inside: read(inside, message), lead=2)


def _contentText(value: bytes) -> str:
    return bytesText(value) if value else ""


def _protocolText(value: bytes) -> str:
    """Return the name of an application protocol (RFC 7301) for a person."""
    return printable(value.decode("utf-8", "backslashreplace"))


def _serverName(reader: FieldReader, _: str) -> None:
    def name(inside: FieldReader) -> None:
        inside.number("name_type", 1, NAME_TYPES)
        inside.string("host_name", 2)

    reader.entries("server_name_list", 2, lambda inside: inside.entry("ServerName", name))


def _maxFragmentLength(reader: FieldReader, _: str) -> None:
    reader.number("max_fragment_length", 1, MAX_FRAGMENT_LENGTHS)


def _statusRequest(reader: FieldReader, message: str) -> None:
    if message in _OFFERS:
        reader.number("status_type", 1, CERTIFICATE_STATUS_TYPES)
        _ocspRequest(reader)
    else:
        readCertificateStatus(reader)


def readCertificateStatus(reader: FieldReader) -> None:
    """Read a CertificateStatus (RFC 6066, section 8), a message and the content of an extension."""
    reader.number("status_type", 1, CERTIFICATE_STATUS_TYPES)
    reader.vector("response", 3)


def _ocspRequest(reader: FieldReader) -> None:
    reader.entries("responder_id_list", 2, lambda inside: inside.vector("ResponderID", 2))
    reader.vector("request_extensions", 2, _contentText)


def _statusRequest2(reader: FieldReader, _: str) -> None:
    def item(inside: FieldReader) -> None:
        inside.number("status_type", 1, CERTIFICATE_STATUS_TYPES)
        inside.structure("request", 2, _ocspRequest)

    reader.entries(
        "certificate_status_req_list", 2, lambda inside: inside.entry("CertificateStatusRequestItemV2", item)
    )


def _groups(reader: FieldReader, _: str) -> None:
    reader.numbers("named_group_list", 2, "NamedGroup", 2, GROUPS)


def _pointFormats(reader: FieldReader, _: str) -> None:
    reader.numbers("ec_point_format_list", 1, "ECPointFormat", 1, POINT_FORMATS)


def _signatures(reader: FieldReader, _: str) -> None:
    reader.numbers("supported_signature_algorithms", 2, "SignatureScheme", 2, SIGNATURE_ALGORITHMS)


def _srtp(reader: FieldReader, _: str) -> None:
    reader.numbers("SRTPProtectionProfiles", 2, "SRTPProtectionProfile", 2, SRTP_PROFILES)
    reader.vector("srtp_mki", 1, _contentText)


def _heartbeat(reader: FieldReader, _: str) -> None:
    reader.number("mode", 1, HEARTBEAT_MODES)


def _protocols(reader: FieldReader, _: str) -> None:
    reader.entries("protocol_name_list", 2, lambda inside: inside.vector("ProtocolName", 1, _protocolText))


def _settings(reader: FieldReader, message: str) -> None:
    if message in _OFFERS:
        _protocols(reader, message)
    else:
        reader.rest("settings")


def _timestamps(reader: FieldReader, _: str) -> None:
    reader.entries("sct_list", 2, lambda inside: inside.vector("SerializedSCT", 2))


def _certificateTypes(reader: FieldReader, message: str) -> None:
    if message in _OFFERS:
        reader.numbers("certificate_types", 1, "CertificateType", 1, CERTIFICATE_TYPES)
    else:
        reader.number("certificate_type", 1, CERTIFICATE_TYPES)


def _padding(reader: FieldReader, _: str) -> None:
    reader.rest("zeros", lambda value: f"{len(value):,} bytes")


def _compression(reader: FieldReader, _: str) -> None:
    reader.numbers("algorithms", 1, "CertificateCompressionAlgorithm", 2, COMPRESSION_ALGORITHMS)


def _sizeLimit(reader: FieldReader, _: str) -> None:
    reader.number("record_size_limit", 2)


def _delegated(reader: FieldReader, message: str) -> None:
    if message in _OFFERS:
        _signatures(reader, message)
    else:
        reader.rest("DelegatedCredential")


def _ticket(reader: FieldReader, _: str) -> None:
    reader.rest("ticket")


def _preSharedKey(reader: FieldReader, message: str) -> None:
    if message != "ClientHello":
        reader.number("selected_identity", 2)
        return

    def identity(inside: FieldReader) -> None:
        inside.vector("identity", 2)
        inside.number("obfuscated_ticket_age", 4)

    reader.entries("identities", 2, lambda inside: inside.entry("PskIdentity", identity))
    reader.entries("binders", 2, lambda inside: inside.vector("PskBinderEntry", 1))


def _earlyData(reader: FieldReader, _: str) -> None:
    reader.number("max_early_data_size", 4)


def _versions(reader: FieldReader, message: str) -> None:
    if message == "ClientHello":
        reader.numbers("versions", 1, "ProtocolVersion", 2, VERSIONS)
    else:
        reader.number("selected_version", 2, VERSIONS)


def _cookie(reader: FieldReader, _: str) -> None:
    reader.vector("cookie", 2)


def _pskModes(reader: FieldReader, _: str) -> None:
    reader.numbers("ke_modes", 1, "PskKeyExchangeMode", 1, PSK_MODES)


def _authorities(reader: FieldReader, _: str) -> None:
    reader.entries("authorities", 2, lambda inside: inside.vector("DistinguishedName", 2))


def _oidFilters(reader: FieldReader, _: str) -> None:
    def oidFilter(inside: FieldReader) -> None:
        inside.vector("certificate_extension_oid", 1)
        inside.vector("certificate_extension_values", 2)

    reader.entries("filters", 2, lambda inside: inside.entry("OIDFilter", oidFilter))


def _keyShare(reader: FieldReader, message: str) -> None:
    if message == "HelloRetryRequest":
        reader.number("selected_group", 2, GROUPS)
    elif message == "ClientHello":
        reader.entries("client_shares", 2, lambda inside: inside.entry("KeyShareEntry", _keyShareEntry))
    else:
        reader.entry("server_share", _keyShareEntry)


def _keyShareEntry(reader: FieldReader) -> None:
    reader.number("group", 2, GROUPS)
    reader.vector("key_exchange", 2)


def _tickets(reader: FieldReader, message: str) -> None:
    reader.number("new_session_count" if message in _OFFERS else "expected_count", 1)
    if message in _OFFERS:
        reader.number("resumption_count", 1)


def _encryptedHello(reader: FieldReader, message: str) -> None:
    """RFC 9849, section 5."""
    if message == "ClientHello":
        if reader.number("type", 1, ECH_TYPES) == 0:
            reader.entry("cipher_suite", _hpkeSuite)
            reader.number("config_id", 1)
            reader.vector("enc", 2)
            reader.vector("payload", 2)
    elif message == "HelloRetryRequest":
        reader.rest("confirmation")
    else:
        reader.vector("retry_configs", 2)


def _hpkeSuite(reader: FieldReader) -> None:
    reader.number("kdf_id", 2, HPKE_KDFS)
    reader.number("aead_id", 2, HPKE_AEADS)


def _renegotiation(reader: FieldReader, _: str) -> None:
    reader.vector("renegotiated_connection", 1)


def _trustAnchors(reader: FieldReader, message: str) -> None:
    """TLS Trust Anchor Identifiers, a draft that browsers try."""
    if message in _OFFERS:
        reader.entries("TrustAnchorIdentifierList", 2, lambda inside: inside.vector("TrustAnchorIdentifier", 1))
    else:
        reader.rest("trust_anchors")


_CONTENTS: dict[int, _Read] = {
    0: _serverName,
    1: _maxFragmentLength,
    5: _statusRequest,
    10: _groups,
    11: _pointFormats,
    13: _signatures,
    14: _srtp,
    15: _heartbeat,
    16: _protocols,
    17: _statusRequest2,
    18: _timestamps,
    19: _certificateTypes,
    20: _certificateTypes,
    21: _padding,
    27: _compression,
    28: _sizeLimit,
    34: _delegated,
    35: _ticket,
    41: _preSharedKey,
    42: _earlyData,
    43: _versions,
    44: _cookie,
    45: _pskModes,
    47: _authorities,
    48: _oidFilters,
    50: _signatures,
    51: _keyShare,
    58: _tickets,
    17513: _settings,
    17613: _settings,
    51764: _trustAnchors,
    65037: _encryptedHello,
    65281: _renegotiation,
}
