"""An operator sees what was set, and no secret."""

import json
import os

from twisted.trial.unittest import SynchronousTestCase

from tlscomm.plans._plan import planFromOptions
from tlscomm.plans._shownsettings import shownSettings
from tlscomm.server import Options


class Shown(SynchronousTestCase):
    def shown(self, *words: str) -> dict[str, object]:
        options = Options()
        options.parseOptions(words)
        found = shownSettings(planFromOptions(options.settings))
        self.assertEqual(list(found), ["the whole process", "default"])
        return json.loads(json.dumps({**found["the whole process"], **found["default"]}))  # type: ignore[no-any-return]

    def test_values(self) -> None:
        """Settings are there as they are written, those that were not said with what holds without them."""
        found = self.shown("--identity", "a.pfx", "--allow", "cn=x & ou=y", "--read-timeout", "7", "--no-resumption")
        expected = {"identity": ["a.pfx"], "readTimeout": 7.0, "resumption": False, "framing": "eof"}
        self.assertEqual({name: found[name] for name in expected}, expected)
        self.assertIn("cn=x", str(found["allow"]))

    def test_empty(self) -> None:
        """What is not set and holds nothing is left out."""
        self.assertNotIn("crl", self.shown())

    def test_secrets(self) -> None:
        """Where a pass phrase comes from is shown, and not what it is."""
        os.environ["PHRASE"] = "hunter2"
        self.addCleanup(os.environ.pop, "PHRASE")
        found = self.shown("--identity", "a.pfx", "--passphrase-env", "PHRASE")
        self.assertEqual(found["passphraseEnv"], ["PHRASE"])
        self.assertNotIn("hunter2", json.dumps(found))
