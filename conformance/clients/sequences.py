"""What clients that cannot run here send, replayed: a table of requests and the answers that keep the client going.

The requests follow what these clients were seen to send. `{lock}` is the token of the last LOCK; `nobody` sends no
login. A row: method, path, headers, body, accepted statuses, and what the reply must contain (bytes) or carry (header).
"""
import re

OPTIONS_DAV = {"dav": "1", "allow": "PROPFIND"}
XML = {"Content-Type": "text/xml; charset=\"utf-8\""}


def propfind(*names, space="DAV:"):
    inner = "".join(f'<x:{name} xmlns:x="{space}"/>' for name in names)
    return f'<?xml version="1.0" encoding="utf-8"?><D:propfind xmlns:D="DAV:"><D:prop>{inner}</D:prop></D:propfind>'.encode()


def lockinfo(owner):
    return (f'<?xml version="1.0" encoding="utf-8"?><D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/></D:lockscope>'
            f"<D:locktype><D:write/></D:locktype><D:owner>{owner}</D:owner></D:lockinfo>").encode()


WINDOWS_AGENT = {"User-Agent": "Microsoft-WebDAV-MiniRedir/10.0.19045", "translate": "f"}
WIN32 = "urn:schemas-microsoft-com:"
WINDOWS_TIMES = (b'<?xml version="1.0" encoding="utf-8" ?><D:propertyupdate xmlns:D="DAV:" xmlns:Z="urn:schemas-microsoft-com:">'
                 b"<D:set><D:prop><Z:Win32CreationTime>Tue, 24 Nov 2026 06:00:00 GMT</Z:Win32CreationTime>"
                 b"<Z:Win32LastAccessTime>Tue, 24 Nov 2026 06:00:00 GMT</Z:Win32LastAccessTime>"
                 b"<Z:Win32LastModifiedTime>Tue, 24 Nov 2026 06:00:00 GMT</Z:Win32LastModifiedTime>"
                 b"<Z:Win32FileAttributes>00000020</Z:Win32FileAttributes></D:prop></D:set></D:propertyupdate>")

# Windows Explorer (WebClient): asks without a login, makes an empty file, locks it, fills it, dates it, unlocks.
WINDOWS = (
    ("OPTIONS", "", {**WINDOWS_AGENT, "nobody": True}, None, (200,), {"dav": "1", "ms-author-via": "DAV"}),
    ("PROPFIND", "", {**WINDOWS_AGENT, "Depth": "0", "nobody": True}, b"", (401,), {"www-authenticate": "Basic"}),
    ("PROPFIND", "", {**WINDOWS_AGENT, "Depth": "0"}, b"", (207,), b"collection"),
    ("PROPFIND", "", {**WINDOWS_AGENT, "Depth": "1"}, b"", (207,), b"getlastmodified"),
    ("PROPFIND", "desktop.ini", {**WINDOWS_AGENT, "Depth": "0"}, b"", (404,), None),
    ("MKCOL", "New folder", WINDOWS_AGENT, None, (201,), None),
    ("PROPFIND", "New folder", {**WINDOWS_AGENT, "Depth": "0"}, b"", (207,), b"collection"),
    ("MOVE", "New folder", {**WINDOWS_AGENT, "Destination": "{url}Pictures", "Overwrite": "F"}, None, (201,), None),
    ("PROPFIND", "Pictures", {**WINDOWS_AGENT, "Depth": "1"}, b"", (207,), None),
    ("PUT", "Pictures/a.jpg", {**WINDOWS_AGENT, "Content-Length": "0"}, b"", (201,), None),
    ("LOCK", "Pictures/a.jpg", {**WINDOWS_AGENT, **XML, "Timeout": "Second-3600"}, lockinfo("<D:href>PC\\user</D:href>"), (200,),
     {"lock-token": "<"}),
    ("PROPPATCH", "Pictures/a.jpg", {**WINDOWS_AGENT, **XML, "If": "(<{lock}>)"}, WINDOWS_TIMES, (207,), b"200 OK"),
    ("HEAD", "Pictures/a.jpg", WINDOWS_AGENT, None, (200,), {"content-length": "0"}),
    ("PUT", "Pictures/a.jpg", {**WINDOWS_AGENT, "If": "(<{lock}>)"}, b"JPEG" * 1000, (200, 201, 204), None),
    ("PROPPATCH", "Pictures/a.jpg", {**WINDOWS_AGENT, **XML, "If": "(<{lock}>)"}, WINDOWS_TIMES, (207,), b"200 OK"),
    ("UNLOCK", "Pictures/a.jpg", {**WINDOWS_AGENT, "Lock-Token": "<{lock}>"}, None, (204,), None),
    ("PROPFIND", "Pictures/a.jpg", {**WINDOWS_AGENT, "Depth": "0"}, b"", (207,), b"4000"),
    ("GET", "Pictures/a.jpg", WINDOWS_AGENT, None, (200,), b"JPEGJPEG"),
    ("MOVE", "Pictures/a.jpg", {**WINDOWS_AGENT, "Destination": "{url}Pictures/b.jpg", "Overwrite": "F"}, None, (201,), None),
    ("COPY", "Pictures", {**WINDOWS_AGENT, "Destination": "{url}Copy", "Overwrite": "F"}, None, (201,), None),
    ("MOVE", "Copy/b.jpg", {**WINDOWS_AGENT, "Destination": "{url}Pictures/b.jpg", "Overwrite": "F"}, None, (412,), None),
    ("DELETE", "Pictures", WINDOWS_AGENT, None, (204,), None),
    ("DELETE", "Copy", WINDOWS_AGENT, None, (204,), None),
)

FINDER_AGENT = {"User-Agent": "WebDAVFS/3.0.0 (03008000) Darwin/23.0.0 (arm64)"}
FINDER_PROPS = propfind("getlastmodified", "getcontentlength", "creationdate", "resourcetype")

# macOS Finder: quota, `._` twins, an empty PUT, a lock, a chunked PUT that announces its length in a field of its own.
FINDER = (
    ("OPTIONS", "", FINDER_AGENT, None, (200,), {"dav": "2"}),
    ("PROPFIND", "", {**FINDER_AGENT, **XML, "Depth": "0"}, propfind("quota-available-bytes", "quota-used-bytes"), (207,), None),
    ("PROPFIND", "", {**FINDER_AGENT, **XML, "Depth": "1"}, FINDER_PROPS, (207,), b"200 OK"),
    ("PROPFIND", "._.", {**FINDER_AGENT, **XML, "Depth": "0"}, FINDER_PROPS, (404,), None),
    ("PROPFIND", ".DS_Store", {**FINDER_AGENT, **XML, "Depth": "0"}, FINDER_PROPS, (404,), None),
    ("PUT", "report é.pdf", {**FINDER_AGENT, "Content-Length": "0"}, b"", (201,), None),
    ("LOCK", "report é.pdf", {**FINDER_AGENT, **XML, "Depth": "0", "Timeout": "Second-600"}, lockinfo(""), (200,), {"lock-token": "<"}),
    ("PUT", "report é.pdf", {**FINDER_AGENT, "If": "(<{lock}>)", "X-Expected-Entity-Length": "60000"},
     [b"PDF" * 10_000, b"PDF" * 10_000], (200, 201, 204), None),
    ("PROPFIND", "report é.pdf", {**FINDER_AGENT, **XML, "Depth": "0"}, FINDER_PROPS, (207,), b"60000"),
    ("LOCK", "report é.pdf", {**FINDER_AGENT, "If": "(<{lock}>)", "Timeout": "Second-600"}, None, (200,), None),
    ("UNLOCK", "report é.pdf", {**FINDER_AGENT, "Lock-Token": "<{lock}>"}, None, (204,), None),
    ("PUT", "._report é.pdf", {**FINDER_AGENT, "Content-Length": "0"}, b"", (201,), None),
    ("PUT", "._report é.pdf", {**FINDER_AGENT, "X-Expected-Entity-Length": "4096"}, [b"\0" * 4096], (200, 201, 204), None),
    ("GET", "report é.pdf", {**FINDER_AGENT, "Range": "bytes=30000-59999"}, None, (206,), b"PDFPDF"),
    ("MKCOL", "untitled folder", FINDER_AGENT, None, (201,), None),
    ("MOVE", "untitled folder", {**FINDER_AGENT, "Destination": "{url}Reports/"}, None, (201,), None),
    ("MOVE", "report é.pdf", {**FINDER_AGENT, "Destination": "{url}Reports/report%20%C3%A9.pdf"}, None, (201,), None),
    ("PROPFIND", "Reports/", {**FINDER_AGENT, **XML, "Depth": "1"}, FINDER_PROPS, (207,), b".pdf"),
    ("DELETE", "Reports/", FINDER_AGENT, None, (204,), None),
    ("DELETE", "._report é.pdf", FINDER_AGENT, None, (204,), None),
)

KDE_AGENT = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) KIO/5.115 dolphin/23.08"}
KDE_PROPS = propfind("creationdate", "getcontentlength", "displayname", "source", "getcontentlanguage", "getcontenttype",
                     "getlastmodified", "getetag", "supportedlock", "lockdiscovery", "resourcetype")

# KDE's Dolphin: one long property list, uploads to `.part` and renames.
KDE = (
    ("PROPFIND", "", {**KDE_AGENT, **XML, "Depth": "0"}, KDE_PROPS, (207,), b"supportedlock"),
    ("PROPFIND", "", {**KDE_AGENT, **XML, "Depth": "1"}, KDE_PROPS, (207,), b"resourcetype"),
    ("PROPFIND", "song.ogg.part", {**KDE_AGENT, **XML, "Depth": "0"}, KDE_PROPS, (404,), None),
    ("PUT", "song.ogg.part", {**KDE_AGENT, "Overwrite": "F"}, b"Ogg" * 500, (201,), None),
    ("MOVE", "song.ogg.part", {**KDE_AGENT, "Destination": "{url}song.ogg", "Overwrite": "T", "Depth": "infinity"}, None, (201, 204), None),
    ("GET", "song.ogg", KDE_AGENT, None, (200,), b"OggOgg"),
    ("PROPFIND", "song.ogg", {**KDE_AGENT, **XML, "Depth": "0"}, KDE_PROPS, (207,), b"1500"),
    ("MKCOL", "a%20b", KDE_AGENT, None, (201,), None),
    ("COPY", "song.ogg", {**KDE_AGENT, "Destination": "{url}a%2520b/song.ogg", "Overwrite": "F", "Depth": "infinity"}, None, (201,), None),
    ("DELETE", "a%20b", KDE_AGENT, None, (204,), None),
    ("DELETE", "song.ogg", KDE_AGENT, None, (204,), None),
)

JOPLIN_AGENT = {"User-Agent": "Joplin/1.0"}
JOPLIN_PROPS = (b'<?xml version="1.0" encoding="UTF-8"?><d:propfind xmlns:d="DAV:"><d:prop xmlns:oc="http://owncloud.org/ns">'
                b"<d:getlastmodified/><d:resourcetype/></d:prop></d:propfind>")

# Joplin: folders first, lock files, items by PUT, a listing by PROPFIND with times.
JOPLIN = (
    ("PROPFIND", "", {**JOPLIN_AGENT, "Depth": "1"}, JOPLIN_PROPS, (207,), b"getlastmodified"),
    ("PROPFIND", "info.json", {**JOPLIN_AGENT, "Depth": "0"}, JOPLIN_PROPS, (404,), None),
    ("GET", "info.json", JOPLIN_AGENT, None, (404,), None),
    ("MKCOL", ".resource", JOPLIN_AGENT, None, (201,), None),
    ("MKCOL", ".resource", JOPLIN_AGENT, None, (405,), None),
    ("MKCOL", "locks", JOPLIN_AGENT, None, (201,), None),
    ("PUT", "locks/1_1_aaaa.json", {**JOPLIN_AGENT, "Content-Type": "text/plain"}, b'{"type":1}', (201,), None),
    ("PROPFIND", "locks", {**JOPLIN_AGENT, "Depth": "1"}, JOPLIN_PROPS, (207,), b"1_1_aaaa.json"),
    ("PUT", "0123456789abcdef0123456789abcdef.md", {**JOPLIN_AGENT, "Content-Type": "text/plain"}, b"a note\n\nid: 1", (201,), None),
    ("PUT", ".resource/fedcba9876543210fedcba9876543210", {**JOPLIN_AGENT, "Content-Type": "application/octet-stream"}, b"\0\1\2",
     (201,), None),
    ("PROPFIND", "0123456789abcdef0123456789abcdef.md", {**JOPLIN_AGENT, "Depth": "0"}, JOPLIN_PROPS, (207,), b"GMT"),
    ("GET", "0123456789abcdef0123456789abcdef.md", JOPLIN_AGENT, None, (200,), b"a note"),
    ("MOVE", "0123456789abcdef0123456789abcdef.md", {**JOPLIN_AGENT, "Destination": "{url}moved.md"}, None, (201,), None),
    ("DELETE", "locks/1_1_aaaa.json", JOPLIN_AGENT, None, (204,), None),
    ("DELETE", "locks/1_1_aaaa.json", JOPLIN_AGENT, None, (404,), None),
)

OC = "http://owncloud.org/ns"
NEXTCLOUD_AGENT = {"User-Agent": "rclone/v1.75 (vendor nextcloud)"}

# Clients that take the server for a Nextcloud but use plain paths: times and checksums in fields, ETags on replies.
NEXTCLOUD = (
    ("MKCOL", "photos/", NEXTCLOUD_AGENT, None, (201,), None),
    ("PROPFIND", "photos/", {**NEXTCLOUD_AGENT, "Depth": "1"},
     propfind("displayname", "getlastmodified", "getcontentlength", "resourcetype", "getcontenttype"), (207,), b"collection"),
    ("PUT", "photos/1.jpg", {**NEXTCLOUD_AGENT, "X-OC-Mtime": "1000000000", "OC-Checksum": "SHA1:00", "OC-Total-Length": "4"}, b"jpeg",
     (201, 204), {"x-oc-mtime": "accepted", "etag": '"'}),
    ("PROPFIND", "photos/1.jpg", {**NEXTCLOUD_AGENT, **XML, "Depth": "0"}, propfind("getlastmodified", "getetag"), (207,),
     b"Sun, 09 Sep 2001 01:46:40 GMT"),
    ("PROPFIND", "photos/1.jpg", {**NEXTCLOUD_AGENT, **XML, "Depth": "0"}, propfind("checksums", "fileid", "permissions", space=OC), (207,), None),
    ("MOVE", "photos/1.jpg", {**NEXTCLOUD_AGENT, "Destination": "{url}photos/2.jpg", "Overwrite": "T"}, None, (201, 204), None),
    ("PROPFIND", "photos/2.jpg", {**NEXTCLOUD_AGENT, **XML, "Depth": "0"}, propfind("getlastmodified"), (207,), b"Sun, 09 Sep 2001 01:46:40 GMT"),
    ("DELETE", "photos/", NEXTCLOUD_AGENT, None, (204,), None),
)

DAVFS2_AGENT = {"User-Agent": "davfs2/1.6.1 neon/0.32.4"}

# davfs2 and others that lock a name before it exists.
LOCK_FIRST = (
    ("LOCK", "not yet", {**DAVFS2_AGENT, **XML, "Depth": "0", "Timeout": "Second-1800"}, lockinfo("me"), (201,), {"lock-token": "<"}),
    ("PUT", "not yet", {**DAVFS2_AGENT, "If": "<{url}not%20yet> (<{lock}>)"}, b"filled", (200, 201, 204), None),
    ("PUT", "not yet", DAVFS2_AGENT, b"without token", (423,), None),
    ("DELETE", "not yet", DAVFS2_AGENT, None, (423,), None),
    ("LOCK", "not yet", {**DAVFS2_AGENT, **XML}, lockinfo("other"), (423,), None),
    ("UNLOCK", "not yet", {**DAVFS2_AGENT, "Lock-Token": "<urn:uuid:00000000-0000-4000-8000-000000000000>"}, None, (400, 403, 409, 412), None),
    ("UNLOCK", "not yet", {**DAVFS2_AGENT, "Lock-Token": "<{lock}>"}, None, (204,), None),
    ("PUT", "not yet", DAVFS2_AGENT, b"free", (200, 204), None),
    ("DELETE", "not yet", DAVFS2_AGENT, None, (204,), None),
)

# Things that some client does and that a server must survive.
ODD = (
    ("PUT", "", {"If-Match": "nothing"}, b"", (400, 403, 405, 409, 412), None),
    ("PROPFIND", "", {"Depth": "1"}, None, (207,), b"getlastmodified"),
    ("PROPFIND", "", {**XML, "Depth": "0"}, b"<not xml", (400,), None),
    ("PROPFIND", "", {**XML, "Depth": "0"}, b"<a>" * 30_000, (400, 413), None),
    ("PROPFIND", "", {**XML, "Depth": "0"},
     b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><propfind xmlns="DAV:"><prop><y>&x;</y></prop></propfind>', (400, 403), None),
    ("PROPFIND", "", {**XML, "Depth": "2"}, b"", (400,), None),
    ("MKCOL", "with body", {"Content-Type": "text/plain"}, b"what is this", (415,), None),
    ("PATCH", "x", {}, b"x", (404, 405, 415, 501), None),
    ("MOVE", "missing", {"Destination": "{url}elsewhere"}, None, (404,), None),
    ("COPY", "missing", {}, None, (400, 404), None),
    ("COPY", "", {"Destination": "http://elsewhere.example/dav/x"}, None, (400, 403, 502), None),
    ("GET", "", {}, None, (200, 403, 405), None),
)

TABLES = {"windows": WINDOWS, "finder": FINDER, "kde": KDE, "joplin": JOPLIN, "nextcloud": NEXTCLOUD, "lock-first": LOCK_FIRST, "odd": ODD}


def run(report, aim):
    for client, rows in TABLES.items():
        folder = f"seq {client}"
        aim.wire().mkcol(folder).want(201)
        wire = aim.wire(folder + "/")
        wire.base = aim.wire().path(folder)
        seen = {"lock": "", "url": f"http://{wire.host}:{wire.port}{wire.base}/"}
        for number, row in enumerate(rows, 1):
            with report.test(f"sequences/{client}/{number:02}-{row[0]}"):
                step(wire, row, seen)


def step(wire, row, seen):
    """Send one row and judge the answer; remembers the lock token."""
    method, name, headers, body, statuses, expected = row
    fields = {key: fill(value, seen) for key, value in headers.items() if key != "nobody"}
    if "nobody" in headers:
        fields["Authorization"] = None
    reply = wire.request(method, name, fields, body)
    found = re.search(r"<([^>]+)>", reply.headers.get("lock-token", ""))
    if method == "LOCK" and found:
        seen["lock"] = found.group(1)
    assert reply.status in statuses, f"{method} {name!r}: got {reply.status}, expected {statuses}; {reply.body[:150]!r}"
    if isinstance(expected, bytes):
        assert expected in reply.body, f"{method} {name!r}: {expected!r} is not in {reply.body[:300]!r}"
    for field, value in (expected if isinstance(expected, dict) else {}).items():
        assert value in reply.headers.get(field, ""), f"{method} {name!r}: {field}: {reply.headers.get(field)!r}, expected {value!r}"


def fill(value, seen):
    return value.replace("{lock}", seen["lock"]).replace("{url}", seen["url"])
