"""Thunderbird itself, without a screen: its account detection, its calendar and its address book, driven by Marionette.

What a script does is what the program's own dialogues do: detect, register, add, change, delete, refresh.
"""
import re
import subprocess
import time

from aim import propfind, put
from marionette import Marionette, ScriptError
from objects import APPLE_CARD, card, event, series

from harness import install
from harness.peers import end, free_port

WAIT_S = 30
CONFLICT_S = 3
PREFERENCES = {
    "app.update.enabled": False, "app.donation.eoy.version.viewed": 99, "mail.provider.suppress_dialog_on_startup": True, "mail.rights.version": 1,
    "mailnews.start_page.enabled": False, "mail.spotlight.firstRunDone": True, "mail.shell.checkDefaultClient": False, "extensions.update.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False, "toolkit.telemetry.enabled": False, "browser.safebrowsing.provider.mozilla.updateURL": "",
    "calendar.timezone.useSystemTimezone": False, "calendar.timezone.local": "Europe/Berlin", "calendar.alarms.show": False, "signon.rememberSignons": True,
    "network.captive-portal-service.enabled": False, "network.connectivity-service.enabled": False, "marionette.log.level": "Fatal",
    "calendar.debug.log": False, "browser.cache.disk.enable": False, "mail.winsearch.firstRunDone": True,
    # This server has no TLS; the program would ask before it sends a password in the clear.
    "security.warn_submit_secure_to_insecure": False, "carddav.sync.interval": 0,
}

IMPORTS = """
const { cal } = ChromeUtils.importESModule("resource:///modules/calendar/calUtils.sys.mjs");
const { CalEvent } = ChromeUtils.importESModule("resource:///modules/CalEvent.sys.mjs");
const { CardDAVUtils } = ChromeUtils.importESModule("resource:///modules/CardDAVUtils.sys.mjs");
const { CardDAVDirectory } = ChromeUtils.importESModule("resource:///modules/CardDAVDirectory.sys.mjs");
const { MailServices } = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
const calendarAt = url => cal.manager.getCalendars().find(one => one.uri.spec == url);
const bookAt = url => MailServices.ab.directories.find(one => one.getStringValue("carddav.url", "") == url);
"""
DETECT_CALENDARS = IMPORTS + """
const [user, password, location] = args;
const found = await cal.provider.detection.detect(user, password, location, true, [], {});
const rows = [];
for (const [provider, calendars] of found) {
  for (const one of calendars) {
    rows.push({ provider: provider.type, url: one.uri.spec, name: one.name, color: one.getProperty("color"), readOnly: one.readOnly });
    one.setProperty("cache.enabled", true);
    cal.manager.registerCalendar(one);
  }
}
return rows;
"""
REFRESH = IMPORTS + "const one = calendarAt(args[0]); if (!one) throw new Error('not registered: ' + args[0]); one.refresh();"
STATE = IMPORTS + """
const one = calendarAt(args[0]);
return { readOnly: one.readOnly, disabled: one.getProperty("disabled"), status: one.getProperty("currentStatus") };
"""
ITEMS = IMPORTS + """
const items = await calendarAt(args[0]).getItemsAsArray(Ci.calICalendar.ITEM_FILTER_ALL_ITEMS, 0, null, null);
return items.map(item => ({ id: item.id, title: item.title, recurs: !!item.recurrenceInfo, ics: item.icalString }));
"""
ADD = IMPORTS + "const item = new CalEvent(args[1]); const added = await calendarAt(args[0]).addItem(item); return added.id;"
CHANGE = IMPORTS + """
const calendar = calendarAt(args[0]); const old = await calendar.getItem(args[1]);
const item = old.clone(); item.title = args[2]; await calendar.modifyItem(item, old);
"""
DELETE = IMPORTS + "const calendar = calendarAt(args[0]); await calendar.deleteItem(await calendar.getItem(args[1]));"
# Not waited for: the program meets the newer state and asks what to do, in a dialogue that blocks.
CHANGE_IN_PASSING = IMPORTS + """
const calendar = calendarAt(args[0]); const old = await calendar.getItem(args[1]);
const item = old.clone(); item.title = args[2]; calendar.modifyItem(item, old).catch(() => null);
"""
EXCEPTION = IMPORTS + """
const calendar = calendarAt(args[0]); const parent = await calendar.getItem(args[1]);
const occurrence = parent.recurrenceInfo.getOccurrences(cal.createDateTime("20261101T000000Z"), cal.createDateTime("20261201T000000Z"), 2)[1];
const changed = occurrence.clone(); changed.title = args[2];
const master = parent.clone(); master.recurrenceInfo.modifyException(changed, true); await calendar.modifyItem(master, parent);
"""

DETECT_BOOKS = IMPORTS + """
const [user, password, location] = args;
const found = await CardDAVUtils.detectAddressBooks(user, password, location, false, true);
return found.map(one => ({ url: one.url.href, name: one.name }));
"""
OPEN_BOOK = IMPORTS + """
const [user, password, location, url] = args;
const found = await CardDAVUtils.detectAddressBooks(user, password, location, false, true);
const book = found.find(one => one.url.href == url);
if (!book) throw new Error("not found: " + url);
const synced = new Promise((resolve, reject) => {
  const watch = { observe(subject, topic) { Services.obs.removeObserver(watch, "addrbook-directory-synced"); resolve(); } };
  Services.obs.addObserver(watch, "addrbook-directory-synced");
});
book.create(); await synced;
"""
SYNC_BOOK = IMPORTS + "await CardDAVDirectory.forFile(bookAt(args[0]).fileName).syncWithServer();"
FORGET_TOKEN = IMPORTS + "CardDAVDirectory.forFile(bookAt(args[0]).fileName)._syncToken = args[1];"
CARDS = IMPORTS + "return bookAt(args[0]).childCards.map(one => ({ uid: one.UID, name: one.displayName, email: one.primaryEmail, vcard: one.getProperty('_vCard', '') }));"
ADD_CARD = IMPORTS + """
const made = Cc["@mozilla.org/addressbook/cardproperty;1"].createInstance(Ci.nsIAbCard);
made.displayName = args[1]; made.firstName = args[1]; made.primaryEmail = args[2];
return bookAt(args[0]).addCard(made).UID;
"""
CHANGE_CARD = IMPORTS + "const book = bookAt(args[0]); const one = book.childCards.find(c => c.UID == args[1]); one.displayName = args[2]; book.modifyCard(one);"
DELETE_CARD = IMPORTS + "const book = bookAt(args[0]); book.deleteCards([book.childCards.find(c => c.UID == args[1])]);"


class Thunderbird:
    """The program with a profile of its own."""

    def __init__(self, aim):
        install.apt(thunderbird="thunderbird")
        self.profile = aim.folder / "profile"
        self.profile.mkdir()
        port = free_port()
        preferences = {**PREFERENCES, "marionette.port": port}
        rows = [f'user_pref("{name}", {str(value).lower() if isinstance(value, bool) else value if isinstance(value, int) else chr(34) + value + chr(34)});'
                for name, value in preferences.items()]
        (self.profile / "user.js").write_text("\n".join(rows) + "\n", encoding="utf-8")
        with open(aim.folder / "thunderbird.log", "wb") as log:
            self.process = subprocess.Popen(["thunderbird", "--headless", "--marionette", "--remote-allow-system-access", "--no-remote", "--profile", self.profile], stdout=log, stderr=log,
                                            env=aim.environment(MOZ_HEADLESS="1", MOZ_DISABLE_CONTENT_SANDBOX="1"))
        try:
            self.remote = Marionette(port)
        except BaseException:
            end(self.process)
            raise

    def run(self, script, *arguments):
        return self.remote.run(script, *arguments)

    def dismiss(self):
        """Close a question that the program asks, if it asks one: a no."""
        try:
            self.remote.command("WebDriver:DismissAlert", {})
        except ScriptError:
            pass

    def stop(self):
        self.remote.close()
        end(self.process)


def run(report, aim):
    calendar, book = aim.calendar("bird", "<D:displayname>Vögel</D:displayname>", "<ICAL:calendar-color>#336699ff</ICAL:calendar-color>"), aim.book("bird-book")
    bird = Thunderbird(aim)
    try:
        calendars(report, aim, bird, calendar)
        contacts(report, aim, bird, book)
    finally:
        bird.stop()


def calendars(report, aim, bird, calendar):
    url, wire, server = aim.url + calendar, aim.wire(), aim.server
    with report.test("thunderbird/calendars-found"):
        found = bird.run(DETECT_CALENDARS, server.user, server.password, aim.url + "/")
        mine = [one for one in found if one["url"] == url]
        assert len(mine) == 1, f"{url} is not among {found}"
        assert mine[0]["name"] == "Vögel" and mine[0]["color"] == "#336699", f"name and color: {mine[0]}"
        assert not mine[0]["readOnly"], "found read-only"
        assert not [one for one in found if "box" in one["url"]], f"scheduling collections among the calendars: {found}"
    with report.test("thunderbird/event-from-the-server"):
        put(wire, calendar + "from-server.ics", event("from-server", "Von drüben ✓")).want(201)
        bird.run(REFRESH, url)
        wait_for(lambda: any(one["title"] == "Von drüben ✓" for one in bird.run(ITEMS, url)), "the event did not arrive")
        state = bird.run(STATE, url)
        assert not state["disabled"] and not state["readOnly"], f"the calendar is {state}"
    with report.test("thunderbird/series-from-the-server"):
        put(wire, calendar + "series.ics", series("from-server-2", "FREQ=WEEKLY;COUNT=8", "Reihe", "20261102T090000")).want(201)
        bird.run(REFRESH, url)
        wait_for(lambda: any(one["title"] == "Reihe" and one["recurs"] for one in bird.run(ITEMS, url)), "the series did not arrive")
    with report.test("thunderbird/event-to-the-server"):
        bird.run(ADD, url, event("from-bird", "Aus Thunderbird").decode())
        got = on_server(aim, calendar, "from-bird")
        assert got and b"SUMMARY:Aus Thunderbird" in got, f"on the server: {got}"
    with report.test("thunderbird/event-changed-here"):
        bird.run(CHANGE, url, "from-bird", "Geändert")
        wait_for(lambda: "Geändert".encode() in (on_server(aim, calendar, "from-bird") or b""), "the change did not arrive")
    with report.test("thunderbird/servers-event-changed-here"):
        bird.run(CHANGE, url, "from-server", "Von hier geändert")
        wait_for(lambda: "Von hier geändert".encode() in (on_server(aim, calendar, "from-server") or b""), "the change did not arrive")
    exceptions(report, aim, bird, calendar)
    with report.test("thunderbird/event-changed-there"):
        put(wire, calendar + "from-server.ics", event("from-server", "Noch einmal")).want(200, 204)
        bird.run(REFRESH, url)
        wait_for(lambda: any(one["title"] == "Noch einmal" for one in bird.run(ITEMS, url)), "the change did not arrive")
    with report.test("thunderbird/event-deleted-there"):
        wire.request("DELETE", raw=calendar + "from-server.ics").want(200, 204)
        bird.run(REFRESH, url)
        wait_for(lambda: not any(one["id"] == "from-server" for one in bird.run(ITEMS, url)), "it is still there")
    with report.test("thunderbird/event-deleted-here"):
        bird.run(DELETE, url, "from-bird")
        wait_for(lambda: on_server(aim, calendar, "from-bird") is None, "it is still on the server")
    with report.test("thunderbird/conflict-is-not-overwritten"):
        put(wire, calendar + "conflict.ics", event("conflict", "Before")).want(201)
        bird.run(REFRESH, url)
        wait_for(lambda: any(one["id"] == "conflict" for one in bird.run(ITEMS, url)), "the event did not arrive")
        put(wire, calendar + "conflict.ics", event("conflict", "Newer there")).want(200, 204)
        bird.run(CHANGE_IN_PASSING, url, "conflict", "Older here")
        time.sleep(CONFLICT_S)
        bird.dismiss()
        assert b"Newer there" in (on_server(aim, calendar, "conflict") or b""), "an older state was written over a newer one"


def exceptions(report, aim, bird, calendar):
    """One occurrence changed. To a series that has a DURATION the program adds a DTEND, which RFC 5545 §3.6.1 does not allow together."""
    url = aim.url + calendar
    ended = event("with-end", "Mit Ende", "20261103T120000Z", "20261103T130000Z", "RRULE:FREQ=WEEKLY;COUNT=8")
    for name, uid, data in (("series", "with-end", ended), ("series-with-duration", "from-server-2", None)):
        with report.test(f"thunderbird/exception-of-a-{name}"):
            if data:
                put(aim.wire(), calendar + f"{uid}.ics", data).want(201)
                bird.run(REFRESH, url)
                wait_for(lambda uid=uid: any(one["id"] == uid for one in bird.run(ITEMS, url)), "the series did not arrive")
            bird.run(EXCEPTION, url, uid, "Ausnahme")
            wait_for(lambda uid=uid: b"RECURRENCE-ID" in (on_server(aim, calendar, uid) or b""), "no RECURRENCE-ID on the server")


def contacts(report, aim, bird, book):
    url, wire, server = aim.url + book, aim.wire(), aim.server
    login = (server.user, server.password, aim.url + "/")
    with report.test("thunderbird/address-books-found"):
        found = bird.run(DETECT_BOOKS, *login)
        assert url in [one["url"] for one in found], f"{url} is not among {found}"
        assert "bird-book" in [one["name"] for one in found], f"names: {found}"
    put(wire, book + "apple.vcf", APPLE_CARD).want(201)
    put(wire, book + "zoe.vcf", card("zoe-1", "Zoë Müller", "EMAIL:zoe@example.com")).want(201)
    with report.test("thunderbird/contacts-from-the-server"):
        bird.run(OPEN_BOOK, *login, url)
        wait_for(lambda: {"Zoë Müller", "Dr. Johnny Q Appleseed"} <= names(bird, url), "the contacts did not arrive")
    made = None
    with report.test("thunderbird/contact-to-the-server"):
        made = bird.run(ADD_CARD, url, "Neuer Kontakt", "neu@example.com")
        wait_for(lambda: b"Neuer Kontakt" in (on_server(aim, book, made) or b""), "the contact did not arrive")
        assert re.search(rb"VERSION:[34]\.0", on_server(aim, book, made))
    with report.test("thunderbird/contact-changed-here"):
        bird.run(CHANGE_CARD, url, "zoe-1", "Zoë Meier")
        wait_for(lambda: "FN:Zoë Meier".encode() in (on_server(aim, book, "zoe-1") or b""), "the change did not arrive")
    with report.test("thunderbird/contact-changed-there"):
        put(wire, book + "zoe.vcf", card("zoe-1", "Zoë Schulz", "EMAIL:zoe@example.com")).want(200, 204)
        bird.run(SYNC_BOOK, url)
        wait_for(lambda: "Zoë Schulz" in names(bird, url), "the change did not arrive")
    with report.test("thunderbird/apple-card-untouched"):
        body = wire.request("GET", raw=book + "apple.vcf").want(200).body
        assert aim.same(body, APPLE_CARD), f"the card that nobody changed is another one: {body[:300]!r}"
    with report.test("thunderbird/contact-deleted-there"):
        wire.request("DELETE", raw=book + "zoe.vcf").want(200, 204)
        bird.run(SYNC_BOOK, url)
        wait_for(lambda: "Zoë Schulz" not in names(bird, url), "it is still there")
    with report.test("thunderbird/contact-deleted-here"):
        bird.run(DELETE_CARD, url, made)
        wait_for(lambda: on_server(aim, book, made) is None, "it is still on the server")
    with report.test("thunderbird/contacts-after-a-lost-token"):
        # The program fetches everything anew only when the answer to its token is 400.
        put(wire, book + "later.vcf", card("later-1", "Later On")).want(201)
        bird.run(FORGET_TOKEN, url, "http://example.com/ns/sync/long-ago")
        try:
            bird.run(SYNC_BOOK, url)
        except ScriptError as error:
            raise AssertionError(f"the address book does not recover from a token that the server does not know: {error}") from None
        wait_for(lambda: "Later On" in names(bird, url), "the address book stays behind after a token that the server does not know")


def names(bird, url):
    return {one["name"] for one in bird.run(CARDS, url)}


def on_server(aim, collection, uid):
    """The bytes of the item with this UID, or None."""
    wire = aim.wire()
    for href in propfind(wire, collection, "D:getetag", "D:resourcetype", depth="1").members():
        body = wire.request("GET", raw=href.replace(" ", "%20")).body
        if f"UID:{uid}".encode() in body.replace(b"\r\n ", b""):
            return body
    return None


def wait_for(what, message):
    deadline = time.monotonic() + WAIT_S
    while not what():
        assert time.monotonic() < deadline, f"{message} within {WAIT_S} s"
        time.sleep(0.3)
