"""Which connections a server takes of whom, by plain logic with a time that is an argument."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address
from typing import Any, cast

from cryptography import x509
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.failures import TLSFailure
from tlscomm.issuing import Authority
from tlscomm.limits import Admission, Admitted, Limits, identityOf, prefixOf
from tlscomm.limits._admission import MOST_AWAITED
from tlscomm.limits._records import Record, Records

ADDRESS, OTHER = "192.0.2.1", "198.51.100.7"


class AdmissionCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.now = 1000.0

    def admission(self, **limits: Any) -> Admission:
        return Admission(Limits(**limits))

    def admitted(self, admission: Admission, host: str | None = ADDRESS) -> Admitted:
        found = admission.arrive(host, self.now)
        self.assertIsInstance(found, Admitted)
        return cast(Admitted, found)

    def assertLimited(self, found: object, code: str, limit: str) -> None:
        self.assertIsInstance(found, TLSFailure)
        failure = cast(Any, found)
        self.assertEqual((failure.code, failure.limit, failure.toJSON()["limit"]), (code, limit, limit))
        self.assertEqual((failure.side, failure.permanent), ("local", False))

    def refuse(self, admission: Admission, host: str = ADDRESS) -> None:
        admitted = self.admitted(admission, host)
        admission.refused(admitted, self.now)
        admission.gone(admitted)


class ConnectionTests(AdmissionCase):
    """How many connections there may be at a time."""

    def test_inAll(self) -> None:
        """Of all addresses together no more are let in than the maximum, and room is used again."""
        admission = self.admission(maximumConnections=2)
        first = self.admitted(admission)
        self.admitted(admission, OTHER)
        self.assertLimited(admission.arrive("2001:db8::1", self.now), "too-many-connections", "maximumConnections")
        admission.gone(first)
        admission.gone(first)
        self.admitted(admission, None)
        self.assertEqual((admission.connections, dict(admission.hits)), (2, {"maximumConnections": 1}))

    def test_ofAddress(self) -> None:
        """One address has no more than its number, others are let in, and so is what has no address."""
        admission = self.admission(connectionsPerAddress=1)
        first = self.admitted(admission)
        self.assertLimited(admission.arrive(ADDRESS, self.now), "too-many-connections", "connectionsPerAddress")
        for host in (OTHER, None, None, "/run/socket", "/run/socket"):
            self.admitted(admission, host)
        admission.gone(first)
        self.admitted(admission)

    def test_pending(self) -> None:
        """No more than a number may be on their way to be accepted; those that were accepted do not count."""
        admission = self.admission(maximumPending=1)
        first = self.admitted(admission)
        self.assertLimited(admission.arrive(OTHER, self.now), "too-many-handshakes", "maximumPending")
        admission.accepted(first)
        second = self.admitted(admission)
        admission.gone(second)
        self.assertEqual((admission.pending, admission.connections), (0, 1))

    def test_ofIdentity(self) -> None:
        """One identity has no more than its number of connections, from whatever addresses they are."""
        admission = self.admission(connectionsPerIdentity=1)
        first, second = self.admitted(admission), self.admitted(admission, OTHER)
        self.assertIsNone(admission.identify(first, b"anna"))
        refused = admission.identify(second, b"anna")
        self.assertLimited(refused, "too-many-connections", "connectionsPerIdentity")
        self.assertEqual(cast(TLSFailure, refused).stage, "authorization")
        admission.gone(first)
        self.assertIsNone(admission.identify(second, b"anna"))

    def test_changedLimits(self) -> None:
        """Other limits hold for connections from then on, and what is open counts."""
        admission = self.admission()
        first = self.admitted(admission)
        admission.limits = Limits(connectionsPerAddress=1, maximumConnections=5)
        self.assertLimited(admission.arrive(ADDRESS, self.now), "too-many-connections", "connectionsPerAddress")
        admission.limits = Limits(addressPrefix=(8, 8))
        admission.gone(first)
        admission.limits = Limits(connectionsPerAddress=1)
        self.admitted(admission)


class BehindProxyTests(AdmissionCase):
    """What a proxy passes on, which says from where it is a little later."""

    def awaited(self, admission: Admission) -> Admitted:
        found = admission.arriveByProxy()
        self.assertIsInstance(found, Admitted)
        return cast(Admitted, found)

    def located(self, admission: Admission, host: str | None) -> TLSFailure | None:
        """Return what becomes of a connection whose header says where it is from."""
        admitted = self.awaited(admission)
        refusal = admission.locate(admitted, host, self.now)
        if refusal is not None:
            admission.gone(admitted)
        return refusal

    def test_counted(self) -> None:
        """A connection counts for the address that the proxy tells, from when it has told it until it is gone."""
        admission = self.admission(connectionsPerAddress=1)
        first = self.awaited(admission)
        self.assertIsNone(admission.locate(first, ADDRESS, self.now))
        self.assertLimited(self.located(admission, ADDRESS), "too-many-connections", "connectionsPerAddress")
        self.assertLimited(admission.arrive(ADDRESS, self.now), "too-many-connections", "connectionsPerAddress")
        admission.gone(first)
        self.admitted(admission)
        self.assertEqual((admission.connections, admission.pending, admission.awaited), (1, 1, 0))

    def test_strangerTakesNothing(self) -> None:
        """One stranger who comes too often by the proxy takes no more from others than one who comes directly."""
        for limit in ({"handshakeRate": 5.0}, {"maximumPending": 5}, {"maximumConnections": 5}):
            admission = self.admission(connectionsPerAddress=1, handshakeRatePerAddress=1.0, **limit)
            refused = sum(self.located(admission, ADDRESS) is not None for _ in range(200))
            self.assertEqual(refused, 199)
            others = [self.located(admission, f"198.51.100.{each}") for each in range(5)]
            self.assertEqual(others[:4], [None] * 4)
            self.assertLimited(others[4], cast(TLSFailure, others[4]).code, next(iter(limit)))

    def test_silentLockOutNone(self) -> None:
        """What waits for its header takes nothing of what holds in all, and is counted no more when it is gone."""
        admission = self.admission(maximumConnections=1, maximumPending=1, handshakeRate=1.0)
        silent = [self.awaited(admission) for _ in range(50)]
        self.assertEqual((admission.awaited, admission.connections, admission.pending), (50, 0, 0))
        direct = self.admitted(admission)
        admission.gone(direct)
        self.now += 1
        self.assertIsNone(self.located(admission, OTHER))
        for each in silent:
            admission.gone(each)
            admission.gone(each)
        self.assertEqual((admission.awaited, admission.connections), (0, 1))

    def test_waitIsBounded(self) -> None:
        """No more wait for their header than a number; those that connect directly are let in all the same."""
        admission = self.admission()
        silent = [self.awaited(admission) for _ in range(MOST_AWAITED)]
        refusal = admission.arriveByProxy()
        self.assertLimited(refusal, "too-many-handshakes", "proxyFrom")
        self.assertIn("PROXY header", cast(TLSFailure, refusal).nextStep)
        self.admitted(admission)
        self.assertIsNone(admission.locate(silent[0], ADDRESS, self.now))
        self.awaited(admission)

    def test_withoutAddress(self) -> None:
        """Where the header tells no address, limits in all hold alone."""
        admission = self.admission(connectionsPerAddress=1, maximumConnections=2)
        self.assertEqual([self.located(admission, None) for _ in range(2)], [None, None])
        self.assertLimited(self.located(admission, None), "too-many-connections", "maximumConnections")


class RateTests(AdmissionCase):
    """How many handshakes there may be in a second."""

    def test_inAll(self) -> None:
        """As many as in one second may come at once, then as many as come in time."""
        admission = self.admission(handshakeRate=4.0)
        self.assertEqual(self.letIn(admission, 10), 4)
        self.assertLimited(admission.arrive(OTHER, self.now), "too-many-handshakes", "handshakeRate")
        self.now += 0.5
        self.assertEqual(self.letIn(admission, 10), 2)
        self.now += 3600
        self.assertEqual(self.letIn(admission, 10), 4)

    def test_ofAddress(self) -> None:
        """One address may have less than one a second, and at least one at once."""
        admission = self.admission(handshakeRatePerAddress=0.5)
        self.admitted(admission)
        self.assertLimited(admission.arrive(ADDRESS, self.now), "too-many-handshakes", "handshakeRatePerAddress")
        self.admitted(admission, OTHER)
        self.now += 2
        self.admitted(admission)

    def test_limitedTakesNothing(self) -> None:
        """Who comes too often takes nothing of what all may have."""
        admission = self.admission(handshakeRate=10.0, handshakeRatePerAddress=1.0)
        self.assertEqual(self.letIn(admission, 1000), 1)
        self.assertEqual(sum(self.letIn(admission, 1, f"10.0.0.{each}") for each in range(20)), 9)

    def test_clockSetBack(self) -> None:
        """A clock that is set back by a year neither stops a rate nor frees it."""
        for name in ("handshakeRate", "handshakeRatePerAddress"):
            admission = self.admission(**{name: 2.0})
            self.assertEqual(self.letIn(admission, 5), 2)
            self.now -= 365 * 86400
            self.assertEqual(self.letIn(admission, 5), 0)
            self.now += 0.5
            self.assertEqual(self.letIn(admission, 5), 1)

    def letIn(self, admission: Admission, count: int, host: str = ADDRESS) -> int:
        return sum(isinstance(admission.arrive(host, self.now), Admitted) for _ in range(count))


class RefusalTests(AdmissionCase):
    """An address whose connections are refused has to wait."""

    def test_waits(self) -> None:
        """After its refusals an address is refused for a minute, others are not, and then it begins anew."""
        admission = self.admission(refusalsPerAddress=3)
        for _ in range(3):
            self.refuse(admission)
        self.assertLimited(admission.arrive(ADDRESS, self.now), "too-many-refusals", "refusalsPerAddress")
        self.admitted(admission, OTHER)
        self.now += 59.9
        self.assertLimited(admission.arrive(ADDRESS, self.now), "too-many-refusals", "refusalsPerAddress")
        self.now += 0.2
        self.refuse(admission)
        self.refuse(admission)
        self.admitted(admission)

    def test_attemptsDoNotProlong(self) -> None:
        """A peer that tries all the time waits no longer than one that does not."""
        admission = self.admission(refusalsPerAddress=1)
        self.refuse(admission)
        for _ in range(60):
            self.assertNotIsInstance(admission.arrive(ADDRESS, self.now), Admitted)
            self.now += 1
        self.admitted(admission)

    def test_openStayOpen(self) -> None:
        """What was accepted before from the same address is not touched, nor counted again when it is gone."""
        admission = self.admission(refusalsPerAddress=1)
        established = self.admitted(admission)
        admission.accepted(established)
        self.refuse(admission)
        self.assertTrue(established.isCounted)
        admission.gone(established)
        self.assertEqual(admission.connections, 0)

    def test_slowOnesAreForgotten(self) -> None:
        """Refusals that come more slowly than the limit never add up."""
        admission = self.admission(refusalsPerAddress=3)
        for _ in range(50):
            self.refuse(admission)
            self.now += 30

    def test_severalAtOnce(self) -> None:
        """Refusals of connections that were under way when the wait began do not count for the time after it."""
        admission = self.admission(refusalsPerAddress=2)
        several = [self.admitted(admission) for _ in range(20)]
        for each in several:
            admission.refused(each, self.now)
        self.now += 60
        self.refuse(admission)
        self.admitted(admission)

    def test_clock(self) -> None:
        """A clock that is set back makes no wait longer than a minute from then on."""
        admission = self.admission(refusalsPerAddress=1)
        self.refuse(admission)
        self.now -= 86400
        self.assertNotIsInstance(admission.arrive(ADDRESS, self.now), Admitted)
        self.now += 60
        self.admitted(admission)


class RecordTests(SynchronousTestCase):
    """What is remembered is bounded, whatever strangers do."""

    most = 100

    def setUp(self) -> None:
        self.records = Records(self.most)

    def come(self, numbers: Iterable[int], now: float, *, mark: bool = False) -> None:
        for number in numbers:
            prefix = number, 4
            if (record := self.records.find(prefix, now)) is None:
                record = Record(1.0, 1.0, now)
                self.records.add(prefix, record)
            if mark:
                self.records.mark(prefix, record)

    def test_bounded(self) -> None:
        """However many addresses come, no more are remembered than there are places."""
        self.come(range(1000), 0.0, mark=True)
        self.come(range(1000, 2000), 0.0)
        self.assertEqual(len(self.records), 2 * self.most)

    def test_notWashedOut(self) -> None:
        """Who was refused is not forgotten because any number of others came once."""
        self.come([7], 0.0, mark=True)
        self.come(range(1000, 9000), 1.0)
        self.assertIsNotNone(self.records.find((7, 4), 2.0))

    def test_oldestGoFirst(self) -> None:
        """Where too many were refused, those go that came least lately."""
        self.come(range(self.most), 0.0, mark=True)
        self.come([0], 1.0)
        self.come([5000], 2.0, mark=True)
        self.assertIsNotNone(self.records.find((0, 4), 3.0))
        self.assertIsNone(self.records.find((1, 4), 3.0))

    def test_forgotten(self) -> None:
        """What is as a new one goes by itself, a little with each that comes."""
        self.come(range(50), 0.0)
        self.come(range(50, 100), 0.0, mark=True)
        self.come(range(100, 150), 200.0)
        self.come(range(150, 200), 200.0, mark=True)
        self.assertEqual(len(self.records), 100)

    def test_clockSetBack(self) -> None:
        """A clock that is set back makes neither more of them nor an error."""
        self.come(range(200), 1000.0, mark=True)
        self.come(range(200, 400), 0.0, mark=True)
        self.come(range(200, 400), 5.0, mark=True)
        self.assertEqual(len(self.records), self.most)

    def test_floodOfAddresses(self) -> None:
        """Thousands of addresses leave no more than what is bounded, and nothing is counted once they are gone."""
        admission = Admission(Limits(handshakeRatePerAddress=1.0, refusalsPerAddress=1), self.records)
        for number in range(3000):
            admitted = cast(Admitted, admission.arrive(f"10.0.{number >> 8}.{number & 255}", 1.0))
            admission.refused(admitted, 1.0)
            admission.gone(admitted)
        self.assertEqual(len(self.records), self.most)
        self.assertEqual((admission._ofAddress, admission.connections, admission.pending), ({}, 0, 0))


class PrefixTests(SynchronousTestCase):
    """What counts as one address."""

    def same(self, first: str, second: str, bits: tuple[int, int] = (32, 64)) -> bool:
        return prefixOf(first, bits) == prefixOf(second, bits)

    def test_IPv4(self) -> None:
        """Addresses of IPv4 count by their leading bits."""
        self.assertFalse(self.same("192.0.2.1", "192.0.2.2"))
        self.assertTrue(self.same("192.0.2.1", "192.0.2.2", (24, 64)))
        self.assertFalse(self.same("192.0.2.1", "192.0.3.1", (24, 64)))

    def test_IPv6(self) -> None:
        """Addresses of IPv6 count by the network that one host mostly has, or by another that is named."""
        self.assertTrue(self.same("2001:db8::1", "2001:db8::ffff:2"))
        self.assertFalse(self.same("2001:db8::1", "2001:db8:0:1::1"))
        self.assertTrue(self.same("2001:db8::1", "2001:db8:0:ff::1", (32, 56)))
        self.assertTrue(self.same("fe80::1%eth0", "fe80::1%eth1"))

    def test_mapped(self) -> None:
        """An address of IPv4 that comes in IPv6's form counts as what it is, and never as one of IPv6."""
        self.assertTrue(self.same("::ffff:192.0.2.1", "192.0.2.1"))
        self.assertFalse(self.same("::1", "0.0.0.1", (32, 128)))

    def test_noAddress(self) -> None:
        """What is no address counts as none."""
        for host in (None, "", "localhost", "/run/socket", "\0abstract", "1.2.3", "::g"):
            self.assertIsNone(prefixOf(host, (32, 64)), host)

    def test_asPythonHasThem(self) -> None:
        """The bits are those of the address."""
        self.assertEqual(prefixOf("203.0.113.9", (32, 64)), (int(IPv4Address("203.0.113.9")), 4))
        self.assertEqual(prefixOf("2001:db8::9", (32, 128)), (int(IPv6Address("2001:db8::9")), 6))


class LimitsTests(SynchronousTestCase):
    """The limits themselves."""

    def test_checked(self) -> None:
        """What is no limit is refused when it is said."""
        for wrong in ({"maximumConnections": -1}, {"handshakeRate": 0.0}, {"addressPrefix": (0, 64)}):
            self.assertRaises(ValueError, Limits, **wrong)

    def test_fromSettings(self) -> None:
        """Settings that are not limits are passed over, and what is not said is none."""
        limits = Limits.fromSettings({"maximumPending": 3, "addressPrefix": None, "identity": ["x"]})
        self.assertEqual(limits, Limits(maximumPending=3))
        self.assertFalse(limits.areNone)
        self.assertTrue(Limits.fromSettings({}).areNone)

    def test_shared(self) -> None:
        """Of several processes each has its share of what holds in all, and the whole of what holds for one peer."""
        limits = Limits(maximumConnections=10, handshakeRate=10.0, connectionsPerAddress=5, maximumPending=None)
        share = limits.shared(4)
        self.assertEqual((share.maximumConnections, share.handshakeRate, share.maximumPending), (3, 2.5, None))
        self.assertEqual(share.connectionsPerAddress, 5)

    def test_twistedsProxyReader(self) -> None:
        """Where Twisted tells the proxy's address in the place of the clients', limits of one address are refused."""
        for limits in (Limits(connectionsPerAddress=1), Limits(refusalsPerAddress=1)):
            self.assertRaises(ValueError, limits.requireAddresses, "haproxy:tcp:8443")
            limits.requireAddresses("tcp:8443")
        Limits(maximumConnections=1, connectionsPerIdentity=2).requireAddresses("haproxy:tcp:8443")


class IdentityTests(SynchronousTestCase):
    """Which certificates belong to one peer."""

    def test_renewed(self) -> None:
        """A renewed certificate with the same names is the same identity; with another name it is another one."""
        authority = Authority.create()
        anna = [authority.issue("anna", role="client", uris=["spiffe://example/anna"]) for _ in range(2)]
        others = [
            authority.issue("berta", role="client", uris=["spiffe://example/anna"]),
            authority.issue("anna", role="client", uris=["spiffe://example/berta"]),
            authority.issue("anna", role="client"),
        ]
        found = [identityOf(each.certificate) for each in (*anna, *others)]
        self.assertEqual(found[0], found[1])
        self.assertEqual((len(set(found)), {len(each) for each in found}), (4, {32}))

    def test_withoutNames(self) -> None:
        """Certificates without any name are each one by itself, and none is the same as no certificate."""
        authority = Authority.create()
        nameless = [authority.issue("", subject=x509.Name([]), role="client").certificate for _ in range(2)]
        self.assertEqual(len({identityOf(each) for each in nameless}), 2)
