#!/usr/bin/env python3
"""A worker that knows nothing of Pons: it reads a request on stdin, writes the reply on stdout, one after the other.

A frame is a 32-bit big-endian length and a JSON object. It speaks no `protocol` in its ping and gives its errors no
`code`.
"""

import json
import os
import struct
import sys
import time

STARTED = time.time()
counts = {"requests_processed": 0, "errors": 0}


def ping(args):
    return {"status": "ok", "worker_id": args.get("worker_id", f"bare-{os.getpid()}")}


def get_info(args):
    commands = [{"name": name, "description": function.__name__} for name, function in COMMANDS.items()]
    return {"name": "bare", "version": "1.0", "capabilities": ["text", "arithmetic"], "commands": commands}


def get_stats(args):
    return dict(counts, start_time=STARTED, uptime_s=time.time() - STARTED, active_resources=0)


def cleanup(args):
    return {"status": "cleaned", "resources_removed": 0, "sessions_removed": 0}


def reverse(args):
    return {"text": args["text"][::-1]}


def add(args):
    return {"sum": sum(args["numbers"])}


COMMANDS = {f.__name__: f for f in (ping, get_info, get_stats, cleanup, reverse, add)}


def run(command, args):
    namespace, _, name = command.rpartition(":")
    if namespace not in ("", "bare", "common"):
        raise ValueError(f"Unknown namespace: {namespace}")
    if name not in COMMANDS:
        raise ValueError(f"Unknown command: {name}")
    return COMMANDS[name](args)


def serve(source, sink):
    while len(header := source.read(4)) == 4:
        request = json.loads(source.read(struct.unpack(">I", header)[0]))
        counts["requests_processed"] += 1
        try:
            reply = {
                "id": request.get("id"),
                "success": True,
                "result": run(request["command"], request.get("args", {})),
            }
        except Exception as error:
            counts["errors"] += 1
            reply = {"id": request.get("id"), "success": False, "error": str(error) or type(error).__name__}
        body = json.dumps(reply).encode()
        sink.write(struct.pack(">I", len(body)) + body)
        sink.flush()


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
