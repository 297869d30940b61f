"""A server on this machine that takes whatever it is sent; a process of its own, so that it costs the sender nothing.

It answers ``GET /`` with the number of requests and bytes taken so far, by path.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from urllib.request import urlopen

taken: dict[str, int] = {}


def serve(listener: socket.socket) -> None:
    """Answer connections, each in a thread, until the process is ended."""
    while True:
        connection, _ = listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        Thread(target=_answer, args=(connection,), daemon=True).start()


def _answer(connection: socket.socket) -> None:
    with connection, connection.makefile("rb", buffering=1 << 20) as reader:
        while request := reader.readline():
            method, path, _ = request.decode().split(" ", 2)
            length = 0
            while (line := reader.readline()) not in {b"\r\n", b""}:
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            while length:
                length -= len(reader.read(min(length, 1 << 20)))
            if method == "GET":
                body = json.dumps(taken).encode()
            else:
                taken[path] = taken.get(path, 0) + 1
                body = b'{"ok":true}'
            head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            connection.sendall(head.encode() + body)


@contextmanager
def loopback() -> Iterator[str]:
    """Run the server in a process of its own and yield its address."""
    process = subprocess.Popen([sys.executable, __file__], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.terminate()
        process.wait()


def requests_taken(address: str) -> dict[str, int]:
    """Return how many requests the server took, by path."""
    with urlopen(address) as answer:
        counts: dict[str, int] = json.load(answer)
    return counts


if __name__ == "__main__":
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        print(listener.getsockname()[1], flush=True)
        serve(listener)
