"""Replaying what a client sends, step by step: a request with places to fill in, the statuses that keep the client going,
and checks of the answer. A check gets the reply and what is known so far, and may add to it.

Every multistatus is held to what all clients rely on: well-formed, each property that was asked for answered once, and
the propstat with 200 first, to the letter (a client that reads only the first status takes anything else for a refusal).
"""
import gzip
import zlib
from dataclasses import dataclass, field
from urllib.parse import quote, urljoin, urlsplit

import dav

from harness.report import Skip

REDIRECTS = (301, 302, 307, 308)
REDIRECTS_MAX = 5
PARTS_OF_WRITE = {"D:write", "D:write-content", "D:write-properties", "D:bind", "D:unbind"}


@dataclass
class Step:
    method: str
    path: str
    label: str
    checks: tuple = ()
    headers: dict = field(default_factory=dict)
    body: bytes | None = None
    want: tuple = (207,)
    needs: str = ""  # a name that must be known, or the step is skipped
    nobody: bool = False  # without a login


def step(method, path, label, *checks, headers=None, body=None, want=None, needs="", nobody=False):
    """`body`: text or bytes with `{name}` for what is known."""
    if want is None:
        want = {"OPTIONS": (200, 204), "PUT": (201, 204), "DELETE": (200, 204), "MKCALENDAR": (201,), "MKCOL": (201,), "GET": (200,)}.get(method, (207,))
    return Step(method, path, label, checks, dict(headers or {}), body, want if isinstance(want, tuple) else (want,), needs, nobody)


class Player:
    """Replays steps as one client: its header fields go with every request, redirects are followed."""

    def __init__(self, aim, headers, known):
        self.aim, self.headers = aim, headers
        self.wire = aim.wire()
        server = aim.server
        self.known = {"root": "/", "principal": server.principal, "calendars": server.calendars, "contacts": server.contacts,
                      "url": server.base, **known}

    def play(self, report, name, steps):
        for number, one in enumerate(steps, 1):
            with report.test(f"sequences/{name}/{number:02}-{one.method}-{one.label}"):
                if one.needs and not self.known.get(one.needs):
                    raise Skip(f"no {one.needs}: the server does not announce it")
                if one.nobody and not self.aim.server.has_login:
                    raise Skip("this server asks for no login")
                self.send(one)

    def send(self, one):
        path = fill(one.path, self.known)
        body = one.body
        if isinstance(body, bytes):
            names = getattr(body, "names", ())
            body = dav.Body(fill(body.decode("utf-8", "surrogateescape"), self.known).encode("utf-8", "surrogateescape"))
            body.names = names
        fields = {**self.headers, **{key: fill(value, self.known) for key, value in one.headers.items()}}
        if body is not None and "Content-Type" not in fields:
            fields["Content-Type"] = "text/xml; charset=utf-8"
        if one.nobody:
            fields["Authorization"] = None
        reply = self.exchange(one.method, quote(path, safe="/%"), fields, body)
        assert one.nobody or reply.status != 401, "401 to a right login: the client asks for another password, or drops this one"
        assert reply.status in one.want, f"got {reply.status}, expected {one.want}; {reply.body[:200]!r}"
        reply.path, reply.parsed = path, None
        if reply.status == 207:
            reply.parsed = dav.Multistatus(reply.body)
            # RFC 8144 §2.1: who prefers the minimal answer is told only of what is there.
            is_minimal = "return=minimal" in fields.get("Prefer", "")
            judge(reply.parsed, body.names if isinstance(body, dav.Body) and not is_minimal else (), one.method)
        for check in one.checks:
            check(reply, self.known)

    def exchange(self, method, path, fields, body):
        for _ in range(REDIRECTS_MAX):
            reply = self.wire.request(method, headers=fields, body=body, raw=path)
            if reply.status not in REDIRECTS or method in ("PUT", "DELETE"):
                return decoded(reply)
            target = urlsplit(urljoin(self.aim.url + path, reply.headers["location"]))
            assert target.netloc == urlsplit(self.aim.url).netloc, f"redirected to another place: {reply.headers['location']}"
            path = target.path or "/"
        raise AssertionError(f"more than {REDIRECTS_MAX} redirects")


def judge(parsed, names, method):
    wanted = {dav.clark(name) for name in names if name not in ("D:allprop", "D:propname")}
    for row in parsed.rows:
        assert not row.twice, f"{row.href}: answered twice: {row.twice}"
        if any(status.split()[1:2] == ["200"] for status in row.statuses):
            assert row.statuses[0] == "HTTP/1.1 200 OK", f"{row.href}: the first propstat is {row.statuses[0]!r}, with {row.statuses[1:]} behind"
        if row.statuses and wanted:
            lacking = wanted - set(row.found) - set(row.others)
            # RFC 6578 §3.8: the token of a cut-off report stands in a row without properties.
            assert not lacking, f"{row.href}: {method} says nothing of {sorted(map(dav.short, lacking))}"


def decoded(reply):
    coding = reply.headers.get("content-encoding", "").lower()
    if coding == "gzip":
        reply.body = gzip.decompress(reply.body)
    elif coding == "deflate":
        reply.body = zlib.decompress(reply.body)
    else:
        assert coding in ("", "identity"), f"Content-Encoding {coding!r} was not asked for"
    return reply


def fill(text, known):
    for name, value in known.items():
        text = text.replace("{" + name + "}", str(value))
    return text


# Checks. Each of these makes one.

def found(*names, at=None):
    """These properties have a value in the row of the request's path (or of `at`)."""
    def check(reply, known):
        row = row_of(reply, known, at)
        lacking = [name for name in names if dav.clark(name) not in row.found]
        assert not lacking, f"no {lacking}; {[f'{dav.short(k)}: {v}' for k, v in row.others.items()][:8]}"
    return check


def text(name, expected, at=None):
    def check(reply, known):
        got = row_of(reply, known, at).text(name)
        wanted = fill(expected, known)
        assert got == wanted, f"{name}: {got!r}, expected {wanted!r}"
    return check


def typed(*types, at=None, without=()):
    def check(reply, known):
        got = row_of(reply, known, at).types()
        assert set(types) <= got, f"resourcetype {got}, expected {types}"
        assert not set(without) & got, f"resourcetype {got}, unexpected {without}"
    return check


def save_href(known_as, name, at=None, may_lack=False):
    """The DAV:href inside a property becomes known."""
    def check(reply, known):
        got = row_of(reply, known, at).href_of(name)
        if may_lack and not got:
            known[known_as] = ""
            return
        assert got, f"{name} has no href"
        known[known_as] = urlsplit(got).path
    return check


def save_text(known_as, name, at=None):
    def check(reply, known):
        got = row_of(reply, known, at).text(name)
        assert got, f"{name} is empty"
        known[known_as] = got
    return check


def moved(name, known_as):
    """A property's value is another one than the one saved; the new one is kept."""
    def check(reply, known):
        got = row_of(reply, known, None).text(name)
        assert got and got != known[known_as], f"{name} is still {got!r}"
        known[known_as] = got
    return check


def still(name, known_as):
    def check(reply, known):
        got = row_of(reply, known, None).text(name)
        assert got == known[known_as], f"{name} is {got!r}, was {known[known_as]!r}"
    return check


def reports(*names):
    """supported-report-set lists these."""
    def check(reply, known):
        at = row_of(reply, known, None).found[dav.clark("D:supported-report-set")]
        got = {dav.short(one.tag) for report in at.iter(dav.clark("D:report")) for one in report}
        assert set(names) <= got, f"supported-report-set {sorted(got)}, expected {names}"
    return check


def privileges(*names, at=None):
    def check(reply, known):
        holder = row_of(reply, known, at).found.get(dav.clark("D:current-user-privilege-set"))
        got = set() if holder is None else {dav.short(one.tag) for privilege in holder.iter(dav.clark("D:privilege")) for one in privilege}
        # Clients know what the aggregates hold (RFC 3744 §3.12), though a server should list their parts, too.
        for whole in ("D:all", "D:write"):
            got |= {"D:read", *PARTS_OF_WRITE} if whole in got and whole == "D:all" else PARTS_OF_WRITE if whole in got else set()
        assert set(names) <= got, f"current-user-privilege-set {sorted(got)}, expected {names}"
    return check


def has_row(path):
    def check(reply, known):
        reply.parsed.row(fill(path, known))
    return check


def no_row(path):
    def check(reply, known):
        assert not reply.parsed.has(fill(path, known)), f"a row for {fill(path, known)}"
    return check


def gone(path):
    """A row that says 404 for itself, without properties."""
    def check(reply, known):
        row = reply.parsed.row(fill(path, known))
        assert row.status and " 404 " in row.status + " " and not row.statuses, f"status {row.status!r}, propstats {row.statuses}"
    return check


def only_members(*paths):
    """Just these rows, the collection itself aside."""
    def check(reply, known):
        wanted = {fill(path, known) for path in paths}
        got = {row.href for row in reply.parsed.rows if row.href.rstrip("/") != reply.path.rstrip("/")}
        assert got == wanted, f"rows {sorted(got)}, expected {sorted(wanted)}"
    return check


def save_rows(known_as="rows"):
    def check(reply, known):
        known[known_as] = sorted(row.href for row in reply.parsed.rows)
    return check


def same_rows(known_as="rows"):
    def check(reply, known):
        got = sorted(row.href for row in reply.parsed.rows)
        assert got == known[known_as], f"something came or went: {sorted(set(got) ^ set(known[known_as]))}"
    return check


def save_token(known_as="token"):
    def check(reply, known):
        assert reply.parsed.sync_token, "no sync-token in the answer"
        known[known_as] = reply.parsed.sync_token
    return check


def token_kept(known_as="token"):
    def check(reply, known):
        assert reply.parsed.sync_token == known[known_as], f"sync-token {reply.parsed.sync_token!r}, was {known[known_as]!r}"
    return check


def data(name, path, expected):
    """calendar-data or address-data of this row is what was put in, line ends aside (XML turns CRLF into LF)."""
    def check(reply, known):
        got = reply.parsed.row(fill(path, known)).text(name)
        assert got is not None, f"no {name}"
        wanted = expected.decode()
        assert got.replace("\r\n", "\n") == wanted.replace("\r\n", "\n"), f"{name} differs: {got[:300]!r}"
    return check


def save_etag(known_as="etag"):
    """The ETag field of a reply, when there is one. Without it, a client has to ask."""
    def check(reply, known):
        known[known_as] = reply.headers.get("etag", "")
        assert known[known_as].startswith('"'), f"no strong ETag in the answer: {known[known_as]!r}"
    return check


def save_row_etag(path, known_as="etag"):
    def check(reply, known):
        got = reply.parsed.row(fill(path, known)).text("D:getetag")
        assert got and got.startswith('"'), f"getetag {got!r}"
        known[known_as] = got
    return check


def offers(*classes):
    """The DAV field of an OPTIONS reply."""
    def check(reply, known):
        got = {one.strip() for one in reply.headers.get("dav", "").split(",")}
        assert set(classes) <= got, f"DAV: {sorted(got)}, expected {classes}"
    return check


def allows(*methods):
    def check(reply, known):
        got = {one.strip() for one in reply.headers.get("allow", "").split(",")}
        assert set(methods) <= got, f"Allow: {sorted(got)}, expected {methods}"
    return check


def refused_with(*elements):
    """A DAV:error body with one of these elements."""
    def check(reply, known):
        got = dav.error_elements(reply.body)
        assert got & set(elements), f"status {reply.status} with {got or reply.body[:200]}, expected {' or '.join(elements)}"
    return check


def content(expected):
    def check(reply, known):
        wanted = fill(expected.decode("utf-8"), known).encode() if isinstance(expected, bytes) else expected
        assert reply.body == wanted, f"not the bytes that were put in: {reply.body[:300]!r}"
    return check


def contains(*pieces):
    def check(reply, known):
        lacking = [piece for piece in pieces if piece.encode() not in reply.body]
        assert not lacking, f"{lacking} not in {reply.body[:300]!r}"
    return check


def lacks(*pieces):
    def check(reply, known):
        there = [piece for piece in pieces if piece.encode() in reply.body]
        assert not there, f"{there} in {reply.body[:300]!r}"
    return check


def header(name, piece):
    def check(reply, known):
        assert piece.lower() in reply.headers.get(name, "").lower(), f"{name}: {reply.headers.get(name)!r}, expected {piece!r}"
    return check


def row_of(reply, known, at):
    assert reply.parsed is not None, f"status {reply.status}, no multistatus"
    if at is None:
        # A client that was redirected takes the only row for the answer.
        return reply.parsed.rows[0] if len(reply.parsed.rows) == 1 else reply.parsed.row(reply.path)
    return reply.parsed.row(fill(at, known))


ANY_BUT_5XX = (200, 204, 207, 400, 403, 404, 405, 409, 412, 415, 422)
