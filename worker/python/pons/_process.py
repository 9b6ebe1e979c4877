"""A worker as a process: its signals, its log, its way to the end."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Optional, Union

from ._channel import Channel, claim, claim_dump, will_serve
from ._logging import install_log
from ._main_loop import MainLoop

if TYPE_CHECKING:
    from ._app import App
    from ._many_loop import ManyLoop

__all__ = ["run"]

_USAGE_EXIT = 2
_STACK_SIGNAL: int = signal.SIGRTMIN + 4
_END_GRACE = 1.0  # seconds for threads and destructors of the program


def run(app: App) -> int:
    """Serves; the exit status. Raises RuntimeError if this is not the main thread."""
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("App.run() belongs on the main thread: signals, and so cancellation, reach no other")
    will_serve()
    channel = claim()
    argument = sys.argv[1] if len(sys.argv) > 1 else ""
    if argument in ("--version", "--help", "-h"):
        _say(channel, f"{app.name} {app.version}\n" if argument == "--version" else _help(app))
        return 0
    if channel is None:
        print(
            f"{app.name} {app.version} is a Pons worker: a host starts it and speaks to it in frames. Try\n"
            f"  pons call --adapter {sys.argv[0] or 'FILE'} COMMAND [ARGS]     or --help for its commands",
            file=sys.stderr,
        )
        return _USAGE_EXIT
    install_log()
    loop = _loop_of(app, channel)
    loop.server.stack_signal = _report_hangs(claim_dump())
    signal.signal(
        signal.SIGINT, _ignore
    )  # the host decides; not SIG_IGN, which programs started from here would inherit
    os.register_at_fork(after_in_child=loop.leave)
    status = loop.run()
    _end_soon(status)
    return status


def _loop_of(app: App, channel: Channel) -> Union[MainLoop, ManyLoop]:
    if app.concurrency == 1:
        return MainLoop(app, channel)
    from ._many_loop import ManyLoop  # with asyncio, which is slow to import

    return ManyLoop(app, channel)


def _say(channel: Optional[Channel], text: str) -> None:
    os.write(channel.output if channel is not None and channel.on_stdio else 1, text.encode())


def _help(app: App) -> str:
    lines = [f"{app.name} {app.version}, a Pons worker. A host starts it. Its commands:"]
    lines += [f"  {entry['name']}  {entry['description']}" for entry in app.commands.describe()]
    return "\n".join([*lines, "and ping, get_info, get_stats, cleanup.", ""])


def _ignore(*_: object) -> None:
    pass


def _report_hangs(fd: int) -> int:
    """The signal on which the stacks of all threads are written to ``fd``; 0: none.

    Works while C code holds the interpreter.
    """
    if not faulthandler.is_enabled() and sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError, AttributeError):  # no stderr
            faulthandler.enable()  # a crash in C code leaves its stack in the log
    if fd < 0 or signal.getsignal(_STACK_SIGNAL) != signal.SIG_DFL:
        return 0
    faulthandler.register(_STACK_SIGNAL, file=fd, all_threads=True, chain=False)

    def forget() -> None:
        faulthandler.unregister(_STACK_SIGNAL)
        os.close(fd)

    os.register_at_fork(after_in_child=forget)
    return _STACK_SIGNAL


def _end_soon(status: int) -> None:
    """Threads that outlive their handlers do not keep the process."""

    def end() -> None:
        time.sleep(_END_GRACE)
        os._exit(status)

    threading.Thread(target=end, name="pons-end", daemon=True).start()
