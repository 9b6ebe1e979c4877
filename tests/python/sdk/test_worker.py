"""A worker process: handshake, frames, the end, the channel and the standard descriptors."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import Any, Callable

import pons
import pytest
from fake_host import DEADLINE, SDK, FakeHost

Start = Callable[..., FakeHost]

GREET = """
@app.command
def greet(name: str):
    return "Hello " + name
"""


@pytest.mark.parametrize("parameters", ["", "threads=2", "tasks=2"])
@pytest.mark.parametrize("stdio", [False, True])
def test_it_serves_and_ends_with_the_file(start: Start, parameters: str, stdio: bool) -> None:
    host = start(GREET, parameters, handshake=False, stdio=stdio)
    ready = host.shake_hands(options={"a": 1})
    assert (ready["status"], ready["protocol"], ready["worker_id"], ready["name"]) == ("ok", 1, "t#0.1", "t")
    assert ready["concurrency"] == (2 if parameters else 1)
    assert ready["pid"] == host.process.pid
    assert host.call("greet", {"name": "Ada"}) == "Hello Ada"
    assert host.call("get_stats")["requests_processed"] == 3
    host.hang_up()
    assert host.exit_status() == 0
    assert host.log() == ""


@pytest.mark.parametrize("parameters", ["", "threads=2"])
def test_after_sigterm_the_running_request_is_finished_and_no_other_begun(start: Start, parameters: str) -> None:
    host = start(
        """
@app.command
def work(ctx: pons.Context):
    ctx.send_partial("running")
    ctx.call("x:gate")
    return "finished"
""",
        parameters,
    )
    running = host.send("work", stream=True)
    assert host.reply(running)["result"] == "running"
    gate = host.asked()
    host.process.send_signal(signal.SIGTERM)
    if not parameters:
        host.send("ping")  # with an event loop it may come before the signal is seen
    host.send_frame({"id": gate["id"], "success": True, "result": None})
    assert host.reply(running)["result"] == "finished"
    assert host.exit_status() == 0
    assert host.channel.recv(1) == b""


def test_sigterm_ends_an_idle_worker(start: Start) -> None:
    host = start(GREET)
    host.process.send_signal(signal.SIGTERM)
    assert host.exit_status() == 0


def test_sigint_is_the_hosts_to_handle(start: Start) -> None:
    host = start(GREET)
    host.process.send_signal(signal.SIGINT)
    assert host.call("greet", {"name": "x"}) == "Hello x"


@pytest.mark.parametrize(("parameters", "seconds"), [("", 3600), ("threads=2", 0.001)])
def test_when_the_host_is_gone_a_handler_is_cancelled_and_the_process_ends(
    start: Start, parameters: str, seconds: float
) -> None:
    host = start(
        f"""
@app.command
def work(ctx: pons.Context):
    try:
        ctx.send_partial("running")
        while True: time.sleep({seconds})  # a thread is not woken out of it
    except pons.Cancelled:
        print("cancelled", ctx.cancelled)
        raise
""",
        parameters,
    )
    host.reply(host.send("work", stream=True))
    host.hang_up()
    assert host.exit_status() == 0
    assert host.log() == "cancelled True\n"


def test_a_handler_that_does_not_return_when_the_host_is_gone_is_ended(start: Start) -> None:
    host = start(
        """
@app.command
def work(ctx: pons.Context):
    while True:
        try:
            ctx.send_partial("running")
            time.sleep(3600)
        except pons.Cancelled: pass
"""
    )
    host.reply(host.send("work", stream=True))
    host.hang_up()
    assert host.exit_status() == 3
    assert "t: the host is gone, and what runs did not return within 1000 ms" in host.log()


@pytest.mark.parametrize("parameters", ["", "threads=2"])
def test_what_a_program_does_at_its_end_is_no_handler_that_does_not_return(start: Start, parameters: str) -> None:
    host = start(
        """
import atexit
@atexit.register
def end():
    while True: time.sleep(3600)
@app.command
def work(ctx: pons.Context):
    try:
        ctx.send_partial("running")
        while True: time.sleep(0.001)
    except pons.Cancelled:
        time.sleep(0.2)
""",
        parameters,
    )
    host.reply(host.send("work", stream=True))
    host.hang_up()
    assert host.exit_status() == 0  # when its time for that is over
    assert host.log() == ""


def test_threads_that_outlive_their_handler_do_not_keep_the_process(start: Start) -> None:
    host = start(
        """
@app.command
def work():
    threading.Thread(target=time.sleep, args=(3600,)).start()
"""
    )
    host.call("work")
    host.hang_up()
    assert host.exit_status() == 0


def test_what_is_no_stream_of_frames_ends_it(start: Start) -> None:
    host = start(GREET, handshake=False)
    host.channel.sendall(b"GET / HTTP/1.1\r\n\r\n")
    assert host.exit_status() == 1
    assert 't: this is no stream of frames, it begins with "GET / HTTP/1.1' in host.log()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "bad_frame"),
        (b"", "bad_frame"),
        (b"\xff", "bad_frame"),
        (b'{"id":1}', "bad_request"),
        (b'{"id":-1,"command":"ping"}', "bad_request"),
        (b'{"command":3}', "bad_request"),
        (b'{"command":"ping","args":{"a":NaN}}', "bad_frame"),
        (b"[" * 100_000, "bad_frame"),
        (b'{"a":' + b"[" * 100_000, "bad_frame"),
    ],
)
def test_a_bad_frame_is_answered_and_the_next_one_served(start: Start, body: bytes, code: str) -> None:
    host = start(GREET)
    host.send_bytes(body)
    frame = host.frame()
    assert (frame["success"], frame["code"]) == (False, code)
    assert host.call("greet", {"name": "x"}) == "Hello x"


def test_frames_larger_than_the_host_takes_are_errors(start: Start) -> None:
    host = start(
        """
@app.command
def large(size: int):
    return "x" * size
@app.command
def chunks(size: int):
    yield "x" * size
""",
        handshake=False,
    )
    host.shake_hands(max_frame=10_000)
    assert len(host.call("large", {"size": 9000})) == 9000
    error = host.failure("large", {"size": 10_000})
    assert (error["code"], error["details"]["max_frame"]) == ("frame_too_large", 10_000)
    assert error["details"]["length"] > 10_000
    assert host.failure("chunks", {"size": 10_000}, stream=True)["code"] == "frame_too_large"
    host.send_bytes(b'{"command":"large","args":{"x":"' + b"x" * 20_000 + b'"}}')
    error = host.frame()
    assert (error["id"], error["code"]) == (0, "frame_too_large")


@pytest.mark.parametrize("parameters", ["", "threads=2"])
def test_what_the_host_puts_into_a_frame_does_not_count_for_the_limit(start: Start, parameters: str) -> None:
    host = start("@app.command\ndef size(text: str): return len(text)", parameters, handshake=False)
    host.shake_hands(max_frame=10_000)
    frame = {"id": 7, "command": "size", "session_id": "\x01" * 256}
    room = 10_000 + 4096 - len(json.dumps({**frame, "args": {"text": ""}}))
    host.send_frame({**frame, "args": {"text": "x" * room}})
    assert host.reply(7)["result"] == room
    host.send_frame({**frame, "args": {"text": "x" * (room + 1)}})
    assert host.reply(0)["code"] == "frame_too_large"


@pytest.mark.parametrize("parameters", ["", "threads=2"])
def test_an_integer_that_python_does_not_read_fails_its_request_only(start: Start, parameters: str) -> None:
    host = start(
        """
if hasattr(sys, "set_int_max_str_digits"): sys.set_int_max_str_digits(640)
@app.command
def ask(ctx: pons.Context):
    try: return ctx.call("x:y")
    except pons.Error as error: return error.code
@app.command
def size(number: int): return number.bit_length()
""",
        parameters,
    )
    limited = hasattr(sys, "set_int_max_str_digits")
    digits = b"1" * 700
    host.send_bytes(b'{"id":70,"command":"size","args":{"number":' + digits + b"}}")
    reply = host.reply(70)
    assert (reply.get("code") == "invalid_args") if limited else (reply["result"] == int(digits).bit_length())
    request = host.send("ask")
    host.send_bytes(b'{"id":%d,"success":true,"result":%b}' % (host.asked()["id"], digits))
    assert host.reply(request)["result"] == ("worker_error" if limited else int(digits))


def test_prints_of_any_kind_go_to_the_log_and_not_into_the_protocol(start: Start) -> None:
    for stdio in (False, True):
        host = start(
            """
import ctypes
@app.command
def say():
    print("print")
    print("error", file=sys.stderr)
    os.write(1, b"fd 1\\n")
    libc = ctypes.CDLL(None)
    libc.puts(b"puts")
    libc.fflush(None)
    import subprocess
    subprocess.run(["echo", "child"], check=True)
    return sys.stdin.read()
""",
            stdio=stdio,
        )
        assert host.call("say") == ""
        assert sorted(host.log().split("\n")) == ["", "child", "error", "fd 1", "print", "puts"]


@pytest.mark.parametrize(("parameters", "kind"), [("", ""), ("threads=2", ""), ("", "async "), ("tasks=2", "async ")])
def test_a_child_that_a_handler_forks_has_no_part_in_the_channel(start: Start, parameters: str, kind: str) -> None:
    host = start(
        f"""
import warnings
warnings.simplefilter("ignore")  # newer Pythons say that threads are lost in it
@app.command
{kind}def fork(ctx: pons.Context):
    pid = os.fork()
    if pid == 0: return "child"
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
@app.command
def leave():
    pid = os.fork()
    if pid == 0: time.sleep(3600)
    return pid
""",
        parameters,
    )
    request = host.send("fork")
    assert host.reply(request)["result"] == 0
    child = host.call("leave")
    try:
        host.process.kill()
        host.exit_status()
        assert host.channel.recv(1) == b""  # although the child lives
    finally:
        os.kill(child, signal.SIGKILL)


@pytest.mark.parametrize(
    ("raised", "status"), [("pons.ConfigurationError('no model')", 78), ("RuntimeError('broken')", 1)]
)
def test_a_start_that_fails_is_the_error_of_get_info_and_ends_it(start: Start, raised: str, status: int) -> None:
    host = start(f"@app.on_start\ndef load():\n    raise {raised}\n", handshake=False)
    host.call("ping", {"initialization": True})
    error = host.failure("get_info")
    assert error["error"] in ("no model", "broken")
    assert host.exit_status() == status
    assert f"on_start failed: {error['error']}" in host.log()


def test_a_host_of_another_protocol_is_refused(start: Start) -> None:
    host = start(GREET, handshake=False)
    error = host.failure("ping", {"initialization": True, "protocol": {"min": 2, "max": 3}})
    assert error["code"] == "invalid_configuration"
    assert host.exit_status() == 78


def test_the_stacks_of_a_hang_name_the_function_also_while_c_code_holds_the_interpreter(start: Start) -> None:
    host = start(
        """
import ctypes
@app.command
def hang_in_python(ctx: pons.Context):
    ctx.send_partial(1)
    time.sleep(3600)
@app.command
def hang_in_c(ctx: pons.Context):
    ctx.send_partial(1)
    ctypes.PyDLL(None).sleep(3600)
""",
        handshake=False,
    )
    number = host.shake_hands()["stack_signal"]
    request = host.send("hang_in_python", stream=True)
    host.reply(request)
    host.expect_in_stacks(number, "in hang_in_python")
    host.cancel(request)
    host.reply(request)
    host.reply(host.send("hang_in_c", stream=True))
    host.expect_in_stacks(number, "in hang_in_c")


def run_by_hand(source: str, *arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PONS_")}
    command = [sys.executable, "-c", source, *arguments]
    return subprocess.run(
        command,
        env={**environment, "PYTHONPATH": str(SDK)},
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
        **more,
    )


HAND = "import pons\napp = pons.App('t', version='1.2')\n@app.command\ndef greet(): 'Says hello.'\napp.run()"


def test_by_hand_it_says_what_it_is() -> None:
    master, slave = os.openpty()
    try:
        ended = run_by_hand(HAND, stdin=slave)
    finally:
        os.close(master)
        os.close(slave)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "t 1.2 is a Pons worker: a host starts it" in ended.stderr
    assert run_by_hand(HAND, "--version", stdin=subprocess.DEVNULL).stdout == "t 1.2\n"
    assert "greet  Says hello." in run_by_hand(HAND, "--help", stdin=subprocess.DEVNULL).stdout


def test_importing_does_nothing_to_a_program_that_is_no_worker() -> None:
    ended = run_by_hand(
        "import os, sys, pons; print(os.readlink('/proc/self/fd/0')); print(sys.stdin.read())", input="in"
    )
    assert ended.stdout.endswith("in\n")
    assert "/dev/null" not in ended.stdout
    assert pons.App is not None


def test_a_program_that_a_worker_starts_is_no_worker(start: Start) -> None:
    host = start(
        """
@app.command
def run():
    import subprocess
    return subprocess.run([sys.executable, "-c", "import pons; print(input())"], input="in", capture_output=True,
    text=True).stdout
"""
    )
    assert host.call("run") == "in\n"
