"""What a Python worker does through the real host: one test for each promise of the SDK."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Callable

import pytest

from host import DEADLINE, ROOT, Host, python_worker, wait_for_end, write_app

Serve = Callable[..., Host]

HELLO = '''import pons

app = pons.App("hello", version="1.0")

@app.command(idempotent=True)
def greet(name: str, times: int = 1) -> dict:
    """Say hello."""
    return {"text": f"Hello {name}! " * times}

app.run()
'''


@pytest.fixture
def hello(tmp_path: Path) -> Path:
    (tmp_path / "hello.py").write_text(HELLO, encoding="utf-8")
    return tmp_path


def run(folder: Path, *command: str, **variables: str) -> str:
    """Return the output of a command that succeeds."""
    interpreter = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "XDG_RUNTIME_DIR": str(folder)}
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **interpreter, **variables},
        capture_output=True,
        text=True,
        timeout=DEADLINE,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_ten_lines_are_an_adapter(program: str, hello: Path) -> None:
    assert json.loads(run(hello, program, "call", "--adapter", "./hello.py", "greet", "name=Ada")) == {
        "text": "Hello Ada! "
    }


def test_a_configuration_of_three_lines_serves_them(program: str, hello: Path) -> None:
    (hello / "pons.yaml").write_text("host: {name: three}\nadapters:\n  hello: ./hello.py\n", encoding="utf-8")
    interpreter = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "XDG_RUNTIME_DIR": str(hello)}
    serving = subprocess.Popen([program, "serve", "-c", "pons.yaml"], cwd=hello, env={**os.environ, **interpreter})
    try:
        run(hello, program, "ping", "-c", "pons.yaml", "--wait", "30s")
        answer = run(hello, program, "call", "-c", "pons.yaml", "--no-embedded", "hello:greet", "name=Ada", "times:=2")
        assert json.loads(answer) == {"text": "Hello Ada! Hello Ada! "}
        run(hello, program, "stop", "-c", "pons.yaml")
        assert serving.wait(DEADLINE) == 0
    finally:
        serving.kill()
        serving.wait()


def test_the_conformance_check_finds_no_fault(program: str, hello: Path) -> None:
    variables = {"PONS_PROGRAM": program, "PYTHONPATH": str(ROOT / "worker/python")}
    table = run(hello, sys.executable, "-m", "pons.check", "./hello.py", **variables)
    assert re.search(r"^hello \(level 1\): [0-9]+ passed, 0 failed", table, re.MULTILINE), table


def test_a_worker_says_what_it_takes_and_what_is_wrong(serve: Serve) -> None:
    host = serve("""
        @app.command(idempotent=True)
        def greet(name: str, times: int = 1) -> dict:
            '''Say hello.'''
            return {"text": f"Hello {name}! " * times}
    """)
    commands = {command["name"]: command for command in host.result("app:get_info")["commands"]}
    assert commands["greet"]["description"] == "Say hello."
    assert commands["greet"]["idempotent"] is True
    assert commands["greet"]["args_schema"]["properties"]["times"] == {"type": "integer", "default": 1}
    error = host.error("app:greet", {"nam": "Ada", "times": "2"})
    assert error["code"] == "invalid_args"
    assert [fault["path"] for fault in error["details"]["errors"]] == ["/nam", "/times", "/name"]


@pytest.mark.parametrize("codec", ["json", "msgpack"])
def test_both_codecs_carry_the_same(serve: Serve, codec: str) -> None:
    host = serve("""
        @app.command()
        def same(args: dict) -> dict:
            return args
    """)
    value = {"a": [1, 2.5, None, True, "é", {"b": []}], "n": 2**40}
    assert host.result("app:same", value, codec) == value


def test_bytes_travel_in_message_pack(serve: Serve) -> None:
    host = serve("""
        @app.command()
        def reverse(data: bytes) -> bytes:
            return data[::-1]
    """)
    assert host.result("app:reverse", {"data": b"\0\xff"}, "msgpack") == b"\xff\0"


def test_a_deadline_ends_a_handler_that_sleeps_and_the_worker_lives(serve: Serve) -> None:
    host = serve("""
        import time

        @app.command()
        def wait(ctx: pons.Context) -> None:
            print("remaining", 0 < ctx.remaining() <= 0.5)
            try:
                time.sleep(1000)
            finally:
                print("the handler has ended")
    """)
    before = host.result("app:calm")
    assert host.error("app:wait", timeout_ms=500)["code"] == "deadline_exceeded"
    host.wait_log("remaining True")
    host.wait_log("the handler has ended")
    assert host.result("app:calm") == before


def test_cancel_ends_a_handler_that_waits_for_a_lock(serve: Serve) -> None:
    host = serve("""
        import threading

        @app.command()
        def wait() -> None:
            print("the handler runs")
            try:
                threading.Event().wait()
            except pons.Cancelled:
                print("the handler was cancelled")
                raise
    """)
    before = host.result("app:calm")
    request = host.send("app:wait")
    host.wait_log("the handler runs")
    assert host.result("host:cancel", {"id": request})["state"] == "running"
    assert host.reply(request)["code"] == "cancelled"
    host.wait_log("the handler was cancelled")
    assert host.result("app:calm") == before


def test_cancel_ends_the_task_of_an_async_handler(serve: Serve) -> None:
    host = serve("""
        import asyncio

        @app.command()
        async def wait() -> None:
            print("the handler runs")
            try:
                await asyncio.Event().wait()
            finally:
                print("the task has ended")
    """)
    before = host.result("app:calm")
    request = host.send("app:wait")
    host.wait_log("the handler runs")
    host.result("host:cancel", {"id": request})
    assert host.reply(request)["code"] == "cancelled"
    host.wait_log("the task has ended")
    assert host.result("app:calm") == before


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_a_generator_streams_its_chunks_while_it_runs(serve: Serve, kind: str) -> None:
    host = serve(f"""
        @app.command()
        {kind} count(until: int):
            for number in range(until):
                yield {{"number": number}}
                while number == 1 and not os.path.exists("go"):
                    pass
    """)
    request = host.send("app:count", {"until": 3}, stream=True)
    # The third chunk is not there before the first two have been seen here.
    assert host.wait_partial(request, lambda reply: reply["seq"] == 1)["result"] == {"number": 1}
    folder = Path(os.readlink(f"/proc/{host.result('host:workers')['workers'][0]['pid']}/cwd"))
    (folder / "go").touch()
    assert host.reply(request)["success"]
    assert [reply["result"] for reply in host.partials(request)] == [{"number": number} for number in range(3)]
    assert host.result("app:count", {"until": 2}) == [{"number": 0}, {"number": 1}]


def test_progress_is_told_to_callers_that_stream(serve: Serve) -> None:
    host = serve("""
        @app.command()
        def work(ctx: pons.Context) -> str:
            ctx.progress(1, 3, "the first")
            return "done"
    """)
    request = host.send("app:work", stream=True)
    assert host.reply(request)["result"] == "done"
    assert [reply["progress"] for reply in host.partials(request)] == [{"done": 1, "total": 3, "message": "the first"}]


def wait_for_snapshots(host: Host, folder: Path, count: int) -> None:
    """Wait until so many sessions have a snapshot on disk, where it outlives the host."""
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        host.result("host:ping")
        if len(list(folder.glob("snapshots/app/*.snapshot"))) == count:
            return
    raise AssertionError(f"no {count} snapshots within {DEADLINE:g} s")


def test_a_session_goes_on_after_its_worker_and_its_host_were_killed(
    start: Callable[..., Host], tmp_path: Path
) -> None:
    write_app(
        tmp_path,
        """
        @app.command()
        def remember(word: str, ctx: pons.Context) -> list:
            ctx.session.setdefault("words", []).append(word)
            return ctx.session["words"]
        """,
    )
    config = {
        "host": {"state_dir": "./state", "log": {"format": "json"}},
        "adapters": {"app": python_worker(sessions={"snapshot": {"every": 1}})},
    }
    host = start(config, "--name", "sessions", "--socket", str(tmp_path / "socket"))
    assert host.result("app:remember", {"word": "a"}, session_id="first") == ["a"]
    wait_for_snapshots(host, tmp_path / "state", 1)
    worker = host.result("app:calm")
    os.kill(worker, 9)
    wait_for_end(worker)
    assert host.result("app:remember", {"word": "b"}, session_id="first") == ["a", "b"]

    assert host.result("app:remember", {"word": "c"}, session_id="second") == ["c"]
    wait_for_snapshots(host, tmp_path / "state", 2)
    host.kill()
    host = start(config, "--name", "sessions", "--socket", str(tmp_path / "socket"))
    assert host.result("app:remember", {"word": "d"}, session_id="second") == ["c", "d"]


def test_a_hang_is_told_with_the_name_of_the_function(serve: Serve) -> None:
    host = serve(
        """
        import re

        def the_function_that_hangs() -> None:
            re.match(r"(a*)*b", "a" * 64)

        @app.command()
        def hang() -> None:
            the_function_that_hangs()
    """,
        timeouts={"cancel_grace": "100ms"},
    )
    host.result("app:calm")
    error = host.error("app:hang", timeout_ms=500)
    assert error["code"] == "deadline_exceeded"
    assert "the_function_that_hangs" in error["details"]["stack"]
    line = host.wait_log("the_function_that_hangs")
    assert line["stream"] == "stacks"


@pytest.mark.parametrize(
    ("declaration", "handler"),
    [
        ("threads=4", "def meet(ctx: pons.Context) -> int:\n    barrier.wait(60)\n    return ctx.id"),
        ("tasks=4", "async def meet(ctx: pons.Context) -> int:\n    await all_here(ctx)\n    return ctx.id"),
    ],
)
def test_requests_that_wait_for_each_other_run_together(serve: Serve, declaration: str, handler: str) -> None:
    indented = handler.replace("\n", "\n        ")
    host = serve(
        f"""
        import asyncio, threading

        app = pons.App("app", version="1.0", {declaration})
        barrier = threading.Barrier(4)
        here = []

        async def all_here(ctx: pons.Context) -> None:
            here.append(ctx.id)
            while len(here) < 4:
                await asyncio.sleep(0)

        @app.command()
        {indented}
    """,
        pool={"in_flight": 4},
    )
    requests = [host.send("app:meet") for _ in range(4)]
    results = [host.reply(request)["result"] for request in requests]
    assert len(set(results)) == 4


def test_logging_reaches_the_log_of_the_host_with_level_logger_and_request(serve: Serve) -> None:
    host = serve("""
        import logging

        @app.command()
        def talk() -> str:
            logging.getLogger("my.module").warning("a %s", "remark")
            try:
                raise KeyError("inside")
            except KeyError:
                logging.getLogger("my.module").exception("a failure")
            return "done"
    """)
    host.result("app:talk", meta={"correlation_id": "c-17"})
    remark = host.wait_log("a remark")
    assert (remark["level"], remark["message"], remark["logger"]) == ("warn", "a remark", "my.module")
    assert (remark["command"], remark["correlation_id"]) == ("talk", "c-17")
    failure = host.wait_log("a failure")
    assert failure["level"] == "error"
    assert failure["exception"].endswith("KeyError: 'inside'\n")
