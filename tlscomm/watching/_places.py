"""The folders in which something happens when a file becomes another one.

A name leads to a file through folders and links, and each of them can be replaced: the file by renaming another one to
its name, a link by one that leads elsewhere (``..data`` of Kubernetes, ``live`` of certbot), a whole folder by renaming
it. So every folder on the way has to be watched, and in it the name through which the way leads.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable

__all__ = ["Place", "Places", "placesOf"]

#: How many links a name leads through at most, as Linux counts.
_MOST_LINKS = 40
#: How many folders are watched at most. The system allows a user some thousands, for all programs.
_MOST_PLACES = 512


class Place:
    """A folder that is watched.

    Attributes:
        identity: device and inode, which tell it from another one of the name.
        names: what of it is watched.
        isWhole: whether all of it is.
    """

    def __init__(self, identity: tuple[int, int]) -> None:
        self.identity = identity
        self.names: set[str] = set()
        self.isWhole = False

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Place) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]


#: Folders by their real paths.
Places = dict[str, Place]


def placesOf(paths: Iterable[str]) -> Places:
    """Return the folders to be watched for some files and folders, whether these exist or not.

    It may take for ever, where a file system does.
    """
    places: Places = {}
    for path in paths:
        target = _follow(path, places)
        if target is not None:
            _addFolder(target, places)
    return places


def _addFolder(folder: str, places: Places) -> None:
    """Watch a folder, and the ways on which links in it lead elsewhere. Many may lead one way."""
    place = _place(folder, places)
    if place is None:
        return
    place.isWhole = True
    ways = set[str]()
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_symlink():
                    ways.add(os.path.dirname(os.readlink(entry.path)))
    except OSError:
        return
    for way in ways - {""}:
        target = _follow(os.path.join(folder, way), places)
        if target is not None and (beyond := _place(target, places)) is not None:
            beyond.isWhole = True


def _follow(path: str, places: Places) -> str | None:
    """Note each folder on the way to a path, and return its real path where it is a folder."""
    left = _parts(os.path.join(os.getcwd(), path))
    current, links = "/", 0
    while left:
        name = left.pop(0)
        if name == "..":
            current = os.path.dirname(current)
            continue
        if (place := _place(current, places)) is None:
            return None
        child = os.path.join(current, name)
        try:
            status = os.lstat(child)
            if stat.S_ISLNK(status.st_mode):
                place.names.add(name)
                links += 1
                if links > _MOST_LINKS:
                    return None
                target = os.readlink(child)
                left = _parts(target) + left
                current = "/" if target.startswith("/") else current
                continue
        except (OSError, ValueError):
            # It may come to be there.
            place.names.add(name)
            return None
        if not stat.S_ISDIR(status.st_mode):
            place.names.add(name)
            return None
        current = child
    return current


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in ("", ".")]


def _place(folder: str, places: Places) -> Place | None:
    if folder not in places:
        if len(places) >= _MOST_PLACES:
            return None
        try:
            status = os.stat(folder)
        except OSError:
            return None
        places[folder] = Place((status.st_dev, status.st_ino))
    return places[folder]
