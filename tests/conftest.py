from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def ownFolder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test runs in an empty folder: trial's ``mktemp`` makes its files in the current one."""
    monkeypatch.chdir(tmp_path)
