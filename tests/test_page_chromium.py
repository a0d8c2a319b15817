"""What a user can rely on when a page that explains connections is opened in a real browser.

One Chromium shows all of them, because starting it takes longer than everything else here.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any, ClassVar

import drawntraces
from chromium import Chromium
from test_page import hostileTrace
from twisted.trial.unittest import SynchronousTestCase

from tlscomm._wire.events import Event
from tlscomm.drawing import drawPage, drawSVG

#: What the browser says of a script that fails, of what its policy forbids, and of what it does not like.
COMPLAINTS = frozenset({"Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded", "Audits.issueAdded"})

#: How far one could scroll to the side.
SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"

#: Elements that stick out on the right.
TOO_WIDE = """
[...document.querySelectorAll("main *, header *, footer *")]
    .filter(each => each.getBoundingClientRect().right > innerWidth + 0.5 && !each.closest(".hidden, .skip, .arrow"))
    .map(each => each.outerHTML.slice(0, 200))
"""


def long(event: Event) -> Event:
    """Return an event with much to say."""
    return replace(event, detail="unbroken" * 40, content=event.content or bytes(range(200)))


class Pages(SynchronousTestCase):
    browser: ClassVar[Chromium]
    folder: ClassVar[Path]
    pages: ClassVar[dict[str, Path]] = {}

    @classmethod
    def setUpClass(cls) -> None:
        cls.browser = Chromium()
        cls.addClassCleanup(cls.browser.close)
        cls.folder = Path(mkdtemp(prefix="tlscomm-pages-"))
        cls.addClassCleanup(rmtree, cls.folder)
        refused = drawntraces.refused()
        made = {
            "refused": drawPage([refused]),
            "several": drawPage([refused, drawntraces.closed(), drawntraces.accepted(), drawntraces.noCommonVersion()]),
            "hostile": drawPage(
                [hostileTrace(), replace(refused, number=2, events=tuple(map(long, refused.events)))],
                title="long" * 100,
            ),
        }
        for name, page in made.items():
            cls.pages[name] = cls.folder / f"{name}.html"
            cls.pages[name].write_text(page, encoding="utf-8")

    def complaints(self) -> list[tuple[str, dict[str, Any]]]:
        return [event for event in self.browser.events if event[0] in COMPLAINTS]

    def test_everywhere(self) -> None:
        """Wide and narrow, light and dark, closed and open, nothing fails, nothing is loaded, nothing sticks out."""
        for name, page in self.pages.items():
            for width, scheme in ((1200, "light"), (360, "dark")):
                self.browser.show(page, width=width, scheme=scheme)
                for opened in ("false", "true"):
                    self.browser.evaluate(
                        f"for (const each of document.querySelectorAll('details')) each.open = {opened}"
                    )
                    self.assertEqual(self.browser.evaluate(SIDEWAYS), 0, name)
                    self.assertEqual(self.browser.evaluate(TOO_WIDE), [], name)
                self.assertEqual(self.complaints(), [], name)
                asked = [
                    event["request"]["url"]
                    for method, event in self.browser.events
                    if method == "Network.requestWillBeSent"
                ]
                self.assertEqual(asked, [page.as_uri()], name)

    def test_schemes(self) -> None:
        """A person who wishes dark gets dark, and black ink on white on paper."""
        paper = "getComputedStyle(document.body).backgroundColor"
        found = []
        for scheme in ("light", "dark"):
            self.browser.show(self.pages["refused"], scheme=scheme)
            found.append(self.browser.evaluate(paper))
        self.browser.ask(
            "Emulation.setEmulatedMedia", media="print", features=[{"name": "prefers-color-scheme", "value": "dark"}]
        )
        found += [self.browser.evaluate(paper), self.browser.evaluate("getComputedStyle(document.body).color")]
        self.browser.ask("Emulation.setEmulatedMedia", media="")
        self.assertEqual(found, ["rgb(251, 250, 247)", "rgb(21, 23, 27)", "rgb(255, 255, 255)", "rgb(0, 0, 0)"])

    def test_paper(self) -> None:
        """On paper it also says what a verdict rests on, which is closed on a screen."""
        self.browser.show(self.pages["several"])
        shown = "[...document.querySelectorAll('.evidence li')].map(each => each.checkVisibility())"
        onScreen = self.browser.evaluate(shown)
        self.browser.ask("Emulation.setEmulatedMedia", media="print")
        onPaper = self.browser.evaluate(shown)
        self.browser.ask("Emulation.setEmulatedMedia", media="")
        self.assertEqual((set(onScreen), set(onPaper)), ({False}, {True}))

    def test_keyboard(self) -> None:
        """With the keys alone one comes to every message and opens it, and sees where one is."""
        self.browser.show(self.pages["refused"])
        messages = self.browser.evaluate("document.querySelectorAll('.step').length")
        focus = "(e => [e.closest('.step')?.id ?? '', getComputedStyle(e).outlineStyle])(document.activeElement)"
        opened = set()
        for _ in range(messages + 10):
            self.browser.press("Tab")
            step, outline = self.browser.evaluate(focus)
            if outline == "none":
                # Behind the last one there is the browser itself.
                self.assertEqual(self.browser.evaluate("document.activeElement.tagName"), "BODY")
            if step and step not in opened:
                opened.add(step)
                self.browser.press("Enter")
                self.assertTrue(self.browser.evaluate(f"document.querySelector('#{step} > details').open"), step)
                self.browser.press(" ")
                self.assertFalse(self.browser.evaluate(f"document.querySelector('#{step} > details').open"), step)
        self.assertEqual(len(opened), messages)

    def test_screenReader(self) -> None:
        """Everything that one can use or jump to has a name, and each arrow is told as a sentence."""
        self.browser.show(self.pages["several"])
        nodes = [node for node in self.browser.ask("Accessibility.getFullAXTree")["nodes"] if not node["ignored"]]
        told = [(node["role"]["value"], node.get("name", {}).get("value", "")) for node in nodes]
        needed = {"DisclosureTriangle", "link", "heading", "region", "article", "columnheader", "rowheader"}
        self.assertEqual([role for role, name in told if role in needed and not name.strip()], [])
        self.assertTrue(
            {"main", "banner", "contentinfo", "region", "list", "DisclosureTriangle"} <= {role for role, _ in told}
        )
        names = " ".join(" ".join(name.split()) for _, name in told)
        self.assertIn("3, client to server: ClientHello what the client can do", names)
        self.assertIn("encrypted, and opened with a secret: certificate_expired", names)

    def test_picture(self) -> None:
        """The picture that stands alone is shown in light and dark too, loads nothing, and has a name and a text."""
        picture = self.folder / "refused.svg"
        picture.write_text(drawSVG(drawntraces.refused()), encoding="utf-8")
        for scheme in ("light", "dark"):
            self.browser.show(picture, scheme=scheme)
            self.assertEqual(self.complaints(), [])
        (image,) = [
            node
            for node in self.browser.ask("Accessibility.getFullAXTree")["nodes"]
            if node.get("role", {}).get("value") in ("image", "img")
        ]
        self.assertIn("the client's certificate has expired", image["name"]["value"])
        self.assertIn("client to server: ClientHello: what the client can do", image["name"]["value"])
