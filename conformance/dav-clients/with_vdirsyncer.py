"""vdirsyncer: calendars and contacts kept equal between folders and the server, with changes and conflicts on both sides."""
import json
import subprocess
from urllib.parse import quote, unquote

import dav
from aim import propfind, put
from objects import APPLE_CARD, APPLE_GROUP, card, event, lines, series, todo

from harness import install

PACKAGES = ("vdirsyncer==0.21.0",)
MANY, MANY_SMALL = 500, 60

CONFIG = """\
[general]
status_path = "{status}"
[pair cal]
a = "cal_here"
b = "cal_there"
collections = {collections}
metadata = ["color", "displayname", "description"]
conflict_resolution = {conflict}
[storage cal_here]
type = "filesystem"
path = "{home}/calendars"
fileext = ".ics"
[storage cal_there]
type = "caldav"
url = "{url}"
username = "{user}"
password = "{password}"
[pair card]
a = "card_here"
b = "card_there"
collections = {books}
metadata = ["displayname"]
conflict_resolution = {conflict}
[storage card_here]
type = "filesystem"
path = "{home}/contacts"
fileext = ".vcf"
[storage card_there]
type = "carddav"
url = "{url}"
username = "{user}"
password = "{password}"
"""

# Names that a vdir may hold and a server has to keep: they become the last part of the resource's path.
ODD_NAMES = ("with space", "ümläut-é", "plus+and&amp", "percent%20sign", "hash#mark", "question?mark", "semi;colon=x", "quote'single",
             "comma,dot.", "tilde~at@home", "日本語", "b[r]ackets{}", "UPPER lower", "a" * 150)


class Pairs:
    """One vdirsyncer set-up: its folders, its configuration, the server's side by plain requests."""

    def __init__(self, aim, name, calendars, books=(), conflict="null"):
        self.aim = aim
        self.home = aim.folder / name
        (self.home / "calendars").mkdir(parents=True)
        (self.home / "contacts").mkdir()
        self.program = install.venv("vdirsyncer", *PACKAGES) / "bin/vdirsyncer"
        self.config, self.wire = self.home / "config", aim.wire()
        self.calendars, self.books, self.conflict = list(calendars), list(books), conflict
        self.configure()

    def configure(self, conflict=None):
        conflict = conflict or self.conflict
        self.config.write_text(CONFIG.format(
            status=self.home / "status", home=self.home, url=self.aim.url + "/", user=self.aim.server.user, password=self.aim.server.password,
            collections=json.dumps(self.calendars) if self.calendars else '["from b"]',
            books=json.dumps(self.books) if self.books else '["from b"]',
            conflict=conflict if conflict.startswith(("[", "null")) else f'"{conflict}"'), encoding="utf-8")

    def run(self, *words, check=True, answers="y\n" * 40):
        return subprocess.run([self.program, "-c", self.config, "-v", "WARNING", *words], env=self.aim.environment(), input=answers, text=True,
                              capture_output=True, timeout=600, check=check)

    def sync(self, **options):
        return self.run("sync", **options)

    def here(self, name):
        """{UID: bytes} of a folder."""
        return {uid_of(path.read_bytes()): path.read_bytes() for path in sorted((self.home / name).iterdir()) if path.suffix in (".ics", ".vcf")}

    def there(self, path):
        """{UID: bytes} of a collection, by GET."""
        members = propfind(self.wire, path, "D:getetag", "D:resourcetype", depth="1").members()
        return {uid_of(body): body for body in (self.wire.request("GET", raw=quote(href)).want(200).body for href in members)}

    def assert_equal(self, name, path, count=None):
        here, there = self.here(name), self.there(path)
        assert set(here) == set(there), f"here {len(here)}, there {len(there)}; differing: {sorted(set(here) ^ set(there))[:5]}"
        assert count is None or len(here) == count, f"{len(here)} items, expected {count}"
        wrong = [uid for uid in here if not self.aim.same(here[uid], there[uid])]
        assert not wrong, f"{len(wrong)} differ: {wrong[:3]}; here {here[wrong[0]][:300]!r}, there {there[wrong[0]][:300]!r}"


def run(report, aim):
    calendar, book = aim.calendar("vdir-cal"), aim.book("vdir-book")
    cal_name, book_name = calendar.rstrip("/").rpartition("/")[2], book.rstrip("/").rpartition("/")[2]
    discover(report, aim, cal_name, book_name)
    pairs = Pairs(aim, "two-way", [cal_name], [book_name])
    cal, con = f"calendars/{cal_name}", f"contacts/{book_name}"
    both_ways(report, aim, pairs, cal, calendar, con, book)
    metadata(report, pairs, cal, calendar)
    odd_names(report, aim)
    conflicts(report, aim)
    many(report, aim)


def discover(report, aim, cal_name, book_name):
    pairs = Pairs(aim, "discover", [], [])
    with report.test("vdirsyncer/discover"):
        pairs.run("discover")
        calendars = {path.name for path in (pairs.home / "calendars").iterdir()}
        books = {path.name for path in (pairs.home / "contacts").iterdir()}
        assert cal_name in calendars and book_name in books, f"found {calendars} and {books}"
        assert cal_name not in books and book_name not in calendars, f"mixed up: {calendars} and {books}"
        # What a client would show as a calendar must be one: an inbox or outbox is not.
        assert not calendars & {"inbox", "outbox"}, f"scheduling collections among the calendars: {calendars}"
    with report.test("vdirsyncer/create-there"):
        fresh = Pairs(aim, "create", ["made by vdirsyncer"], ["book by vdirsyncer"])
        fresh.run("discover")
        for home, kind in ((aim.server.calendars, "C:calendar"), (aim.server.contacts, "CARD:addressbook")):
            rows = propfind(aim.wire(), home, "D:resourcetype", depth="1").rows
            names = {unquote(row.href.rstrip("/").rpartition("/")[2]): row.types() for row in rows}
            made = [types for name, types in names.items() if "by vdirsyncer" in name]
            assert any(kind in types for types in made), f"no {kind} among {names}"


def both_ways(report, aim, pairs, cal, calendar, con, book):
    folder, contacts, wire = pairs.home / cal, pairs.home / con, aim.wire()
    with report.test("vdirsyncer/up"):
        pairs.run("discover")
        (folder / "one.ics").write_bytes(event("vdir-1", "Up, with comma; and semicolon"))
        (folder / "series.ics").write_bytes(series("vdir-2", "FREQ=MONTHLY;BYDAY=2TU", "Series", "20260901T100000", "EXDATE;TZID=Europe/Berlin:20261013T100000"))
        (folder / "task.ics").write_bytes(todo("vdir-3", "Task ✓", "DUE;VALUE=DATE:20261224", "X-PRIVATE;X-P=\"a:b;c\":kept"))
        (contacts / "apple.vcf").write_bytes(APPLE_CARD)
        (contacts / "group.vcf").write_bytes(APPLE_GROUP)
        (contacts / "zoe.vcf").write_bytes(card("vdir-card", "Zoë Ångström", "NOTE:line\\nbreak", "X-SOCIALPROFILE;type=x:http://x.example/z"))
        pairs.sync()
        pairs.assert_equal(cal, calendar, 3)
        pairs.assert_equal(con, book, 3)
    with report.test("vdirsyncer/down"):
        put(wire, calendar + "down.ics", event("vdir-4", "Down"), If_None_Match="*").want(201)
        put(wire, book + "down.vcf", card("vdir-card-2", "Down Under", version="3.0"), If_None_Match="*").want(201)
        pairs.sync()
        pairs.assert_equal(cal, calendar, 4)
        pairs.assert_equal(con, book, 4)
        assert aim.same(pairs.here(cal)["vdir-4"], event("vdir-4", "Down")), "the event came down changed"
    with report.test("vdirsyncer/changes-on-both-sides"):
        (folder / "one.ics").write_bytes(event("vdir-1", "Changed here"))
        put(wire, calendar + "down.ics", event("vdir-4", "Changed there")).want(200, 204)
        (contacts / "zoe.vcf").write_bytes(card("vdir-card", "Zoe Angstrom"))
        put(wire, book + "down.vcf", card("vdir-card-2", "Down Over")).want(200, 204)
        pairs.sync()
        pairs.assert_equal(cal, calendar, 4)
        pairs.assert_equal(con, book, 4)
        assert b"Changed here" in pairs.there(calendar)["vdir-1"] and b"Changed there" in pairs.here(cal)["vdir-4"], "a change was lost"
    with report.test("vdirsyncer/quiet"):
        before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
        tokens = propfind(wire, calendar, "CS:getctag").row(calendar).text("CS:getctag")
        pairs.sync()
        after = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
        assert before == after, "files were written though nothing changed"
        assert tokens == propfind(wire, calendar, "CS:getctag").row(calendar).text("CS:getctag"), "the CTag moved though nothing changed"
    with report.test("vdirsyncer/deletes-on-both-sides"):
        (folder / "series.ics").unlink()
        wire.request("DELETE", raw=calendar + "down.ics").want(200, 204)
        (contacts / "group.vcf").unlink()
        wire.request("DELETE", raw=book + "down.vcf").want(200, 204)
        pairs.sync()
        pairs.assert_equal(cal, calendar, 2)
        pairs.assert_equal(con, book, 2)
    with report.test("vdirsyncer/same-uid-both-sides"):
        # The same event put in on both sides before a sync, equal to the byte, is no conflict.
        same = event("vdir-5", "Twice")
        (folder / "twice.ics").write_bytes(same)
        put(wire, calendar + "other name.ics", same).want(201)
        pairs.sync()
        pairs.assert_equal(cal, calendar, 3)


def metadata(report, pairs, cal, calendar):
    with report.test("vdirsyncer/metasync-first"):
        # The folder has none yet, so the server's come down; from then on, changes go either way.
        pairs.run("metasync", "cal", answers="")
        assert (pairs.home / cal / "displayname").read_text(encoding="utf-8") == "vdir-cal"
    with report.test("vdirsyncer/metasync-up"):
        (pairs.home / cal / "color").write_text("#aabbcc", encoding="utf-8")
        (pairs.home / cal / "displayname").write_text("Schöne Termine", encoding="utf-8")
        pairs.run("metasync", "cal", answers="")
        row = propfind(pairs.wire, calendar, "ICAL:calendar-color", "D:displayname").row(calendar)
        assert (row.text("ICAL:calendar-color") or "").lower().startswith("#aabbcc"), f"color {row.text('ICAL:calendar-color')!r}"
        assert row.text("D:displayname") == "Schöne Termine", f"displayname {row.text('D:displayname')!r}"
    with report.test("vdirsyncer/metasync-down"):
        body = dav.proppatch(["<ICAL:calendar-color>#102030</ICAL:calendar-color>", "<D:displayname>Vom Server</D:displayname>"])
        pairs.wire.request("PROPPATCH", headers=dav.XML, body=body, raw=calendar).want(207)
        pairs.run("metasync", "cal", answers="")
        color = (pairs.home / cal / "color").read_text(encoding="utf-8").lower()
        assert color.startswith("#102030"), f"color {color!r}"
        assert (pairs.home / cal / "displayname").read_text(encoding="utf-8") == "Vom Server"


def odd_names(report, aim):
    calendar = aim.calendar("odd")
    name = calendar.rstrip("/").rpartition("/")[2]
    pairs = Pairs(aim, "odd", [name], [aim.book("odd").rstrip("/").rpartition("/")[2]])
    pairs.run("discover")
    folder = pairs.home / "calendars" / name
    for number, odd in enumerate(ODD_NAMES):
        uid = f"{odd}-{number}"
        (folder / f"{odd[:120]}.ics").write_bytes(event(uid.replace(",", "\\,").replace(";", "\\;"), f"Odd {number}"))
    with report.test("vdirsyncer/odd-names-up"):
        pairs.sync()
        pairs.assert_equal(f"calendars/{name}", calendar, len(ODD_NAMES))
    for number, odd in enumerate(ODD_NAMES):
        with report.test(f"vdirsyncer/odd-names/{odd[:20]}"):
            path = f"{calendar}there {odd}.ics"
            put(aim.wire(), path, event(f"there-{number}", "There")).want(201)
            rows = propfind(aim.wire(), calendar, "D:getetag", depth="1")
            assert rows.has(quote(path)), f"listed as {[r.href for r in rows.rows if 'there' in r.href][-2:]}, put as {path!r}"
    with report.test("vdirsyncer/odd-names-down"):
        pairs.sync()
        pairs.assert_equal(f"calendars/{name}", calendar, 2 * len(ODD_NAMES))
    with report.test("vdirsyncer/odd-names-change-and-delete"):
        for path in sorted(folder.iterdir()):
            if path.suffix == ".ics" and "Odd" in path.read_text(encoding="utf-8"):
                path.unlink()
        pairs.sync()
        pairs.assert_equal(f"calendars/{name}", calendar, len(ODD_NAMES))


def conflicts(report, aim):
    """The same item changed on both sides: without a rule nothing is touched, with one a side wins."""
    for rule, winner in (("null", None), ("a wins", b"Mine"), ("b wins", b"Theirs")):
        with report.test(f"vdirsyncer/conflict/{rule.replace(' ', '-')}"):
            calendar = aim.calendar("conflict")
            name = calendar.rstrip("/").rpartition("/")[2]
            pairs = Pairs(aim, f"conflict-{rule.replace(' ', '-')}", [name], [aim.book("conflict").rstrip("/").rpartition("/")[2]], rule)
            pairs.run("discover")
            folder = pairs.home / "calendars" / name
            (folder / "x.ics").write_bytes(event("conflict-1", "Before"))
            pairs.sync()
            [there] = propfind(pairs.wire, calendar, "D:getetag", "D:resourcetype", depth="1").members()
            (folder / "x.ics").write_bytes(event("conflict-1", "Mine"))
            put(pairs.wire, there, event("conflict-1", "Theirs")).want(200, 204)
            done = pairs.sync(check=False, answers="")
            here, now = pairs.here(f"calendars/{name}")["conflict-1"], pairs.there(calendar)["conflict-1"]
            if winner is None:
                assert done.returncode != 0, "a conflict without a rule, and no error"
                assert b"Mine" in here and b"Theirs" in now, "a side was overwritten without a rule"
            else:
                assert done.returncode == 0, done.stderr[-400:]
                assert winner in here and winner in now, f"{winner!r} did not win: {here!r} {now!r}"
    with report.test("vdirsyncer/conflict/emptied-folder"):
        # All items vanish here: vdirsyncer refuses to empty the server without --force-delete.
        calendar = aim.calendar("emptied")
        name = calendar.rstrip("/").rpartition("/")[2]
        pairs = Pairs(aim, "emptied", [name], [aim.book("emptied").rstrip("/").rpartition("/")[2]])
        pairs.run("discover")
        put(pairs.wire, calendar + "1.ics", event("emptied-1", "Stays")).want(201)
        pairs.sync()
        for path in (pairs.home / "calendars" / name).glob("*.ics"):
            path.unlink()
        assert pairs.sync(check=False, answers="").returncode != 0
        assert len(pairs.there(calendar)) == 1, "the server was emptied"
        pairs.run("sync", "--force-delete")
        assert not pairs.there(calendar), "not emptied with --force-delete"


def many(report, aim):
    count = MANY_SMALL if aim.small else MANY
    calendar, book = aim.calendar("many"), aim.book("many")
    name, book_name = (path.rstrip("/").rpartition("/")[2] for path in (calendar, book))
    pairs = Pairs(aim, "many", [name], [book_name])
    pairs.run("discover")
    folder, contacts = pairs.home / "calendars" / name, pairs.home / "contacts" / book_name
    with report.test("vdirsyncer/many-up"):
        for number in range(count):
            # Long lines folded by hand in odd places, so that a server that unfolds and folds again is found out.
            (folder / f"{number}.ics").write_bytes(event(
                f"many-{number}", f"Event {number}", f"2027{number % 12 + 1:02}{number % 28 + 1:02}T100000Z", f"2027{number % 12 + 1:02}{number % 28 + 1:02}T110000Z",
                f"DESCRIPTION:a line folded ea", f" rly\\, number {number} \\; with \\n breaks and ü", f"X-SERIAL:{number:06}"))
            (contacts / f"{number}.vcf").write_bytes(lines("BEGIN:VCARD", "VERSION:3.0", f"UID:many-card-{number}", f"N:Person;{number};;;", f"FN:Person {number}",
                                                          f"item1.EMAIL:p{number}@example.com", "item1.X-ABLabel:odd", "END:VCARD"))
        pairs.sync()
        pairs.assert_equal(f"calendars/{name}", calendar, count)
        pairs.assert_equal(f"contacts/{book_name}", book, count)
    with report.test("vdirsyncer/many-down"):
        other = Pairs(aim, "many-down", [name], [book_name])
        other.run("discover")
        other.sync()
        for kind in (f"calendars/{name}", f"contacts/{book_name}"):
            first, second = pairs.here(kind), other.here(kind)
            wrong = [uid for uid in set(first) | set(second) if not aim.same(first.get(uid, b""), second.get(uid, b""))]
            assert not wrong, f"{len(wrong)} of {len(first)} are not what was put in: {wrong[:5]}"


def uid_of(data):
    for line in data.replace(b"\r\n", b"\n").replace(b"\n ", b"").split(b"\n"):
        if line.upper().startswith(b"UID"):
            return line.partition(b":")[2].decode("utf-8", "replace")
    return f"no UID: {data[:40]!r}"

