"""``tlscomm verify`` says what the other side would say, in words and in JSON."""

import json
from shutil import rmtree
from tempfile import mkdtemp

from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from tlscomm.commandline import program
from tlscomm.issuing import writeGallery


class Verify(SynchronousTestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.runner = CliRunner()
        cls.folder = mkdtemp(prefix="tlscomm-verify-")
        writeGallery(cls.folder)

    @classmethod
    def tearDownClass(cls) -> None:
        rmtree(cls.folder)

    def verify(self, *arguments: str) -> Result:
        return self.runner.invoke(program, ["verify", *arguments])

    def path(self, name: str) -> str:
        return f"{self.folder}/{name}"

    def test_aGoodClient(self) -> None:
        result = self.verify("--as", "client", self.path("client/good.pfx"), "--roots", self.path("roots.pem"))
        self.assertEqual((result.exit_code, result.stderr), (0, ""))
        self.assertIn("Accepted as a client", result.stdout)

    def test_anExpiredServerInJSON(self) -> None:
        result = self.verify(
            "--as", "server", self.path("server/expired.pfx"), "--roots", self.path("roots.pem"), "--json"
        )
        found = json.loads(result.stdout)
        self.assertEqual((result.exit_code, found["outcome"]), (1, "failed"))
        self.assertEqual((found["failure"]["code"], found["failure"]["side"]), ("expired", "remote"))
        self.assertIn("expired server", found["certificate"]["subject"])

    def test_aClientThatNoRuleLetsIn(self) -> None:
        good, roots = self.path("client/good.pfx"), self.path("roots.pem")
        result = self.verify("--as", "client", good, "--roots", roots, "--allow", "cn=somebody-else")
        self.assertEqual(result.exit_code, 1)
        self.assertTrue(result.stderr.startswith("not-allowed: "))

    def test_aDeniedOne(self) -> None:
        """Rules that deny are tried as well, about clients and about servers."""
        for role in ("client", "server"):
            good = (*("--as", role, self.path(f"{role}/good.pfx")), "--roots", self.path("roots.pem"))
            self.assertEqual(self.verify(*good, "--deny", "cn=somebody-else").exit_code, 0, role)
            result = self.verify(*good, "--allow", "cn=*", "--deny", "issuer=*|issuer=*.*|!cn=x")
            self.assertTrue(result.stderr.startswith("not-allowed: "), result.stderr)

    def test_aRevokedClient(self) -> None:
        roots, lists = self.path("roots.pem"), self.path("revoked.crl")
        result = self.verify("--as", "client", self.path("client/revoked.pfx"), "--roots", roots, "--crl", lists)
        self.assertTrue(result.stderr.startswith("revoked: "), result.stderr)

    def test_aFileThatIsNotThere(self) -> None:
        result = self.verify("--as", "server", "no-such-file")
        self.assertEqual(result.exit_code, 1)
        self.assertTrue(result.stderr.startswith("file-not-found: "))

    def test_wrongUsage(self) -> None:
        good, roots = self.path("client/good.pfx"), self.path("roots.pem")
        for arguments in (
            (good,),
            ("--as", "client", good),
            ("--as", "client", good, "--roots", roots, "--server-name", "x"),
            ("--as", "client", good, "--roots", roots, "--allow", "whatever"),
            ("--as", "server", good, "--roots", roots, "--deny", "whatever"),
        ):
            self.assertEqual(self.verify(*arguments).exit_code, 2, arguments)
