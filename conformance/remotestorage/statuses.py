"""The draft's statuses as a table: draft-dejong-remotestorage-26 §4–§7, by plain HTTP and without a browser."""
import json

from harness.allod import Allod
from harness.target import workspace
from harness.wire import Wire

ORIGIN = {"Origin": "https://app.example"}
LD = "http://remotestorage.io/spec/folder-description"

# name, method, path below the storage, token, headers, body, statuses, headers of the answer that must be there
STEPS = [
    ("an empty folder is shown empty", "GET", "notes/", "rw", {}, None, (200,), ("etag", "content-type=application/ld+json", "cache-control=no-cache")),
    ("a first PUT", "PUT", "notes/a b", "rw", {"Content-Type": "text/plain; charset=x"}, b"one", (200, 201), ("etag",)),
    ("a document", "GET", "notes/a b", "r", {}, None, (200,), ("etag", "content-type=text/plain; charset=x", "content-length=3", "cache-control=no-cache")),
    ("HEAD of a document", "HEAD", "notes/a b", "r", {}, None, (200,), ("etag", "content-type=text/plain; charset=x")),
    ("PUT chunked", "PUT", "notes/chunked", "rw", {"Content-Type": "text/plain"}, [b"one", b"two"], (200, 201), ("etag",)),
    ("If-None-Match: * on what is there", "PUT", "notes/a b", "rw", {"If-None-Match": "*"}, b"two", (412,), ("etag",)),
    ("If-Match of another version", "PUT", "notes/a b", "rw", {"If-Match": '"other"'}, b"two", (412,), ("etag",)),
    ("DELETE with If-Match of another version", "DELETE", "notes/a b", "rw", {"If-Match": '"other"'}, None, (412,), ("etag",)),
    ("a document where a folder is", "PUT", "notes/a b/c", "rw", {}, b"x", (409,), ()),
    ("a nested document", "PUT", "notes/f/g/h", "rw", {}, b"x", (200, 201), ("etag",)),
    ("a folder where a document goes", "PUT", "notes/f/g", "rw", {}, b"x", (409,), ()),
    ("PUT to a folder", "PUT", "notes/f/", "rw", {}, b"x", (400, 405), ()),
    ("DELETE of a folder", "DELETE", "notes/f/", "rw", {}, None, (400, 405), ()),
    ("Content-Range", "PUT", "notes/part", "rw", {"Content-Range": "bytes 0-0/1"}, b"x", (400,), ()),
    ("a range", "GET", "notes/a b", "r", {"Range": "bytes=1-1"}, None, (206,), ("content-range=bytes 1-1/3",)),
    ("a range beyond", "GET", "notes/a b", "r", {"Range": "bytes=9-"}, None, (416,), ()),
    ("what is not there", "GET", "notes/none", "r", {}, None, (404,), ("!etag",)),
    ("DELETE of what is not there", "DELETE", "notes/none", "rw", {}, None, (404,), ()),
    ("no token", "GET", "notes/a b", None, {}, None, (401,), ("www-authenticate",)),
    ("a wrong token", "GET", "notes/a b", "wrong", {}, None, (401,), ("www-authenticate",)),
    ("another module", "GET", "other/a", "rw", {}, None, (403,), ()),
    ("writing by a token to read", "PUT", "notes/a b", "r", {}, b"x", (403,), ()),
    ("removing by a token to read", "DELETE", "notes/a b", "r", {}, None, (403,), ()),
    ("a public document is written", "PUT", "public/notes/p", "rw", {"Content-Type": "text/html"}, b"<p>", (200, 201), ("etag",)),
    ("and read by anybody", "GET", "public/notes/p", None, {}, None, (200,), ("cache-control=no-cache, public",)),
    ("but not listed", "GET", "public/notes/", None, {}, None, (401, 403), ()),
    ("nor written", "PUT", "public/notes/p", None, {}, b"x", (401, 403), ()),
    ("nor removed", "DELETE", "public/notes/p", None, {}, None, (401, 403), ()),
    ("DELETE names the version", "DELETE", "notes/f/g/h", "rw", {}, None, (200,), ("etag",)),
]
RAW = [
    ("a name with a slash in it", "notes/a%2Fb", (400,)), ("NUL", "notes/%00", (400,)), ("dots", "notes/../x", (400,)),
    ("encoded dots", "notes/%2e%2e/x", (400,)), ("not UTF-8", "notes/%ff", (400,)), ("an empty name", "notes//x", (400,)),
    ("a broken escape", "notes/%zz", (400,)), ("a long name", "notes/" + "x" * 300, (414,)),
]


def run(report, options):
    with workspace(options.keep) as folder:
        server = Allod(options.allod, folder / "data")
        server.command("account", "add", "alice", "--quota", "100k")
        token = lambda *grants: server.add_app("alice", "table", *grants)["bearer"]  # noqa: E731
        tokens = {"rw": token("/notes:rw@remotestorage", "/public/notes:rw@remotestorage"),
                  "r": token("/notes:r@remotestorage"), "wrong": "nothing"}
        server.start()
        try:
            table(report, Wire(server.base + "/storage/alice"), tokens)
        finally:
            server.stop()


def table(report, wire, tokens):
    def ask(method, path, token, headers=(), body=None, raw=None):
        fields = {**ORIGIN, **dict(headers)}
        if token:
            fields["Authorization"] = f"Bearer {tokens[token]}"
        return wire.request(method, path, headers=fields, body=body, raw=raw)

    for name, method, path, token, headers, body, statuses, wanted in STEPS:
        with report.test(f"statuses/{name}"):
            reply = ask(method, path, token, headers, body).want(*statuses)
            assert reply.headers.get("access-control-allow-origin") in ("*", ORIGIN["Origin"]), "no CORS"
            for want in wanted:
                key, _, value = want.lstrip("!").partition("=")
                assert (key in reply.headers) != want.startswith("!"), f"{want}: {reply.headers}"
                assert not value or reply.headers[key] == value, f"{key}: {reply.headers.get(key)}"
    for name, path, statuses in RAW:
        with report.test(f"statuses/{name}"):
            ask("GET", "", "rw", raw=f"{wire.base}/{path}").want(*statuses)
    with report.test("statuses/folders change with everything below, and only then"):
        version = lambda path: ask("GET", path, "rw").want(200).headers["etag"]  # noqa: E731
        ask("PUT", "notes/d/e/f", "rw", body=b"1")
        before = {path: version(path) for path in ("notes/", "notes/d/", "notes/d/e/")}
        assert before == {path: version(path) for path in before}, "a version moved by itself"
        ask("PUT", "notes/d/e/f", "rw", body=b"2")
        assert all(version(path) != old for path, old in before.items()), "a change below was not told"
        listed = json.loads(ask("GET", "notes/", "rw").body)
        assert listed["@context"] == LD and f'"{listed["items"]["d/"]["ETag"]}"' == version("notes/d/")
        ask("GET", "notes/", "rw", {"If-None-Match": f'"x", {version("notes/")}'}).want(304)
    with report.test("statuses/an item says what it is"):
        item = json.loads(ask("GET", "notes/", "rw").body)["items"]["a b"]
        assert set(item) == {"ETag", "Content-Type", "Content-Length", "Last-Modified"} and item["Content-Length"] == 3, item
    with report.test("statuses/over the quota"):
        ask("PUT", "notes/much", "rw", body=b"x" * 200_000).want(507)
        ask("GET", "notes/much", "rw").want(404)
    with report.test("statuses/a preflight"):
        asked = {"Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "authorization, if-match"}
        reply = ask("OPTIONS", "notes/a b", None, asked).want(200, 204)
        assert "PUT" in reply.headers["access-control-allow-methods"] and "If-Match" in reply.headers["access-control-allow-headers"]
