"""ReadingTurn.

The reader thread reads when the main thread has been away for a tick, and rests when nothing happens.
"""

from __future__ import annotations

from pons._reading_turn import READ, REST, TICK, TICKS_TO_REST, ReadingTurn


def test_it_reads_when_the_main_thread_stays_away() -> None:
    turn = ReadingTurn()
    assert turn.on_tick(1, False) == TICK
    assert turn.on_tick(1, False) == READ


def test_it_leaves_the_channel_to_a_main_thread_that_comes_by_between_ticks() -> None:
    turn = ReadingTurn()
    for reads in range(100):
        assert turn.on_tick(reads, False) == TICK


def test_it_rests_when_nothing_happens() -> None:
    turn = ReadingTurn()
    assert turn.on_tick(1, True) == TICK
    steps = [turn.on_tick(1, True) for _ in range(TICKS_TO_REST)]
    assert steps == [TICK] * (TICKS_TO_REST - 1) + [REST]


def test_a_request_between_two_ticks_keeps_it_awake() -> None:
    turn = ReadingTurn()
    for reads in range(5 * TICKS_TO_REST):
        assert turn.on_tick(reads, True) == TICK
