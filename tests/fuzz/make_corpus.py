#!/usr/bin/env python3
"""Writes the fuzzers' first inputs from the conformance vectors: tests/fuzz/corpus/FUZZER/NAME.

Bodies above 2 kB are left out: a fuzzer finds repetition by itself.
"""

import json
import pathlib
import re
import struct

HERE = pathlib.Path(__file__).resolve().parent
LONGEST = 2048
JSON_FIRST = b"{ \t\r\n"

EXTRA = {
    "json-reply": b'{"id":7,"success":true,"result":{"resource_id":"m-1",'
    b'"x":[1,2.5e3,"\\ud83d\\ude00"]},"timestamp":"t"}',
    "json-failed": b'{"id":"a","success":false,"error":"No: x","code":"mine","retryable":false,"details":{"type":"E"}}',
    "json-partial": b'{"id":1,"success":true,"partial":true,"seq":3,"result":null}',
    "json-progress": b'{"id":1,"success":true,"partial":true,"progress":{"done":1}}',
    "json-event": b'{"event":"worker.exited","seq":12,"data":{}}',
    "json-reverse": b'{"id":1,"parent_id":7,"command":"a:b",'
    b'"session_id":"s","resource_id":"r","idempotent":true,"meta":{}}',
    "msgpack-reply": b"\x83\xa2id\x07\xa7success\xc3\xa6result\x82\xabresource_id\xa3m-1"
    b"\xa1x\x92\xcb\x3f\xf8\0\0\0\0\0\0\xd9\x01y",
    "msgpack-failed": b"\x85\xa2id\xa1a\xa7success\xc2\xa5error\xa1E\xa4code\xa4mine\xa7details\x80",
    "msgpack-partial": b"\x84\xa2id\xcd\x01\x00\xa7success\xc3\xa7partial\xc3\xa3seq\x03",
    "msgpack-event": b"\x82\xa5event\xa1e\xa3seq\xd0\x05",
    "msgpack-reverse": b"\x86\xa2id\x01\xa9parent_id\x07\xa7command\xa3a:b"
    b"\xaasession_id\xa1s\xabresource_id\xa1r\xaaidempotent\xc3",
}


def slug(name: str) -> str:
    """A file's name for a vector."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def bodies() -> dict[str, bytes]:
    """Every body by name, the vectors' and those above."""
    vectors = json.loads((HERE.parent / "conformance" / "envelopes.json").read_text())["vectors"]
    found = {slug(v["name"]): b"".join(bytes.fromhex(piece) * times for piece, times in v["body"]) for v in vectors}
    return {name: body for name, body in (found | EXTRA).items() if len(body) <= LONGEST}


def write(fuzzer: str, name: str, content: bytes) -> None:
    """One input of one fuzzer."""
    folder = HERE / "corpus" / fuzzer
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)


def frame(body: bytes) -> bytes:
    """The body with its length before it."""
    return struct.pack(">I", len(body)) + body


def main() -> None:
    """Writes everything."""
    for name, body in bodies().items():
        if body:
            write("json_envelope_fuzzer" if body[:1] in JSON_FIRST else "msgpack_envelope_fuzzer", name, body)
    small = frame(b"one") + frame(b"") + frame(b"x" * 90)
    streams = {
        "frames": b"\x0c\x20\x01" + small,
        "byte-by-byte": b"\x0c\x00\x00" + small,
        "late": b"\x0c\x20\x03" + small,
        "oversized": b"\x03\x03\x00" + frame(b"a") + frame(b"o" * 20) + frame(b"after"),
        "hopeless": b"\x03\x20\x00" + frame(b"a") + struct.pack(">I", 10000) + b"text",
        "http": b"\x1a\x20\x00GET / HTTP/1.1\r\n\r\n",
        "cut": b"\x10\x20\x01" + frame(b"whole") + struct.pack(">I", 500) + b"part",
    }
    for name, content in streams.items():
        write("frame_stream_fuzzer", name, content)


if __name__ == "__main__":
    main()
