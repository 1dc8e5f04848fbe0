"""Headless Chromium, driven through its debugging pipe, so that only the browser is needed."""

import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Chromium reads commands from descriptor 3 and answers on descriptor 4
LAUNCH = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4); os.execvp(sys.argv[3], sys.argv[3:])"
)


def installed() -> str | None:
    """The path of the browser, or None."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


class Browser:
    """One page of a browser, whose profile is in ``folder``; as a context manager it ends the browser."""

    def __init__(self, program: str, folder: Path, timeout: float = 90) -> None:
        self.timeout, self.buffer, self.number, self.session = timeout, b"", 0, None
        commands, self.write = os.pipe()
        self.read, answers = os.pipe()
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (commands, answers)]  # neither 3 nor 4
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-pipe"]
        arguments = [sys.executable, "-c", LAUNCH, *map(str, ends), program, *options, f"--user-data-dir={folder}"]
        self.process = subprocess.Popen(
            arguments, pass_fds=ends, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for end in (commands, answers, *ends):
            os.close(end)

    def __enter__(self) -> "Browser":
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.ask("Page.enable")
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait()
        os.close(self.write)
        os.close(self.read)

    def open(self, path: Path) -> None:
        """Load a file and wait until the page reports that it is loaded."""
        self.ask("Page.navigate", url=path.resolve().as_uri())
        while self._message().get("method") != "Page.loadEventFired":
            pass

    def run(self, script: str) -> object:
        """The value of a script in the page, awaited if it is a promise; raises what the script throws."""
        found = self.ask("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in found:
            raise RuntimeError(json.dumps(found["exceptionDetails"], indent=1))
        return found["result"].get("value")

    def ask(self, method: str, **params: object) -> dict:
        """Send a command and return its answer; events in between are dropped."""
        self.number += 1
        command = {"id": self.number, "method": method, "params": params}
        command |= {"sessionId": self.session} if self.session else {}
        os.write(self.write, json.dumps(command).encode() + b"\0")
        while (answer := self._message()).get("id") != self.number:
            pass
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    def _message(self) -> dict:
        end = time.monotonic() + self.timeout
        while b"\0" not in self.buffer:
            if not select.select([self.read], [], [], max(0, end - time.monotonic()))[0]:
                raise TimeoutError(f"the browser said nothing for {self.timeout} s")
            part = os.read(self.read, 1 << 16)
            if not part:
                raise RuntimeError("the browser ended by itself")
            self.buffer += part
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)
