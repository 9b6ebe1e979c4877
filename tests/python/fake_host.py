"""A host of a few lines, for one worker process.

Speaks frames over a socket pair and takes what it is sent, each wait with a deadline.
"""

from __future__ import annotations

import json
import os
import re
import select
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Dict, List, Optional

import pons

SDK = Path(pons.__file__).parents[1]
DEADLINE = 60.0  # seconds for anything that must happen: generous, as it ends a test that fails anyway
_SLOW = re.compile(r"Executing <.* took [0-9.]+ seconds")


class FakeHost:
    """Starts ``source``, a program, as a worker. Use in ``with``: at the end nothing of it is left.

    Parameters
    ----------
    folder
        For its file and its log.
    stdio
        Its channel is stdin and stdout.
    """

    def __init__(self, folder: Path, source: str, *, stdio: bool = False, env: Optional[Dict[str, str]] = None) -> None:
        self._log = folder / "worker.log"
        program = folder / "worker.py"
        program.write_text(source)
        ours, theirs = socket.socketpair()
        ours.settimeout(DEADLINE)
        self.channel = ours
        self.dump, dump = os.pipe()
        keep = [theirs.fileno(), dump]
        environment = {
            **os.environ,
            "PYTHONPATH": str(SDK),
            "PONS_WORKER_ID": "t#0.1",
            "PONS_ADAPTER": "t",
            **(env or {}),
        }
        if not stdio:
            environment.update(PONS_FD=str(theirs.fileno()), PONS_DUMP_FD=str(dump))
        with open(self._log, "wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-X", "dev", "-W", "error", str(program)],
                pass_fds=[] if stdio else keep,
                env=environment,
                stdin=theirs if stdio else subprocess.DEVNULL,
                stdout=theirs if stdio else log,
                stderr=log,
            )
        theirs.close()
        os.close(dump)
        self._ids = 0
        self._frames: List[Dict[str, Any]] = []

    def __enter__(self) -> FakeHost:
        return self

    def __exit__(self, *_: object) -> None:
        self.channel.close()
        os.close(self.dump)
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(DEADLINE)

    def shake_hands(self, **args: Any) -> Dict[str, Any]:
        """As a host begins; the results of ping and get_info in one."""
        handshake = {
            "initialization": True,
            "worker_id": "t#0.1",
            "adapter": "t",
            "protocol": {"min": 1, "max": 1},
            "options": {},
        }
        return {**self.call("ping", {**handshake, **args}), **self.call("get_info")}

    def send(self, command: str, args: Optional[Dict[str, Any]] = None, **envelope: Any) -> int:
        """Sends a request; its id."""
        self._ids += 1
        request_id: int = envelope.pop("id", self._ids)
        self.send_frame({"id": request_id, "command": command, "args": args or {}, **envelope})
        return request_id

    def send_frame(self, document: Dict[str, Any]) -> None:
        """Sends any document."""
        self.send_bytes(json.dumps(document).encode())

    def send_bytes(self, body: bytes) -> None:
        """Sends any body."""
        self.channel.sendall(len(body).to_bytes(4, "big") + body)

    def frame(self) -> Dict[str, Any]:
        """The next frame of the worker."""
        document: Dict[str, Any] = json.loads(self.body())
        return document

    def body(self) -> bytes:
        """The next frame of the worker, in any codec, as it is."""
        return self._exactly(int.from_bytes(self._exactly(4), "big"))

    def reply(self, request_id: Any) -> Dict[str, Any]:
        """The next frame with this id that is no request; others are kept for later calls."""
        for kept in self._frames:
            if kept["id"] == request_id and "command" not in kept:
                self._frames.remove(kept)
                return kept
        while True:
            frame = self.frame()
            if frame["id"] == request_id and "command" not in frame:
                return frame
            self._frames.append(frame)

    def asked(self) -> Dict[str, Any]:
        """The next request of the worker."""
        for kept in self._frames:
            if "command" in kept:
                self._frames.remove(kept)
                return kept
        while True:
            frame = self.frame()
            if "command" in frame:
                return frame
            self._frames.append(frame)

    def call(self, command: str, args: Optional[Dict[str, Any]] = None, **envelope: Any) -> Any:
        """The result of a request."""
        reply = self.reply(self.send(command, args, **envelope))
        assert reply["success"], reply
        return reply["result"]

    def failure(self, command: str, args: Optional[Dict[str, Any]] = None, **envelope: Any) -> Dict[str, Any]:
        """The reply of a request that fails."""
        reply = self.reply(self.send(command, args, **envelope))
        assert not reply["success"], reply
        return reply

    def cancel(self, request_id: Any) -> bool:
        """Whether the worker knew the request."""
        found: bool = self.call("common:cancel", {"id": request_id})["found"]
        return found

    def hang_up(self) -> None:
        """End of file for the worker."""
        self.channel.shutdown(socket.SHUT_WR)

    def exit_status(self) -> int:
        """Waits for its end."""
        return self.process.wait(DEADLINE)

    def log(self) -> str:
        """What it has printed until now; not what asyncio, in development mode, says of a machine that is slow."""
        lines = self._log.read_text().splitlines(keepends=True)
        return "".join(line for line in lines if not _SLOW.search(line))

    def wait_for_log(self, text: str) -> None:
        """Until this stands in its log."""
        end = time.monotonic() + DEADLINE
        while text not in self.log():
            assert time.monotonic() < end, f"{text!r} is not in the log:\n{self.log()}"
            time.sleep(0.005)

    def expect_in_stacks(self, number: int, expected: str) -> None:
        """Sends the signal of the report of a hang, and waits until this stands in the report."""
        self.process.send_signal(number)
        text = ""
        while expected not in text:
            assert select.select([self.dump], [], [], DEADLINE)[0], f"{expected!r} is not among the stacks:\n{text}"
            text += os.read(self.dump, 1 << 16).decode()

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self.channel.recv(size - len(data))
            assert more, f"the worker has closed its channel:\n{self.log()}"
            data += more
        return data
