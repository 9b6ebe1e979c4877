"""An App called without a process: commands, errors, streams, sessions, resources."""

from __future__ import annotations

import dataclasses
import functools
import time
from typing import Any, AsyncIterator, Callable, Dict, Iterator, List

import pons
import pons.testing
import pytest


@pytest.fixture
def app() -> pons.App:
    return pons.App("t", version="1.0")


def failure(call: Callable[[], Any]) -> pons.Error:
    with pytest.raises(pons.Error) as caught:
        call()
    return caught.value


def test_get_info_says_what_was_declared(app: pons.App) -> None:
    @app.command(idempotent=True)
    def greet(name: str, times: int = 1) -> Dict[str, str]:
        """Say hello.

        At length.
        """
        return {"text": f"Hello {name}! " * times}

    @app.command("other:name", description="Otherwise.")
    def anything(args: Dict[str, Any]) -> Dict[str, Any]:
        return args

    app.on_info(lambda: {"device": "cpu"})
    info = pons.testing.client(app).info
    assert (info["name"], info["version"], info["concurrency"], info["device"]) == ("t", "1.0", 1, "cpu")
    assert "json" in info["codecs"]
    first, second = info["commands"]
    assert (first["name"], first["description"], first["idempotent"]) == ("greet", "Say hello.", True)
    assert first["args_schema"]["required"] == ["name"]
    assert (second["name"], second["description"], second["idempotent"]) == ("other:name", "Otherwise.", False)


def test_a_namespace_is_the_apps_own_or_common(app: pons.App) -> None:
    app.command("a")(lambda: 1)
    app.command("x:a")(lambda: 2)
    client = pons.testing.client(app)
    assert [client.call(name) for name in ("a", "t:a", "x:a")] == [1, 1, 2]
    assert client.call("common:ping")["status"] == client.call("t:ping")["status"] == "ok"
    for name, message in (
        ("b", "Unknown command: b"),
        ("t:b", "Unknown command: b"),
        ("common:a", "Unknown command: a"),
        ("y:a", "Unknown namespace: y"),
        ("t:common:ping", "Unknown command: common:ping"),
    ):
        error = failure(lambda name=name: client.call(name))  # type: ignore[misc]
        assert str(error) == message
        assert error.code == ("unknown_namespace" if "namespace" in message else "unknown_command")


@pytest.mark.parametrize("name", ["", "a b", "é", "a" * 129, "a.b:c", "ping", "common:x", "twice"])
def test_a_name_that_cannot_be_is_refused(app: pons.App, name: str) -> None:
    app.command("twice")(lambda: 1)
    with pytest.raises(ValueError, match=r"name|declared"):
        app.command(name)(lambda: 1)


def test_an_error_of_the_handler_is_said_with_its_class_and_its_own_frames(app: pons.App) -> None:
    @app.command
    def fail() -> None:
        raise ValueError("no such thing")

    error = failure(lambda: pons.testing.client(app).call("fail"))
    assert (str(error), error.code, error.retryable) == ("no such thing", "worker_error", False)
    assert error.details["type"] == "ValueError"
    assert 'raise ValueError("no such thing")' in error.details["traceback"]
    assert "_interrupt.py" not in error.details["traceback"]


@pytest.mark.parametrize(("debug", "options"), [(False, {}), (True, {"debug": False})])
def test_without_debug_there_is_no_traceback(debug: bool, options: Dict[str, Any]) -> None:
    app = pons.App("t", debug=debug)
    app.command("fail")(lambda: 1 / 0)
    error = failure(lambda: pons.testing.client(app, options=options).call("fail"))
    assert error.details == {"type": "ZeroDivisionError"}


def test_the_most_derived_translation_counts(app: pons.App) -> None:
    class Framework(Exception):
        pass

    class Quota(Framework):
        pass

    def raises(kind: Any) -> Callable[[], None]:
        def handler() -> None:
            raise kind("of the framework")

        return handler

    app.translate_error(Quota, code="rate_limit", retryable=True)
    app.translate_error(Framework, code="model_error")
    app.translate_error(KeyError, translate=lambda error: pons.Error(f"no {error}", code="own", details={"key": 1}))
    for name, kind in (("quota", Quota), ("framework", Framework), ("key", KeyError)):
        app.command(name)(raises(kind))
    client = pons.testing.client(app)
    errors = [failure(lambda name=name: client.call(name)) for name in ("quota", "framework", "key")]  # type: ignore[misc]
    assert [(e.code, e.retryable) for e in errors] == [("rate_limit", True), ("model_error", False), ("own", False)]
    assert errors[0].details["type"].endswith("Quota")
    assert errors[2].details["key"] == 1


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, GeneratorExit, BaseException, MemoryError])
def test_what_ends_other_programs_is_an_error_reply(app: pons.App, kind: type) -> None:
    @app.command
    def fail() -> None:
        raise kind()

    client = pons.testing.client(app)
    error = failure(lambda: client.call("fail"))
    assert (error.code, error.details["type"]) == ("worker_error", kind.__name__)
    assert client.call("ping")["status"] == "ok"


@dataclasses.dataclass(frozen=True)
class Frozen(Exception):
    number: int


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("it has no text")


class Empty(pons.Error):
    def __init__(self) -> None:
        pass


@pytest.mark.parametrize(
    ("raised", "code", "text"),
    [
        (Frozen(3), "worker_error", "3"),
        (Mute(), "model_error", "Mute"),
        (Empty(), "worker_error", "Empty was raised, and what it means could not be told: AttributeError: "),
        (KeyError("x"), "worker_error", "KeyError was raised, and what it means could not be told: Zero"),
        (pons.Error(["no text"], code=404, retryable="yes"), "404", "['no text']"),  # type: ignore[arg-type]
    ],
)
def test_an_exception_that_makes_trouble_itself_is_answered_too(
    app: pons.App, raised: Exception, code: str, text: str
) -> None:
    @app.command
    def fail() -> None:
        raise raised

    app.translate_error(Mute, code="model_error")
    app.translate_error(KeyError, translate=lambda error: 1 / 0)  # type: ignore[arg-type, return-value]
    client = pons.testing.client(app)
    reply = client.call_raw("fail")[-1]
    assert (reply["code"], type(reply["retryable"])) == (code, bool)
    assert text in reply["error"]
    assert client.call("ping")["status"] == "ok"


def test_a_function_with_arguments_given_ahead_is_what_it_was_made_of(app: pons.App) -> None:
    async def add(a: int, b: int) -> int:
        return a + b

    def count(first: int, last: int) -> Iterator[int]:
        yield from range(first, last)

    app.command("add")(functools.partial(add, b=2))
    app.command("count")(functools.partial(count, 1))
    with pons.testing.client(app) as client:
        assert client.call("add", a=1) == 3
        assert list(client.stream("count", last=3)) == [1, 2]


def test_endless_recursion_is_an_error_with_a_short_traceback(app: pons.App) -> None:
    @app.command
    def deeper() -> Any:
        return deeper()

    error = failure(lambda: pons.testing.client(app).call("deeper"))
    assert error.details["type"] == "RecursionError"
    assert len(error.details["traceback"]) < 8 << 10


def test_details_that_cannot_be_said_are_left_out(app: pons.App) -> None:
    @app.command
    def fail() -> None:
        raise pons.Error("bad \ud800", code="own", details={"text": "kept", "thing": object()})

    error = failure(lambda: pons.testing.client(app).call("fail"))
    assert (str(error), error.code, error.details) == ("bad ?", "own", {"text": "kept"})


def test_results_that_cannot_be_carried_are_errors_with_their_path(app: pons.App) -> None:
    cycle: List[Any] = []
    cycle.append(cycle)
    app.command("nan")(lambda: {"a": [1, float("nan")]})
    app.command("cycle")(lambda: cycle)
    app.command("bytes")(lambda: {"b": b"x"})
    client = pons.testing.client(app)
    assert failure(lambda: client.call("nan")).details["path"] == "/a/1"
    assert failure(lambda: client.call("bytes")).details["path"] == "/b"
    assert failure(lambda: client.call("cycle")).code == "worker_error"


def test_bytes_travel_in_messagepack(app: pons.App) -> None:
    pytest.importorskip("msgpack")
    app.command("bytes")(lambda: {"b": b"x"})
    packed = pons.testing.client(app, codec="msgpack")
    assert packed.call("bytes") == {"b": b"x"}


def test_generators_stream_their_chunks_or_else_return_them_as_a_list(app: pons.App) -> None:
    @app.command
    def count(to: int) -> Iterator[int]:
        yield from range(to)

    @app.command
    def summed(to: int) -> Any:
        yield from range(to)
        return {"sum": sum(range(to))}

    @app.command
    async def counted(to: int) -> AsyncIterator[int]:
        for number in range(to):
            yield number

    with pons.testing.client(app) as client:
        assert list(client.stream("count", to=3)) == list(client.stream("counted", to=3)) == [0, 1, 2]
        assert client.call("count", to=3) == client.call("counted", to=3) == [0, 1, 2]
        assert client.call("summed", to=3) == {"sum": 3}
        frames = client.call_raw("summed", {"to": 2}, stream=True)
    assert [(f["partial"], f["seq"], f["result"]) for f in frames[:2]] == [(True, 0, 0), (True, 1, 1)]
    assert (frames[2].get("partial"), frames[2]["result"]) == (None, {"sum": 1})


def test_a_generator_that_fails_has_sent_what_it_had(app: pons.App) -> None:
    closed: List[str] = []

    @app.command
    def half() -> Iterator[int]:
        try:
            yield 1
            raise ValueError("half")
        finally:
            closed.append("yes")

    frames = pons.testing.client(app).call_raw("half", stream=True)
    assert [frame["success"] for frame in frames] == [True, False]
    assert closed == ["yes"]


def test_progress_is_sent_ten_times_a_second_at_most(app: pons.App) -> None:
    @app.command
    def work(ctx: pons.Context) -> None:
        end = time.monotonic() + 0.25
        while time.monotonic() < end:
            ctx.progress(1, 2, "half")

    client = pons.testing.client(app)
    frames = client.call_raw("work", stream=True)[:-1]
    assert frames[0]["progress"] == {"done": 1, "total": 2, "message": "half"}
    assert 1 <= len(frames) <= 4
    assert len(client.call_raw("work")) == 1


def test_the_context_knows_the_request(app: pons.App) -> None:
    @app.command
    def about(ctx: pons.Context) -> Any:
        assert pons.current() is ctx
        return [
            ctx.command,
            ctx.session_id,
            ctx.meta,
            ctx.streaming,
            ctx.codec,
            ctx.remaining() <= 5,
            ctx.cancelled,
            ctx.options,
        ]

    client = pons.testing.client(app, options={"a": 1})
    reply = client.call_raw("about", session_id="s", meta={"user_id": "u"}, timeout_ms=5000)[-1]
    assert reply["result"] == ["about", "s", {"user_id": "u"}, False, "json", True, False, {"a": 1}]
    with pytest.raises(RuntimeError, match="No request"):
        pons.current()


def test_a_request_that_is_too_late_is_not_run(app: pons.App) -> None:
    ran: List[int] = []
    app.command("work")(lambda: ran.append(1))
    error = pons.testing.client(app).call_raw("work", timeout_ms=1e-9)[-1]
    assert (error["code"], ran) == ("deadline_exceeded", [])


def test_calls_to_others_are_answered_by_the_test(app: pons.App) -> None:
    @app.command
    def ask(ctx: pons.Context) -> Any:
        return ctx.call("llama:chat", {"q": 1})

    @app.command
    async def aask(ctx: pons.Context) -> Any:
        return await ctx.acall("llama:fail")

    def answer(command: str, args: Dict[str, Any]) -> Any:
        if command == "llama:fail":
            raise pons.Error("too much", code="rate_limit", retryable=True, details={"limit": 3})
        return [command, args]

    with pons.testing.client(app, on_call=answer) as client:
        assert client.call("ask") == ["llama:chat", {"q": 1}]
        error = failure(lambda: client.call("aask"))
    assert (str(error), error.code, error.retryable, error.details) == ("too much", "rate_limit", True, {"limit": 3})
    assert failure(lambda: pons.testing.client(app).call("ask")).code == "unknown_namespace"


def test_on_start_runs_once_with_options_and_its_error_is_the_apps(app: pons.App) -> None:
    seen: List[Any] = []
    app.on_start(lambda: seen.append(app.options))
    client = pons.testing.client(app, options={"model": "x"})
    client.call("get_info")
    assert seen == [{"model": "x"}]

    @app.on_start
    def refuse() -> None:
        raise pons.ConfigurationError("no model here")

    assert failure(lambda: pons.testing.client(app)).code == "invalid_configuration"


def test_bridges_that_hold_a_whole_map_see_the_resource_of_the_envelope(app: pons.App) -> None:
    app.command("whole")(lambda args: args)
    app.command("named")(lambda a=1: a)
    client = pons.testing.client(app)
    assert client.call_raw("whole", resource_id="r")[-1]["result"] == {"resource_id": "r"}
    assert client.call_raw("named", resource_id="r")[-1]["result"] == 1


@pytest.mark.parametrize(
    "envelope",
    [{"args": [1]}, {"meta": 3}, {"session_id": 1}, {"timeout_ms": -1}, {"timeout_ms": "1"}, {"resource_id": 1}],
)
def test_a_malformed_envelope_is_a_bad_request(app: pons.App, envelope: Dict[str, Any]) -> None:
    app.command("work")(lambda: 1)
    envelope = dict(envelope)
    args = envelope.pop("args", {})
    assert pons.testing.client(app).call_raw("work", args, **envelope)[-1]["code"] == "bad_request"
