"""A host under test: `pons serve --stdio` as a child, spoken to in frames, its log read by lines. Waits are bounded."""

from __future__ import annotations

import json
import os
import select
import struct
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any, BinaryIO, Callable, Dict, List, Optional

import msgpack

ROOT = Path(__file__).resolve().parents[3]

HEAD = """
import os, sys
import pons

app = pons.App("app", version="1.0")


@app.command()
def calm() -> int:
    return os.getpid()

"""

DEADLINE = 100.0  # seconds that any wait may take


class Host:
    """A host with one configuration.

    Parameters
    ----------
    program
        The path of `pons`.
    folder
        Where the configuration is written; workers run there.
    config
        What the configuration file holds.
    arguments
        More arguments of `pons serve`.
    """

    def __init__(self, program: str, folder: Path, config: Dict[str, Any], *arguments: str) -> None:
        file = folder / "pons.json"
        file.write_text(json.dumps({"host": {"log": {"format": "json"}}, **config}), encoding="utf-8")
        self._process = subprocess.Popen(
            [program, "serve", "--stdio", "-c", str(file), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._changed = threading.Condition()
        self._replies: List[Dict[str, Any]] = []
        self._log: List[str] = []
        self._ended = 0
        self._last_id = 0
        self._readers = [
            threading.Thread(target=self._read, args=(read_frames, self._process.stdout, self._replies)),
            threading.Thread(target=self._read, args=(read_lines, self._process.stderr, self._log)),
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, source: Callable[[BinaryIO], Any], stream: BinaryIO, found: List[Any]) -> None:
        for item in source(stream):
            with self._changed:
                found.append(item)
                self._changed.notify_all()
        with self._changed:
            self._ended += 1
            self._changed.notify_all()

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, command: str, args: Optional[Dict[str, Any]] = None, codec: str = "json", **fields: Any) -> int:
        """Send a request; return its id."""
        self._last_id += 1
        request = {"id": self._last_id, "command": command, "args": args or {}, **fields}
        body = json.dumps(request).encode() if codec == "json" else msgpack.packb(request)
        assert self._process.stdin is not None
        self._process.stdin.write(struct.pack(">I", len(body)) + body)
        self._process.stdin.flush()
        return self._last_id

    def partials(self, request: int) -> List[Dict[str, Any]]:
        """Return the partial replies that have come so far."""
        with self._changed:
            return [reply for reply in self._replies if reply["id"] == request and reply.get("partial")]

    def reply(self, request: int) -> Dict[str, Any]:
        """Wait for the terminal reply of a request."""
        return self._wait(lambda: self._find(request), f"reply to request {request}")

    def wait_partial(self, request: int, wanted: Callable[[Dict[str, Any]], bool]) -> Dict[str, Any]:
        """Wait for a partial reply that is as wanted."""

        def find() -> Optional[Dict[str, Any]]:
            return next(
                (each for each in self._replies if each["id"] == request and each.get("partial") and wanted(each)), None
            )

        return self._wait(find, f"partial reply to request {request}")

    def _find(self, request: int) -> Optional[Dict[str, Any]]:
        found = [reply for reply in self._replies if reply["id"] == request and not reply.get("partial")]
        assert len(found) < 2, f"request {request} was answered twice: {found}"
        return found[0] if found else None

    def call(
        self, command: str, args: Optional[Dict[str, Any]] = None, codec: str = "json", **fields: Any
    ) -> Dict[str, Any]:
        """Send a request and wait for its terminal reply."""
        return self.reply(self.send(command, args, codec, **fields))

    def result(self, command: str, args: Optional[Dict[str, Any]] = None, codec: str = "json", **fields: Any) -> Any:
        """Return the result of a request that succeeds."""
        reply = self.call(command, args, codec, **fields)
        assert reply["success"], reply
        return reply["result"]

    def error(
        self, command: str, args: Optional[Dict[str, Any]] = None, codec: str = "json", **fields: Any
    ) -> Dict[str, Any]:
        """Return the reply of a request that fails."""
        reply = self.call(command, args, codec, **fields)
        assert not reply["success"], reply
        return reply

    def wait_log(self, text: str) -> Dict[str, Any]:
        """Wait for a line of the log that holds a text; return it."""
        line = self._wait(
            lambda: next((line for line in self._log if text in line), None), f"line of the log with {text!r}"
        )
        found: Dict[str, Any] = json.loads(line)
        return found

    def _wait(self, find: Callable[[], Any], what: str) -> Any:
        with self._changed:
            if not self._changed.wait_for(lambda: find() is not None or self._ended == 2, DEADLINE):
                raise AssertionError(f"no {what} within {DEADLINE:g} s; the log:\n{''.join(self._log)}")
            found = find()
            if found is None:
                raise AssertionError(f"the host ended without a {what}; the log:\n{''.join(self._log)}")
            return found

    def stop(self) -> int:
        """Let the host end as its parent's end of file does; return its exit status."""
        assert self._process.stdin is not None
        if not self._process.stdin.closed:
            self._process.stdin.close()
        try:
            return self._process.wait(DEADLINE)
        finally:
            self._process.kill()
            self._process.wait()
            for reader in self._readers:
                reader.join(DEADLINE)
            for stream in (self._process.stdout, self._process.stderr):
                if stream is not None:
                    stream.close()

    def kill(self) -> None:
        """End the host as `kill -9` does."""
        self._process.kill()
        self.stop()


def read_frames(stream: BinaryIO) -> Any:
    """Yield the documents on a stream of frames, in either codec."""
    while len(header := stream.read(4)) == 4:
        body = stream.read(struct.unpack(">I", header)[0])
        yield json.loads(body) if body[:1] == b"{" else msgpack.unpackb(body)


def read_lines(stream: BinaryIO) -> Any:
    """Yield the lines on a stream."""
    for line in stream:
        yield line.decode(errors="replace")


def wait_for_end(pid: int) -> None:
    """Wait until there is no process with this id any more, whoever its parent is."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        ended, _, _ = select.select([handle], [], [], DEADLINE)
        assert ended, f"process {pid} still runs after {DEADLINE:g} s"
    finally:
        os.close(handle)


def write_app(folder: Path, source: str) -> Path:
    """Write a worker with the handlers that the source declares."""
    file = folder / "app.py"
    file.write_text(HEAD + textwrap.dedent(source) + "\napp.run()\n", encoding="utf-8")
    return file


def python_worker(file: str = "./app.py", *arguments: str, **entry: Any) -> Dict[str, Any]:
    """Return the entry of a configuration for a worker under this very interpreter."""
    return {"command": [sys.executable, file, *arguments], **entry}
