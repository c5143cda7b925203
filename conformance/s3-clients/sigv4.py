"""Signature Version 4 by hand, over bare connections: what no library sends can be sent too.

Used where a client's own care would hide what is looked at: streaming signatures and trailers, wrong digests, odd paths.
"""
import base64
import datetime
import hashlib
import hmac
import http.client
import select
import socket
import zlib
from urllib.parse import quote, urlsplit

from harness.wire import Reply

EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
UNSIGNED = "UNSIGNED-PAYLOAD"
STREAMING = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
STREAMING_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
STREAMING_UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"


class Signer:
    def __init__(self, user, region="us-east-1", skew_s=0):
        self.user, self.region, self.skew = user, region, datetime.timedelta(seconds=skew_s)

    def now(self):
        return datetime.datetime.now(datetime.timezone.utc) + self.skew

    def headers(self, method, host, path, query, fields, payload):
        """The fields with date, digest and Authorization; the signature; the time. `path` is encoded already."""
        moment = self.now()
        stamp = f"{moment:%Y%m%dT%H%M%SZ}"
        fields = {**fields, "host": host, "x-amz-date": stamp, "x-amz-content-sha256": payload}
        names = sorted(name.lower() for name in fields)
        lower = {name.lower(): str(value).strip() for name, value in fields.items()}
        canonical = "\n".join([method, path, canonical_query(query), *(f"{name}:{lower[name]}" for name in names), "",
                               ";".join(names), payload])
        signature = self.signature(moment, "AWS4-HMAC-SHA256", hashlib.sha256(canonical.encode()).hexdigest())
        fields["Authorization"] = (f"AWS4-HMAC-SHA256 Credential={self.user.access_key}/{self.scope(moment)}, "
                                   f"SignedHeaders={';'.join(names)}, Signature={signature}")
        return fields, signature, moment

    def scope(self, moment):
        return f"{moment:%Y%m%d}/{self.region}/s3/aws4_request"

    def signature(self, moment, algorithm, *lines):
        key = ("AWS4" + self.user.secret_key).encode()
        for word in self.scope(moment).split("/"):
            key = hmac.new(key, word.encode(), hashlib.sha256).digest()
        text = "\n".join([algorithm, f"{moment:%Y%m%dT%H%M%SZ}", self.scope(moment), *lines])
        return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()

    def chunks(self, pieces, signature, moment, trailers=None, signed=True):
        """The aws-chunked form of the pieces: a signature for each chunk (or none), trailers, their signature."""
        for piece in [*pieces, b""]:
            head = f"{len(piece):x}"
            if signed:
                signature = self.signature(moment, "AWS4-HMAC-SHA256-PAYLOAD", signature, EMPTY_SHA256,
                                           hashlib.sha256(piece).hexdigest())
                head += f";chunk-signature={signature}"
            if piece:
                yield head.encode() + b"\r\n" + piece + b"\r\n"
            else:
                yield head.encode() + b"\r\n"
        lines = "".join(f"{name}:{value}\n" for name, value in (trailers or {}).items())
        yield "".join(f"{name}:{value}\r\n" for name, value in (trailers or {}).items()).encode()
        if trailers and signed:
            last = self.signature(moment, "AWS4-HMAC-SHA256-TRAILER", signature, hashlib.sha256(lines.encode()).hexdigest())
            yield f"x-amz-trailer-signature:{last}\r\n".encode()
        yield b"\r\n"


class Raw:
    """One kept-alive connection to a server. Keys and query values are given decoded."""

    def __init__(self, url, user, timeout=60, **signing):
        parts = urlsplit(url)
        self.host, self.port = parts.hostname, parts.port
        self.signer = Signer(user, **signing)
        self.timeout, self.connection = timeout, None

    def request(self, method, bucket="", key="", query=(), headers=None, body=b"", payload=None, raw_path=None):
        """`payload`: the x-amz-content-sha256 to send; the body's own digest by default."""
        path = raw_path or encoded_path(bucket, key)
        payload = payload or hashlib.sha256(body).hexdigest()
        fields, _, _ = self.signer.headers(method, f"{self.host}:{self.port}", path, query, headers or {}, payload)
        return self.send(method, path, query, fields, body)

    def put_chunked(self, bucket, key, pieces, trailers=None, signed=True, headers=None, announced=None, spoil=None,
                    over_chunked=False):
        """An upload in aws-chunked form. `announced`: a decoded length that is not true. `spoil`: changes the sent bytes.

        `over_chunked`: framed by Transfer-Encoding instead of a Content-Length.
        """
        payload = (STREAMING_TRAILER if trailers else STREAMING) if signed else STREAMING_UNSIGNED_TRAILER
        path = encoded_path(bucket, key)
        length = sum(map(len, pieces))
        fields = {"content-encoding": "aws-chunked", "x-amz-decoded-content-length": str(length if announced is None else announced),
                  **(headers or {})}
        if trailers:
            fields["x-amz-trailer"] = ",".join(trailers)
        fields = {name: value for name, value in fields.items() if value}
        fields, signature, moment = self.signer.headers("PUT", f"{self.host}:{self.port}", path, (), fields, payload)
        body = b"".join(self.signer.chunks(pieces, signature, moment, trailers, signed))
        if spoil:
            body = spoil(body)
        if over_chunked:
            fields["Transfer-Encoding"] = "chunked"
            blocks = [body[at:at + 1000] for at in range(0, len(body), 1000)]
            body = b"".join(b"%x\r\n%s\r\n" % (len(block), block) for block in blocks) + b"0\r\n\r\n"
        return self.send("PUT", path, (), fields, body, framed=over_chunked)

    def send(self, method, path, query, fields, body, framed=False):
        """One exchange; on a new connection when the server has closed the kept one without saying so."""
        if self.connection is not None and select.select([self.connection.sock], [], [], 0)[0]:
            self.close()
        if self.connection is not None:
            try:
                return self.exchange(method, path, query, fields, body, framed)
            except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
                pass
        return self.exchange(method, path, query, fields, body, framed)

    def exchange(self, method, path, query, fields, body, framed):
        if self.connection is None:
            self.connection = http.client.HTTPConnection(self.host, self.port, timeout=self.timeout)
            self.connection.connect()
            self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        wire = self.connection
        try:
            wire.putrequest(method, path + ("?" + sent_query(query) if query else ""), skip_host=True, skip_accept_encoding=True)
            wire.putheader("Host", f"{self.host}:{self.port}")
            for name, value in fields.items():
                if name.lower() != "host":
                    wire.putheader(name, value)
            if not framed and (body or method in ("PUT", "POST")) and "content-length" not in map(str.lower, fields):
                wire.putheader("Content-Length", str(len(body)))
            wire.endheaders()
            closing = False
            try:
                wire.send(body)
            except (BrokenPipeError, ConnectionResetError):
                closing = True  # refused while we were still sending: the answer lies in the receive buffer
            got = wire.getresponse()
            data = got.read()
            reply = Reply(got.status, {name.lower(): value for name, value in got.getheaders()}, data)
            if got.will_close or closing:
                self.close()
            return reply
        except BaseException:
            self.close()
            raise

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None


def encoded_path(bucket, key=""):
    path = "/" + bucket if bucket else "/"
    return path + ("/" + quote(key, safe="-_.~/") if key else "")


def canonical_query(query):
    return "&".join(sorted(f"{quote(name, safe='-_.~')}={quote(value or '', safe='-_.~')}" for name, value in query))


def sent_query(query):
    return "&".join(quote(name, safe="-_.~") + ("" if value is None else "=" + quote(value, safe="-_.~")) for name, value in query)


def crc32(data):
    return base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()


def sha256(data):
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


def md5(data):
    return base64.b64encode(hashlib.md5(data).digest()).decode()


def error_code(reply):
    """The Code of an error document, or ''."""
    head, found, rest = reply.body.partition(b"<Code>")
    return rest.partition(b"</Code>")[0].decode() if found else ""
