"""A headless Chromium that tests look at pages with: the real one, driven by its DevTools protocol over a pipe.

https://chromedevtools.github.io/devtools-protocol/ names the methods and events.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from base64 import b64decode
from pathlib import Path
from typing import Any

__all__ = ["Chromium"]

#: Chromium reads commands from descriptor 3, and writes answers to descriptor 4.
_START = """
import os, sys
reading, writing, *command = sys.argv[1:]
# Beyond those two first, for each may be in the place of the other.
reading, writing = os.dup(int(reading)), os.dup(int(writing))
while min(reading, writing) < 5:
    reading, writing = os.dup(reading), os.dup(writing)
os.dup2(reading, 3)
os.dup2(writing, 4)
os.execvp(command[0], command)
"""


class Chromium:
    """One browser with one tab. It can reach no network: no name resolves, and there is no proxy."""

    def __init__(self) -> None:
        self._folder = tempfile.mkdtemp(prefix="tlscomm-chromium-")
        commands, self._commands = os.pipe()
        self._answers, answers = os.pipe()
        command = (
            "chromium",
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-extensions",
            "--host-resolver-rules=MAP * ~NOTFOUND",
            f"--user-data-dir={self._folder}",
            "--remote-debugging-pipe",
            "about:blank",
        )
        self._process = subprocess.Popen(
            (sys.executable, "-c", _START, str(commands), str(answers), *command),
            pass_fds=(commands, answers),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # Its many processes are ended together.
            start_new_session=True,
        )
        os.close(commands)
        os.close(answers)
        self._pending = bytearray()
        self._number = 0
        self._session = ""
        #: What the browser has told of itself: method and parameters.
        self.events: list[tuple[str, dict[str, Any]]] = []
        targets = self.ask("Target.getTargets")["targetInfos"]
        tab = next(target["targetId"] for target in targets if target["type"] == "page")
        self._session = self.ask("Target.attachToTarget", targetId=tab, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log", "Audits"):
            self.ask(f"{domain}.enable")

    def close(self) -> None:
        """End it, and remove what it has written."""
        os.close(self._commands)
        os.close(self._answers)
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def ask(self, method: str, **parameters: object) -> Any:
        """Return what the browser answers to a command."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise AssertionError(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append((answer["method"], answer["params"]))

    def show(self, page: Path, *, width: int = 1200, height: int = 900, scheme: str = "light") -> None:
        """Load a file, and return when it is there.

        Args:
            page: the file.
            width: of the window, in CSS pixels.
            height: the same.
            scheme: the colours that the person wishes, ``light`` or ``dark``.
        """
        isPhone = width < 600
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=isPhone)
        self.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.events.clear()
        self.ask("Page.navigate", url=page.as_uri())
        while not any(method == "Page.loadEventFired" for method, _ in self.events):
            self.events.append(self._event())

    def evaluate(self, expression: str) -> Any:
        """Return the value of an expression in the page. The page's own policy does not bind what a debugger runs."""
        answer = self.ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise AssertionError(answer["exceptionDetails"])
        return answer["result"].get("value")

    def press(self, key: str) -> None:
        """Press a key and let it go."""
        text = {"Enter": "\r", " ": " "}.get(key, "")
        code = {"Enter": 13, "Tab": 9, " ": 32}[key]
        for kind in ("keyDown", "keyUp"):
            more = {"text": text} if text and kind == "keyDown" else {}
            self.ask("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **more)

    def picture(self, path: Path) -> None:
        """Write a picture of the whole page."""
        shot = self.ask("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(b64decode(shot["data"]))

    def _event(self) -> tuple[str, dict[str, Any]]:
        answer = self._read()
        return answer["method"], answer["params"]

    def _read(self) -> dict[str, Any]:
        while (end := self._pending.find(b"\0")) < 0:
            if not (data := os.read(self._answers, 1 << 16)):
                raise AssertionError("chromium has ended")
            self._pending += data
        message: dict[str, Any] = json.loads(self._pending[:end])
        del self._pending[: end + 1]
        return message
