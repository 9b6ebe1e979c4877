"""What must hold after a handler did what it should not: its own outcome, and a host that is unharmed."""

from __future__ import annotations

from typing import Any, Dict

from host import Host, wait_for_end


def unharmed(host: Host) -> int:
    """Check that the next requests are answered, here and on another adapter; return the pid of the worker."""
    assert host.result("other:add", {"numbers": [20, 22]}) == {"sum": 42}
    pid: int = host.result("app:calm")
    return pid


def failed(host: Host, code: str, command: str = "app:misuse", **fields: Any) -> Dict[str, Any]:
    """Return the details of a request that fails with this code."""
    reply = host.error(command, **fields)
    assert reply["code"] == code, reply
    details: Dict[str, Any] = reply.get("details", {})
    return details


def check_lives(host: Host, before: int) -> None:
    """Check that the worker is the one that it was before."""
    assert unharmed(host) == before


def check_replaced(host: Host, before: int) -> None:
    """Check that another worker serves now."""
    wait_for_end(before)
    assert unharmed(host) != before
