"""What Linux says of folders in which something happens: inotify(7), by way of Twisted.

Two things that Twisted's class does are of no use here. It closes itself with the first watched folder that is removed,
and closes its descriptor once for each such folder, although another file may have the number by then. And it says
nothing where the system's queue was full. The first is left out below. The second does no harm, because each notice
means to look at all files, and what was dropped happened before the notices that were in the queue are read.

Importing this module fails where there is no inotify.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from twisted.internet import inotify
from twisted.python.filepath import FilePath

from tlscomm.watching._places import Place, Places

__all__ = ["Notices"]

#: Of the folders that a way only leads through: that they go.
_GOES = inotify.IN_MOVE_SELF | inotify.IN_DELETE_SELF
#: Of the others: that something comes, goes, or was written. What is being written says so when it is closed.
_HAPPENS = (
    _GOES
    | inotify.IN_CREATE
    | inotify.IN_CLOSE_WRITE
    | inotify.IN_ATTRIB
    | inotify.IN_DELETE
    | inotify.IN_MOVED_FROM
    | inotify.IN_MOVED_TO
)


class Notices(inotify.INotify):
    """Tells when something happens in some folders. It is made in a thread, and begins and ends in the reactor's."""

    def __init__(self, reactor: Any, places: Places, heard: Callable[[], object]) -> None:
        """
        Args:
            reactor: tells when there is something to read.
            places: the folders.
            heard: is called when something has happened.

        Raises:
            inotify.INotifyError: the system allows no more users of it.
        """
        super().__init__(reactor)  # type: ignore[no-untyped-call]
        self._places = places
        self._heard = heard
        self._isOpen = True
        #: How many of the folders cannot be watched.
        self.unwatched = sum(not self._add(folder, place) for folder, place in places.items())

    def begin(self) -> None:
        """Tell from now on, and what has happened since this was made."""
        self.startReading()  # type: ignore[no-untyped-call]

    def close(self) -> None:
        """Tell nothing any more."""
        if self._isOpen:
            self._isOpen = False
            self.stopReading()  # type: ignore[no-untyped-call]
            os.close(self.fileno())  # type: ignore[no-untyped-call]

    def covers(self, places: Places) -> bool:
        """Return whether it tells of these folders, as they are now."""
        return self._isOpen and self._places == places

    def loseConnection(self, *_: object) -> None:
        """Stay open: one folder was removed, and there are others."""

    def connectionLost(self, _: object) -> None:
        """The reactor cannot read it any more."""
        self.close()

    def _add(self, folder: str, place: Place) -> bool:
        isOnTheWay = not place.names and not place.isWhole
        try:
            mask = _GOES if isOnTheWay else _HAPPENS
            self.watch(FilePath(folder), mask, callbacks=[self._happened])  # type: ignore[no-untyped-call]
        except inotify.INotifyError:
            # What is not there any more will be found by the look that comes next.
            return not os.path.isdir(folder)
        return True

    def _happened(self, _: object, path: FilePath[bytes], mask: int) -> None:
        folder, name = os.path.split(os.fsdecode(path.path))
        place = self._places.get(folder)
        # What happens to a watched folder itself has its own path.
        if mask & _GOES or place is None or place.isWhole or name in place.names:
            self._heard()
