"""Sessions: what is kept, how it ends, and its way into another worker."""

from __future__ import annotations

import base64
from typing import Any, Dict, List

import pons
import pons.testing
import pytest


def counting(**more: Any) -> pons.App:
    app = pons.App("t", version="1", **more)

    @app.command
    def count(ctx: pons.Context) -> int:
        ctx.session["n"] = ctx.session.get("n", 0) + 1
        return int(ctx.session["n"])

    app.command("nothing")(lambda: None)
    return app


def question(client: pons.testing.Client, command: str, **args: Any) -> Any:
    reply = client.call_raw("common:" + command, args)[-1]
    return reply["result"] if reply["success"] else reply


@pytest.mark.parametrize("codec", ["json", "msgpack"])
def test_a_session_goes_on_in_another_worker(codec: str) -> None:
    if codec == "msgpack":
        pytest.importorskip("msgpack")
    first, second = (pons.testing.client(counting(), codec=codec) for _ in range(2))
    assert "session_snapshot" in first.info["capabilities"]
    for _ in range(3):
        first.session("s").call("count")
    with pytest.raises(pons.Error):
        first.session("s").call("nope")
    snapshot = question(first, "export_session", session_id="s")
    assert (snapshot["format"], snapshot["covers"]) == ("t/1", 4)
    raw = snapshot["state"] if codec == "msgpack" else base64.b64decode(snapshot["state"])
    assert raw == b'{"n": 3}'
    assert question(second, "import_session", session_id="s", **snapshot) == {"imported": True}
    assert second.session("s").call("count") == 4
    assert question(second, "export_session", session_id="s")["covers"] == 5
    assert second.call("get_stats")["sessions"] == 1


def test_sessions_are_apart_and_end() -> None:
    app = counting()
    ended: List[Any] = []
    app.on_session_end(lambda session_id, session: ended.append((session_id, session)))
    client = pons.testing.client(app)
    one, two = client.session("one"), client.session("two")
    assert [one.call("count"), one.call("count"), two.call("count")] == [1, 2, 1]
    assert (one.end(), one.end()) == (True, False)
    assert ended == [("one", {"n": 2})]
    assert one.call("count") == 1
    assert client.call("cleanup") == {"status": "cleaned", "resources_removed": 0, "sessions_removed": 2}
    assert {name for name, _ in ended[1:]} == {"one", "two"}


def test_hooks_put_a_session_into_bytes_and_make_it_from_them() -> None:
    app = counting(session_format="own/3")
    app.export_session(lambda session_id, session: f"{session_id}:{session['n']}".encode())

    @app.import_session
    def load(session_id: str, state: bytes) -> Dict[str, Any]:
        return {"n": int(state.decode().rpartition(":")[2])}

    client = pons.testing.client(app)
    client.session("s").call("count")
    snapshot = question(client, "export_session", session_id="s")
    assert snapshot == {"format": "own/3", "state": base64.b64encode(b"s:1").decode(), "covers": 1}
    question(client, "import_session", session_id="other", **snapshot)
    assert client.session("other").call("count") == 2


def test_what_cannot_be_copied_says_why() -> None:
    app = counting()

    @app.command
    def keep(ctx: pons.Context) -> None:
        ctx.session["model"] = {"x": object()}

    app.command("named")(lambda ctx: ctx.session_id)
    client = pons.testing.client(app)
    client.session("stateless").call("nothing")
    assert base64.b64decode(question(client, "export_session", session_id="stateless")["state"]) == b"{}"
    client.session("elsewhere").call("named")  # it may keep something under that name
    assert "keep nothing in ctx.session" in question(client, "export_session", session_id="elsewhere")["error"]
    client.session("object").call("keep")
    assert "/model/x" in question(client, "export_session", session_id="object")["error"]
    assert question(client, "export_session", session_id="unknown")["code"] == "invalid_args"


def test_a_copy_of_another_layout_is_refused() -> None:
    client = pons.testing.client(counting())
    error = question(client, "import_session", session_id="s", format="t/0", state="", covers=0)
    assert (error["code"], error["details"]) == ("invalid_args", {"format": "t/0", "expected": "t/1"})
    for wrong in ({"state": "!"}, {"state": 3}, {"covers": -1}, {"covers": "1"}):
        args = {"session_id": "s", "format": "t/1", "state": "e30=", "covers": 0, **wrong}
        assert question(client, "import_session", **args)["code"] == "invalid_args"
    assert client.call("get_stats")["sessions"] == 0


def test_without_snapshots_there_are_none() -> None:
    client = pons.testing.client(counting(snapshots=False))
    assert "session_snapshot" not in client.info["capabilities"]
    assert question(client, "export_session", session_id="s")["code"] == "unknown_command"


def test_session_needs_a_session() -> None:
    assert pons.testing.client(counting()).call_raw("count")[-1]["code"] == "invalid_args"


def test_hooks_are_checked_when_they_are_declared() -> None:
    app = counting()

    async def later(session_id: str, session: Any) -> None: ...

    with pytest.raises(TypeError, match="plain function"):
        app.on_session_end(later)
    with pytest.raises(TypeError, match="session_id, session"):
        app.on_session_end(lambda: None)  # type: ignore[arg-type,misc]
    app.export_session(lambda session_id, session: b"")
    with pytest.raises(ValueError, match="together"):
        pons.testing.client(app)


@pytest.mark.parametrize("state", [b"", b"[1]", b"{", b"null", b"\xff"])
def test_a_copy_that_is_none_is_refused_and_changes_nothing(state: bytes) -> None:
    client = pons.testing.client(counting())
    packed = base64.b64encode(state).decode()
    reply = question(client, "import_session", session_id="s", format="t/1", state=packed, covers=1)
    assert (reply["code"], reply["details"]["errors"][0]["path"]) == ("invalid_args", "/state")
    assert client.session("s").call("count") == 1
