"""What a user can rely on when looking up a setting: it has a place, under its name, with each way to say it."""

from __future__ import annotations

import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tlscomm.configuration._settings import SETTINGS
from tlscomm.configuration._settingtypes import STRINGS, Interface

sys.path.append(str(Path(__file__).parent.parent / "docs" / "_ext"))

from settingreference import _entry, _lines


class SettingPageTests(SynchronousTestCase):
    def test_anchors(self) -> None:
        """Every setting is on the page of settings, once, under an anchor with its name."""
        labels = [line for line in _lines() if line.startswith(".. _setting-")]
        self.assertEqual(sorted(labels), sorted(f".. _setting-{setting.name}:" for setting in SETTINGS))

    def test_spellings(self) -> None:
        """Its option, its argument of endpoint strings and its key in a file are said where it has them."""
        for setting in SETTINGS:
            entry = "\n".join(_entry(setting))
            if Interface.TWISTD in setting.interfaces:
                self.assertIn(f":twistd tlscomm: ``--{setting.on(Interface.TWISTD).option}", entry)
                self.assertEqual(f":file: ``{setting.name} = …``" in entry, setting.name != "configuration")
            self.assertEqual(f":endpoint string: ``{setting.name}=" in entry, bool(setting.interfaces & STRINGS))
            self.assertEqual(":tlscomm: ``--" in entry, bool(setting.interfaces & ~(STRINGS | Interface.TWISTD)))
