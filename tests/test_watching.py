"""Files that change while a program runs: what has to be watched for it, and when a change counts."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from logs import logged
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater
from twisted.logger import formatEvent
from twisted.trial.unittest import SynchronousTestCase, TestCase

from tlscomm.failures import Damaged, Unreadable
from tlscomm.watching import _filewatch, _notices
from tlscomm.watching._filewatch import LOOK_SECONDS, QUIET_SECONDS, FileWatch
from tlscomm.watching._pending import PENDING_SECONDS
from tlscomm.watching._places import placesOf
from tlscomm.watching._reloadresult import ReloadResult
from tlscomm.watching._renewal import Renewal
from tlscomm.watching._watchedfiles import Sources, WatchedFiles


def write(path: str, content: str) -> None:
    """Write a file that another one is renamed to in one step."""
    Path(f"{path}.new").write_text(content)
    Path(f"{path}.new").rename(path)


def swapped(folder: str, number: int, content: str) -> None:
    """Put a new folder behind the link ``..data``, as Kubernetes does with what it mounts."""
    Path(folder, f"..{number}").mkdir(parents=True)
    Path(folder, f"..{number}", "tls.pem").write_text(content)
    Path(folder, "..new").symlink_to(f"..{number}")
    Path(folder, "..new").rename(Path(folder, "..data"))


class Places(SynchronousTestCase):
    """Which folders have to be watched."""

    def names(self, *paths: str) -> dict[str, Any]:
        """Return the names that are watched, by the folder below the one of the test; True for all of a folder."""
        here = os.path.realpath(".")
        found = {os.path.relpath(folder, here): place for folder, place in placesOf(paths).items()}
        return {
            name: True if place.isWhole else place.names for name, place in found.items() if not name.startswith("..")
        }

    def test_file(self) -> None:
        """Of a file, the name of it in its folder, whether there is one or not."""
        Path("a").mkdir()
        Path("a/b.pem").touch()
        self.assertEqual(self.names("a/b.pem", "a/c.pem"), {".": set(), "a": {"b.pem", "c.pem"}})
        self.assertEqual(self.names("none/b.pem"), {".": {"none"}})

    def test_folder(self) -> None:
        """Of a folder, all that is in it."""
        Path("a").mkdir()
        self.assertEqual(self.names("a"), {".": set(), "a": True})

    def test_links(self) -> None:
        """Of links, each of them and what it leads to; a circle ends."""
        swapped("mounted", 1, "one")
        Path("mounted/tls.pem").symlink_to("..data/tls.pem")
        self.assertEqual(
            self.names("mounted/tls.pem"), {".": set(), "mounted": {"tls.pem", "..data"}, "mounted/..1": {"tls.pem"}}
        )
        Path("live").symlink_to(os.path.abspath("mounted"))
        self.assertEqual(self.names("live/tls.pem")["."], {"live"})
        Path("circle").symlink_to("circle")
        self.assertEqual(self.names("circle"), {".": {"circle"}})

    def test_linksInAFolder(self) -> None:
        """Of a folder of links, also the folders that they lead to."""
        swapped("lists", 1, "one")
        Path("lists/tls.pem").symlink_to("..data/tls.pem")
        self.assertEqual(self.names("lists"), {".": set(), "lists": True, "lists/..1": True})


class Quiet(SynchronousTestCase):
    """When a change counts, where the system tells of none."""

    def setUp(self) -> None:
        self.clock = Clock()
        Path("a.pem").write_text("one")
        self.changes: list[float] = []
        self.watch = FileWatch(WatchedFiles.of(["a.pem"]), lambda: self.changes.append(self.clock.seconds()), "files")
        self.watch.use(self.clock)

    def test_rest(self) -> None:
        """Files are seen at the next look, and have to be quiet for a moment; a change counts once."""
        write("a.pem", "two")
        self.clock.pump([LOOK_SECONDS, QUIET_SECONDS, LOOK_SECONDS, LOOK_SECONDS])
        self.assertEqual(self.changes, [LOOK_SECONDS + QUIET_SECONDS])

    def test_unrest(self) -> None:
        """Files that never come to rest count all the same, in less than a second."""
        for number in range(40):
            write("a.pem", str(number))
            self.clock.advance(LOOK_SECONDS if number == 0 else QUIET_SECONDS)
        self.assertLess(self.changes[0] - LOOK_SECONDS, 0.9)

    def test_end(self) -> None:
        """What is not used any more does not look."""
        self.watch.release()
        self.assertEqual(self.clock.getDelayedCalls(), [])


class Pending(SynchronousTestCase):
    """What cannot be used may only be half there."""

    def setUp(self) -> None:
        self.clock = Clock()
        Path("a.pem").write_text("good")
        Path("a.crl").write_text("good")
        self.taken: list[str] = []
        self.results: list[ReloadResult] = []
        self.renewal = Renewal(
            self.clock,
            self.read,
            self.take,
            self.results.append,
            files=WatchedFiles.of(["a.pem"], ["a.crl"]),
            readLists=lambda: "lists",
        )
        self.renewal.use(self.clock)
        self.addCleanup(self.renewal.release)

    def read(self) -> str:
        content = Path("a.pem").read_text()
        if not content.startswith("good"):
            raise Damaged(content)
        return content

    def take(self, content: str) -> list[Exception]:
        self.taken.append(content)
        return [Damaged("a.crl")] if Path("a.crl").read_text() == "bad" else []

    def change(self, path: str, content: str) -> None:
        write(path, content)
        self.clock.pump([LOOK_SECONDS, QUIET_SECONDS])

    def test_half(self) -> None:
        """It is no refusal where something better comes in time."""
        self.change("a.pem", "half")
        self.clock.advance(PENDING_SECONDS - 0.5)
        write("a.pem", "good again")
        self.renewal.begin("signal")
        self.clock.advance(30)
        self.assertEqual(self.taken, ["good again"])
        self.assertEqual([each.problem for each in self.results], [None])

    def test_refusal(self) -> None:
        """It is one, and is told of once, where nothing comes; what comes later is taken."""
        self.change("a.pem", "half")
        self.assertEqual(self.results, [])
        self.clock.pump([PENDING_SECONDS, LOOK_SECONDS, LOOK_SECONDS])
        (result,) = self.results
        self.assertEqual((result.trigger, result.changed, self.taken), ("files", ("a.pem",), []))
        self.change("a.pem", "good")
        self.assertEqual([each.isTaken for each in self.results], [False, True])

    def test_back(self) -> None:
        """Where the files are again those in use, as after a link was turned back, that is told of."""
        write("b.pem", "half")
        os.rename("a.pem", "kept.pem")
        os.symlink("b.pem", "a.pem")
        self.clock.pump([LOOK_SECONDS, QUIET_SECONDS, PENDING_SECONDS])
        os.unlink("a.pem")
        os.symlink("kept.pem", "a.pem")
        self.clock.pump([LOOK_SECONDS, QUIET_SECONDS])
        self.assertEqual([each.isTaken for each in self.results], [False, True])

    def test_asked(self) -> None:
        """Who asks is told at once, and nothing is told a second time."""
        self.change("a.pem", "half")
        self.assertFalse(self.successResultOf(self.renewal.begin("signal")))
        self.clock.pump([PENDING_SECONDS, LOOK_SECONDS])
        self.assertEqual([each.trigger for each in self.results], ["signal"])

    def test_away(self) -> None:
        """A file that is removed and comes back is no refusal."""
        os.unlink("a.pem")
        self.clock.pump([LOOK_SECONDS, QUIET_SECONDS])
        write("a.pem", "good")
        self.clock.pump([LOOK_SECONDS / 2, LOOK_SECONDS / 2, QUIET_SECONDS])
        self.assertTrue(self.results[-1])

    def test_lists(self) -> None:
        """Where lists alone have changed, they alone are read, and one that is good counts beside one that is not."""
        self.change("a.crl", "new")
        self.assertEqual((self.taken, self.results[-1].changed), (["lists"], ("a.crl",)))
        self.change("a.crl", "bad")
        self.clock.advance(PENDING_SECONDS)
        self.assertEqual((self.taken, self.results[-1].isPartial), (["lists"] * 2, True))
        self.change("a.crl", "good")
        self.change("a.pem", "good too")
        self.assertEqual(self.taken[-1], "good too")

    def test_listsBesideTheBroken(self) -> None:
        """A list counts also while something else cannot be used, which stays a problem until it can."""
        self.change("a.pem", "half")
        self.clock.advance(PENDING_SECONDS)
        self.change("a.crl", "new")
        self.clock.advance(PENDING_SECONDS)
        self.assertEqual(self.taken, ["lists"])
        self.assertEqual([(str(each.problem), each.isPartial) for each in self.results][1][1], True)
        self.change("a.pem", "good again")
        self.assertEqual((self.taken[-1], self.results[-1].isTaken), ("good again", True))

    def test_again(self) -> None:
        """Asked once more where nothing has changed since a refusal, all is read, and the refusal is the same."""
        self.change("a.pem", "half")
        self.clock.advance(PENDING_SECONDS)
        result = self.successResultOf(self.renewal.begin("files"))
        self.assertEqual((str(result.problem), result.isPartial), (str(self.results[0].problem), False))

    def test_passing(self) -> None:
        """What may pass by itself is tried again every minute, without a change of files, and said once."""
        isThere: list[bool] = []

        def read() -> str:
            if not isThere:
                raise Unreadable("the disk does not answer")
            return "there"

        renewal = Renewal(self.clock, read, self.take, self.results.append, files=WatchedFiles.of(["a.pem"]))
        renewal.use(self.clock)
        self.addCleanup(renewal.release)
        write("a.pem", "good too")
        self.clock.pump([LOOK_SECONDS, QUIET_SECONDS, PENDING_SECONDS, *[LOOK_SECONDS] * 40])
        self.assertEqual(len([each for each in self.results if not each]), 1)
        isThere.append(True)
        self.clock.pump([LOOK_SECONDS] * 13)
        self.assertIn("there", self.taken)

    def test_newSources(self) -> None:
        """What is read may come to be something else, and that is watched then."""
        sources = [Sources(("a.pem",))]
        files = WatchedFiles(lambda: sources[-1])
        sources.append(Sources(("a.pem", "b.pem")))
        self.assertEqual(list(files.look()), ["a.pem"])
        self.assertEqual(list(files.lookBeforeReading()), ["a.pem", "b.pem"])
        sources.clear()
        self.assertEqual(list(files.lookBeforeReading()), ["a.pem", "b.pem"])


class Notices(TestCase):
    """What the system tells, on the file system itself."""

    timeout = 20

    def setUp(self) -> None:
        self.patch(_filewatch, "QUIET_SECONDS", 0.03)

    async def told(self, path: str, change: Callable[[], object]) -> None:
        """Change something, and return when that was told of. Nothing but a notice tells of it in time."""
        told: Deferred[None] = Deferred()
        clock: Any = reactor
        watch = FileWatch(WatchedFiles.of([path]), lambda: told.callback(None), "files", interval=1000.0)
        watch.use(clock)
        while watch._notices is None:
            await deferLater(clock, 0.001)
        change()
        await told
        watch.release()

    async def test_file(self) -> None:
        """A file that is written, replaced, removed or made readable."""
        Path("a.pem").write_text("one")
        await self.told("a.pem", lambda: Path("a.pem").write_text("other"))
        await self.told("a.pem", lambda: write("a.pem", "another"))
        await self.told("a.pem", lambda: Path("a.pem").chmod(0o600))
        await self.told("a.pem", lambda: Path("a.pem").unlink())

    async def test_links(self) -> None:
        """A link that is made to lead elsewhere, as by Kubernetes and certbot."""
        swapped("mounted", 1, "one")
        Path("mounted/tls.pem").symlink_to("..data/tls.pem")
        await self.told("mounted/tls.pem", lambda: swapped("mounted", 2, "two"))

    async def test_folders(self) -> None:
        """A folder that another one is renamed to, again and again, and one that is removed and made again."""
        Path("certs").mkdir()
        Path("certs/a.pem").write_text("one")

        def replace() -> None:
            Path("certs.new").mkdir()
            Path("certs.new/a.pem").write_text("two")
            Path("certs").rename("certs.old")
            Path("certs.new").rename("certs")
            shutil.rmtree("certs.old")

        def remove() -> None:
            shutil.rmtree("certs")
            Path("certs").mkdir()
            Path("certs/a.pem").write_text("three")

        await self.told("certs/a.pem", replace)
        await self.told("certs", replace)
        await self.told("certs/a.pem", remove)

    async def test_limit(self) -> None:
        """Where the system lets no more be watched, that is said once, and files are looked at."""

        def refuse(*_: object) -> int:
            return -1

        self.patch(_notices.inotify._inotify.libc, "inotify_add_watch", refuse)
        Path("a.pem").write_text("one")
        told: Deferred[None] = Deferred()
        clock: Any = reactor
        watch = FileWatch(WatchedFiles.of(["a.pem"]), lambda: told.callback(None), "files", interval=0.05)
        with logged() as events:
            watch.use(clock)
            write("a.pem", "two")
            await told
        watch.release()
        (event,) = events
        self.assertIn("fs.inotify.max_user_watches", str(formatEvent(event)))
