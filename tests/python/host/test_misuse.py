"""Handlers that do what a handler should not: each has its defined outcome, and the host is unharmed."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any, Callable, Dict

import pytest
from host import Host, wait_for_end

Serve = Callable[..., Host]


def unharmed(host: Host) -> int:
    """Check that the next requests are answered, here and on another adapter; return the pid of the worker."""
    assert host.result("other:add", {"numbers": [20, 22]}) == {"sum": 42}
    pid: int = host.result("app:calm")
    return pid


def failed(host: Host, code: str, command: str = "app:misuse", **fields: Any) -> Dict[str, Any]:
    """Return the details of a request that fails with this code."""
    reply = host.error(command, **fields)
    assert reply["code"] == code, reply
    details: Dict[str, Any] = reply.get("details", {})
    return details


def check_lives(host: Host, before: int) -> None:
    """Check that the worker is the one that it was before."""
    assert unharmed(host) == before


def check_replaced(host: Host, before: int) -> None:
    """Check that another worker serves now."""
    wait_for_end(before)
    assert unharmed(host) != before


# --- Output ---------------------------------------------------------------------------------------------------------------------


def test_what_a_handler_prints_is_logged(serve: Serve) -> None:
    host = serve("""
        @app.command()
        def misuse() -> str:
            print("by print")
            os.write(1, b"on descriptor 1\\n")
            os.write(2, b"on descriptor 2\\n")
            os.system("echo by a shell")
            import ctypes
            c = ctypes.CDLL(None)
            c.puts(b"by the C library")
            c.fflush(None)
            return "done"
    """)
    assert host.result("app:misuse") == "done"
    for text in ("by print", "on descriptor 1", "on descriptor 2", "by a shell", "by the C library"):
        host.wait_log(text)
    unharmed(host)


def test_a_warning_is_logged(serve: Serve) -> None:
    host = serve("""
        @app.command()
        def misuse() -> str:
            import warnings
            warnings.warn("this is old")
            return "done"
    """)
    assert host.result("app:misuse") == "done"
    host.wait_log("this is old")
    unharmed(host)


@pytest.mark.parametrize("stdout", ["io.StringIO()", "None", "open(os.devnull, 'w')"])
def test_a_handler_may_replace_stdout(serve: Serve, stdout: str) -> None:
    host = serve(f"""
        import io

        @app.command()
        def misuse() -> str:
            sys.stdout = sys.stderr = {stdout}
            return "done"

        @app.command()
        def printing() -> str:
            print("lost")
            return "done"
    """)
    before = unharmed(host)
    assert host.result("app:misuse") == "done"
    assert host.result("app:printing") == "done"
    check_lives(host, before)


def test_a_handler_may_close_its_standard_descriptors(serve: Serve) -> None:
    host = serve("""
        @app.command()
        def misuse() -> str:
            for descriptor in (0, 1, 2):
                os.close(descriptor)
            return "done"

        @app.command()
        def printing() -> str:
            os.open("/dev/null", os.O_RDONLY)
            print("lost", flush=True)
            return "done"
    """)
    before = unharmed(host)
    assert host.result("app:misuse") == "done"
    host.call("app:printing")
    check_lives(host, before)


def test_a_handler_that_closes_the_channel_loses_its_worker(serve: Serve) -> None:
    host = serve("""
        @app.command()
        def misuse() -> str:
            os.closerange(3, 256)
            return "done"
    """)
    before = unharmed(host)
    failed(host, "worker_crashed")
    check_replaced(host, before)


def test_a_log_record_of_an_exit_handler_arrives(serve: Serve) -> None:
    host = serve("""
        import atexit, logging

        @app.command()
        def misuse() -> str:
            atexit.register(logging.getLogger("late").warning, "said at exit")
            atexit.register(print, "printed at exit")
            return "done"
    """)
    assert host.result("app:misuse") == "done"
    before = unharmed(host)
    assert host.result("host:restart", {"name": "app"})["state"] == "ready"
    host.wait_log("said at exit")
    host.wait_log("printed at exit")
    check_replaced(host, before)


# --- Processes and threads ------------------------------------------------------------------------------------------------------


def test_a_forked_child_that_comes_back_answers_nothing(serve: Serve) -> None:
    host = serve("""
        @app.command()
        def misuse() -> int:
            return os.fork()
    """)
    before = unharmed(host)
    child = host.result("app:misuse")
    assert child > 0
    wait_for_end(child)
    check_lives(host, before)


def test_a_forked_child_may_live_on_and_ends_with_the_worker(serve: Serve) -> None:
    host = serve("""
        @app.command()
        def misuse() -> int:
            child = os.fork()
            if child == 0:
                import signal
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                while True:
                    signal.pause()
            return child
    """)
    before = unharmed(host)
    child = host.result("app:misuse")
    os.kill(child, 0)
    check_lives(host, before)
    assert host.stop() == 0
    wait_for_end(child)


def test_a_program_that_a_handler_starts_has_no_channel_and_ends_with_the_worker(serve: Serve) -> None:
    host = serve("""
        import subprocess

        @app.command()
        def misuse() -> int:
            return subprocess.Popen(["sleep", "1000"], close_fds=False).pid
    """)
    before = unharmed(host)
    child = host.result("app:misuse")
    links = [os.readlink(link) for link in Path(f"/proc/{child}/fd").iterdir()]
    assert not [link for link in links if link.startswith("socket:")]
    check_lives(host, before)
    assert host.stop() == 0
    wait_for_end(child)


@pytest.mark.parametrize("daemon", [True, False])
def test_threads_may_outlive_their_handler_but_not_the_worker(serve: Serve, daemon: bool) -> None:
    host = serve(f"""
        import threading

        @app.command()
        def misuse() -> str:
            threading.Thread(target=threading.Event().wait, daemon={daemon}).start()
            return "done"
    """)
    before = unharmed(host)
    assert host.result("app:misuse") == "done"
    check_lives(host, before)
    assert host.stop() == 0
    wait_for_end(before)


def test_an_exception_in_a_thread_is_logged(serve: Serve) -> None:
    host = serve("""
        import threading

        def broken() -> None:
            raise ValueError("nobody sees me")

        @app.command()
        def misuse() -> str:
            threading.Thread(target=broken).start()
            return "done"
    """)
    before = unharmed(host)
    assert host.result("app:misuse") == "done"
    host.wait_log("nobody sees me")
    check_lives(host, before)


def test_a_plain_handler_may_run_an_event_loop(serve: Serve) -> None:
    host = serve("""
        import asyncio

        async def answer() -> str:
            await asyncio.sleep(0)
            return "done"

        @app.command()
        def misuse() -> str:
            return asyncio.run(answer())
    """)
    before = unharmed(host)
    assert host.result("app:misuse") == "done"
    assert host.result("app:misuse") == "done"
    check_lives(host, before)


def test_an_async_handler_that_runs_a_second_loop_fails(serve: Serve) -> None:
    host = serve("""
        import asyncio

        @app.command()
        async def misuse() -> None:
            asyncio.run(asyncio.sleep(0))
    """)
    before = unharmed(host)
    assert failed(host, "worker_error")["type"] == "RuntimeError"
    check_lives(host, before)


# --- Signals and ends -----------------------------------------------------------------------------------------------------------


def test_a_handler_may_take_the_signals_of_termination(serve: Serve) -> None:
    host = serve("""
        import signal

        @app.command()
        def misuse() -> str:
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
                signal.signal(number, signal.SIG_IGN)
            return "done"
    """)
    before = unharmed(host)
    assert host.result("app:misuse") == "done"
    check_lives(host, before)
    assert host.stop() == 0
    wait_for_end(before)


def test_a_handler_that_takes_the_signals_of_the_sdk_is_ended_by_the_host(serve: Serve) -> None:
    host = serve(
        """
        import signal, time

        @app.command()
        def misuse() -> str:
            for number in range(signal.SIGRTMIN, signal.SIGRTMAX + 1):
                signal.signal(number, signal.SIG_IGN)
            while True:
                time.sleep(1)
    """,
        timeouts={"cancel_grace": "100ms"},
    )
    before = unharmed(host)
    failed(host, "deadline_exceeded", timeout_ms=500)
    check_replaced(host, before)


@pytest.mark.parametrize(
    ("statement", "key", "value"),
    [
        ("os._exit(3)", "exit_status", 3),
        ("__import__('ctypes').string_at(0)", "signal", signal.SIGSEGV),
        ("os.abort()", "signal", signal.SIGABRT),
        ("os.kill(os.getpid(), 9)", "signal", signal.SIGKILL),
    ],
)
def test_a_worker_that_ends_in_a_handler_is_replaced(serve: Serve, statement: str, key: str, value: int) -> None:
    host = serve(f"""
        @app.command()
        def misuse() -> None:
            {statement}
    """)
    before = unharmed(host)
    assert failed(host, "worker_crashed")[key] == value
    check_replaced(host, before)


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("sys.exit(1)", "SystemExit"),
        ("raise BaseException('bare')", "BaseException"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("raise GeneratorExit", "GeneratorExit"),
        ("return misuse()", "RecursionError"),
        ("raise MemoryError", "MemoryError"),
    ],
)
def test_whatever_a_handler_raises_is_its_own_error(serve: Serve, statement: str, name: str) -> None:
    host = serve(f"""
        @app.command()
        def misuse() -> None:
            {statement}
    """)
    before = unharmed(host)
    assert failed(host, "worker_error")["type"] == name
    check_lives(host, before)


def test_an_exception_that_cannot_be_shown_is_an_error_like_others(serve: Serve) -> None:
    host = serve("""
        class Unspeakable(Exception):
            def __str__(self) -> str:
                raise RuntimeError("no words")

        @app.command()
        def misuse() -> None:
            raise Unspeakable
    """)
    before = unharmed(host)
    assert failed(host, "worker_error")["type"].endswith("Unspeakable")
    check_lives(host, before)


def test_a_worker_that_stops_itself_is_replaced(serve: Serve) -> None:
    host = serve(
        """
        import signal

        @app.command()
        def misuse() -> None:
            os.kill(os.getpid(), signal.SIGSTOP)
    """,
        timeouts={"cancel_grace": "100ms"},
    )
    before = unharmed(host)
    failed(host, "deadline_exceeded", timeout_ms=500)
    check_replaced(host, before)


def test_an_endless_loop_of_python_is_interrupted(serve: Serve) -> None:
    host = serve("""
        @app.command()
        def misuse() -> None:
            while True:
                pass
    """)
    before = unharmed(host)
    failed(host, "deadline_exceeded", timeout_ms=500)
    check_lives(host, before)


def test_an_endless_loop_in_c_ends_with_its_worker(serve: Serve) -> None:
    host = serve(
        """
        import re

        @app.command()
        def misuse() -> None:
            re.match(r"(a*)*b", "a" * 64)
    """,
        timeouts={"cancel_grace": "100ms"},
    )
    before = unharmed(host)
    failed(host, "deadline_exceeded", timeout_ms=500)
    check_replaced(host, before)


def test_a_handler_that_takes_too_much_memory_is_ended(serve: Serve) -> None:
    host = serve(
        """
        import time

        @app.command()
        def misuse() -> None:
            hoard = bytearray(os.urandom(1 << 20)) * 512
            time.sleep(1000)
            del hoard
    """,
        limits={"memory": "256MiB"},
    )
    before = unharmed(host)
    details = failed(host, "worker_crashed")
    assert details["reason"] == "memory"
    check_replaced(host, before)


def test_a_handler_may_change_the_directory_and_remove_it(serve: Serve) -> None:
    host = serve("""
        import tempfile

        @app.command()
        def misuse() -> str:
            folder = tempfile.mkdtemp()
            os.chdir(folder)
            os.rmdir(folder)
            return "done"
    """)
    before = unharmed(host)
    assert host.result("app:misuse") == "done"
    check_lives(host, before)


# --- Results --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "codec", "text"),
    [
        ("value.append(value) or value", "json", "contains itself"),
        ("[value := [value] for _ in range(500)][-1]", "json", "nested deeper than 62 levels"),
        ("{'a': object()}", "json", "/a: is a object, which cannot be sent"),
        ("{'a': [0.0, float('nan')]}", "json", "/a/1: is nan, which JSON cannot carry"),
        ("b'x'", "json", "MessagePack does"),
        ("1 << 64", "msgpack", "more than 64 bits"),
        ("'\\ud800'", "json", "no valid text"),
    ],
)
def test_a_result_that_cannot_be_sent_is_an_error_of_its_handler(
    serve: Serve, value: str, codec: str, text: str
) -> None:
    host = serve(f"""
        @app.command()
        def misuse() -> object:
            value = []
            return {value}
    """)
    before = unharmed(host)
    reply = host.error("app:misuse", codec=codec)
    assert reply["code"] == "worker_error"
    assert text in reply["error"]
    check_lives(host, before)


def test_a_result_that_fits_no_frame_is_an_error_of_its_handler(serve: Serve) -> None:
    host = serve("""
        @app.command()
        def misuse() -> str:
            return "x" * (65 << 20)
    """)
    before = unharmed(host)
    failed(host, "frame_too_large")
    check_lives(host, before)


# --- Before the first request ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("import no_such_module", "No module named 'no_such_module'"),
        ("raise ValueError('at import')", "at import"),
        ("def misuse(:", "SyntaxError"),
        ("sys.exit(0)", None),
        ("os._exit(5)", None),
        ("os.abort()", None),
    ],
)
def test_a_worker_that_fails_at_import_fails_its_request_with_the_reason(serve: Serve, source: str, text: str) -> None:
    host = serve(source)
    details = failed(host, "worker_start_failed", "app:calm")
    if text is not None:
        assert text in str(details["stderr_tail"])
    assert host.result("other:add", {"numbers": [1]}) == {"sum": 1}
