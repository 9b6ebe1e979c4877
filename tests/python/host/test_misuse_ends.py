"""Handlers that end, hang, hoard or return what cannot be sent, and workers that never begin: the host is unharmed."""

from __future__ import annotations

import signal
from typing import Callable

import pytest
from outcome import check_lives, check_replaced, failed, unharmed

from host import Host, wait_for_end

Serve = Callable[..., Host]


# --- Signals and ends -------------------------------------------------------------------------------------------------


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


# --- Results ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "codec", "text"),
    [
        ("value.append(value) or value", "json", "contains itself"),
        ("[value := [value] for _ in range(500)][-1]", "json", "nested deeper than 62 levels"),
        ("{'a': object()}", "json", "/a: is of type object, which cannot be sent"),
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


# --- Before the first request -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("import no_such_module", "No module named 'no_such_module'"),
        ("raise ValueError('at import')", "at import"),
        ("def misuse(:", "SyntaxError"),
        ("sys.exit(0)", "app.py ended without running an App: its last line is app.run()"),
        ("os._exit(5)", None),
        ("os.abort()", None),
    ],
)
def test_a_worker_that_fails_at_import_fails_its_request_with_the_reason(serve: Serve, source: str, text: str) -> None:
    host = serve(source)
    details = failed(host, "worker_start_failed", "app:calm")
    if text is not None:
        assert text in str(details["stderr_tail"])
    assert ("without running an App" in str(details)) == (source == "sys.exit(0)")
    assert host.result("other:add", {"numbers": [1]}) == {"sum": 1}
