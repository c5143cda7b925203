"""The load: requests on one connection by a raw socket, on many by wrk.

A request is a ready block of bytes, and the answer is only cut off its connection, so that the driver costs some ten
microseconds a request.
"""
import json
import socket
import subprocess
import time
from pathlib import Path
from urllib.parse import urlsplit

import measure

HERE = Path(__file__).resolve().parent
REQUESTS_MIN = 3


class Pipe:
    """One kept-alive connection."""

    def __init__(self, base, login, timeout=600):
        parts = urlsplit(base)
        self.host, self.port, self.login, self.timeout = parts.hostname, parts.port, login, timeout
        self.sock, self.buffer = None, bytearray()

    def ready(self, method, path, headers, body=b""):
        """The bytes of a request."""
        rows = [f"{method} {path} HTTP/1.1", f"Host: {self.host}:{self.port}", f"Authorization: {self.login}", f"Content-Length: {len(body)}"]
        rows += [f"{name}: {value}" for name, value in headers.items()]
        return ("\r\n".join(rows) + "\r\n\r\n").encode() + body

    def exchange(self, data):
        """(status, body)."""
        if self.sock is None:
            self.sock = socket.create_connection((self.host, self.port), timeout=self.timeout)
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.buffer = bytearray()
        self.sock.sendall(data)
        while (at := self.buffer.find(b"\r\n\r\n")) < 0:
            self.fill()
        head = bytes(self.buffer[:at]).decode("latin-1").split("\r\n")
        del self.buffer[:at + 4]
        fields = {name.lower(): value.strip() for name, _, value in (row.partition(":") for row in head[1:])}
        status = int(head[0].split(" ")[1])
        if fields.get("transfer-encoding", "").lower() == "chunked":
            body = self.chunks()
        elif "content-length" in fields:
            body = self.take(int(fields["content-length"]))
        elif status in (204, 304):
            body = b""
        else:
            body = self.rest()
        if fields.get("connection", "").lower() == "close" or head[0].startswith("HTTP/1.0"):
            self.close()
        return status, body

    def fill(self):
        block = self.sock.recv(1 << 18)
        if not block:
            raise ConnectionError("closed in the middle of an answer")
        self.buffer += block

    def take(self, count):
        while len(self.buffer) < count:
            self.fill()
        body = bytes(self.buffer[:count])
        del self.buffer[:count]
        return body

    def chunks(self):
        pieces = []
        while True:
            while (at := self.buffer.find(b"\r\n")) < 0:
                self.fill()
            size = int(bytes(self.buffer[:at]).split(b";")[0], 16)
            del self.buffer[:at + 2]
            pieces.append(self.take(size))
            self.take(2)
            if size == 0:
                return b"".join(pieces)

    def rest(self):
        try:
            while True:
                self.fill()
        except ConnectionError:
            body = bytes(self.buffer)
            self.close()
            return body

    def close(self):
        if self.sock is not None:
            self.sock.close()
            self.sock, self.buffer = None, bytearray()


def one_by_one(server, pipe, requests, seconds, want=(207,), cap_s=60):
    """A Figure of the requests in turn, again and again. Ends after `seconds`, but not before a few have been answered, unless
    `cap_s` is over."""
    meter = measure.Meter(server)
    times, begun, at = [], time.perf_counter(), 0
    while True:
        started = time.perf_counter()
        status, body = pipe.exchange(requests[at % len(requests)])
        now = time.perf_counter()
        times.append((now - started) * 1000)
        assert status in want, f"{server.name}: status {status}; {body[:200]!r}"
        at += 1
        if (now - begun >= seconds and at >= REQUESTS_MIN) or now - begun >= cap_s:
            break
    ordered = sorted(times)
    return meter.figure(at, None, ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)])


def wrk(server, login, connections, seconds, *words):
    """A Figure of a load of `load.lua`."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "60s", "-s", HERE / "load.lua", server.base + "/", "--", login,
               *map(str, words)]
    meter = measure.Meter(server)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stdout.strip(), f"wrk: {done.stdout[-300:]} {done.stderr[-300:]}"
    said = json.loads(done.stdout.strip().splitlines()[-1])
    assert said["errors"] == 0 and said["requests"] > 0, f"{server.name}: {said}"
    return meter.figure(said["requests"], said["seconds"], said["p50_ms"], said["p99_ms"])
