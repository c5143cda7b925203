"""Uploads that break off or lie about their shape: the old file stays, whole, and nothing new appears."""
import re
import time

import corpus

from harness.wire import exchange

SIZES = (100, 8_000, 200_000, 3_000_000)  # inline, packed and chunked content
OLD = b"the old content"


def run(report, aim):
    wire = aim.wire()
    wire.mkcol("cut").want(201)
    for size in SIZES:
        with report.test(f"cut/content-length/{size}"):
            for offset in offsets(size):
                head = start(wire, f"Content-Length: {size}")
                expect_old(wire, head + corpus.content("cut", size)[:offset], f"cut after {offset} of {size}")
        with report.test(f"cut/chunked/{size}"):
            framed = chunked(corpus.content("cut", size), 5_000)
            for offset in offsets(len(framed)):
                head = start(wire, "Transfer-Encoding: chunked")
                expect_old(wire, head + framed[:offset], f"cut after {offset} of {len(framed)}")
    with report.test("cut/slowly"):
        pieces = [start(wire, "Content-Length: 100000"), b"x" * 30_000, b"y" * 30_000]
        expect_old(wire, pieces, "cut after pauses", pause_s=0.2)
    bad_framing(report, wire)
    with report.test("cut/good-chunks"):
        head = start(wire, "Transfer-Encoding: chunked\r\nConnection: close", name="good")
        answer = exchange(wire.host, wire.port, head + chunked(b"hello world", 3), half_close=False)
        assert answer.startswith(b"HTTP/1.1 201"), answer[:200]
        assert wire.get("cut/good").want(200).body == b"hello world"
    with report.test("cut/leaves-no-names"):
        wire.request("PUT", "cut/old", body=OLD).want(200, 201, 204)
        listing = wire.propfind("cut").want(207).body
        count = len(re.findall(rb"</[^>]*\bresponse>", listing))
        assert count == 3, f"{count} rows in the folder (itself, `old` and `good` expected): {listing[:600]!r}"


def offsets(size):
    """The edges, and a spread in between."""
    spread = {0, 1, size // 7, size // 3, size // 2, 4096, 8192, 65_536, size - 2, size - 1}
    return sorted(at for at in spread if 0 <= at < size)


def start(wire, framing, name="old"):
    """The head of a PUT on `cut/NAME`."""
    return (f"PUT {wire.path('cut/' + name)} HTTP/1.1\r\nHost: {wire.host}:{wire.port}\r\nAuthorization: {wire.login}\r\n"
            f"{framing}\r\n\r\n").encode()


def chunked(data, step):
    framed = b"".join(b"%x\r\n%s\r\n" % (len(data[at:at + step]), data[at:at + step]) for at in range(0, len(data), step))
    return framed + b"0\r\n\r\n"


def expect_old(wire, sent, what, pause_s=0.0):
    """Send the broken PUT over an old file and as a new one; neither may leave a trace."""
    wire.put("cut/old", OLD).want(200, 201, 204)
    answer = exchange(wire.host, wire.port, sent, pause_s=pause_s)
    assert not answer.startswith(b"HTTP/1.1 2"), f"{what}: answered {answer[:100]!r}"
    settled(lambda: wire.get("cut/old").want(200).body == OLD, f"{what}: the old file is gone")
    pieces = sent if isinstance(sent, list) else [sent]
    renamed = [pieces[0].replace(b"/cut/old ", b"/cut/new ", 1), *pieces[1:]]
    answer = exchange(wire.host, wire.port, renamed, pause_s=pause_s)
    assert not answer.startswith(b"HTTP/1.1 2"), f"{what}: answered {answer[:100]!r} for a new name"
    settled(lambda: wire.get("cut/new").status == 404, f"{what}: a new file appeared")


def settled(holds, what):
    """The state after the server noticed that the connection is gone: it holds now and a moment later."""
    assert holds(), what
    time.sleep(0.01)
    assert holds(), what + " (a moment later)"


def bad_framing(report, wire):
    rows = {
        "size-not-hex": b"zz\r\nhello\r\n0\r\n\r\n",
        "size-negative": b"-5\r\nhello\r\n0\r\n\r\n",
        "size-too-large": b"ffffffffffffffffff\r\nhello\r\n0\r\n\r\n",
        "chunk-longer-than-said": b"3\r\nhello\r\n0\r\n\r\n",
        "no-line-end-after-chunk": b"5\r\nhelloX0\r\n\r\n",
        "no-last-chunk": b"5\r\nhello\r\n",
        "half-a-size-line": b"5\r\nhello\r\n1",
        "endless-extension": b"5;" + b"x" * 100_000 + b"\r\nhello\r\n0\r\n\r\n",
    }
    for name, body in rows.items():
        with report.test(f"cut/framing/{name}"):
            expect_old(wire, start(wire, "Transfer-Encoding: chunked") + body, name)
    heads = {
        "two-lengths": "Content-Length: 5\r\nContent-Length: 6",
        "length-not-a-number": "Content-Length: five",
        "length-negative": "Content-Length: -5",
        "length-with-plus": "Content-Length: +5",
        "unknown-coding": "Transfer-Encoding: gzip",
    }
    for name, framing in heads.items():
        with report.test(f"cut/framing/{name}"):
            expect_old(wire, start(wire, framing) + b"hello", name)
    with report.test("cut/framing/length-and-chunked"):
        # RFC 9112 §6.1: chunked rules, or the request is refused; the length must never be believed.
        sent = start(wire, "Content-Length: 3\r\nTransfer-Encoding: chunked") + chunked(b"hello", 5)
        wire.put("cut/old", OLD).want(200, 201, 204)
        exchange(wire.host, wire.port, sent)
        assert wire.get("cut/old").body in (OLD, b"hello"), wire.get("cut/old").body
