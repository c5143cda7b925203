"""A plain HTTP client: one kept-alive connection, Basic login, nothing retried, nothing decoded."""
import base64
import http.client
import socket
import time
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

IDLE_MAX_S = 3


@dataclass
class Reply:
    status: int
    headers: dict  # names in lower case; repeated fields joined by ", "
    body: bytes

    def want(self, *statuses):
        """This reply, or AssertionError when its status is none of these."""
        if self.status not in statuses:
            raise AssertionError(f"got {self.status}, expected {' or '.join(map(str, statuses))}; body {self.body[:100]!r}")
        return self


class Wire:
    """Requests below one folder URL. A path is given decoded, without a leading slash; use `raw` to send it as it is."""

    def __init__(self, url, user=None, password=None, timeout=120):
        parts = urlsplit(url)
        self.host, self.port = parts.hostname, parts.port
        self.base = parts.path.rstrip("/")
        self.timeout = timeout
        self.login = basic(user, password) if user is not None else None
        self.connection = None
        self.used = 0.0

    def path(self, name):
        return f"{self.base}/{quote(name)}"

    def request(self, method, name="", headers=None, body=None, raw=None, stream=None):
        """One exchange. `body`: bytes, or an iterable sent chunked. `stream(block)` receives the reply's body piecewise."""
        path = raw if raw is not None else self.path(name)
        fields = dict(headers or {})
        if self.login and "Authorization" not in fields:
            fields["Authorization"] = self.login
        if fields.get("Authorization", "") is None:
            del fields["Authorization"]
        if time.monotonic() - self.used > IDLE_MAX_S:
            # The server may be closing it at this very moment, and nothing is ever retried here.
            self.close()
        if self.connection is None:
            self.connection = http.client.HTTPConnection(self.host, self.port, timeout=self.timeout)
            self.connection.connect()
            self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sent_short = False
        try:
            chunked = body is not None and not isinstance(body, (bytes, bytearray)) and "Content-Length" not in fields
            if chunked:
                fields["Transfer-Encoding"] = "chunked"
            try:
                self.connection.request(method, path, body=body, headers=fields, encode_chunked=chunked)
            except (BrokenPipeError, ConnectionResetError):
                # Refused while we were still sending: the answer lies in the receive buffer, and the connection is over.
                sent_short = True
            got = self.connection.getresponse()
            if stream is None:
                data = got.read()
            else:
                data = b""
                while block := got.read(1 << 20):
                    stream(block)
            fields = {}
            for key, value in got.getheaders():
                key = key.lower()
                fields[key] = f"{fields[key]}, {value}" if key in fields else value
            self.used = time.monotonic()
            if got.will_close or sent_short:
                self.close()
            return Reply(got.status, fields, data)
        except BaseException:
            self.close()
            raise

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    # The verbs that the suites use most.
    def get(self, name, **headers):
        return self.request("GET", name, dashed(headers))

    def put(self, name, body, **headers):
        return self.request("PUT", name, dashed(headers), body)

    def delete(self, name):
        return self.request("DELETE", name)

    def mkcol(self, name):
        return self.request("MKCOL", name)

    def transfer(self, method, name, to, overwrite=True, depth=None):
        """COPY or MOVE."""
        destination = f"http://{self.host}:{self.port}{self.path(to)}"
        fields = {"Destination": destination, "Overwrite": "T" if overwrite else "F"}
        if depth is not None:
            fields["Depth"] = depth
        return self.request(method, name, fields)

    def propfind(self, name, depth="1", body=None):
        fields = {"Depth": depth}
        if body is not None:
            fields["Content-Type"] = "application/xml; charset=utf-8"
        return self.request("PROPFIND", name, fields, body)


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def dashed(headers):
    """If_None_Match="*" as a header field."""
    return {name.replace("_", "-"): value for name, value in headers.items()}


def exchange(host, port, data, timeout=10, pause_s=0.0, half_close=True):
    """Send raw bytes, close our side, return all that comes back ("" when the peer says nothing)."""
    pieces = data if isinstance(data, (list, tuple)) else [data]
    answer = b""
    with socket.create_connection((host, port), timeout=timeout) as sock:
        try:
            for piece in pieces:
                sock.sendall(piece)
                if pause_s:
                    time.sleep(pause_s)
            if half_close:
                sock.shutdown(socket.SHUT_WR)
            while block := sock.recv(65536):
                answer += block
        except OSError:  # reset, refused to read on, or silent
            pass
    return answer
