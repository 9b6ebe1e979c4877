"""JSON as the SDK writes and reads it."""

from __future__ import annotations

import json
from typing import Any

import pons
import pytest
from pons._codec import JSON, codec_of
from pons._results import plain

DOCUMENTS = [
    {"a": [1, -2.5, 1e300, True, False, None, 'é中"\\\n\u0001', {}], "b": {"c": []}},
    [],
    "text",
    1 << 70,
    0.1,
    [[[[]]]],
]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_what_is_written_is_what_any_reader_reads(document: Any) -> None:
    for _ in range(2):
        assert json.loads(JSON.encode(document)) == document


@pytest.mark.parametrize("document", DOCUMENTS)
def test_what_any_writer_writes_is_read(document: Any) -> None:
    assert JSON.decode(json.dumps(document).encode()) == document


@pytest.mark.parametrize("document", DOCUMENTS[:1])
def test_white_space_around_a_document_is_nothing(document: Any) -> None:
    text = json.dumps(document, indent=2).encode()
    assert JSON.decode(text) == JSON.decode(b" \n" + text + b"\t ") == document


@pytest.mark.parametrize(
    "text", [b"{} {}", b'{"a":1}}', b"{", b'{"a":NaN}', b'{"a":-Infinity}', b'{"a":"\xff"}', b"{}x"]
)
def test_what_is_no_document_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError):
        JSON.decode(text)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), object(), b"x", "\ud800"])
def test_what_json_cannot_say_is_refused(bad: Any) -> None:
    with pytest.raises((ValueError, TypeError, pons.Error)):
        JSON.encode(plain([bad], binary=False))


def test_the_first_byte_tells_the_codec() -> None:
    assert codec_of(b" {}") is JSON
    for body in (b"", b"\xc1", b"x"):
        with pytest.raises(pons.Error):
            codec_of(body)
