"""A headless Chromium, spoken to over a pipe in its own protocol: no driver, no port, no package.

The protocol: https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)
_FREE_FD = 10  # Chromium reads from 3 and writes to 4: ours must be others
_PATIENCE_S = 60


def find_chromium() -> str | None:
    """Return the program, if there is one."""
    return next((found for name in PROGRAMS if (found := shutil.which(name))), None)


class Page:
    """One tab, and what happened in it.

    Args:
        pipe: to the browser.
        session: the tab's.
    """

    def __init__(self, pipe: _Pipe, session: str) -> None:
        self._pipe = pipe
        self._session = session
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol and return its result."""
        return self._pipe.call(method, parameters, self._session)

    def open(self, path: Path, width: int = 1280, height: int = 900, *, dark: bool = False, media: str = "") -> None:
        """Load a file in a window of this size, and wait until it is loaded."""
        self._pipe.events.clear()
        self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", media=media, features=[scheme])
        self.send("Page.navigate", url=path.resolve().as_uri())
        self._pipe.wait_for("Page.loadEventFired")

    def evaluate(self, expression: str) -> Any:
        """Return the value of an expression, awaited if it is a promise."""
        answer = self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def press(self, key: str, code: int, text: str = "") -> None:
        """Press and release a key, as a person does."""
        common = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        self.send("Input.dispatchKeyEvent", type="keyDown", text=text, **common)
        self.send("Input.dispatchKeyEvent", type="keyUp", **common)

    def screenshot(self, *, whole: bool = False) -> bytes:
        """Return a PNG of the window, or of the whole page."""
        return base64.b64decode(self.send("Page.captureScreenshot", captureBeyondViewport=whole)["data"])

    @property
    def requests(self) -> list[str]:
        """The addresses that were asked for, but for those that hold their content."""
        sent = [event["request"]["url"] for event in self._events("Network.requestWillBeSent")]
        return [url for url in sent if not url.startswith("data:")]

    @property
    def complaints(self) -> list[str]:
        """What the console was told of warnings, errors and exceptions."""
        logged = [event["entry"]["text"] for event in self._events("Log.entryAdded")]
        thrown = [str(event["exceptionDetails"]) for event in self._events("Runtime.exceptionThrown")]
        return logged + thrown + [str(event["args"]) for event in self._events("Runtime.consoleAPICalled")]

    def _events(self, method: str) -> list[dict[str, Any]]:
        self.evaluate("0")  # what happened before is told before this is answered
        return [event["params"] for event in self._pipe.events if event["method"] == method]


class _Pipe:
    """Messages to and from the browser, one after the other."""

    def __init__(self, to_browser: int, from_browser: int) -> None:
        self._out = os.fdopen(to_browser, "wb", buffering=0)
        self._in = os.fdopen(from_browser, "rb")
        self._count = 0
        self._rest = b""
        self.events: list[dict[str, Any]] = []

    def call(self, method: str, parameters: dict[str, Any], session: str | None = None) -> dict[str, Any]:
        self._count += 1
        message: dict[str, Any] = {"id": self._count, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        self._out.write(json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._count:
                assert "error" not in answer, answer["error"]
                result: dict[str, Any] = answer["result"]
                return result

    def wait_for(self, method: str) -> None:
        while all(event["method"] != method for event in self.events):
            self._receive()

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            block = os.read(self._in.fileno(), 1 << 20)
            assert block, "the browser has ended"
            self._rest += block
        text, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        if "method" in message:
            self.events.append(message)
        return message

    def close(self) -> None:
        self._out.close()
        self._in.close()


@contextlib.contextmanager
def open_browser(program: str, profile: Path) -> Iterator[Page]:
    """Start the browser with a profile of its own and yield a tab; it ends with the block."""
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    read_fd, write_fd = (fcntl.fcntl(fd, fcntl.F_DUPFD, _FREE_FD) for fd in (theirs_in, theirs_out))
    redirect = f'exec "$0" "$@" 3<&{read_fd} 4>&{write_fd}'
    with open(profile.with_suffix(".log"), "wb") as log:
        process = subprocess.Popen(
            ["bash", "-c", redirect, program, *_FLAGS, f"--user-data-dir={profile}"],
            pass_fds=(read_fd, write_fd),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    for fd in (theirs_in, theirs_out, read_fd, write_fd):
        os.close(fd)
    pipe = _Pipe(ours_out, ours_in)
    try:
        target = pipe.call("Target.createTarget", {"url": "about:blank"})["targetId"]
        session = pipe.call("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        yield Page(pipe, session)
        pipe.call("Browser.close", {})
    finally:
        pipe.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_PATIENCE_S)
        process.kill()
        process.wait()
