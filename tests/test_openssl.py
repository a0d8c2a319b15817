"""What tlscomm takes from pyOpenSSL without a promise is still there, and still does what it is used for."""

import ast
import inspect
from pathlib import Path

from OpenSSL import SSL
from OpenSSL._util import lib
from OpenSSL.crypto import X509
from twisted.trial.unittest import SynchronousTestCase

from tlscomm import _openssl

_tree = ast.parse(inspect.getsource(_openssl))


def _namesUnder(variable: str) -> set[str]:
    """The attributes that the module takes from one of its variables."""
    return {
        node.attr
        for node in ast.walk(_tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == variable
    }


class PrivateNames(SynchronousTestCase):
    """Each private name in use exists; when one goes away, the failing test says which."""

    def test_lib(self) -> None:
        names = _namesUnder("_lib")
        self.assertGreater(len(names), 30)
        self.assertEqual([name for name in sorted(names) if not hasattr(lib, name)], [])

    def test_connection(self) -> None:
        connection = SSL.Connection(SSL.Context(SSL.TLS_METHOD))
        for name in ("_ssl", "_into_ssl", "_from_ssl", "_verify_callback", "_verify_helper"):
            self.assertTrue(hasattr(connection, name), name)

    def test_context(self) -> None:
        context = SSL.Context(SSL.TLS_METHOD)
        for name in ("_context", "_verify_helper", "_alpn_select_helper", "_info_callback"):
            self.assertTrue(hasattr(context, name), name)

    def test_exceptionsKeptByCallbacks(self) -> None:
        connection = SSL.Connection(SSL.Context(SSL.TLS_METHOD))
        connection.set_verify(SSL.VERIFY_PEER, lambda *_: True)
        self.assertEqual(connection._verify_helper._problems, [])

    def test_certificates(self) -> None:
        self.assertTrue(callable(X509._from_raw_x509_ptr))


class Elsewhere(SynchronousTestCase):
    """No other module reaches for them."""

    def test_onlyThisModuleUsesPrivateNames(self) -> None:
        package = Path(inspect.getfile(_openssl)).parent
        offenders = [
            path.name
            for path in package.rglob("*.py")
            if path.name != "_openssl.py" and ("OpenSSL._util" in path.read_text() or "._lib" in path.read_text())
        ]
        self.assertEqual(offenders, [])


class Groups(SynchronousTestCase):
    def test_unknownGroupIsRefused(self) -> None:
        with self.assertRaises(ValueError):
            _openssl.preferGroups(SSL.Context(SSL.TLS_METHOD), ["no-such-group"])
