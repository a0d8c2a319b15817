"""What tlscomm takes from pyOpenSSL without a promise is still there, and still does what it is used for."""

import ast
import inspect
import re
from pathlib import Path

from OpenSSL import SSL
from OpenSSL._util import lib
from OpenSSL.crypto import X509
from twisted.trial.unittest import SynchronousTestCase

from tlscomm import _openssl

_FOLDER = Path(inspect.getfile(_openssl)).parent


def _namesUnder(variable: str) -> set[str]:
    """The attributes that the modules of the package take from one of their variables."""
    return {
        node.attr
        for path in _FOLDER.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == variable
    }


class PrivateNames(SynchronousTestCase):
    """Each private name in use exists; when one goes away, the failing test says which."""

    def test_lib(self) -> None:
        names = _namesUnder("lib")
        self.assertGreater(len(names), 30)
        self.assertEqual([name for name in sorted(names) if not hasattr(lib, name)], [])

    def test_connection(self) -> None:
        connection = SSL.Connection(SSL.Context(SSL.TLS_METHOD))
        for name in ("_ssl", "_into_ssl", "_from_ssl", "_verify_callback", "_verify_helper"):
            self.assertTrue(hasattr(connection, name), name)

    def test_context(self) -> None:
        context = SSL.Context(SSL.TLS_METHOD)
        names = ("_context", "_verify_helper", "_info_callback", "_tlsext_servername_callback")
        for name in (*names, "_alpn_select_helper", "_alpn_select_callback"):
            self.assertTrue(hasattr(context, name), name)

    def test_connectionOfPointer(self) -> None:
        connection = SSL.Connection(SSL.Context(SSL.TLS_METHOD))
        self.assertIs(SSL.Connection._reverse_mapping[connection._ssl], connection)

    def test_exceptionsKeptByCallbacks(self) -> None:
        connection = SSL.Connection(SSL.Context(SSL.TLS_METHOD))
        connection.set_verify(SSL.VERIFY_PEER, lambda *_: True)
        self.assertEqual(connection._verify_helper._problems, [])

    def test_certificates(self) -> None:
        self.assertTrue(callable(X509._from_raw_x509_ptr))


class Elsewhere(SynchronousTestCase):
    """No other module reaches for them."""

    def test_onlyThisPackageUsesPrivateNames(self) -> None:
        private = re.compile(r"OpenSSL\._util|from OpenSSL import .*\b_util|\._(lib|ffi)\b|\b_openssl\.binding")
        offenders = [
            path.name
            for path in _FOLDER.parent.rglob("*.py")
            if path.parent != _FOLDER and private.search(path.read_text(encoding="utf-8"))
        ]
        self.assertEqual(offenders, [])


class Groups(SynchronousTestCase):
    def test_unknownGroupIsRefused(self) -> None:
        with self.assertRaises(ValueError):
            _openssl.preferGroups(SSL.Context(SSL.TLS_METHOD), ["no-such-group"])
