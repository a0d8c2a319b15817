"""Rules for paths of a web site hold for each spelling of a path."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote_to_bytes

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.access import AccessRules, Peer
from tlscomm.issuing import Authority
from tlscomm.web import PUBLIC, PathDecision, PathRules

AUTHORITY = Authority.create("root")


def peer(name: str) -> Peer:
    issued = AUTHORITY.issue(name, role="client", dnsNames=[name])
    return Peer((issued.certificate, AUTHORITY.certificate))


USER, ADMIN = peer("user.example"), peer("admin.example")

RULES = PathRules(
    {
        "/": AccessRules(),
        "/admin": ["dns=admin.example"],
        "/admin/help/": AccessRules(),
        "/health": PUBLIC,
        "/Reports": ["dns=admin.example"],
    }
)


class Prefixes(SynchronousTestCase):
    def status(self, caller: Peer | None, path: str) -> int:
        return RULES.judge(caller, path.encode()).status

    def test_theLongestPrefixCounts(self) -> None:
        """A prefix is one of whole segments, and the longest one alone decides."""
        for path in ("/", "/administrator", "/page", "/admin/help", "/admin/help/", "/admin/help/x", "/health/x"):
            self.assertEqual(self.status(USER, path), 200, path)
        for path in ("/admin", "/admin/", "/admin/users", "/admin/helper"):
            self.assertEqual((self.status(USER, path), self.status(ADMIN, path)), (403, 200), path)

    def test_withoutCertificate(self) -> None:
        """A client without a certificate is let to what is public alone."""
        self.assertEqual(self.status(None, "/health"), 200)
        self.assertEqual(RULES.judge(None, b"/page").code, "no-certificate")

    def test_noPrefix(self) -> None:
        """A path that no prefix is for is not permitted."""
        decision = PathRules({"/page": AccessRules()}).judge(ADMIN, b"/other")
        self.assertEqual((decision.status, decision.code), (403, "not-allowed"))
        self.assertEqual(PathRules({}).judge(ADMIN, b"/").status, 403)

    def test_spellings(self) -> None:
        """An encoded letter, another case, a slash at the end and a parameter make no other path of it."""
        paths = ("/%61dmin", "/%61%64%6d%69%6e/users", "/ADMIN", "/Admin/", "/admin;x=1", "/admin;/users", "/aDmIn;a/b")
        paths += ("/%EF%BD%81dmin", "/reports", "/REPORTS/1", "/admin/help;/../x"[:12] + "er")
        for path in paths:
            self.assertEqual((self.status(USER, path), self.status(ADMIN, path)), (403, 200), path)

    def test_readDifferently(self) -> None:
        """A path that programs read in different ways is answered to no peer."""
        paths = ["//admin", "/x//admin", "/./admin", "/x/../admin", "/x/%2e%2e/admin", "/x/.%2E/admin", "/admin/.."]
        paths += ["/x%2fadmin", "/x%2F..%2Fadmin", "/x\\admin", "/x%5cadmin", "/x%255c", "/%252e%252e/admin", "/%2561"]
        paths += [
            "/admin%00",
            "/%0d%0aadmin",
            "/x%7f",
            "/%c0%ae%c0%ae/admin",
            "/%ff",
            "/ä",
            "/x#/admin",
            "/x admin",
            "",
        ]
        paths += [
            "/x admin",
            "",
            "https://localhost/admin",
            "*",
            "admin",
            "/%",
            "/%2",
            "/%zz",
            "/;x/admin",
            "/..;/admin",
        ]
        paths += [
            "/\uff0e\uff0e/admin".encode().decode("latin-1"),
            "/%EF%BC%8E%EF%BC%8E/admin",
            "/x%EF%BC%8Fadmin",
            "/x/%20",
            "/x/...",
        ]
        paths += ["/x/%20", "/x/...", "/x" * 101, "/" + "x" * 4096]
        for path in paths:
            self.assertEqual(RULES.judge(ADMIN, path.encode("latin-1")).status, 400, path)

    @given(st.text("/%2eEfFaAdDmMiInN.;\\5cC", max_size=20).map(lambda path: path.encode()) | st.binary(max_size=20))
    def test_anyBytes(self, path: bytes) -> None:
        """Of what is permitted, no part of any reading is what is for others."""
        if RULES.judge(USER, path).isPermitted:
            first = unquote_to_bytes(path).lower().split(b"/")[1]
            self.assertTrue(first.partition(b";")[0] != b"admin" or b"help" in path.lower(), path)

    def test_theDetailIsForTheLog(self) -> None:
        """Why a request is not permitted is known to the server."""
        self.assertIn("no rule lets it in", RULES.judge(USER, b"/admin").detail)
        self.assertEqual(RULES.judge(ADMIN, b"/admin"), PathDecision())


class Saying(SynchronousTestCase):
    def test_mistakes(self) -> None:
        """Prefixes and rules that are none, or mean two things, are mistakes at once."""
        wrong: list[dict[str, Any]] = [
            {"admin": PUBLIC},
            {"/a/../b": PUBLIC},
            {"/a//b": PUBLIC},
            {"/%61": PUBLIC},
            {"/a;b": PUBLIC},
            {"/a": PUBLIC, "/A/": PUBLIC},
            {"": PUBLIC},
            {"/a": []},
            {"/a": ["dns"]},
        ]
        for rules in wrong:
            self.assertRaises(ValueError, PathRules, rules)
        self.assertRaises(TypeError, PathRules, {"/a": "dns=example.org"})
