"""A headless Chromium, asked over the DevTools protocol through two pipes: no port, and no client library."""

from __future__ import annotations

import base64
import itertools
import json
import os
import select
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

__all__ = ["Chromium", "Tab"]

DEADLINE = 30.0


class Chromium:
    """A browser in a process of its own, with a profile of its own. A context manager."""

    def __init__(self, program: str) -> None:
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        read_end, self._commands = os.pipe()
        self._answers, write_end = os.pipe()
        options = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--no-first-run",
            "--remote-debugging-pipe",
            f"--user-data-dir={self._profile.name}",
        ]
        # The browser reads descriptor 3 and writes to descriptor 4.
        script = f'exec "$0" "$@" 3<&{read_end} 4>&{write_end}'
        self._process = subprocess.Popen(
            ["bash", "-c", script, program, *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(read_end, write_end),
        )
        os.close(read_end)
        os.close(write_end)
        self._numbers = itertools.count(1)
        self._buffer = b""
        self.events: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the browser and remove its profile."""
        os.close(self._commands)  # it ends with its pipe
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(5)
        os.close(self._answers)
        self._profile.cleanup()

    def call(self, method: str, session: str = "", **parameters: Any) -> dict[str, Any]:
        """Send one command and return its result. Raises RuntimeError for an error."""
        number = next(self._numbers)
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._commands, data) :]
        while True:
            answer = self.receive()
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                result: dict[str, Any] = answer["result"]
                return result

    def receive(self) -> dict[str, Any]:
        """Wait for the next message of the browser, and return it."""
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._answers], [], [], DEADLINE)
            data = os.read(self._answers, 1 << 20) if ready else b""
            if not data:
                raise RuntimeError(f"the browser has ended, or has said nothing for {DEADLINE:g} s")
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        if "method" in message:
            self.events.append(message)
        return message

    def open(self, path: Path, *, scripts: bool = True, dark: bool = False, size: tuple[int, int] = (1280, 800)) -> Tab:
        """Open a file in a new tab and wait until it is loaded."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        tab = Tab(self, session, target)
        tab.call("Page.enable")
        tab.call("Runtime.enable")
        tab.call("Log.enable")
        tab.call("Network.enable")
        tab.call("Emulation.setScriptExecutionDisabled", value=not scripts)
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        tab.call("Emulation.setEmulatedMedia", features=scheme)
        tab.resize(*size)
        tab.load(path)
        return tab


class Tab:
    """One page in the browser."""

    def __init__(self, browser: Chromium, session: str, target: str) -> None:
        self._browser = browser
        self._session = session
        self._target = target

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command to this page."""
        return self._browser.call(method, self._session, **parameters)

    def load(self, path: Path) -> None:
        """Open a file and wait until it is loaded."""
        self.call("Page.navigate", url=path.as_uri())
        while not self._events("Page.loadEventFired"):
            self._browser.receive()

    def close(self) -> None:
        """Close the tab."""
        self._browser.call("Target.closeTarget", targetId=self._target)

    def resize(self, width: int, height: int) -> None:
        """Give the page another size."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def run(self, script: str) -> Any:
        """Return the value of a JavaScript expression. Raises RuntimeError for an exception."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{script}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def texts(self, selector: str) -> list[str]:
        """Return the text of all elements that match."""
        return list(self.run(f"[...document.querySelectorAll({json.dumps(selector)})].map((each) => each.textContent)"))

    def text(self, selector: str) -> str:
        """Return the text of the only element that matches."""
        (found,) = self.texts(selector)
        return found

    def click(self, selector: str, containing: str = "") -> None:
        """Press and release the mouse on the first element that matches and contains the text."""
        where = f"[...document.querySelectorAll({json.dumps(selector)})]"
        found = f"{where}.find((each) => each.textContent.includes({json.dumps(containing)}))"
        x, y = self.run(
            f"(({{x, y, width, height}}) => [x + width / 2, y + height / 2])({found}.getBoundingClientRect())"
        )
        self.move(x, y)
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def move(self, x: float, y: float) -> None:
        """Move the mouse."""
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def press(self, key: str) -> None:
        """Press and release a key."""
        text = {"text": key} if len(key) == 1 else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key)

    def settle(self) -> None:
        """Wait until the page has drawn what it was going to draw. Only where scripts run."""
        self.run("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def complaints(self) -> list[str]:
        """Return exceptions, errors and warnings of the page's console."""
        self._browser.call("Browser.getVersion")  # reads what has come
        found = [str(each["params"]) for each in self._events("Runtime.exceptionThrown", "Log.entryAdded")]
        calls = self._events("Runtime.consoleAPICalled")
        return found + [
            str(each["params"]) for each in calls if each["params"]["type"] in ("error", "warning", "assert")
        ]

    def requests(self) -> list[str]:
        """Return the addresses that the page has asked for, but for those within it."""
        found = [each["params"]["request"]["url"] for each in self._events("Network.requestWillBeSent")]
        return [each for each in found if not each.startswith("data:")]

    def screenshot(self, path: Path) -> None:
        """Write a picture of what is seen."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def pdf(self) -> bytes:
        """Return the page as it is printed."""
        return base64.b64decode(self.call("Page.printToPDF")["data"])

    def _events(self, *methods: str) -> list[dict[str, Any]]:
        here = [each for each in self._browser.events if each.get("sessionId") == self._session]
        return [each for each in here if each["method"] in methods]
