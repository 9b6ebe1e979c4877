"""Handlers that meddle with what they share with the SDK, output, processes and threads: the host is unharmed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Callable

import pytest
from outcome import check_lives, check_replaced, failed, unharmed

from host import Host, wait_for_end

Serve = Callable[..., Host]


# --- Output -----------------------------------------------------------------------------------------------------------


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


# --- Processes and threads --------------------------------------------------------------------------------------------


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
