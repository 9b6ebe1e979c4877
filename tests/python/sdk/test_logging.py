"""The log: one line of JSON for each record, with the request that it belongs to."""

from __future__ import annotations

import json
import logging
from typing import Any, Callable, Dict, List

from fake_host import FakeHost
from pons._logging import line_of

Start = Callable[..., FakeHost]


def lines(host: FakeHost, last: str) -> List[Dict[str, Any]]:
    host.wait_for_log(last)
    return [json.loads(line) for line in host.log().splitlines()]


def test_a_record_is_a_line_with_its_request(start: Start) -> None:
    host = start(
        """
import logging, warnings
log = logging.getLogger("my.model")
@app.command
def work():
    log.debug("not said")
    log.info("said %d", 1)
    log.warning("careful")
    try: 1 / 0
    except ZeroDivisionError: log.exception("failed")
    logging.captureWarnings(True)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old")
    logging.critical("last")
"""
    )
    host.call("work", session_id="s", meta={"correlation_id": "c"}, id=77)
    said, careful, failed, warned, last = lines(host, "last")
    about = {"request": 77, "command": "work", "correlation_id": "c", "session": "s"}
    assert said == {"level": "info", "message": "said 1", "logger": "my.model", **about}
    assert (careful["level"], failed["level"], last["level"]) == ("warn", "error", "error")
    assert "ZeroDivisionError" in failed["exception"]
    assert (warned["logger"], warned["level"], "old" in warned["message"]) == ("py.warnings", "warn", True)


def test_outside_of_a_request_there_is_none(start: Start) -> None:
    host = start(
        """
import logging
@app.on_start
def load():
    logging.log(3, "below debug")
    threading.Thread(target=logging.getLogger("x").info, args=("loading",)).start()
"""
    )
    assert lines(host, "loading") == [{"level": "info", "message": "loading", "logger": "x"}]


def test_a_program_that_set_up_logging_for_a_terminal_is_not_heard_twice(start: Start) -> None:
    host = start(
        """
import logging
logging.basicConfig(level=logging.DEBUG)
@app.command
def work():
    logging.debug("once")
    print("end")
"""
    )
    host.call("work")
    host.wait_for_log("end")
    assert host.log().count("once") == 1
    assert json.loads(host.log().splitlines()[0])["level"] == "debug"


def test_a_line_is_never_longer_than_the_host_reads_at_once() -> None:
    for text in ("x" * 100_000, "\u4e2d" * 100_000):
        line = line_of(logging.LogRecord("n", logging.INFO, "f", 1, text, None, None))
        assert len(line) <= 8 << 10
        assert json.loads(line)["message"].startswith(text[:100])
