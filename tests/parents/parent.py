#!/usr/bin/env python3
"""A parent application in Python, standard library only: it starts `pons serve --stdio` and talks to several
adapters at once.

    parent.py PONS CONFIG [--xgboost]

Prints one line a check; ends 0 when all hold, else 1 with the check that failed.
"""

import json
import os
import select
import struct
import subprocess
import sys
import threading

DEADLINE = 30  # seconds that any wait may take


# --- MessagePack, as much of it as a parent needs -------------------------------------------------


def pack(value):
    if value is None:
        return b"\xc0"
    if isinstance(value, bool):
        return b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        return struct.pack("b", value) if -32 <= value < 128 else struct.pack(">Bq", 0xD3, value)
    if isinstance(value, float):
        return struct.pack(">Bd", 0xCB, value)
    if isinstance(value, str):
        text = value.encode()
        return struct.pack(">BI", 0xDB, len(text)) + text
    if isinstance(value, bytes):
        return struct.pack(">BI", 0xC6, len(value)) + value
    if isinstance(value, list):
        return struct.pack(">BI", 0xDD, len(value)) + b"".join(map(pack, value))
    if isinstance(value, dict):  # fixmap where it fits: the first byte tells the host the codec, and both forms must do
        head = bytes([0x80 | len(value)]) if len(value) < 16 else struct.pack(">BI", 0xDF, len(value))
        return head + b"".join(pack(k) + pack(v) for k, v in value.items())
    raise TypeError(f"cannot pack {value!r}")


# First byte -> (kind, format of the number that follows: the value itself, or a length or count)
PACKED = {
    0xC4: ("bin", ">B"), 0xC5: ("bin", ">H"), 0xC6: ("bin", ">I"), 0xCA: ("number", ">f"), 0xCB: ("number", ">d"),
    0xCC: ("number", ">B"), 0xCD: ("number", ">H"), 0xCE: ("number", ">I"), 0xCF: ("number", ">Q"),
    0xD0: ("number", ">b"), 0xD1: ("number", ">h"), 0xD2: ("number", ">i"), 0xD3: ("number", ">q"),
    0xD9: ("str", ">B"), 0xDA: ("str", ">H"), 0xDB: ("str", ">I"), 0xDC: ("array", ">H"), 0xDD: ("array", ">I"),
    0xDE: ("map", ">H"), 0xDF: ("map", ">I"),
}  # fmt: skip
CONSTANTS = {0xC0: None, 0xC2: False, 0xC3: True}


def unpack_from(data, at):
    """One value at `at`; returns it and the place behind it."""
    first, at = data[at], at + 1
    if first < 0x80:
        return first, at
    if first >= 0xE0:
        return first - 0x100, at
    if first in CONSTANTS:
        return CONSTANTS[first], at
    if first < 0x90:
        kind, number = "map", first & 0x0F
    elif first < 0xA0:
        kind, number = "array", first & 0x0F
    elif first < 0xC0:
        kind, number = "str", first & 0x1F
    else:
        kind, form = PACKED[first]
        (number,) = struct.unpack_from(form, data, at)
        at += struct.calcsize(form)
    if kind == "number":
        return number, at
    if kind in ("str", "bin"):
        content = data[at : at + number]
        return (content.decode() if kind == "str" else content), at + number
    values = []
    for _ in range(number if kind == "array" else 2 * number):
        value, at = unpack_from(data, at)
        values.append(value)
    return (values if kind == "array" else dict(zip(values[::2], values[1::2]))), at


def unpack(data):
    value, end = unpack_from(data, 0)
    if end != len(data):
        raise ValueError(f"{len(data) - end} bytes behind the MessagePack value")
    return value


# --- The host as a child process ------------------------------------------------------------------


class Host:
    """`pons serve --stdio`: requests leave by send(), a thread collects the replies, wait() finds one by its id."""

    def __init__(self, pons, config):
        self.process = subprocess.Popen(
            [pons, "serve", "--stdio", "-c", config], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.replies = []  # (codec, reply) in order of arrival
        self.arrival = threading.Condition()
        self.ended = False
        self.last_id = 0
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        source = self.process.stdout
        while len(header := source.read(4)) == 4:
            body = source.read(struct.unpack(">I", header)[0])
            codec = "json" if body[:1] == b"{" else "msgpack"
            reply = json.loads(body) if codec == "json" else unpack(body)
            with self.arrival:
                self.replies.append((codec, reply))
                self.arrival.notify_all()
        with self.arrival:
            self.ended = True
            self.arrival.notify_all()

    def send_body(self, body):
        self.process.stdin.write(struct.pack(">I", len(body)) + body)
        self.process.stdin.flush()

    def send(self, command, args=None, codec="json", **fields):
        """Sends a request and returns its id."""
        self.last_id += 1
        request = {"id": self.last_id, "command": command, "args": args or {}, **fields}
        self.send_body(json.dumps(request).encode() if codec == "json" else pack(request))
        return request["id"]

    def find(self, ident):
        """The place of the reply among those that arrived, or None."""
        return next((i for i, (_, reply) in enumerate(self.replies) if reply.get("id") == ident), None)

    def wait(self, ident):
        """The reply to that id, and its codec; the reply is kept in `replies`."""
        with self.arrival:
            if not self.arrival.wait_for(lambda: self.find(ident) is not None or self.ended, DEADLINE):
                fail(f"reply to request {ident!r}", f"none within {DEADLINE} s")
            place = self.find(ident)
        if place is None:
            fail(f"reply to request {ident!r}", "the host ended without it")
        return self.replies[place]

    def call(self, command, args=None, codec="json", **fields):
        reply_codec, reply = self.wait(self.send(command, args, codec, **fields))
        if reply_codec != codec:
            fail("codec of the reply to " + command, f"{reply_codec}, asked in {codec}")
        return reply

    def exit_status(self):
        try:
            return self.process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return f"none within {DEADLINE} s"


# --- Checks ---------------------------------------------------------------------------------------


def fail(name, detail):
    print(f"FAIL {name}: {detail}", flush=True)
    os._exit(1)  # threads and a host may be waiting; the host sees us gone and ends


def check(name, actual, expected):
    if actual != expected:
        fail(name, f"expected {expected!r}, got {actual!r}")
    print(f"ok   {name}", flush=True)


def check_calls(host):
    for codec in ("json", "msgpack"):
        args = {"text": "größer 🌉", "numbers": [0, -1, 2**40, 1.5], "none": None, "yes": True}
        check(f"host:ping in {codec}", host.call("host:ping", codec=codec).get("success"), True)
        check(f"echo:echo in {codec}", host.call("echo:echo", args, codec).get("result"), args)
        check(f"bare:add in {codec}", host.call("bare:add", {"numbers": [1, 2, 39]}, codec).get("result"), {"sum": 42})
        check(
            f"bare:reverse in {codec}",
            host.call("bare:reverse", {"text": "snop"}, codec).get("result"),
            {"text": "pons"},
        )
        check(f"the default adapter in {codec}", host.call("echo", args, codec).get("result"), args)
    data = {"data": bytes(range(256)) * 16}
    check("binary data keeps its type", host.call("echo:echo", data, "msgpack").get("result"), data)
    refused = host.call("bare:reverse", data, "msgpack")
    check("binary data for a JSON-only worker", refused.get("code"), "unsupported_codec")


def check_common_commands(host):
    for adapter in ("echo", "bare"):
        check(f"{adapter}:ping", host.call(adapter + ":ping").get("result", {}).get("status"), "ok")
        commands = host.call(adapter + ":get_info").get("result", {}).get("commands", [])
        check(f"{adapter}:get_info lists commands", bool(commands), True)
        stats = host.call(adapter + ":get_stats").get("result", {})
        check(f"{adapter}:get_stats counts requests", stats.get("requests_processed", 0) > 0, True)
        check(f"{adapter}:cleanup", host.call(adapter + ":cleanup").get("success"), True)
    names = {framework["name"] for framework in host.call("host:list_frameworks")["result"]["frameworks"]}
    check("host:list_frameworks names both", {"echo", "bare"} <= names, True)


def check_errors(host):
    cases = [
        ("nope:echo", {}, {}, "unknown_namespace"),
        ("echo:nope", {}, {}, "unknown_command"),
        ("host:nope", {}, {}, "unknown_command"),
        ("echo:fail", {"message": "as asked", "code": "model_error"}, {}, "model_error"),
        ("echo:sleep", {"ms": 60000}, {"timeout_ms": 100}, "deadline_exceeded"),
        ("bare:nope", {}, {}, "worker_error"),
        ("echo:execute_resource", {"resource_id": "counter-none", "inputs": {}}, {}, "resource_not_found"),
        ("echo:echo", {}, {"timeout_ms": -1}, "bad_request"),
    ]
    for codec in ("json", "msgpack"):
        for command, args, fields, code in cases:
            reply = host.call(command, args, codec, **fields)
            check(
                "{} {} gives {} in {}".format(command, fields or "", code, codec),
                (reply["success"], reply.get("code")),
                (False, code),
            )
    host.send_body(b'{"id": 5, "command": ')
    codec, reply = host.wait(0)
    check("half a JSON object gives bad_frame with id 0", (codec, reply.get("code")), ("json", "bad_frame"))
    check("the connection goes on", host.call("host:ping").get("success"), True)


def check_order(host):
    slow = host.send("echo:sleep", {"ms": 60000})
    fast = [host.send("echo:echo", {"n": n}, ("json", "msgpack")[n % 2]) for n in range(50)]
    other = [host.send("bare:add", {"numbers": [n, n]}, ("msgpack", "json")[n % 2]) for n in range(50)]
    check("50 pipelined echoes", [host.wait(i)[1].get("result") for i in fast], [{"n": n} for n in range(50)])
    check(
        "50 pipelined sums meanwhile",
        [host.wait(i)[1].get("result") for i in other],
        [{"sum": 2 * n} for n in range(50)],
    )
    check("the first request is still running", host.find(slow), None)
    check("host:cancel finds it", host.call("host:cancel", {"id": slow}).get("result", {}).get("found"), True)
    check("and it is answered", host.wait(slow)[1].get("code"), "cancelled")


def check_crash(host):
    survivor = host.send("echo:sleep", {"ms": 2000})
    crash = host.send("echo:crash", {"signal": 9})
    reply = host.wait(crash)[1]
    check("a crash gives worker_crashed", (reply["success"], reply.get("code")), (False, "worker_crashed"))
    check("another adapter does not notice", host.call("bare:add", {"numbers": [1]}).get("result"), {"sum": 1})
    check("a request on the other worker ends well", host.wait(survivor)[1].get("success"), True)
    check("and did so after the crash", host.find(crash) < host.find(survivor), True)
    check("the pool goes on", host.call("echo:echo", {"a": 1}).get("result"), {"a": 1})


def check_session(host):
    """A session stays on its worker, whatever the codec of a request."""
    pids = [
        host.call("echo:whoami", codec=("json", "msgpack")[n % 2], session_id="s-1")["result"]["pid"] for n in range(10)
    ]
    check("a session stays on one worker", len(set(pids)), 1)
    sessions = host.call("host:sessions")["result"]["sessions"]
    check("host:sessions shows it", [s["adapter"] for s in sessions if s["session_id"] == "s-1"], ["echo"])


def check_model(host):
    """Trains a real model and predicts with it, while the other adapters work."""
    training = host.send(
        "xgboost:create_model", {"dataset": "iris", "params": {"max_depth": 3}, "rounds": 20, "seed": 7}
    )
    echo = host.send("echo:echo", {"meanwhile": True}, "msgpack")
    model = host.wait(training)[1]
    check("xgboost:create_model", model.get("success"), True)
    check("an echo meanwhile", host.wait(echo)[1].get("success"), True)
    args = {
        "resource_id": model["result"]["resource_id"],
        "inputs": {"rows": [[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]]},
    }
    first, second = (host.call("xgboost:execute_resource", args, codec) for codec in ("json", "msgpack"))
    check("xgboost:execute_resource", first.get("success"), True)
    predicted = first["result"]["predictions"]
    check("two flowers, two species", (len(predicted), predicted[0] == predicted[1]), (2, False))
    check("the same prediction in MessagePack", second["result"]["predictions"], predicted)


def worker_pids(host):
    return [w["pid"] for w in host.call("host:workers")["result"]["workers"] if w["state"] != "dead"]


def check_gone(name, watched):
    """Waits until every process of `watched`, {pid: pidfd}, has ended."""
    poll = select.poll()
    for pidfd in watched.values():
        poll.register(pidfd, select.POLLIN)
    left = dict(watched)
    while left:
        ready = poll.poll(DEADLINE * 1000)
        if not ready:
            fail(name, f"still running: {list(left)}")
        for descriptor, _ in ready:
            poll.unregister(descriptor)
            left = {pid: fd for pid, fd in left.items() if fd != descriptor}
            os.close(descriptor)
    print(f"ok   {name}", flush=True)


def check_half_close(host):
    """Closes the host's stdin: all that was sent is answered, then the host ends."""
    sent = [host.send("echo:sleep", {"ms": 200}), host.send("bare:add", {"numbers": [2, 3]})]
    sent += [host.send("echo:echo", {"n": n}, "msgpack") for n in range(30)]
    host.process.stdin.close()
    answered = [host.wait(i)[1].get("success") for i in sent]
    check("everything sent before the half-close is answered", answered, [True] * len(sent))
    check("the host ends 0", host.exit_status(), 0)
    host.reader.join(DEADLINE)
    check("nothing more came", len([r for _, r in host.replies if r["id"] in sent]), len(sent))


def check_shutdown(host):
    reply = host.call("host:shutdown")
    check("host:shutdown is answered", reply.get("success"), True)
    check("and the host ends 0", host.exit_status(), 0)


def doomed(pons, config):
    """The parent that check_killed_parent kills: tells the processes below it while a request runs, and stays."""
    host = Host(pons, config)
    host.send("echo:sleep", {"ms": 600000})
    host.call("bare:ping")
    print(json.dumps([*worker_pids(host), host.process.pid]), flush=True)
    sys.stdin.read()  # nothing comes; it ends if the test does


def check_killed_parent(pons, config):
    """Kills a parent in the middle of a request: its host and workers end at once."""
    command = [sys.executable, os.path.abspath(__file__), pons, config, "--doomed"]
    parent = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    watched = {pid: os.pidfd_open(pid) for pid in json.loads(parent.stdout.readline() or "[]")}
    check("a parent with host and workers runs", len(watched) >= 3, True)
    parent.kill()
    parent.wait()
    check_gone("when it is killed, its host and workers end", watched)


def main(arguments):
    pons, config = arguments[:2]
    if "--doomed" in arguments[2:]:
        doomed(pons, config)
        return
    host, neighbour = Host(pons, config), Host(pons, config)
    check("two hosts side by side", [h.call("host:ping").get("success") for h in (host, neighbour)], [True, True])
    check_calls(host)
    check_common_commands(host)
    check_session(host)
    check_order(host)
    check_crash(host)
    check_errors(host)
    if "--xgboost" in arguments[2:]:
        check_model(host)
    watched = {pid: os.pidfd_open(pid) for pid in worker_pids(host)}
    check_half_close(host)
    check_gone("its workers are gone", watched)
    check("the neighbour does not notice", neighbour.call("echo:echo", {"n": 1}).get("result"), {"n": 1})
    check_shutdown(neighbour)
    check_killed_parent(pons, config)


if __name__ == "__main__":
    main(sys.argv[1:])
