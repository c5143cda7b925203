"""Requests that SDKs do not send on purpose: streaming signatures and trailers, wrong digests, cut bodies, unknown questions."""
import hashlib
import socket
import time

import corpus
from sigv4 import UNSIGNED, Signer, crc32, encoded_path, error_code, md5, sha256

DATA = corpus.content("raw", 200_000)
PIECES = [DATA[:65_536], DATA[65_536:131_072], DATA[131_072:]]


def run(report, aim):
    raw, bucket = aim.raw(), aim.bucket("raw")
    for name, words in STREAMS.items():
        with report.test(f"raw/stream-{name}"):
            raw.put_chunked(bucket, name, PIECES, **words).want(200)
            assert raw.request("GET", bucket, name).want(200).body == DATA
            fields = raw.request("HEAD", bucket, name).headers
            assert "aws-chunked" not in fields.get("content-encoding", ""), "aws-chunked was stored as a Content-Encoding"
            assert fields["etag"] == f'"{hashlib.md5(DATA).hexdigest()}"'
    for name, words in BROKEN_STREAMS.items():
        with report.test(f"raw/refused-stream-{name}"):
            key = f"refused {name}"
            raw.request("PUT", bucket, key, body=b"old").want(200)
            reply = raw.put_chunked(bucket, key, PIECES, **words)
            assert 400 <= reply.status < 500, f"got {reply.status}"
            assert raw.request("GET", bucket, key).want(200).body == b"old", "a refused body replaced the object"
    for name, (headers, payload) in WRONG.items():
        with report.test(f"raw/refused-{name}"):
            key = f"wrong {name}"
            reply = raw.request("PUT", bucket, key, body=DATA, headers=headers, payload=payload)
            assert reply.status in (400, 403), f"got {reply.status} {error_code(reply)}"
            raw.request("HEAD", bucket, key).want(404)
    for name, headers in RIGHT.items():
        with report.test(f"raw/taken-{name}"):
            raw.request("PUT", bucket, f"right {name}", body=DATA, headers=headers, payload=UNSIGNED).want(200)
            assert raw.request("GET", bucket, f"right {name}").want(200).body == DATA
    with report.test("raw/content-encoding-kept"):
        raw.put_chunked(bucket, "encoded", [DATA], headers={"content-encoding": "gzip,aws-chunked"}).want(200)
        assert raw.request("HEAD", bucket, "encoded").headers.get("content-encoding") == "gzip"
    with report.test("raw/cut-bodies"):
        cut_bodies(aim, raw, bucket)
    for skew_s, wanted in ((0, 200), (-600, 200), (600, 200), (-1800, 403), (1800, 403)):
        with report.test(f"raw/clock-{skew_s:+}"):
            reply = aim.raw(skew_s=skew_s).request("GET", bucket, "right md5")
            assert reply.status == wanted, f"got {reply.status} {error_code(reply)}"
            assert wanted == 200 or error_code(reply) == "RequestTimeTooSkewed", error_code(reply)
    with report.test("raw/any-region"):
        # Accepted, or told which is right: never "invalid credentials".
        reply = aim.raw(region="eu-west-7").request("GET", bucket, "right md5")
        assert reply.status == 200 or error_code(reply) == "AuthorizationHeaderMalformed", error_code(reply)
    with report.test("raw/wrong-secret"):
        user = type(aim.user)(aim.user.access_key, aim.user.secret_key + "x", "")
        assert error_code(aim.raw(user).request("GET", bucket, "right md5").want(403)) == "SignatureDoesNotMatch"
    with report.test("raw/unknown-key"):
        user = type(aim.user)("AKIANOBODYKNOWSTHIS0", aim.user.secret_key, "")
        assert error_code(aim.raw(user).request("GET", bucket, "right md5").want(403)) == "InvalidAccessKeyId"
    unknown_questions(report, raw, bucket)
    with report.test("raw/expect-continue"):
        expect_continue(aim, bucket)
    with report.test("raw/refused-before-the-body"):
        refused_before_body(aim, bucket)
    with report.test("raw/delete-many-with-checksum"):
        body = b"<Delete><Object><Key>right md5</Key></Object></Delete>"
        raw.request("POST", bucket, query=[("delete", None)], body=body, headers={"x-amz-checksum-crc32": crc32(body)}).want(200)
        raw.request("HEAD", bucket, "right md5").want(404)
    with report.test("raw/hostile-xml"):
        hostile_xml(raw, bucket)


STREAMS = {
    "signed": {},
    "signed-trailer": {"trailers": {"x-amz-checksum-crc32": crc32(DATA)}},
    "unsigned-trailer": {"signed": False, "trailers": {"x-amz-checksum-crc32": crc32(DATA)}},
    "unsigned-trailer-sha256": {"signed": False, "trailers": {"x-amz-checksum-sha256": sha256(DATA)}},
    "transfer-encoding-too": {"over_chunked": True},
    "unsigned-transfer-encoding": {"signed": False, "trailers": {"x-amz-checksum-crc32": crc32(DATA)}, "over_chunked": True},
    "header-only-by-payload": {"headers": {"content-encoding": ""}},
}
BROKEN_STREAMS = {
    "wrong-trailer": {"trailers": {"x-amz-checksum-crc32": crc32(b"other")}},
    "wrong-unsigned-trailer": {"signed": False, "trailers": {"x-amz-checksum-crc32": crc32(b"other")}},
    "changed-byte": {"spoil": lambda body: body[:1000] + bytes([body[1000] ^ 1]) + body[1001:]},
    "changed-later-chunk": {"spoil": lambda body: body[:150_000] + bytes([body[150_000] ^ 1]) + body[150_001:]},
    "no-last-chunk": {"spoil": lambda body: body[:body.rindex(b"\r\n0;")] + b"\r\n"},
    "shorter-than-announced": {"announced": len(DATA) + 1},
    "longer-than-announced": {"announced": len(DATA) - 1},
    "bad-chunk-size": {"spoil": lambda body: b"zz" + body[2:]},
    "swapped-trailer-name": {"signed": False, "trailers": {"x-amz-checksum-crc32": crc32(DATA)},
                             "spoil": lambda body: body.replace(b"x-amz-checksum-crc32:", b"x-amz-checksum-sha256:")},
}
WRONG = {
    "payload-digest": ({}, hashlib.sha256(b"other").hexdigest()),
    "md5": ({"Content-MD5": md5(b"other")}, UNSIGNED),
    "md5-garbage": ({"Content-MD5": "not base64"}, UNSIGNED),
    "crc32": ({"x-amz-checksum-crc32": crc32(b"other")}, UNSIGNED),
    "sha256": ({"x-amz-checksum-sha256": sha256(b"other")}, UNSIGNED),
    "two-checksums": ({"x-amz-checksum-crc32": crc32(DATA), "x-amz-checksum-sha256": sha256(DATA)}, UNSIGNED),
}
RIGHT = {
    "md5": {"Content-MD5": md5(DATA)},
    "crc32": {"x-amz-checksum-crc32": crc32(DATA)},
    "sha256": {"x-amz-checksum-sha256": sha256(DATA)},
}


def cut_bodies(aim, raw, bucket):
    """A connection that dies in the middle of a body leaves the old object."""
    raw.request("PUT", bucket, "cut", body=b"old").want(200)
    for sent in (0, 1, 65_536, len(DATA) - 1):
        with opened(aim) as sock:
            sock.sendall(head(aim, "PUT", encoded_path(bucket, "cut"), {"content-length": str(len(DATA))}) + DATA[:sent])
            sock.shutdown(socket.SHUT_WR)
            sock.settimeout(5)
            try:
                while sock.recv(65_536):
                    pass
            except OSError:
                pass
        time.sleep(0.1)
        assert raw.request("GET", bucket, "cut").want(200).body == b"old", f"cut after {sent} bytes, and yet stored"


# (method, on an object, sub-resource): a server that does not know it says so, and touches nothing.
QUESTIONS = [(method, on_object, word) for word in ("torrent", "nonsense-subresource", "intelligent-tiering", "analytics", "inventory",
                                                    "replication", "website", "requestPayment", "accelerate", "metadataTable")
             for method, on_object in (("GET", False), ("PUT", False), ("DELETE", False))] + [
    (method, True, word) for word in ("torrent", "acl", "restore", "select", "legal-hold", "retention", "renameObject", "annotation")
    for method in ("GET", "PUT", "DELETE", "POST")]


def unknown_questions(report, raw, bucket):
    """An unknown sub-resource is never the object or the bucket itself."""
    raw.request("PUT", bucket, "kept", body=b"kept").want(200)
    with report.test("raw/sub-resources"):
        odd = []
        for method, on_object, word in QUESTIONS:
            key = "kept" if on_object else ""
            reply = raw.request(method, bucket, key, query=[(word, None)], body=b"replaced" if method in ("PUT", "POST") else b"")
            there = raw.request("GET", bucket, "kept")
            if reply.body == b"kept" or there.status != 200 or there.body != b"kept" or reply.status >= 500 and reply.status != 501 \
                    or (b"<Contents>" in reply.body and word != "nonsense-subresource"):
                odd.append(f"{method} {'object' if on_object else 'bucket'}?{word}: {reply.status} {error_code(reply)}")
                raw.request("PUT", bucket, "kept", body=b"kept")
        assert not odd, f"{len(odd)} of {len(QUESTIONS)}: {odd[:6]}"


def expect_continue(aim, bucket):
    with opened(aim) as sock:
        sock.sendall(head(aim, "PUT", encoded_path(bucket, "expected"), {"content-length": "5", "expect": "100-continue"}))
        assert sock.recv(1000).startswith(b"HTTP/1.1 100"), "no 100 Continue"
        sock.sendall(b"hello")
        assert sock.recv(1000).startswith(b"HTTP/1.1 200")
    assert aim.raw().request("GET", bucket, "expected").want(200).body == b"hello"


def refused_before_body(aim, bucket):
    """Without a signature the answer comes at once, not after 5 GiB."""
    with opened(aim) as sock:
        sock.sendall(f"PUT /{bucket}/expected HTTP/1.1\r\nHost: {aim.server.url[7:]}\r\nContent-Length: 5368709120\r\n"
                     "Expect: 100-continue\r\n\r\n".encode())
        started = time.monotonic()
        assert sock.recv(1000).startswith((b"HTTP/1.1 403", b"HTTP/1.1 401"))
        assert time.monotonic() - started < 2


def hostile_xml(raw, bucket):
    bombs = [b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><Delete><Object><Key>&b;</Key></Object></Delete>',
             b"<Delete>" + b"<Object>" * 20_000, b"<Delete>" + b"<a>" * 20_000 + b"</a>" * 20_000 + b"</Delete>", b"\xff\xfe", b"",
             b"<Delete><Object><Key>x</Key></Object>", b"<Delete>" + b"<Object><Key>" + b"k" * 3_000_000 + b"</Key></Object></Delete>"]
    for bomb in bombs:
        reply = raw.request("POST", bucket, query=[("delete", None)], body=bomb, headers={"Content-MD5": md5(bomb)})
        # A key that cannot exist may also be refused by itself, inside of a 200.
        assert 400 <= reply.status < 500 or b"<Error>" in reply.body, f"{bomb[:40]!r}: {reply.status} {reply.body[:100]!r}"
    raw.request("HEAD", bucket).want(200)


def opened(aim):
    sock = socket.create_connection(("127.0.0.1", aim.server.port), timeout=20)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def head(aim, method, path, fields):
    """The signed head of a request, as bytes."""
    signed, _, _ = Signer(aim.user).headers(method, f"127.0.0.1:{aim.server.port}", path, (), fields, UNSIGNED)
    return (f"{method} {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in signed.items()) + "\r\n").encode()
