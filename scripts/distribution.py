"""Builds what is published: from one commit always the same source distribution and the same wheel, byte for byte.

So a release can be built again and compared with the one that was published. It takes the same versions of setuptools
and wheel, since a wheel names the one that made it.

A build says when and by whom it was made in three places: in the times and the owners of the files in the source
distribution, in the header of its compression, and in the times and permissions in the wheel. Each is given the
commit's time here, and no owner.
"""

from __future__ import annotations

import argparse
import gzip
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

CHECKOUT = Path(__file__).parent.parent


def build(source: Path, place: Path, epoch: int) -> None:
    """Build both from a folder, which is written into, into another.

    Args:
        source: the sources.
        place: where the distributions go.
        epoch: the time that they say, in seconds since 1970.
    """
    _runBuild("--sdist", source, place, epoch)
    (sdist,) = place.glob("*.tar.gz")
    _normalize(sdist, epoch)
    with tempfile.TemporaryDirectory() as folder, tarfile.open(sdist) as packed:
        packed.extractall(folder, filter="data")
        (unpacked,) = Path(folder).iterdir()
        _runBuild("--wheel", unpacked, place, epoch)


def _runBuild(kind: str, source: Path, place: Path, epoch: int) -> None:
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch)}
    command = (sys.executable, "-m", "build", "--no-isolation", kind, "--outdir", place, source)
    done = subprocess.run(
        command, env=environment, umask=0o022, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    if done.returncode:
        sys.exit(done.stdout.decode(errors="replace"))


def _normalize(sdist: Path, epoch: int) -> None:
    with tarfile.open(sdist) as packed:
        members = [(member, packed.extractfile(member)) for member in packed if member.isfile()]
        # The default format writes times as they are to a part of a second, in headers of their own.
        with (
            sdist.with_suffix(".new").open("wb") as file,
            gzip.GzipFile("", "wb", mtime=epoch, fileobj=file) as zipped,
            tarfile.open(fileobj=zipped, mode="w", format=tarfile.GNU_FORMAT) as written,
        ):
            for member, content in sorted(members, key=lambda pair: pair[0].name):
                plain = tarfile.TarInfo(member.name)
                plain.size, plain.mtime = member.size, epoch
                plain.mode = 0o755 if member.mode & 0o100 else 0o644
                written.addfile(plain, content)
    sdist.with_suffix(".new").replace(sdist)


def main() -> None:
    parser = argparse.ArgumentParser(description="Build the source distribution and the wheel of the last commit.")
    parser.add_argument("place", type=Path, nargs="?", default=CHECKOUT / "dist", help="where they go (dist)")
    place = parser.parse_args().place
    place.mkdir(parents=True, exist_ok=True)
    epoch = int(subprocess.check_output(("git", "log", "-1", "--format=%ct"), cwd=CHECKOUT))
    with tempfile.TemporaryDirectory() as folder:
        source, made = Path(folder, "source"), Path(folder, "made")
        source.mkdir()
        archive = subprocess.check_output(("git", "archive", "HEAD"), cwd=CHECKOUT)
        subprocess.run(("tar", "-x", "-C", source), input=archive, check=True)
        build(source, made, epoch)
        for distribution in sorted(made.iterdir()):
            print(shutil.copy(distribution, place))


if __name__ == "__main__":
    main()
