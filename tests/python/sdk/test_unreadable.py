"""Frames that a worker cannot read whole: whoever waits for an answer gets one."""

from __future__ import annotations

from typing import Any, Callable, List, Tuple

import pytest
from fake_host import FakeHost
from pons._codec import JSON, by_name, codec_names
from pons._frame_head import head_of

Start = Callable[..., FakeHost]

ASKER = """
@app.command
def ask(ctx: pons.Context):
    try:
        return ctx.call("other:thing")
    except pons.Error as error:
        return [error.code, str(error)]
@app.command
def in_a_child(ctx: pons.Context):
    child = os.fork()
    if child == 0:
        try:
            ctx.call("other:thing")
        except pons.Error as error:
            os._exit(7 if error.code == "bad_request" else 1)
        os._exit(2)
    return os.WEXITSTATUS(os.waitpid(child, 0)[1])
"""


@pytest.mark.parametrize("parameters", ["", "threads=2"])
@pytest.mark.parametrize(
    "result",
    [b'"\xff"', b'"\x01"', b"[Infinity]", b"[" * 100_000 + b"]" * 100_000],
    ids=["no UTF-8", "a control character", "infinity", "deep"],
)
def test_a_reply_that_cannot_be_read_fails_its_call(start: Start, parameters: str, result: bytes) -> None:
    host = start(ASKER, parameters)
    request = host.send("ask")
    asked = host.asked()
    host.send_bytes(b'{"id":%d,"success":true,"result":%b}' % (asked["id"], result))
    code, message = host.reply(request)["result"]
    assert code == "worker_error"
    assert message.startswith("The reply cannot be read: Bad json: ")
    assert host.call("ping")["status"] == "ok"


def test_a_forked_child_cannot_call(start: Start) -> None:
    assert start(ASKER).call("in_a_child") == 7


HEADS: List[Tuple[bytes, Any]] = [
    (b'{"id":7,"success":true,"result":NaN}', {"id": 7, "success": True}),
    (b' { "result" : {"id": 8, "command": "x"}, "success" : false , "id" : "a\\"}" }', {"id": 'a"}', "success": False}),
    (b'{"args":["id",{"a":"\xff\\\\"}],"id":3,"command":"c"}', {"id": 3, "command": "c"}),
    (b'{"id":', {}),
    (b"\xff{[", {}),
]


@pytest.mark.parametrize(("body", "head"), HEADS, ids=["NaN", "order", "strings", "cut", "nothing"])
def test_the_head_of_a_frame_is_found_whatever_the_rest_is(body: bytes, head: Any) -> None:
    assert head_of(body, JSON) == head


@pytest.mark.skipif("msgpack" not in codec_names(), reason="needs the package msgpack")
def test_a_time_that_is_none_is_refused_under_the_id_of_its_request(start: Start) -> None:
    host = start(ASKER)
    host.send_bytes(b"\x83\xa2id\x07\xa7command\xa3ask\xa4args\x81\xa1t\xc7\x03\xff\x01\x02\x03")
    reply = by_name("msgpack").decode(host.body())
    assert (reply["id"], reply["code"]) == (7, "invalid_args")


@pytest.mark.skipif("msgpack" not in codec_names(), reason="needs the package msgpack")
@pytest.mark.parametrize(
    "result",
    [b"\x81\x80\x01", b"\xa1\xff", b"\xc7\x03\xff\x01\x02\x03"],
    ids=["a map as a key", "no UTF-8", "a time that is none"],
)
def test_the_head_of_messagepack_is_found_too(result: bytes) -> None:
    codec = by_name("msgpack")
    with pytest.raises(ValueError):
        codec.decode(b"\x83\xa6result" + result + b"\xa2id\x07\xa7success\xc3")
    assert head_of(b"\x83\xa6result" + result + b"\xa2id\x07\xa7success\xc3", codec) == {"id": 7, "success": True}
