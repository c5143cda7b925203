"""HTTP itself, with curl and a bare client: ranges, conditions, uploads of every shape."""
import subprocess
from email.utils import formatdate

import corpus

from harness import install
from harness.wire import Wire

DATA = corpus.content("curl", 100_000)
LAST = len(DATA) - 1


class Curl:
    def __init__(self, aim):
        self.aim, self.wire = aim, aim.wire("curl/")

    def url(self, name):
        return f"http://{self.wire.host}:{self.wire.port}{self.wire.path(name)}"

    def __call__(self, *words, name="file", stdin=None):
        """(status, header text, body) of one curl run."""
        body, head = self.aim.folder / "body", self.aim.folder / "head"
        body.write_bytes(b"")
        command = ["curl", "-s", "-S", "-u", f"{self.aim.user}:{self.aim.password}", "-o", body, "-D", head,
                   "-w", "%{http_code}", *words, self.url(name)]
        done = subprocess.run(command, input=stdin, capture_output=True, check=True, timeout=120)
        return int(done.stdout), head.read_text(encoding="latin-1"), body.read_bytes()


def run(report, aim):
    install.apt(curl="curl")
    aim.wire().mkcol("curl").want(201)
    curl = Curl(aim)
    curl.wire.put("file", DATA).want(201)
    ranges(report, curl)
    conditional_reads(report, curl.wire)
    conditional_writes(report, curl.wire)
    heads(report, curl)
    uploads(report, aim, curl)
    refusals(report, aim, curl)


def ranges(report, curl):
    one_part = {
        "first-bytes": ("0-9", DATA[:10]),
        "middle": ("50000-50099", DATA[50000:50100]),
        "last-byte": (f"{LAST}-{LAST}", DATA[LAST:]),
        "open": ("99990-", DATA[99990:]),
        "suffix": ("-100", DATA[-100:]),
        "suffix-longer-than-file": ("-999999", DATA),
        "end-beyond-file": ("99000-999999999999", DATA[99000:]),
    }
    for name, (words, expected) in one_part.items():
        with report.test(f"curl/range/{name}"):
            status, head, body = curl("-r", words)
            whole_asked = expected == DATA
            assert status == 206 or (whole_asked and status == 200), f"got {status}"
            assert body == expected, f"{len(body)} bytes, expected {len(expected)}"
            assert status == 200 or f"/{len(DATA)}" in head, "no Content-Range with the whole length"
    with report.test("curl/range/several"):
        status, head, body = curl("-r", "0-9,500-509,-10")
        if status == 206:  # RFC 9110 §14.2: a server may ignore Range, or send the parts
            assert "multipart/byteranges" in head.lower(), head
            for part in (DATA[:10], DATA[500:510], DATA[-10:]):
                assert part in body, "a part is missing"
        else:
            assert status == 200 and body == DATA, f"got {status} with {len(body)} bytes"
    with report.test("curl/range/unsatisfiable"):
        status, head, _ = curl("-r", "100000-")
        assert status == 416 and f"bytes */{len(DATA)}" in head, head
    with report.test("curl/range/of-empty-file"):
        curl.wire.put("empty", b"").want(201)
        status, _, body = curl("-r", "0-9", name="empty")
        assert status in (200, 416) and (status == 416 or body == b""), f"{status} {body[:50]!r}"
    for name, words in (("unknown-unit", "lines=1-2"), ("nonsense", "bytes=9-1"), ("no-number", "bytes=-")):
        with report.test(f"curl/range/{name}-ignored"):
            reply = curl.wire.get("file", Range=words)
            assert reply.status in (200, 416) and (reply.status == 416 or reply.body == DATA), f"got {reply.status}"
    with report.test("curl/range/very-many-parts"):
        words = "bytes=" + ",".join(f"{at}-{at}" for at in range(0, 4000, 2))
        reply = curl.wire.get("file", Range=words)
        assert reply.status in (200, 206, 416, 431) and len(reply.body) < 2_000_000, f"{reply.status}, {len(reply.body)} bytes"
    with report.test("curl/range/resume"):
        target = curl.aim.folder / "resumed"
        target.write_bytes(DATA[:12345])
        subprocess.run(["curl", "-s", "-f", "-C", "-", "-u", f"{curl.aim.user}:{curl.aim.password}", "-o", target, curl.url("file")],
                       check=True, capture_output=True)
        assert target.read_bytes() == DATA


def conditional_reads(report, wire):
    reply = wire.get("file").want(200)
    tag, modified = reply.headers.get("etag", ""), reply.headers.get("last-modified", "")
    past, future = formatdate(1_000_000, usegmt=True), formatdate(4_000_000_000, usegmt=True)
    with report.test("curl/etag-is-strong"):
        assert tag.startswith('"') and tag.endswith('"') and len(tag) > 2, tag
    rows = (
        ("if-range/same-etag", {"If-Range": tag, "Range": "bytes=0-4"}, 206),
        ("if-range/other-etag", {"If-Range": '"other"', "Range": "bytes=0-4"}, 200),
        ("if-range/weak-etag", {"If-Range": "W/" + tag, "Range": "bytes=0-4"}, 200),
        ("if-range/old-date", {"If-Range": past, "Range": "bytes=0-4"}, 200),
        ("get/if-none-match-same", {"If-None-Match": tag}, 304),
        ("get/if-none-match-weak", {"If-None-Match": "W/" + tag}, 304),
        ("get/if-none-match-list", {"If-None-Match": f'"x", {tag}'}, 304),
        ("get/if-none-match-other", {"If-None-Match": '"x"'}, 200),
        ("get/if-none-match-star", {"If-None-Match": "*"}, 304),
        ("get/if-match-same", {"If-Match": tag}, 200),
        ("get/if-match-other", {"If-Match": '"x"'}, 412),
        ("get/if-modified-since-same", {"If-Modified-Since": modified}, 304),
        ("get/if-modified-since-past", {"If-Modified-Since": past}, 200),
        ("get/if-unmodified-since-past", {"If-Unmodified-Since": past}, 412),
        ("get/if-unmodified-since-future", {"If-Unmodified-Since": future}, 200),
        ("get/none-match-wins-over-date", {"If-None-Match": '"x"', "If-Modified-Since": modified}, 200),
        ("get/bad-date-ignored", {"If-Modified-Since": "yesterday"}, 200),
    )
    for name, headers, status in rows:
        with report.test(f"curl/{name}"):
            reply = wire.request("GET", "file", headers).want(status)
            assert status != 200 or reply.body == DATA
            assert status != 304 or (reply.body == b"" and reply.headers.get("etag") == tag), "304 without its ETag"


def conditional_writes(report, wire):
    def fresh():
        wire.put("cond", b"one").want(201, 204, 200)
        return wire.request("HEAD", "cond").headers.get("etag", "")

    with report.test("curl/put/if-none-match-star-new"):
        wire.put("only-new", b"first", If_None_Match="*").want(201)
    with report.test("curl/put/if-none-match-star-existing"):
        wire.put("only-new", b"second", If_None_Match="*").want(412)
        assert wire.get("only-new").body == b"first"
    with report.test("curl/put/if-match-same"):
        tag = fresh()
        reply = wire.put("cond", b"two", If_Match=tag).want(200, 204)
        assert wire.get("cond").headers.get("etag") != tag, "new content, old ETag"
        assert reply.headers.get("etag") in (None, wire.get("cond").headers.get("etag")), "PUT named another ETag than GET"
    with report.test("curl/put/if-match-stale"):
        fresh()
        wire.put("cond", b"three", If_Match='"stale"').want(412)
        assert wire.get("cond").body == b"one"
    with report.test("curl/put/if-match-star-missing"):
        wire.put("not-there", b"x", If_Match="*").want(412)
        wire.get("not-there").want(404)
    with report.test("curl/delete/if-match"):
        tag = fresh()
        wire.request("DELETE", "cond", {"If-Match": '"stale"'}).want(412)
        wire.request("DELETE", "cond", {"If-Match": tag}).want(204)
    with report.test("curl/put/one-winner"):
        # 412 must be given for what was read, not for what was there a moment ago: every write names the tag it replaces.
        tag = fresh()
        results = [wire.put("cond", b"x%d" % at, If_Match=tag).status for at in range(4)]
        assert results[0] in (200, 204) and results[1:] == [412, 412, 412], results
    with report.test("curl/same-content-same-etag"):
        wire.put("same1", b"same"), wire.put("same2", b"other"), wire.put("same2", b"same")
        one, two = wire.get("same1"), wire.get("same2")
        assert one.body == two.body == b"same" and one.headers.get("etag"), "no ETag"


def heads(report, curl):
    with report.test("curl/head-equals-get"):
        got, head = curl.wire.get("file").want(200), curl.wire.request("HEAD", "file").want(200)
        assert head.body == b"" and head.headers["content-length"] == str(len(DATA)), head.headers
        for field in ("etag", "last-modified", "content-type", "accept-ranges"):
            assert head.headers.get(field) == got.headers.get(field), f"{field}: {head.headers.get(field)} {got.headers.get(field)}"
    with report.test("curl/head-missing"):
        assert curl.wire.request("HEAD", "missing").want(404).body == b""
    with report.test("curl/content-type-kept"):
        curl.wire.put("typed", b"{}", Content_Type="application/vnd.conformance+json; v=1")
        assert curl.wire.get("typed").headers.get("content-type") == "application/vnd.conformance+json; v=1"


def uploads(report, aim, curl):
    big = corpus.content("upload", 2_000_000)
    path = aim.folder / "upload"
    path.write_bytes(big)
    with report.test("curl/upload/expect-100"):
        status, head, _ = curl("-H", "Expect: 100-continue", "--expect100-timeout", "20", "-T", path, name="expect")
        assert status == 201 and "100" in head.splitlines()[0], head
        assert curl.wire.get("expect").body == big
    with report.test("curl/upload/expect-refused-before-body"):
        status, head, _ = curl("-H", "Expect: 100-continue", "--expect100-timeout", "20", "-H", 'If-Match: "stale"', "-T", path,
                               name="expect")
        assert status == 412, head
        assert curl.wire.get("expect").body == big
    with report.test("curl/upload/chunked"):
        status, _, _ = curl("-T", "-", "-H", "Transfer-Encoding: chunked", name="chunked", stdin=big)
        assert status == 201 and curl.wire.get("chunked").body == big
    with report.test("curl/upload/chunked-empty"):
        status, _, _ = curl("-T", "-", "-H", "Transfer-Encoding: chunked", name="chunked-empty", stdin=b"")
        assert status == 201 and curl.wire.get("chunked-empty").body == b""
    with report.test("curl/upload/in-place-changes-length"):
        for size in (100_000, 10, 0, 70_000):
            curl.wire.put("resized", big[:size]).want(201, 204, 200)
            assert curl.wire.get("resized").body == big[:size], size
    if aim.is_allod:
        with report.test("curl/upload/x-oc-mtime"):
            status, head, _ = curl("-T", path, "-H", "X-OC-Mtime: 1234567890", name="dated")
            assert status == 201 and "x-oc-mtime: accepted" in head.lower(), head
            assert "Fri, 13 Feb 2009 23:31:30 GMT" in curl("-I", name="dated")[1]
        with report.test("curl/upload/x-oc-mtime-nonsense"):
            reply = curl.wire.put("dated2", b"x", X_OC_Mtime="soon")
            assert reply.status in (201, 400), reply.status
    with report.test("curl/upload/missing-parent"):
        curl.wire.put("no/such/folder", b"x").want(409)
    with report.test("curl/upload/on-a-folder"):
        curl.wire.mkcol("a folder").want(201)
        reply = curl.wire.put("a folder", b"x")
        assert reply.status in (405, 409), reply.status
    with report.test("curl/upload/content-range-refused"):
        # RFC 9110 §14.4: a PUT with Content-Range that is not understood as such must not replace the whole.
        curl.wire.put("file2", DATA).want(201)
        reply = curl.wire.put("file2", b"XX", Content_Range=f"bytes 0-1/{len(DATA)}")
        now = curl.wire.get("file2").body
        assert (reply.status >= 400 and now == DATA) or now == b"XX" + DATA[2:], f"{reply.status}, file now {len(now)} bytes"


def refusals(report, aim, curl):
    with report.test("curl/login/none"):
        reply = Wire(aim.url).request("GET", "curl/file").want(401)
        assert "basic" in reply.headers.get("www-authenticate", "").lower(), reply.headers
    with report.test("curl/login/wrong"):
        Wire(aim.url, aim.user, "wrong").request("GET", "curl/file").want(401)
    with report.test("curl/path/dot-segments"):
        for raw in ("/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/curl/%2e%2e%2f%2e%2e%2fetc/passwd", "/curl/..%2f..%2fx"):
            reply = curl.wire.request("GET", raw=aim.wire().base + raw)
            assert reply.status in (400, 403, 404, 301, 308) and b"root:" not in reply.body, f"{raw}: {reply.status}"
    with report.test("curl/path/nul-and-bad-utf8"):
        for raw in ("/curl/a%00b", "/curl/%ff%fe", "/curl/%zz", "/curl/%"):
            reply = curl.wire.request("PUT", raw=aim.wire().base + raw, body=b"x")
            assert 400 <= reply.status < 500, f"{raw}: {reply.status}"
    with report.test("curl/path/name-too-long"):
        reply = curl.wire.put("n" * 256, b"x")
        assert 400 <= reply.status < 500, reply.status
        curl.wire.put("n" * 255, b"x").want(201)
    with report.test("curl/head-of-request-too-large"):
        reply = curl.wire.request("GET", "file", {"X-Long": "x" * 200_000})
        assert reply.status in (400, 413, 431), reply.status
