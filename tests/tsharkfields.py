"""What tshark says of the messages in a capture, and what we say of them in its words."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from tlscomm._wire.decoding import decode
from tlscomm._wire.events import Event, Field
from tlscomm._wire.secrets import Secrets
from tlscomm.tracing._captures import readCaptures

__all__ = ["CAPTURES", "FIELDS", "merged", "ours", "tsharks"]

CAPTURES = Path(__file__).parent / "captures"

#: Values: tshark's name, and the names of our fields that it stands for, with the message where that matters.
_VALUES = {
    "tls.handshake.type": ("msg_type",),
    "tls.handshake.length": ("length",),
    "tls.handshake.version": ("legacy_version", "server_version"),
    "tls.handshake.random": ("random",),
    "tls.handshake.session_id": ("legacy_session_id", "legacy_session_id_echo", "session_id"),
    "tls.handshake.ciphersuite": ("CipherSuite", "cipher_suite"),
    "tls.handshake.comp_method": ("CompressionMethod", "legacy_compression_method", "compression_method"),
    "tls.handshake.extensions_server_name_type": ("name_type",),
    "tls.handshake.extensions_server_name": ("host_name",),
    "tls.handshake.extensions_alpn_str": ("ProtocolName",),
    "tls.handshake.extensions_supported_group": ("NamedGroup",),
    "tls.handshake.extensions_ec_point_format": ("ECPointFormat",),
    "tls.handshake.sig_hash_alg": ("SignatureScheme", "SignatureAndHashAlgorithm", "algorithm"),
    "tls.handshake.extensions.supported_version": ("ProtocolVersion", "selected_version"),
    "tls.handshake.extensions_key_share_group": ("group",),
    "tls.handshake.extensions_key_share_selected_group": ("selected_group",),
    "tls.handshake.extensions_key_share_key_exchange": ("key_exchange",),
    "tls.extension.psk_ke_mode": ("PskKeyExchangeMode",),
    "tls.handshake.extensions.psk.identity.identity": ("identity",),
    "tls.handshake.extensions.psk.identity.obfuscated_ticket_age": ("obfuscated_ticket_age",),
    "tls.handshake.extensions.psk.identity.selected": ("selected_identity",),
    "tls.handshake.extensions.cookie": ("cookie",),
    "tls.handshake.extensions_status_request_type": ("status_type",),
    "tls.handshake.session_ticket_lifetime_hint": ("ticket_lifetime_hint", "ticket_lifetime"),
    "tls.handshake.session_ticket_age_add": ("ticket_age_add",),
    "tls.handshake.session_ticket_nonce": ("ticket_nonce",),
    "tls.handshake.session_ticket": ("NewSessionTicket.ticket",),
    "tls.handshake.certificate": ("ASN.1Cert", "cert_data"),
    "tls.handshake.cert_type": ("ClientCertificateType",),
    "tls.handshake.sig": ("ServerKeyExchange.signature",),
    "tls.handshake.client_cert_vrfy.sig": ("CertificateVerify.signature",),
    "tls.handshake.server_curve_type": ("curve_type",),
    "tls.handshake.server_named_curve": ("namedcurve",),
    "tls.handshake.server_point": ("point",),
    "tls.handshake.client_point": ("ecdh_Yc",),
    "tls.handshake.certificate_request_context": ("certificate_request_context",),
    "tls.handshake.key_update.request_update": ("request_update",),
    "tls.early_data.max_early_data_size": ("max_early_data_size",),
    "tls.record_size_limit": ("record_size_limit",),
    "tls.handshake.epms": ("encrypted_pre_master_secret",),
    "tls.alert_message.level": ("level",),
    "tls.alert_message.desc": ("description",),
}

#: Lengths that precede a field, with the number of their bytes and of the bytes before them.
_LENGTHS = {
    "tls.handshake.session_id_length": (1, 0, ("legacy_session_id", "legacy_session_id_echo", "session_id")),
    "tls.handshake.cipher_suites_length": (2, 0, ("cipher_suites",)),
    "tls.handshake.comp_methods_length": (1, 0, ("legacy_compression_methods",)),
    "tls.handshake.extensions_length": (2, 0, ("extensions",)),
    "tls.handshake.extension.type": (2, 0, ("extensions.*",)),
    "tls.handshake.extension.len": (2, 2, ("extensions.*",)),
    "tls.handshake.certificates_length": (3, 0, ("certificate_list",)),
    "tls.handshake.certificate_length": (3, 0, ("ASN.1Cert", "cert_data")),
    "tls.handshake.cert_types_count": (1, 0, ("certificate_types",)),
    "tls.handshake.dnames_len": (2, 0, ("authorities", ".certificate_authorities")),
    "tls.handshake.dname_len": (2, 0, ("DistinguishedName",)),
    "tls.handshake.session_ticket_length": (2, 0, ("NewSessionTicket.ticket",)),
    "tls.handshake.client_cert_vrfy.sig_len": (2, 0, ("CertificateVerify.signature",)),
}

_RECORDS = ("tls.record.content_type", "tls.record.opaque_type", "tls.record.version", "tls.record.length")

#: The same, found by the names of our fields.
_VALUES_OF = {name: [tshark for tshark, names in _VALUES.items() if name in names] for name in chain(*_VALUES.values())}
_LENGTHS_OF = {
    name: [(tshark, size, lead) for tshark, (size, lead, names) in _LENGTHS.items() if name in names]
    for name in chain(*(names for _, _, names in _LENGTHS.values()))
}

FIELDS = (*_VALUES, *_LENGTHS, *_RECORDS)

#: Of a frame and a field of tshark, the values: numbers and bytes in their order, as text.
Seen = dict[tuple[int, str], list[str]]


def merged(names: Iterable[str], folder: Path) -> Path:
    """Put captures one behind the other into one file, and their key logs into one, which is named beside it."""
    sources = [CAPTURES / name for name in names]
    whole = folder / "whole.pcapng"
    subprocess.run(["mergecap", "-a", "-w", str(whole), *map(str, sources)], check=True, timeout=60)
    logs = [source.with_suffix(".keys") for source in sources]
    whole.with_suffix(".keys").write_bytes(b"".join(log.read_bytes() for log in logs if log.exists()))
    return whole


def tsharks(capture: Path) -> Seen:
    """Return what tshark says of a capture that has its key log beside it."""
    arguments = ["tshark", "-n", "-r", str(capture), "-Y", "tls", "-T", "fields", "-E", "aggregator=;"]
    arguments += ["-o", "tcp.try_heuristic_first:TRUE", "-o", f"tls.keylog_file:{capture.with_suffix('.keys')}"]
    for field in ("frame.number", *FIELDS):
        arguments += ["-e", field]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True, timeout=120)
    seen: Seen = {}
    for line in done.stdout.splitlines():
        frame, *columns = line.split("\t")
        for field, column in zip(FIELDS, columns, strict=True):
            if column:
                seen[int(frame), field] = [_plain(each) for each in column.split(";")]
    return seen


def ours(capture: Path) -> Seen:
    """Return what we say of the same, in tshark's words."""
    secrets = Secrets()
    secrets.add(capture.with_suffix(".keys").read_bytes())
    seen: Seen = {}
    for trace in readCaptures([str(capture)], secrets):
        found = (each for event in trace.events for each in _inEvent(event))
        for packet, field, value in (*found, *_records(trace.events)):
            seen.setdefault((packet, field), []).append(value)
    return seen


def _plain(text: str) -> str:
    """Return a value in one form: a number in decimal, everything else as it is."""
    return str(int(text, 16)) if text.startswith("0x") else text.replace(":", "")


def _inEvent(event: Event) -> Iterator[tuple[int, str, str]]:
    assert event.packet is not None
    for field, names in _named(event):
        for name in names:
            if field.value not in (None, b"", ""):
                yield from ((event.packet, tshark, _shown(field)) for tshark in _VALUES_OF.get(name, ()))
            for tshark, size, lead in _LENGTHS_OF.get(name, ()) if field.offset is not None else ():
                at = field.offset + lead
                yield event.packet, tshark, str(int.from_bytes(event.content[at : at + size], "big"))


def _named(event: Event) -> Iterator[tuple[Field, set[str]]]:
    """Give each field, with what it may be called here."""

    def walk(field: Field, parent: str) -> Iterator[tuple[Field, set[str]]]:
        yield field, {field.name, f"{event.name}.{field.name}", f"{parent}.{field.name}", f"{parent}.*"}
        for child in field.children:
            yield from walk(child, field.name)

    for field in decode(event):
        yield from walk(field, "")


def _shown(field: Field) -> str:
    # The names of protocols are text to tshark, all other bytes hexadecimal.
    if isinstance(field.value, bytes):
        return field.text if field.name == "ProtocolName" else field.value.hex()
    return str(field.value)


def _records(events: tuple[Event, ...]) -> Iterator[tuple[int, str, str]]:
    """Give what the records say, each once: several messages may be in one."""
    found = {(event.isFromClient, record.number): (event, record) for event in events for record in event.records}
    for event, record in found.values():
        assert record.packet is not None
        isSealed13 = event.version == 0x0304 and record.type == 23
        if isSealed13:
            yield record.packet, _RECORDS[1], str(record.type)
        if not isSealed13 or record.innerType is not None:
            yield record.packet, _RECORDS[0], str(record.innerType or record.type)
        yield record.packet, _RECORDS[2], str(record.version)
        yield record.packet, _RECORDS[3], str(record.length)
