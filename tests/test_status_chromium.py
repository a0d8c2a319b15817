"""The status page in a real browser, with peers that call themselves what they like."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from chromium import Chromium
from test_page_chromium import COMPLAINTS, SIDEWAYS, TOO_WIDE
from test_status import STRANGER, StatusCase

from tlscomm.drawing import drawStatus
from tlscomm.failures import Unreadable
from tlscomm.watching._reloadresult import ReloadResult

_HOSTILE = '"><img src=x onerror=document.title="taken"><script>document.title="taken"</script>' + "unbroken" * 100


class InChromium(StatusCase):
    def test_pages(self) -> None:
        """The page fits a desk and a phone, loads nothing, breaks none of its own policy, and runs no peer's script."""
        self.connect()
        self.connect(STRANGER)
        self.status.reloaded(ReloadResult(1_700_000_000.0, "files", Unreadable(_HOSTILE)))
        status: dict[str, Any] = self.snapshot(_HOSTILE[:50])
        (refusal,) = status["refusals"]
        refusal["failure"]["certificate"]["subject"] = refusal["peer"] = _HOSTILE
        status["connections"]["list"] = [{**row, "subject": _HOSTILE} for row in self.snapshot()["connections"]["list"]]
        browser = Chromium()
        self.addCleanup(browser.close)
        with TemporaryDirectory() as folder:
            page = Path(folder, "status.html")
            page.write_text(drawStatus(status), encoding="utf-8")
            for width in (1200, 360):
                browser.show(page, width=width)
                self.assertEqual(browser.evaluate(SIDEWAYS), 0, width)
                self.assertEqual(browser.evaluate(TOO_WIDE), [], width)
                complaints = [event for event in browser.events if event[0] in COMPLAINTS]
                self.assertEqual(complaints, [])
                requests = [event for event in browser.events if event[0] == "Network.requestWillBeSent"]
                self.assertEqual(len(requests), 1)
                self.assertEqual(browser.evaluate("document.title"), "starting, 1 open – tlscomm")
                self.assertEqual(browser.evaluate("document.querySelectorAll('img, script').length"), 0)
