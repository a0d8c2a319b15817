"""Says which pages of the documentation would have to be scrolled sideways on a phone.

python -m tests.pagewidths docs/_build/html

All of them are shown as one page, in one Chromium: starting it and loading each page would take half a minute.
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

from tests.chromium import Chromium

#: CSS pixels of a narrow phone.
WIDTH = 390

_ARTICLE = re.compile(r"<article\b.*?</article>", re.DOTALL)

#: What the theme leaves free on each side. The backgrounds of headings reach into it.
MARGIN = 16

#: By how many pixels each page that is too wide is. What is in a box that scrolls by itself does not count.
_WIDE = """
Object.fromEntries(
    [...document.querySelectorAll("[data-page]")]
        .map(page => [page.dataset.page, page.scrollWidth - page.clientWidth])
        .filter(([_, over]) => over > MARGIN)
)
"""


def allOf(site: Path) -> str:
    """Return one page with the articles of all."""
    articles = []
    for path in sorted(site.glob("*.html")):
        # The list of all names is nothing that people read on a phone.
        if path.stem not in ("genindex", "py-modindex", "search") and (
            found := _ARTICLE.search(path.read_text(encoding="utf-8"))
        ):
            articles.append(f'<div data-page="{path.stem}">{found[0]}</div>')
    index = (site / "index.html").read_text(encoding="utf-8")
    return _ARTICLE.sub(lambda _: "\n".join(articles), index, count=1)


def main(site: Path) -> int:
    with tempfile.NamedTemporaryFile("w", dir=site, suffix=".html", encoding="utf-8") as page:
        page.write(allOf(site))
        page.flush()
        browser = Chromium()
        try:
            browser.show(Path(page.name).absolute(), width=WIDTH)
            wide: dict[str, int] = browser.evaluate(_WIDE.replace("MARGIN", str(MARGIN)))
            shown = browser.evaluate("document.querySelectorAll('[data-page]').length")
        finally:
            browser.close()
    for name, over in wide.items():
        print(f"{name}: {over} pixels wider than {WIDTH}")
    print(f"{shown} pages, {len(wide)} of them too wide")
    return 1 if wide or not shown else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
