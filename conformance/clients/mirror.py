"""A client that keeps a mirror of a tree by REPORT sync-collection (RFC 6578) while the tree changes at random."""
import random
import threading
import xml.etree.ElementTree as ElementTree
from urllib.parse import unquote, urlsplit

DAV = "{DAV:}"
ROUNDS = 30


class Mirror:
    """The members of one folder as the reports tell them: {name: etag, or "folder"}."""

    def __init__(self, wire, folder, limit=None):
        self.wire, self.folder, self.limit = wire, folder, limit
        self.members, self.token, self.reports = {}, "", 0

    def sync(self):
        """Report until the server says that there is no more; AssertionError when it breaks the rules."""
        while self.report():
            assert self.reports < 10_000, "truncated without end"

    def report(self):
        """One exchange; whether the answer was cut short."""
        limit = f"<d:limit><d:nresults>{self.limit}</d:nresults></d:limit>" if self.limit else ""
        body = (f'<?xml version="1.0" encoding="utf-8"?><d:sync-collection xmlns:d="DAV:"><d:sync-token>{self.token}</d:sync-token>'
                f"<d:sync-level>1</d:sync-level>{limit}<d:prop><d:getetag/><d:resourcetype/></d:prop></d:sync-collection>")
        reply = self.wire.request("REPORT", self.folder, {"Depth": "0", "Content-Type": "application/xml"}, body.encode()).want(207)
        self.reports += 1
        tree = ElementTree.fromstring(reply.body)
        before, self.token = self.token, tree.findtext(f"{DAV}sync-token")
        assert self.token, "no sync-token in the answer"
        rows = tree.findall(f"{DAV}response")
        seen, truncated = set(), False
        for row in rows:
            name = self.name_of(row.findtext(f"{DAV}href"))
            status = row.findtext(f"{DAV}status") or ""
            if name == "" and "507" in status:
                truncated = True
                continue
            assert name and "/" not in name, f"a row for {name!r}: not a member"
            assert name not in seen, f"{name!r} twice in one report"
            seen.add(name)
            self.take(row, name, status)
        # RFC 6578 §3.7: the limit counts the member rows.
        assert not self.limit or len(seen) <= self.limit, f"{len(seen)} rows with a limit of {self.limit}"
        assert not truncated or (self.token != before and seen), "truncated, and no step forward"
        return truncated

    def take(self, row, name, status):
        if "404" in status:
            assert row.find(f"{DAV}propstat") is None, f"{name!r}: removed, and yet it has properties"
            self.members.pop(name, None)
            return
        props = next(p.find(f"{DAV}prop") for p in row.findall(f"{DAV}propstat") if "200" in p.findtext(f"{DAV}status"))
        is_folder = props.find(f"{DAV}resourcetype/{DAV}collection") is not None
        self.members[name] = "folder" if is_folder else props.findtext(f"{DAV}getetag")

    def name_of(self, href):
        base = unquote(urlsplit(self.wire.path(self.folder)).path)
        path = unquote(urlsplit(href).path).rstrip("/")
        assert path.startswith(base), f"href {href} is outside the folder"
        return path[len(base):].lstrip("/")

    def truth(self):
        """The members by PROPFIND."""
        body = b'<d:propfind xmlns:d="DAV:"><d:prop><d:getetag/><d:resourcetype/></d:prop></d:propfind>'
        tree = ElementTree.fromstring(self.wire.propfind(self.folder, "1", body).want(207).body)
        found = Mirror(self.wire, self.folder)
        for row in tree.findall(f"{DAV}response"):
            name = self.name_of(row.findtext(f"{DAV}href"))
            if name:
                found.take(row, name, "")
        return found.members

    def assert_true(self):
        truth = self.truth()
        wrong = {name for name in set(truth) | set(self.members) if truth.get(name) != self.members.get(name)}
        assert not wrong, f"{len(wrong)} of {len(truth)} differ: " + ", ".join(
            f"{n!r}: mirror {self.members.get(n)}, server {truth.get(n)}" for n in sorted(wrong)[:3])


class Changer:
    """Random changes below one folder."""

    def __init__(self, wire, folder, seed):
        self.wire, self.folder, self.random = wire, folder, random.Random(seed)

    def name(self):
        return f"{self.folder}/member {self.random.randrange(40)} é"

    def change(self):
        """One of: write, delete, rename inside, rename out or in, make a folder, change below a folder."""
        wire, name = self.wire, self.name()
        roll = self.random.random()
        if roll < 0.45:
            wire.put(name, self.random.randbytes(self.random.choice((3, 3000, 20_000))))
        elif roll < 0.6:
            wire.delete(name)
        elif roll < 0.75:
            wire.transfer("MOVE", name, self.name())
        elif roll < 0.8:
            wire.transfer("MOVE", name, f"{self.folder}-outside/{self.random.randrange(20)}")
        elif roll < 0.85:
            wire.transfer("MOVE", f"{self.folder}-outside/{self.random.randrange(20)}", name)
        elif roll < 0.9:
            wire.transfer("COPY", name, self.name())
        elif roll < 0.95:
            wire.mkcol(name)
        else:
            wire.put(f"{name}/below", self.random.randbytes(10))


def run(report, aim):
    if not aim.is_allod:
        report.skip("mirror", "this peer has no sync-collection")
        return
    # Two, since a rename changes two members in one step, and a step is not parted.
    for name, limit in (("whole", None), ("in-sevens", 7), ("in-twos", 2)):
        wire, folder = aim.wire(), f"mirror {name}"
        wire.mkcol(folder).want(201)
        wire.mkcol(folder + "-outside").want(201)
        changer = Changer(wire, folder, seed=name)
        follower = Mirror(aim.wire(), folder, limit)
        with report.test(f"mirror/{name}/random-changes"):
            for _ in range(ROUNDS):
                for _ in range(changer.random.randrange(25)):
                    changer.change()
                follower.sync()
                follower.assert_true()
        with report.test(f"mirror/{name}/late-comer"):
            late = Mirror(aim.wire(), folder, limit)
            late.sync()
            late.assert_true()
        with report.test(f"mirror/{name}/quiet"):
            follower.sync()
            token, before = follower.token, dict(follower.members)
            follower.sync()
            assert follower.members == before and follower.token == token, "the token moved though nothing changed"
    while_writing(report, aim)
    large(report, aim)
    tokens(report, aim)


def while_writing(report, aim):
    """Reports taken in the middle of writes miss nothing."""
    aim.wire().mkcol("busy").want(201)
    aim.wire().mkcol("busy-outside").want(201)
    stop = threading.Event()

    def write(seed):
        changer = Changer(aim.wire(), "busy", seed)
        while not stop.is_set():
            changer.change()

    writers = [threading.Thread(target=write, args=(seed,)) for seed in range(4)]
    follower = Mirror(aim.wire(), "busy", 11)
    with report.test("mirror/while-writing"):
        for writer in writers:
            writer.start()
        try:
            for _ in range(60):
                follower.report()
        finally:
            stop.set()
            for writer in writers:
                writer.join()
        follower.sync()
        follower.assert_true()


def large(report, aim):
    """More members than any server's page: nothing is lost at the seams."""
    wire = aim.wire()
    wire.mkcol("large").want(201)
    for at in range(2_500):
        wire.put(f"large/{at}.txt", b"%d" % at).want(201)
    with report.test("mirror/large-first-sync"):
        follower = Mirror(aim.wire(), "large")
        follower.sync()
        assert len(follower.members) == 2_500, f"{len(follower.members)} of 2500 after {follower.reports} reports"
        follower.assert_true()


def tokens(report, aim):
    """Tokens that the server never gave."""
    wire = aim.wire()
    wire.mkcol("tokens").want(201)
    follower = Mirror(wire, "tokens")
    follower.sync()
    good = follower.token
    for name, token in (("foreign", "http://example.org/sync/1"), ("garbage", "garbage"), ("future", good + "999999")):
        with report.test(f"mirror/token/{name}"):
            body = (f'<d:sync-collection xmlns:d="DAV:"><d:sync-token>{token}</d:sync-token><d:sync-level>1</d:sync-level>'
                    "<d:prop><d:getetag/></d:prop></d:sync-collection>").encode()
            reply = wire.request("REPORT", "tokens", {"Depth": "0"}, body).want(403, 409)
            assert b"valid-sync-token" in reply.body, reply.body[:300]
    with report.test("mirror/token/is-a-property"):
        body = b'<d:propfind xmlns:d="DAV:"><d:prop><d:sync-token/><d:supported-report-set/></d:prop></d:propfind>'
        reply = wire.propfind("tokens", "0", body).want(207)
        assert good.encode() in reply.body and b"sync-collection" in reply.body, reply.body[:400]
    with report.test("mirror/token/survives-restart"):
        wire.put("tokens/before", b"1").want(201)
        follower.sync()
        wire.put("tokens/after", b"2").want(201)
        aim.server.stop()
        aim.server.start()
        aim.url = aim.server.base + "/dav/alice/"
        follower.wire = aim.wire()
        follower.sync()
        follower.assert_true()
        assert follower.members.keys() == {"before", "after"}, follower.members
