"""What a path of a URL can mean to the programs that it is for, so that no spelling of it gets around a rule.

``/admin`` can be written ``/%61dmin``, ``//admin``, ``/x/../admin`` or ``/./admin``, and whether that is the same is
answered one way by what asks the rules and another way by what serves the page. So a path that programs read
differently is not answered at all: with a dot segment, an empty one, an encoded slash, a backslash, a control
character, or something that is encoded twice. Of what is left some servers ignore the case, and some what follows a
semicolon. Such a path has several readings, and each of them has to be permitted.
"""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import unquote_to_bytes

__all__ = ["FOLDINGS", "Segments", "folded", "readingsOf", "segmentsOf"]

#: The segments of a path, decoded; of ``/`` none.
Segments = tuple[str, ...]

#: An absolute path in the characters that RFC 3986, section 3.3, has for it.
_PATH = re.compile(rb"(?:/(?:[A-Za-z0-9\-._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2})*)+")

#: Characters of Unicode's category Cc.
_CONTROL = re.compile("[\0-\x1f\x7f-\x9f]")

#: What a second decoding would change.
_ENCODED = re.compile("%[0-9A-Fa-f]{2}")

#: Bytes of a path, and segments. What is longer costs more to judge than to answer.
_LONGEST, _MOST_SEGMENTS = 4096, 100

_DOTS = frozenset({".", ".."})


def segmentsOf(path: bytes) -> Segments | None:
    """Return the decoded segments of a path, or None where programs read it differently.

    A slash at its end makes no difference.

    Args:
        path: as it stands in the request, without a query.
    """
    if len(path) > _LONGEST or path.count(b"/") > _MOST_SEGMENTS or not _PATH.fullmatch(path):
        return None
    try:
        segments = tuple(unquote_to_bytes(each).decode("utf-8") for each in path[1:].split(b"/"))
    except UnicodeDecodeError:
        return None
    if segments[-1] == "":
        segments = segments[:-1]
    return segments if all(map(_isPlain, segments)) else None


def readingsOf(segments: Segments) -> tuple[Segments, ...] | None:
    """Return each way in which a path can be read where case matters, or None where one that is `folded` has no sense.

    Args:
        segments: those of `segmentsOf`, or of a prefix.
    """
    bare = tuple(segment.partition(";")[0] for segment in segments)
    readings = tuple(dict.fromkeys((segments, bare)))
    seen = {see(each) for each in readings for see in FOLDINGS}
    return readings if all(all(map(_isPlain, each)) for each in seen) else None


def exact(segments: Segments) -> Segments:
    """Return segments as programs see them to which each character matters."""
    return segments


def caseless(segments: Segments) -> Segments:
    """Return segments as programs see them that ignore case and forms of Unicode."""
    return tuple(map(_caseless, segments))


def folded(segments: Segments) -> Segments:
    """Return segments as the file systems see them that ignore the most.

    They ignore case and forms of Unicode; HFS+ ignores characters without a width; Windows ignores dots and spaces at
    the end, and takes what follows ``::$`` for a stream of the same file.
    """
    return tuple(map(_folded, segments))


def _caseless(segment: str) -> str:
    return segment.lower() if segment.isascii() else unicodedata.normalize("NFKC", segment).casefold()


def _folded(segment: str) -> str:
    if not segment.isascii():
        segment = "".join(each for each in segment if unicodedata.category(each) != "Cf")
    return _caseless(segment).partition("::$")[0].rstrip(". ")


#: Each way in which programs compare names. What each of them would find has to be permitted.
FOLDINGS = (exact, caseless, folded)


def _isPlain(segment: str) -> bool:
    if not segment or segment in _DOTS or "/" in segment or "\\" in segment:
        return False
    return not _ENCODED.search(segment) and not _CONTROL.search(segment)
