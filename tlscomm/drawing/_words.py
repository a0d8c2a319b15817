"""What each step of a handshake is for, in plain English, and the one line of a verdict.

A person who has never seen a handshake reads these words beside the names that the standards have. The diagram for the
terminal and the page both take them from here. None of them comes from a peer.
"""

from __future__ import annotations

from tlscomm._wire.events import Event, Kind
from tlscomm.failures import printable
from tlscomm.tracing._trace import Choice, Verdict

__all__ = [
    "LEGENDS",
    "NOT_IN_COMMON",
    "PHASES",
    "SUBJECTS",
    "alertWords",
    "choiceSubject",
    "eventName",
    "eventWords",
    "hereText",
    "lockOf",
    "offerLead",
    "offerText",
    "turnText",
    "verdictLine",
]

#: The handshake messages (RFC 8446, section 4, RFC 5246, section 7.4, and IANA's TLS HandshakeType).
_MESSAGES = {
    "HelloRequest": "the server asks to negotiate anew",
    "ClientHello": "what the client can do",
    "ServerHello": "what the server has chosen",
    "HelloVerifyRequest": "the server asks the client to say hello again",
    "HelloRetryRequest": "say it again, with another key",
    "NewSessionTicket": "a ticket, to come back faster",
    "EndOfEarlyData": "the early data ends here",
    "EncryptedExtensions": "the rest of what it has chosen",
    "ServerKeyExchange": "the server's half of a shared key",
    "CertificateRequest": "asks who the client is",
    "ServerHelloDone": "the server waits for the client",
    "ClientKeyExchange": "the client's half of a shared key",
    "Finished": "all messages arrived as they were sent",
    "CertificateURL": "where the client's certificate is",
    "CertificateStatus": "a signed note: is it revoked?",
    "SupplementalData": "more about the user",
    "KeyUpdate": "new keys from here on",
    "CompressedCertificate": "who it is, compressed",
}

#: The same where it depends on the side: of the client, of the server.
_OF_SIDES = {
    "Certificate": ("who the client is", "who the server is"),
    "CertificateVerify": ("proof: the client has the key", "proof: the server has the key"),
}

#: The alerts (RFC 8446, section 6, and RFC 5246, section 7.2), as their sender would say it.
_ALERTS = {
    "close_notify": "I have nothing more to send",
    "unexpected_message": "this message does not belong here",
    "bad_record_mac": "a record arrived damaged",
    "decryption_failed": "a record could not be decrypted",
    "record_overflow": "a record is too long",
    "decompression_failure": "a record could not be unpacked",
    "handshake_failure": "we cannot agree",
    "no_certificate": "I have no certificate",
    "bad_certificate": "I do not accept your certificate",
    "unsupported_certificate": "your certificate is not for this use",
    "certificate_revoked": "your certificate is revoked",
    "certificate_expired": "your certificate has expired",
    "certificate_unknown": "I do not accept your certificate",
    "illegal_parameter": "a value in a message is not allowed",
    "unknown_ca": "I do not trust your issuer",
    "access_denied": "I know who you are and let you not in",
    "decode_error": "a message cannot be read",
    "decrypt_error": "a signature or a check is wrong",
    "export_restriction": "this key is not allowed",
    "protocol_version": "I speak none of your versions",
    "insufficient_security": "what you offer is too weak for me",
    "internal_error": "something went wrong on my side",
    "inappropriate_fallback": "you can do better than that",
    "user_canceled": "I do not want to go on",
    "no_renegotiation": "I do not negotiate anew",
    "missing_extension": "something is missing in a message",
    "unsupported_extension": "I did not ask for this extension",
    "certificate_unobtainable": "I cannot fetch your certificate",
    "unrecognized_name": "I do not serve this name",
    "bad_certificate_status_response": "your note about revocation is not good",
    "bad_certificate_hash_value": "the certificate is not the one meant",
    "unknown_psk_identity": "I do not know this shared key",
    "certificate_required": "show me a certificate",
    "no_application_protocol": "I speak none of your protocols",
    "ech_required": "say hello with an encrypted name",
}

_TCP = {
    "SYN": ("opens a TCP connection", "agrees to it"),
    "FIN": ("closes its direction of TCP", "closes its direction of TCP"),
    "RST": ("breaks off the TCP connection", "breaks off the TCP connection"),
}

_KINDS = {
    Kind.APPLICATION_DATA: "what the programs say",
    Kind.SEALED: "cannot be read without secrets",
    Kind.PREFACE: "said before TLS begins",
    Kind.OMITTED: "left out, because there are so many",
    Kind.GAP: "bytes that were not seen, or not kept",
    Kind.DAMAGED: "this is no TLS, or breaks its rules",
}

#: What the signs beside a message mean.
LEGENDS = {
    "sealed": "encrypted; it cannot be read without secrets",
    "opened": "encrypted, and opened with a secret",
    "here": "where it ended",
}

#: What happens in each phase of `Trace.spans`.
PHASES = {
    "TCP": "reaching each other",
    "preface": "said before TLS begins",
    "key exchange": "agreeing on keys",
    "authentication": "showing who each is",
    "acceptance": "hearing whether one is accepted",
    "data": "what the programs say",
    "close": "saying goodbye",
}

#: What each thing of `Trace.choices` is about.
SUBJECTS = {
    "version": "which TLS",
    "cipher suite": "how it is encrypted",
    "group": "how the keys are agreed on",
    "signature algorithm": "how identity is proved",
    "application protocol": "what is spoken inside",
    "server name": "whom the client wants",
    "fingerprint (JA4)": "which program the client is",
    "certificate authorities": "issuers that the server names",
}

#: The failure that says that two sides have nothing in common in a thing.
NOT_IN_COMMON = {
    "application protocol": "no-common-protocol",
    "cipher suite": "no-common-cipher",
    "group": "no-common-group",
    "server name": "unknown-server-name",
    "version": "no-common-version",
}

#: So many sizes of records are named: a verdict can rest on them.
_MOST_SIZES = 8

_OUTCOMES = {
    "accepted": "accepted",
    "refused": "refused",
    "failed": "failed",
    "unfinished": "not finished",
}


def alertWords(name: str) -> str:
    """Return what an alert says, as its sender would, or nothing for a name that is not known.

    Args:
        name: as the standard names it; older names may end with ``_RESERVED``.
    """
    return _ALERTS.get(name.removesuffix("_RESERVED"), "")


def choiceSubject(choice: Choice) -> str:
    """Return what a choice is about, so that two of one subject differ: each side offers what the other signs with."""
    if choice.subject == "signature algorithm":
        return "server's signature" if choice.offeredBy == "client" else "client's signature"
    return choice.subject


def eventName(event: Event) -> str:
    """Return what an event is called in a drawing: printable, and bounded."""
    name = printable(event.name or event.kind.value, 40)
    things = "messages" if event.kind is Kind.OMITTED else "records"
    return f"{name}, {event.count:,} {things}" if event.count > 1 else name


def eventWords(event: Event) -> str:
    """Return what an event is for, in a few words of plain English, or nothing where its name is not known."""
    if event.kind is Kind.HANDSHAKE:
        return _messageWords(event)
    if event.kind is Kind.ALERT:
        return f'"{words}"' if (words := alertWords(event.name)) else ""
    if event.kind is Kind.CHANGE_CIPHER_SPEC:
        # Before the version is known, it may mean either.
        meaning = "kept for old devices; no meaning" if _isVersion13(event) else "encrypted from here on"
        return meaning if event.version else ""
    if event.kind is Kind.TCP:
        return _ofSide(_TCP.get(event.name, ("", "")), event)
    if event.kind is Kind.SEALED and event.records:
        # What a sealed record of TLS 1.2 is can be known, the content of its message not.
        return _messageWords(event) or _sizes(event)
    return _KINDS.get(event.kind, "")


def hereText(verdict: Verdict) -> str:
    """Return what to say beside the step on which a verdict fell, or nothing where none did."""
    if verdict.outcome == "accepted":
        return "from here on, each has accepted the other"
    if verdict.outcome == "unfinished":
        return ""
    does = "refuses" if verdict.outcome == "refused" else "breaks off"
    text = f"here the {verdict.by} {does}" if verdict.by else "here it ends"
    return text if verdict.code in (None, verdict.outcome) else f"{text}: {verdict.code}"


def lockOf(event: Event) -> str:
    """Return ``sealed`` or ``opened``, as `LEGENDS` has them, or nothing for what was not encrypted."""
    if not event.isSealed:
        return ""
    return "opened" if any(record.isOpened for record in event.records) else "sealed"


def offerText(choice: Choice) -> str:
    """Return what a side has offered in a phrase, in the order that it has it in."""
    return f"{offerLead(choice)} {', '.join(choice.offered)}"


def offerLead(choice: Choice) -> str:
    """Return what stands before the things that a side has offered."""
    does = {"server name": "asks for", "certificate authorities": "names"}.get(choice.subject, "offers")
    return f"the {choice.offeredBy} {does}"


def turnText(verdict: Verdict) -> str:
    """Return whose turn it is in a few words, or nothing where it is no side's."""
    return f"the {verdict.turn}'s turn" if verdict.turn else ""


def verdictLine(verdict: Verdict) -> str:
    """Return the verdict in one line: a code or accepted, how certain, and whose turn it is."""
    outcome = _OUTCOMES[verdict.outcome]
    if verdict.by and verdict.outcome != "accepted":
        outcome = f"{outcome} by the {verdict.by}"
    if verdict.code not in (None, verdict.outcome):
        outcome = f"{verdict.code}, {outcome}"
    return ", ".join(part for part in (outcome, verdict.certainty, turnText(verdict)) if part)


def _messageWords(event: Event) -> str:
    if event.name == "Certificate" and event.content and _isEmpty(event):
        return _ofSide(("the client shows no certificate", "the server shows no certificate"), event)
    return _ofSide(_OF_SIDES[event.name], event) if event.name in _OF_SIDES else _MESSAGES.get(event.name, "")


def _sizes(event: Event) -> str:
    """Return the sizes of records without their headers, as the evidence of verdicts has them."""
    sizes = [f"{record.length:,}" for record in event.records[:_MOST_SIZES]]
    more = event.count - len(sizes)
    return (
        f"{' + '.join(sizes)} bytes sealed"
        if more <= 0
        else f"{' + '.join(sizes)} bytes sealed, and {more:,} records more"
    )


def _isEmpty(event: Event) -> bool:
    """Return whether a Certificate message has none in it: its list takes no byte (RFC 8446, 4.4.2; RFC 5246, 7.4.2).

    Under TLS 1.3 a context stands before it, which is empty in a handshake.
    """
    begin = 4
    if _isVersion13(event):
        begin += 1 + int.from_bytes(event.content[4:5], "big")
    return event.content[begin : begin + 3] == bytes(3)


def _isVersion13(event: Event) -> bool:
    return event.version == 0x0304


def _ofSide(words: tuple[str, str], event: Event) -> str:
    return words[0] if event.isFromClient else words[1]
