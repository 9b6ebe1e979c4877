"""FrameDecoder: frames whole however they arrive, and a stream that carries none."""

from __future__ import annotations

import random
from typing import Any, List

import pytest
from pons._frames import FrameDecoder, NoFrames, Oversized, header


def fed(decoder: FrameDecoder, data: bytes, sizes: List[int]) -> List[Any]:
    found: List[Any] = []
    while data:
        space = decoder.space()
        assert len(space) > 0
        size = min(len(space), sizes.pop() if sizes else len(data), len(data))
        space[:size] = data[:size]
        data = data[size:]
        decoder.commit(size)
        while True:
            frame = decoder.next()
            if frame is None:
                break
            found.append(frame)
    return found


def test_frames_come_out_whole_however_they_arrive() -> None:
    chance = random.Random(7)
    for _ in range(200):
        bodies = [
            bytes(chance.randbytes(chance.choice([1, 5, 300, 70_000, 200_000]))) for _ in range(chance.randrange(1, 6))
        ]
        data = b"".join(header(len(body)) + body for body in bodies)
        sizes = (
            [chance.randrange(1, 90_000) for _ in range(1000)]
            if chance.random() < 0.5
            else [chance.randrange(1, 9) for _ in range(60)]
        )
        assert fed(FrameDecoder(), data, sizes) == bodies


def test_an_oversized_frame_is_skipped_and_the_next_one_is_whole() -> None:
    decoder = FrameDecoder(max_frame=1000)
    found = fed(decoder, header(1) + b"a" + header(5000) + b"x" * 5000 + header(2) + b"ok", [700] * 20)
    assert found[0] == b"a"
    assert isinstance(found[1], Oversized)
    assert found[1].length == 5000
    assert found[2:] == [b"ok"]


def test_memory_grows_with_what_is_received_not_with_what_is_declared() -> None:
    decoder = FrameDecoder()
    fed(decoder, header(60 << 20) + b"x" * 100, [])
    assert len(decoder.space()) < 1 << 20


def test_memory_of_a_large_frame_is_given_back() -> None:
    decoder = FrameDecoder()
    fed(decoder, header(5 << 20) + b"x" * (5 << 20), [])
    assert len(decoder.space()) <= 64 << 10


def test_text_before_the_first_frame_is_no_frame() -> None:
    with pytest.raises(NoFrames, match=r"GET / HTTP/1\.1"):
        fed(FrameDecoder(), b"GET / HTTP/1.1\r\n\r\n", [])


def test_a_hopeless_length_is_no_frame() -> None:
    with pytest.raises(NoFrames):
        fed(FrameDecoder(max_frame=1000), header(2) + b"ok" + header(16_001), [])
