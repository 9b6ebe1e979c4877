"""The reference of the Python measurement: what a loop in plain Python costs behind a bare relay.

It reads a frame on descriptor 0, decodes it, answers with its args, and knows nothing else: no checks, no commands,
no deadlines.
"""

import json
import os
import socket
import struct

channel = socket.socket(fileno=os.dup(0))
while True:
    data = channel.recv(65536)
    if not data:
        break
    while len(data) < 4 or len(data) < 4 + struct.unpack(">I", data[:4])[0]:
        data += channel.recv(65536)
    request = json.loads(data[4:])
    body = json.dumps({"id": request["id"], "success": True, "result": request["args"]}).encode()
    channel.sendall(struct.pack(">I", len(body)) + body)
