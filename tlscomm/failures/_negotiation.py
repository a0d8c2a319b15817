"""Two sides that have nothing in common, or do not both speak TLS."""

from __future__ import annotations

from tlscomm.failures._failure import NegotiationFailure, printable

__all__ = [
    "BadProxyHeader",
    "NoCommonCipher",
    "NoCommonGroup",
    "NoCommonProtocol",
    "NoCommonVersion",
    "NotTLS",
    "PlaintextInjected",
    "ProtocolViolation",
    "UnknownServerName",
]


#: How much of what OpenSSL says stands in a sentence. All of it is in the evidence.
_MOST_WORDS, _LONGEST_WORD = 3, 80


class BadProxyHeader(NegotiationFailure):
    """What comes from a proxy's address does not begin with a header of the PROXY protocol that can be read."""

    code = "bad-proxy-header"
    summary = "the connection comes from the address of a proxy, and does not begin with a PROXY header as it should"
    ours = "Look at the proxy's configuration and version, and at what else connects from its address."
    theirs = ours
    reproduce = "Start a server with --proxy-from 127.0.0.1 and connect to it directly."
    usualStage = "connect"


class NoCommonCipher(NegotiationFailure):
    """There is no cipher suite, or no kind of signature, that both sides accept."""

    code = "no-common-cipher"
    summary = "there is no cipher suite or signature algorithm that both sides accept"
    ours = (
        "Allow a cipher suite and signature algorithm that the peer has; the defaults of current software always "
        "overlap."
    )
    theirs = ours
    reproduce = "Connect with openssl s_client -tls1_2 -cipher and a suite that the server's key cannot serve."


class NoCommonGroup(NegotiationFailure):
    """There is no key exchange group that both sides accept."""

    code = "no-common-group"
    summary = "there is no key exchange group that both sides accept"
    ours = "Allow one group on both sides (--groups): X25519MLKEM768 where both are new, else X25519 or P-256."
    theirs = ours
    reproduce = "Connect with openssl s_client -groups and a group that the server does not have."


class NoCommonProtocol(NegotiationFailure):
    """There is no application protocol (ALPN, RFC 7301) that both sides accept."""

    code = "no-common-protocol"
    summary = "there is no application protocol (ALPN) that both sides accept"
    ours = "Give both sides one application protocol in common."
    theirs = ours
    reproduce = "Offer an application protocol that the server does not have."


class NoCommonVersion(NegotiationFailure):
    """There is no version of TLS that both sides accept."""

    code = "no-common-version"
    summary = "there is no version of TLS that both sides accept"
    ours = "Check --minimum-tls and --maximum-tls on both sides. TLS 1.0 and 1.1 are never spoken."
    theirs = ours
    general = "Allow on both sides a version of TLS that the other one has too; current software has TLS 1.2 and 1.3."
    reproduce = "Connect with --maximum-tls 1.2 to a server that was started with --minimum-tls 1.3."


class NotTLS(NegotiationFailure):
    """The other side does not speak TLS on this port."""

    code = "not-tls"
    summary = "the peer does not speak TLS"
    ours = "Check host and port: something else listens there, or a client for something else has come."
    theirs = ours
    reproduce = "Connect to a web server's plain HTTP port, or send plain HTTP to a TLS port."


class PlaintextInjected(NegotiationFailure):
    """Bytes came in the clear behind the words that begin TLS (the class of CVE-2011-0411 and CVE-2021-23222)."""

    code = "plaintext-injected"
    summary = "bytes came in the clear after TLS was agreed on, which would have been taken for what TLS protects"
    ours = (
        "Suspect a machine between that puts in commands. A peer that does not wait for the answer before it goes on "
        "does the same by mistake: look at its version."
    )
    theirs = ours
    reproduce = "Send STARTTLS and another command in one packet."


class ProtocolViolation(NegotiationFailure):
    """What arrived is against the rules of TLS."""

    code = "protocol-violation"
    summary = "the rules of TLS were broken"
    ours = "Look at the evidence: a peer that is broken, a machine in the middle that changes bytes, or an attack."
    theirs = ours
    reproduce = "Change one byte of an encrypted record on its way."
    permanent = False

    @property
    def message(self) -> str:
        """What happened, as one sentence, with what shows it: OpenSSL's words and the alert, wherever it is told."""
        said = ", ".join(printable(each, _LONGEST_WORD) for each in self.evidence[:_MOST_WORDS])
        alert = "" if self.alert is None else f"alert {self.alert.name} ({self.alert.number}) {self.alert.direction}"
        shown = "; ".join(part for part in (said and f"OpenSSL says: {said}", alert) if part)
        return f"{super().message[:-1]} ({shown})." if shown else super().message


class UnknownServerName(NegotiationFailure):
    """The server has no certificate for the name that the client asked for (RFC 6066, section 3)."""

    code = "unknown-server-name"
    summary = "the server does not serve the name that was asked for"
    ours = "Ask for a name that the server has (--server-name), or give the server a credential for this one."
    theirs = ours
    reproduce = "Connect with a --server-name that the server does not know to a server that insists on known names."
