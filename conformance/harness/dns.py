"""A DNS server for tests: each name has this machine as its mail exchanger, its address, and no text."""
import socket
import struct
import threading


class Dns:
    """Answers on a free UDP port until closed. `hosts` names addresses other than 127.0.0.1."""

    def __init__(self, hosts=None):
        self.hosts = hosts or {}
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self):
        self.socket.close()

    def _serve(self):
        while True:
            try:
                query, peer = self.socket.recvfrom(4096)
                self.socket.sendto(self._answer(query), peer)
            except (OSError, IndexError, struct.error):
                if self.socket.fileno() < 0:
                    return

    def _answer(self, query):
        at, labels = 12, []
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode("ascii", "replace").lower())
            at += query[at] + 1
        question = query[12:at + 5]
        kind = struct.unpack(">H", query[at + 1:at + 3])[0]
        name, data = ".".join(labels), None
        if kind == 1:
            data = socket.inet_aton(self.hosts.get(name, "127.0.0.1"))
        elif kind == 15 and not name.startswith("mx."):
            # The name in the question, with `mx` before it.
            data = struct.pack(">H", 10) + b"\x02mx\xc0\x0c"
        head = query[:2] + struct.pack(">HHHHH", 0x8180, 1, int(data is not None), 0, 0)
        record = b"" if data is None else b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 60, len(data)) + data
        return head + question + record
