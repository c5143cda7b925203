"""khal and khard, a calendar and an address book in the terminal, on the folders that vdirsyncer keeps equal with the server."""
import subprocess

from aim import put
from objects import card, event
from with_vdirsyncer import Pairs

from harness import install

PACKAGES = ("khal==0.14.1", "khard==0.22.0")

KHAL = """\
[calendars]
[[synced]]
path = {calendar}
[locale]
timeformat = %H:%M
dateformat = %Y-%m-%d
longdateformat = %Y-%m-%d
datetimeformat = %Y-%m-%d %H:%M
longdatetimeformat = %Y-%m-%d %H:%M
default_timezone = Europe/Berlin
local_timezone = Europe/Berlin
[default]
default_calendar = synced
[sqlite]
path = {home}/khal.db
"""
KHARD = """\
[addressbooks]
[[synced]]
path = {book}
[general]
editor = true
merge_editor = true
[vcard]
preferred_version = {version}
"""
NEW_CONTACT = """\
First name: Neu
Last name: Kontakt
Organisation: Verein
Email:
    home: neu@example.com
Phone:
    cell: +49 170 1
Note: aus khard
"""


def run(report, aim):
    programs = install.venv("khal", *PACKAGES) / "bin"
    calendar, book = aim.calendar("khal"), aim.book("khard")
    cal_name, book_name = (path.rstrip("/").rpartition("/")[2] for path in (calendar, book))
    pairs = Pairs(aim, "khal", [cal_name], [book_name])
    pairs.run("discover")
    home = pairs.home
    (home / "khal.conf").write_text(KHAL.format(home=home, calendar=home / "calendars" / cal_name), encoding="utf-8")
    (home / "khard.conf").write_text(KHARD.format(book=home / "contacts" / book_name, version="3.0"), encoding="utf-8")

    def khal(*words):
        return subprocess.run([programs / "khal", "-c", home / "khal.conf", *words], env=aim.environment(), capture_output=True, text=True, check=True, timeout=120).stdout

    def khard(*words, stdin=None):
        return subprocess.run([programs / "khard", "-c", home / "khard.conf", *words], env=aim.environment(), capture_output=True, text=True, check=True,
                              timeout=120, input=stdin).stdout

    events(report, pairs, khal, calendar, f"calendars/{cal_name}")
    people(report, pairs, khard, book, f"contacts/{book_name}", home)


def events(report, pairs, khal, calendar, folder):
    with report.test("khal/new-event-to-the-server"):
        khal("new", "2026-12-01", "10:00", "11:00", "Termin aus khal", "::", "mit Beschreibung")
        khal("new", "-r", "weekly", "-u", "2027-01-31", "2026-12-02", "09:00", "10:00", "Reihe aus khal")
        khal("new", "2026-12-24", "Heiligabend")
        pairs.sync()
        texts = [body.decode() for body in pairs.there(calendar).values()]
        for title in ("Termin aus khal", "Reihe aus khal", "Heiligabend"):
            assert any(f"SUMMARY:{title}" in text for text in texts), f"{title!r} is not on the server"
        pairs.assert_equal(folder, calendar, 3)
    with report.test("khal/event-from-the-server"):
        put(pairs.wire, calendar + "there.ics", event("khal-there", "Vom Server", "20261203T120000Z", "20261203T130000Z")).want(201)
        pairs.sync()
        seen = khal("list", "2026-12-01", "31d")
        assert "13:00-14:00 Vom Server" in seen, f"khal shows {seen!r}"
        assert "Reihe aus khal" in seen and "Heiligabend" in seen
    with report.test("khal/change-from-the-server"):
        put(pairs.wire, calendar + "there.ics", event("khal-there", "Verschoben", "20261204T120000Z", "20261204T130000Z")).want(200, 204)
        pairs.sync()
        assert "Verschoben" in khal("list", "2026-12-04", "1d") and "Vom Server" not in khal("list", "2026-12-03", "1d")
    with report.test("khal/import-to-the-server"):
        source = pairs.home / "import.ics"
        source.write_bytes(event("khal-import", "Importiert", "20261205T120000Z", "20261205T130000Z"))
        khal("import", "--batch", str(source))
        pairs.sync()
        assert b"Importiert" in pairs.there(calendar)["khal-import"]


def people(report, pairs, khard, book, folder, home):
    with report.test("khard/contact-from-the-server"):
        put(pairs.wire, book + "there.vcf", card("khard-there", "Zoë Ångström", "EMAIL;TYPE=work:zoe@example.com", "TEL;TYPE=cell:+46 70 1")).want(201)
        pairs.sync()
        assert "zoe@example.com" in khard("email", "--parsable", "Ångström"), khard("list")
    with report.test("khard/new-contact-to-the-server"):
        source = home / "new.yaml"
        source.write_text(NEW_CONTACT, encoding="utf-8")
        khard("new", "-a", "synced", "-i", str(source))
        pairs.sync()
        bodies = list(pairs.there(book).values())
        assert any(b"FN:Neu Kontakt" in body and b"neu@example.com" in body for body in bodies), bodies
        pairs.assert_equal(folder, book, 2)
    with report.test("khard/version-4-to-the-server"):
        (home / "khard.conf").write_text((home / "khard.conf").read_text(encoding="utf-8").replace("3.0", "4.0"), encoding="utf-8")
        source = home / "new4.yaml"
        source.write_text(NEW_CONTACT.replace("Neu", "Vier").replace("neu@", "vier@"), encoding="utf-8")
        khard("new", "-a", "synced", "-i", str(source))
        pairs.sync()
        assert any(b"vier@example.com" in body for body in pairs.there(book).values()), "the card in version 4 is not on the server"
    with report.test("khard/remove-contact"):
        khard("remove", "--force", "Zoë Ångström")
        pairs.sync()
        assert not any(b"khard-there" in body for body in pairs.there(book).values()), "still on the server"
