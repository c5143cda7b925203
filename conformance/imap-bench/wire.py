"""The load: commands as ready bytes on raw sockets, answers only counted, so that the driver costs little beside the server."""
import socket
import threading
import time

import measure


class Pipe:
    """One connection, logged in."""

    def __init__(self, server, timeout=900):
        self.server, self.serial = server, 0
        self.sock = socket.create_connection((server.host, server.port), timeout=timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.recv(1 << 16)
        self.run(f'LOGIN "{server.user}" "{server.password}"')

    def send(self, words):
        self.serial += 1
        tag = f"t{self.serial}".encode()
        self.sock.sendall(tag + b" " + (words if isinstance(words, bytes) else words.encode()) + b"\r\n")
        return tag

    def finish(self, tag):
        """(bytes, last line) of the whole answer; AssertionError where it is no OK."""
        mark, tail, size = b"\r\n" + tag + b" ", b"\r\n", 0
        while True:
            block = self.sock.recv(1 << 20)
            assert block, "the server closed the connection"
            size += len(block)
            tail = tail[-4096:] + block
            if tail.endswith(b"\r\n") and (at := tail.rfind(mark)) >= 0 and tail.find(b"\r\n", at + 2) == len(tail) - 2:
                last = tail[at + 2:-2]
                assert last.startswith(tag + b" OK"), last[:200]
                return size, last

    def run(self, words):
        return self.finish(self.send(words))

    def text(self, words):
        """The whole answer, for short ones."""
        tag, found = self.send(words), b""
        while not (found.endswith(b"\r\n") and (b"\r\n" + tag + b" " in b"\r\n" + found)):
            found += self.sock.recv(1 << 20)
        return found

    def append(self, box, data, flags=""):
        self.serial += 1
        tag = f"t{self.serial}".encode()
        self.sock.sendall(tag + f' APPEND "{box}" {flags}{{{len(data)}+}}\r\n'.encode() + data + b"\r\n")
        return self.finish(tag)

    def many(self, box, messages):
        """One APPEND of several messages."""
        self.serial += 1
        tag = f"t{self.serial}".encode()
        self.sock.sendall(tag + f' APPEND "{box}"'.encode() + b"".join(f" {{{len(data)}+}}\r\n".encode() + data for data in messages) + b"\r\n")
        return self.finish(tag)

    def close(self):
        self.sock.close()


def one_by_one(server, step, count_of_one, seconds, cap_s=120, at_least=3):
    """A Figure of `step` again and again, each worth so many operations."""
    meter = measure.Meter(server)
    times, begun = [], time.perf_counter()
    while True:
        started = time.perf_counter()
        step(len(times))
        now = time.perf_counter()
        times.append((now - started) * 1000)
        if (now - begun >= seconds and len(times) >= at_least) or now - begun >= cap_s:
            break
    return figure(meter, times, count_of_one)


def figure(meter, times, count_of_one, seconds=None):
    ordered = sorted(times)
    return meter.figure(len(times) * count_of_one, seconds, ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)])


def side_by_side(server, count, step, seconds):
    """A Figure of so many connections, each at its own `step(pipe, number of the connection, round)`."""
    pipes = [Pipe(server) for _ in range(count)]
    times, errors, deadline = [[] for _ in pipes], [], [0.0]

    def work(number):
        try:
            at = 0
            while time.perf_counter() < deadline[0]:
                started = time.perf_counter()
                step(pipes[number], number, at)
                times[number].append((time.perf_counter() - started) * 1000)
                at += 1
        except (AssertionError, OSError) as error:
            errors.append(error)

    meter = measure.Meter(server)
    deadline[0] = time.perf_counter() + seconds
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = figure(meter, [one for row in times for one in row] or [0.0], 1)
    for pipe in pipes:
        pipe.close()
    assert not errors, errors[0]
    return found
