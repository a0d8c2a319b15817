"""What an authority demands of the policies of the certificates below it (RFC 5280, section 6.1; RFC 9618).

Any policy will do for us, so all that can go wrong is that an authority demands some policy (requireExplicitPolicy) and
none is left of those that hold all the way down. For that no tree is needed: the policies that are expected on the next
level are enough, and they are never more than the certificates name.

OpenSSL has its own processing and no way to be told from here that any policy will do; without being told it refuses
every chain of an authority that demands one. So it is not asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import field

from cryptography import x509
from cryptography.x509.oid import ExtensionOID

from tlscomm._dataclasses import dataclass
from tlscomm.x509 import _der
from tlscomm.x509._certificate import ParsedCertificate

__all__ = ["policyViolation"]

_ANY = "2.5.29.32.0"

#: The extensions without which no policy is demanded, named or mapped. With inhibitAnyPolicy alone nothing is lacking.
_DEMANDING = (
    ExtensionOID.CERTIFICATE_POLICIES,
    ExtensionOID.POLICY_CONSTRAINTS,
    ExtensionOID.POLICY_MAPPINGS,
)

#: What each policy that is valid on a level has to be called on the next one.
_Level = dict[str, set[str]]


def policyViolation(anchor: ParsedCertificate, below: Sequence[ParsedCertificate]) -> str:
    """Return what the policies of a path lack, as a phrase, or nothing.

    Args:
        anchor: the authority that is trusted. What it demands holds as if it stood in the path (RFC 5937, section 3.2),
            and which policies it names itself does not matter.
        below: the certificates below it, the end entity's first.
    """
    if not any(each.extension(oid) for each in (anchor, *below) for oid in _DEMANDING):
        return ""
    try:
        return _violation(anchor, below)
    except (_der.Malformed, IndexError) as unreadable:
        return f"its policy mappings cannot be read: {unreadable}"


def _violation(anchor: ParsedCertificate, below: Sequence[ParsedCertificate]) -> str:
    state = _State(explicit=len(below) + 1, mapping=len(below) + 1, anyPolicy=len(below) + 1)
    if below:
        state.constrain(anchor, isLast=False)
    for depth, certificate in reversed(tuple(enumerate(below))):
        if violation := state.take(certificate, isLast=depth == 0):
            return violation
    return ""


@dataclass
class _State:
    """The state variables of RFC 5280, section 6.1.2.

    Attributes:
        explicit: how many more certificates there may be before a policy is demanded.
        mapping: how many more before policies may not be mapped any more.
        anyPolicy: how many more before anyPolicy means nothing any more.
        expected: the policies that the next certificate may name; nothing where no policy is valid any more.
    """

    explicit: int
    mapping: int
    anyPolicy: int
    expected: set[str] = field(default_factory=lambda: {_ANY})

    def take(self, certificate: ParsedCertificate, *, isLast: bool) -> str:
        mappings = _mappings(certificate)
        if any(_ANY in (issuers, subjects) for issuers, subjects in mappings):
            return "a policy mapping names anyPolicy"
        named = [policy.policy_identifier.dotted_string for policy in certificate.value(x509.CertificatePolicies) or ()]
        if len(set(named)) != len(named):
            return "it names a policy twice"
        level = self._level(named, certificate.isSelfIssued and not isLast)
        if self.explicit == 0 and not level:
            return "an authority demands a policy, and none is valid"
        if not isLast:
            self._map(level, mappings)
        self.expected = {policy for policies in level.values() for policy in policies}
        self._count(certificate, isLast)
        return "an authority demands a policy, and none is valid" if isLast and not (self.explicit or level) else ""

    def _level(self, named: Sequence[str], isExempt: bool) -> _Level:
        """RFC 5280, section 6.1.3 (d)."""
        level: _Level = {
            policy: {policy}
            for policy in named
            if policy != _ANY and (policy in self.expected or _ANY in self.expected)
        }
        if _ANY in named and (self.anyPolicy > 0 or isExempt):
            for policy in self.expected:
                level.setdefault(policy, {policy})
        return level

    def _map(self, level: _Level, mappings: Sequence[tuple[str, str]]) -> None:
        """RFC 5280, section 6.1.4 (b)."""
        mapped: _Level = {}
        for issuers, subjects in mappings:
            mapped.setdefault(issuers, set()).add(subjects)
        for issuers, policies in mapped.items():
            if self.mapping == 0:
                level.pop(issuers, None)
            elif issuers in level or _ANY in level:
                level[issuers] = policies

    def _count(self, certificate: ParsedCertificate, isLast: bool) -> None:
        """RFC 5280, sections 6.1.4 (h) to (j) and 6.1.5 (a) and (b)."""
        if isLast or not certificate.isSelfIssued:
            self.explicit, self.mapping, self.anyPolicy = (
                max(count - 1, 0) for count in (self.explicit, self.mapping, self.anyPolicy)
            )
        self.constrain(certificate, isLast)

    def constrain(self, certificate: ParsedCertificate, isLast: bool) -> None:
        """Take on what a certificate demands of those below it."""
        constraints = certificate.value(x509.PolicyConstraints)
        if constraints is not None and (skip := constraints.require_explicit_policy) is not None:
            self.explicit = min(self.explicit, skip) if not isLast or skip == 0 else self.explicit
        if constraints is not None and (skip := constraints.inhibit_policy_mapping) is not None:
            self.mapping = min(self.mapping, skip)
        inhibited = certificate.value(x509.InhibitAnyPolicy)
        if inhibited is not None:
            self.anyPolicy = min(self.anyPolicy, inhibited.skip_certs)


def _mappings(certificate: ParsedCertificate) -> tuple[tuple[str, str], ...]:
    """Return the pairs of policies of an issuer and of its subject (RFC 5280, section 4.2.1.5)."""
    extension = certificate.extension(ExtensionOID.POLICY_MAPPINGS)
    return () if extension is None else tuple(_pairs(extension.value.public_bytes()))


def _pairs(content: bytes) -> Iterator[tuple[str, str]]:
    for pair in _der.first(content).parts():
        issuers, subjects = pair.parts(_der.OBJECT_IDENTIFIER, _der.OBJECT_IDENTIFIER)
        yield issuers.identifier(), subjects.identifier()
