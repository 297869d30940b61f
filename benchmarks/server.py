"""A server on this machine that reads what it is sent, as a vendor would; a process of its own.

It answers ``GET /`` with the number of requests and of members taken so far, by path.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from urllib.request import urlopen

taken: dict[str, tuple[int, int]] = {}


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
            sent = reader.read(length)
            if method == "GET":
                body = json.dumps(taken).encode()
            else:
                requests, members = taken.get(path, (0, 0))
                taken[path] = requests + 1, members + len(json.loads(sent)["profiles"])
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


def requests_taken(address: str) -> Counter[str]:
    """Return how many requests the server took, by path."""
    return _taken(address, 0)


def members_taken(address: str) -> Counter[str]:
    """Return how many members the server took, by path."""
    return _taken(address, 1)


def _taken(address: str, place: int) -> Counter[str]:
    with urlopen(address) as answer:
        return Counter({path: counts[place] for path, counts in json.load(answer).items()})


if __name__ == "__main__":
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        print(listener.getsockname()[1], flush=True)
        serve(listener)
