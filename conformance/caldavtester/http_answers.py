"""One exchange of HTTP with a login, kept-alive where the server allows it; the answer with every header field as it came."""
import base64
import http.client
from dataclasses import dataclass
from urllib.parse import quote, urlsplit, urlunsplit

TIMEOUT_S = 60


@dataclass
class Answer:
    status: int
    reason: str
    fields: list  # [(name, value)]
    body: bytes

    def all(self, name):
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def first(self, name):
        return next(iter(self.all(name)), None)

    @property
    def text(self):
        return self.body.decode("utf-8", "surrogateescape")


class Client:
    """Requests to one server. With `trace` set, the last exchange is kept as text in `last`."""

    def __init__(self, base):
        parts = urlsplit(base)
        self.host, self.port = parts.hostname, parts.port
        self.connection = None
        self.last = ""

    def request(self, method, uri, fields, body, login, is_quoted=True):
        """`uri`: a path with an optional query, decoded unless it is not to be quoted; or a URL of this server."""
        target = target_of(uri, is_quoted)
        fields = dict(fields)
        if login is not None:
            fields["Authorization"] = "Basic " + base64.b64encode(":".join(login).encode()).decode()
        answer = self.exchange(method, target, fields, body)
        shown = "".join(f"{name}: {value}\n" for name, value in fields.items() if name != "Authorization")
        self.last = (f"> {method} {target} ({login[0] if login else 'no login'})\n{shown}\n{readable(body)}\n"
                     f"< {answer.status} {answer.reason}\n{''.join(f'{n}: {v}' + chr(10) for n, v in answer.fields)}\n"
                     f"{readable(answer.body)}\n")
        return answer

    def exchange(self, method, target, fields, body):
        for attempt in (1, 2):
            is_fresh = self.connection is None
            if is_fresh:
                self.connection = http.client.HTTPConnection(self.host, self.port, timeout=TIMEOUT_S)
            try:
                self.connection.request(method, target, body=body or None, headers=fields)
                got = self.connection.getresponse()
                data = got.read()
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                self.close()
                # The server closed an idle connection under our hands; nothing of the request was answered.
                if is_fresh or attempt == 2:
                    raise
                continue
            except BaseException:
                self.close()
                raise
            if got.will_close:
                self.close()
            return Answer(got.status, got.reason, got.getheaders(), data)
        raise AssertionError("unreachable")

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None


def target_of(uri, is_quoted):
    """The request target; `;parameters`, as in `/calendar/;add-member`, stay as they are."""
    parts = urlsplit(uri)
    path, semicolon, parameters = parts.path.rpartition(";") if ";" in parts.path.rpartition("/")[2] else (parts.path, "", "")
    path = quote(path, safe="/") if is_quoted else path
    query = quote(parts.query, safe="%/:?=&*+,;@$'()~!") if not is_quoted or parts.query else ""
    return urlunsplit(("", "", path + semicolon + parameters, query, "")) or "/"


def readable(body):
    return (body or b"").decode("utf-8", "backslashreplace").replace("\r\n", "\n")
