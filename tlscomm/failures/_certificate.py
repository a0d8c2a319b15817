"""Failures that a certificate causes, the peer's or ours, and refusals of its holder."""

from __future__ import annotations

from tlscomm.failures._failure import CertificateFailure

__all__ = [
    "BadSignature",
    "ChainTooLong",
    "Expired",
    "HookFailed",
    "HookTimeout",
    "IncompleteChain",
    "InvalidCertificate",
    "KeyTooWeak",
    "NameMismatch",
    "NoCertificate",
    "NotAllowed",
    "NotPermitted",
    "NotYetValid",
    "Refused",
    "RefusedByHook",
    "RevocationUnknown",
    "Revoked",
    "SelfSigned",
    "UnknownIssuer",
    "WrongPurpose",
]


class BadSignature(CertificateFailure):
    """A signature in the chain is not its issuer's."""

    code = "bad-signature"
    summary = "the signature on {whose} is not its issuer's"
    ours = (
        "The certificate was changed, or its issuer has a namesake with another key. Have it issued again by the "
        "authority that the peer trusts."
    )
    theirs = (
        "The peer's certificate was changed or forged, or the trusted authority has a namesake with another key. "
        "Compare the authority's fingerprint on both sides."
    )
    reproduce = "tlscomm pki gallery FOLDER writes one."


class ChainTooLong(CertificateFailure):
    """The chain has more authorities than are allowed."""

    code = "chain-too-long"
    summary = "the chain of {whose} has more authorities than allowed"
    ours = "Have the certificate issued by an authority whose path length constraint allows it."
    theirs = (
        "The peer needs a certificate with fewer intermediate authorities, or an authority with a larger path length"
        " constraint."
    )
    reproduce = (
        "Issue a certificate by an authority below one whose pathLenConstraint is 0; tlscomm pki gallery FOLDER "
        "writes one."
    )


class Expired(CertificateFailure):
    """The time of a certificate is over (RFC 5280, section 4.1.2.5)."""

    code = "expired"
    summary = "{whose} has expired"
    ours = "Renew the certificate and load it again; tlscomm inspect FILE shows its dates."
    theirs = "The peer must renew its certificate. If its dates look right, check this machine's clock."
    reproduce = "tlscomm pki gallery FOLDER writes one."


class HookFailed(CertificateFailure):
    """The verification hook of the application raised an exception, which refuses."""

    usualStage = "authorization"
    code = "hook-failed"
    summary = "the verification hook failed"
    ours = "Ask who runs the peer: its own check broke, its log says how."
    theirs = "Mend the hook: the evidence and the log hold the exception that it raised."
    reproduce = "Install a verification hook that raises."
    permanent = False


class HookTimeout(CertificateFailure):
    """The verification hook of the application did not answer in time, which refuses."""

    usualStage = "authorization"
    code = "hook-timeout"
    summary = "the verification hook did not answer in time"
    ours = "Ask who runs the peer: its own check is too slow."
    theirs = "Make the hook answer sooner, or give it a longer deadline."
    reproduce = "Install a verification hook that returns a Deferred that never fires."
    permanent = False


class IncompleteChain(CertificateFailure):
    """A link between the certificate and a trusted authority is missing."""

    code = "incomplete-chain"
    summary = "the issuer of {whose} was neither sent nor is it trusted"
    ours = (
        "Send the intermediate certificates too: append them to the certificate's PEM file, or export the PFX with "
        "its chain."
    )
    theirs = (
        "The peer must send the intermediate certificates with its own, or the issuer must be trusted here "
        "(--client-roots on the server, --roots on the client)."
    )
    reproduce = (
        "Use a certificate of an intermediate authority without sending the intermediate; tlscomm pki gallery FOLDER"
        " writes one."
    )


class InvalidCertificate(CertificateFailure):
    """A certificate breaks the rules for certificates."""

    code = "invalid-certificate"
    summary = "{whose} breaks the rules for certificates"
    ours = "Have the certificate issued again; tlscomm inspect FILE says what is wrong with it."
    theirs = "The peer's certificate must be issued again by an authority that follows RFC 5280."
    reproduce = "tlscomm pki gallery FOLDER writes one with a malformed subject alternative name."


class KeyTooWeak(CertificateFailure):
    """A key or a signature algorithm in the chain is too weak to be trusted."""

    code = "key-too-weak"
    summary = "the key or the signature of {whose} is too weak"
    ours = "Use an ECDSA P-256 or an RSA key of 2048 bits or more, and a SHA-256 signature or better."
    theirs = "The peer needs a new key: ECDSA P-256, or RSA of 2048 bits or more, signed with SHA-256 or better."
    reproduce = "tlscomm pki gallery FOLDER writes one with an RSA key of 1024 bits."


class NameMismatch(CertificateFailure):
    """The server's certificate is for other names than the one that was asked for."""

    code = "name-mismatch"
    summary = "{whose} is for another name"
    ours = (
        "Have the certificate issued with the name that clients use as a subject alternative name. A common name "
        "does not count."
    )
    theirs = (
        "Connect by a name in the certificate (--server-name), or have the server's certificate issued with this "
        "name as a subject alternative name. A common name does not count."
    )
    reproduce = "Connect to 127.0.0.1 with --server-name wrong.example."


class NoCertificate(CertificateFailure):
    """A certificate is needed and there is none."""

    code = "no-certificate"
    summary = "a certificate is needed and there is none"
    ours = (
        "Give a certificate and its private key (--identity). If one is configured, its issuer may not be on the "
        "server's list of acceptable authorities."
    )
    theirs = (
        "The client must present a certificate. If it has one, its issuer may not be on the list that this server "
        "sends."
    )
    reproduce = "Connect without --identity to a server that requires client certificates."


class NotAllowed(CertificateFailure):
    """The certificate is valid, and the access rules, or the pins, do not let its holder in."""

    usualStage = "authorization"
    code = "not-allowed"
    summary = "{whose} is valid, but its holder is not let in"
    ours = (
        "Ask who runs the peer for a rule that fits this certificate (--allow), or to lift one that denies it "
        "(--deny). GnuTLS denies access with a revoked certificate too."
    )
    theirs = "If the holder should be let in, add a rule that fits (--allow), or lift the one that denies it (--deny)."
    reproduce = "Start a server with --allow cn=another."

    def _summary(self) -> str:
        # What a peer holds against us, it knows: of our certificate it has said no good.
        return self.summary if self.side == "local" else "it does not let the holder of {whose} in"


class NotPermitted(CertificateFailure):
    """A rule of an authority in the chain forbids this certificate (RFC 5280, section 4.2.1.10 and others)."""

    code = "not-permitted"
    summary = "an authority of the chain does not permit {whose}"
    ours = (
        "Have the certificate issued so that it keeps the rules of its authorities: name constraints, the right to "
        "issue, and critical extensions; the detail says which rule it breaks."
    )
    theirs = (
        "The peer needs a certificate that keeps the rules of its authorities; the detail says which rule it breaks."
    )
    reproduce = "tlscomm pki gallery FOLDER writes one that violates name constraints."


class NotYetValid(CertificateFailure):
    """The time of a certificate has not begun (RFC 5280, section 4.1.2.5)."""

    code = "not-yet-valid"
    summary = "{whose} is not valid yet"
    ours = "Wait until its notBefore, or set this machine's clock right."
    theirs = (
        "Check the clocks of both machines. If they are right, the peer's certificate becomes valid at its notBefore."
    )
    reproduce = "tlscomm pki gallery FOLDER writes one."
    permanent = False


class Refused(CertificateFailure):
    """The peer refused, and neither its alert nor what else is known says why. Only ever remote."""

    code = "refused"
    summary = "it does not say why"
    ours = (
        "Look in the peer's log, which knows the reason. The likeliest: it does not trust our certificate's issuer, "
        "or needs a certificate and got none."
    )
    theirs = "Look in the peer's log, which knows the reason."
    reproduce = "Connect with an unwanted certificate to a server that closes the connection without an alert."
    permanent = False


class RefusedByHook(CertificateFailure):
    """The verification hook of the application refused."""

    usualStage = "authorization"
    code = "refused-by-hook"
    summary = "the verification hook refused {whose}"
    ours = "Ask who runs the peer: its own check refused this certificate."
    theirs = "The application's own hook decided so; the detail holds its reason."
    reproduce = "Install a verification hook that refuses."


class RevocationUnknown(CertificateFailure):
    """Whether a certificate was revoked cannot be found out, and must be."""

    code = "revocation-unknown"
    summary = "nothing valid tells that {whose} was not revoked"
    ours = (
        "Ask who runs the peer to renew its revocation lists. If the certificate has to come with an OCSP response, "
        "staple one (--staple)."
    )
    theirs = (
        "Provide a current revocation list (--crl) of each authority of the chain, or have the server staple an OCSP "
        "response."
    )
    reproduce = "Check revocation with a list that has expired."
    permanent = False


class Revoked(CertificateFailure):
    """The issuer has revoked the certificate (RFC 5280, section 5)."""

    code = "revoked"
    summary = "{whose} was revoked by its issuer"
    ours = "Get a new certificate. Ask the issuer why this one was revoked."
    theirs = "Do not trust the peer until it has a new certificate; its issuer withdrew this one."
    reproduce = "Put the certificate's serial number on its issuer's revocation list (--crl)."


class SelfSigned(CertificateFailure):
    """The certificate is its own issuer and is not trusted itself."""

    code = "self-signed"
    summary = "{whose} is self-signed and not trusted"
    ours = (
        "Use a certificate that an authority issued which the peer trusts, or have the peer trust this very "
        "certificate."
    )
    theirs = (
        "Trust this very certificate if it is the right one (add it to the roots), or have the peer use one from a "
        "trusted authority."
    )
    reproduce = "tlscomm pki gallery FOLDER writes one."


class UnknownIssuer(CertificateFailure):
    """The chain ends at an authority that is not trusted."""

    code = "unknown-issuer"
    summary = "{owner} certificate comes from an authority that is not trusted"
    ours = (
        "Use a certificate from an authority that the peer trusts, or have the peer trust ours (--client-roots on "
        "the server, --roots on the client). If the chain needs intermediates, send them too."
    )
    theirs = (
        "Add the authority to the trusted roots (--client-roots on the server, --roots on the client) if it should "
        "be trusted."
    )
    reproduce = "tlscomm pki gallery FOLDER writes one."


class WrongPurpose(CertificateFailure):
    """The certificate may not be used for this side of a connection (RFC 5280, section 4.2.1.12)."""

    code = "wrong-purpose"
    summary = "{whose} is not meant for this use"
    ours = (
        "Have the certificate issued with the extended key usage that this side needs: Server Authentication "
        "(1.3.6.1.5.5.7.3.1) or Client Authentication (1.3.6.1.5.5.7.3.2)."
    )
    theirs = (
        "The peer needs a certificate with the extended key usage of its side: Server Authentication "
        "(1.3.6.1.5.5.7.3.1) or Client Authentication (1.3.6.1.5.5.7.3.2)."
    )
    reproduce = "Use a server's certificate as a client's; tlscomm pki gallery FOLDER writes one."
