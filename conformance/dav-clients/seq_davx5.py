"""DAVx5 (Android): discovery, a new calendar and a new address book, and a synchronisation with conflicts.

Seen in its source: sync-collection with Depth 0, calendar-multiget without Depth, addressbook-multiget with Depth 0, batches
of ten; a bad token must be refused with DAV:valid-sync-token or the account never syncs again; vCard 4 is used only when
supported-address-data offers it.
"""
import dav
from dav import propfind, sync_collection
from objects import card, event
from sequence import (ANY_BUT_5XX, allows, content, data, found, gone, has_row, lacks, moved, no_row, offers, only_members,
                      privileges, refused_with, reports, save_etag, save_href, save_row_etag, save_text, save_token, step, text, token_kept,
                      typed)

HEADERS = {"User-Agent": "DAVx5/4.5.6-ose (dav4jvm; ktor) Android/15", "Accept-Language": "de-DE, en;q=0.7", "Accept-Encoding": "gzip",
           "Accept": "text/xml,application/xml;q=0.8"}
QUIET = {"Push-Dont-Notify": "*"}
GENERIC = ("D:current-user-privilege-set", "D:displayname", "D:owner", "D:resourcetype", "PUSH:transports", "PUSH:topic")
CALENDAR_PROPS = (*GENERIC, "ICAL:calendar-color", "C:calendar-description", "C:calendar-timezone", "C:calendar-timezone-id",
                  "C:supported-calendar-component-set", "CS:source")
BOOK_PROPS = (*GENERIC, "CARD:addressbook-description")
CAPABILITIES = propfind("D:supported-report-set", "D:sync-token", "CS:getctag", "C:max-resource-size", "CARD:max-resource-size",
                        "CARD:supported-address-data")
HOME_QUERY = ("D:displayname", "D:resourcetype", "D:group-membership", "CS:calendar-proxy-read-for", "CS:calendar-proxy-write-for")

EVENT, CHANGED = event("davx5-1@example.com", "Zahnarzt äöü"), event("davx5-1@example.com", "Zahnarzt, verschoben")
OTHER = event("davx5-2@example.com", "Second", "20270104T100000Z", "20270104T110000Z")
CARD, CARD_CHANGED = card("davx5-card-1", "Zoë Müller"), card("davx5-card-1", "Zoë Meier")

MKCALENDAR = dav.mkcalendar(
    "<D:resourcetype><D:collection/><C:calendar/></D:resourcetype>", "<D:displayname>Arbeit &amp; Leben</D:displayname>",
    "<C:calendar-description>Termine</C:calendar-description>", "<ICAL:calendar-color>#2F6BFFFF</ICAL:calendar-color>",
    "<C:calendar-timezone-id>Europe/Berlin</C:calendar-timezone-id>",
    '<C:supported-calendar-component-set><C:comp name="VEVENT"/><C:comp name="VTODO"/></C:supported-calendar-component-set>')
MKCOL = dav.mkcol("CARD:addressbook", properties=("<D:displayname>Kontakte</D:displayname>",
                                                  "<CARD:addressbook-description>Alle</CARD:addressbook-description>"))

DISCOVERY = (
    step("PROPFIND", "/", "base-url-carddav", save_href("principal", "D:current-user-principal"), headers={"Depth": "0"},
         body=propfind("D:resourcetype", "D:displayname", "D:current-user-principal", "CARD:addressbook-home-set", "CARD:addressbook-description")),
    step("OPTIONS", "{principal}", "principal-carddav", offers("1", "addressbook")),
    step("PROPFIND", "/", "base-url-caldav", save_href("principal", "D:current-user-principal"), headers={"Depth": "0"},
         body=propfind("D:resourcetype", "D:displayname", "D:current-user-principal", "D:current-user-privilege-set", "C:calendar-home-set",
                       "C:supported-calendar-component-set", "ICAL:calendar-color", "C:calendar-description", "C:calendar-timezone")),
    step("OPTIONS", "{principal}", "principal-caldav", offers("1", "calendar-access")),
    step("PROPFIND", "/.well-known/carddav", "well-known", save_href("principal", "D:current-user-principal"), headers={"Depth": "0"},
         body=propfind("D:current-user-principal")),
    step("PROPFIND", "/.well-known/caldav", "well-known", save_href("principal", "D:current-user-principal"), headers={"Depth": "0"},
         body=propfind("D:current-user-principal")),
    step("PROPFIND", "/", "without-login", headers={"Depth": "0"}, body=propfind("D:current-user-principal"), want=401, nobody=True),
    step("PROPFIND", "{principal}", "email", found("C:calendar-user-address-set"), lambda reply, known: mail(reply), headers={"Depth": "0"},
         body=propfind("C:calendar-user-address-set")),
    step("PROPFIND", "{principal}", "home-set-caldav", typed("D:principal"), save_href("calendars", "C:calendar-home-set"), headers={"Depth": "0"},
         body=propfind(*HOME_QUERY, "C:calendar-home-set")),
    step("PROPFIND", "{principal}", "home-set-carddav", save_href("contacts", "CARD:addressbook-home-set"), headers={"Depth": "0"},
         body=propfind(*HOME_QUERY, "CARD:addressbook-home-set")),
    step("PROPFIND", "{calendars}", "home-caldav", privileges("D:bind", at="{calendars}"), headers={"Depth": "1"}, body=propfind(*CALENDAR_PROPS)),
    step("PROPFIND", "{contacts}", "home-carddav", privileges("D:bind", at="{contacts}"), headers={"Depth": "1"}, body=propfind(*BOOK_PROPS)),
)

CALENDAR = (
    step("MKCALENDAR", "{calendars}{id}/", "with-resourcetype", body=MKCALENDAR),
    step("PROPFIND", "{calendars}", "home-again", typed("D:collection", "C:calendar", at="{cal}"), text("D:displayname", "Arbeit & Leben", at="{cal}"),
         text("ICAL:calendar-color", "#2F6BFFFF", at="{cal}"), text("C:calendar-description", "Termine", at="{cal}"),
         privileges("D:read", "D:write-content", "D:bind", "D:unbind", at="{cal}"), save_href("owner", "D:owner", at="{cal}"),
         headers={"Depth": "1"}, body=propfind(*CALENDAR_PROPS)),
    step("PROPFIND", "{owner}", "owner", typed("D:principal"), headers={"Depth": "0"}, body=propfind("D:displayname", "D:resourcetype")),
    step("PROPFIND", "{cal}", "time-zone-id", text("C:calendar-timezone-id", "Europe/Berlin"), headers={"Depth": "0"},
         body=propfind("C:calendar-timezone-id")),
    step("PROPFIND", "{cal}", "capabilities", reports("D:sync-collection", "C:calendar-multiget", "C:calendar-query"), save_text("ctag", "CS:getctag"),
         save_text("token", "D:sync-token"), found("C:max-resource-size"), headers={"Depth": "0"}, body=CAPABILITIES),
    step("REPORT", "{cal}", "first-sync", only_members(), save_token(), headers={"Depth": "0"}, body=sync_collection("", "D:getetag", "D:resourcetype")),
    step("PUT", "{cal}1.ics", "new", save_etag(), headers={"Content-Type": "text/calendar; charset=utf-8", "If-None-Match": "*", **QUIET}, body=EVENT, want=201),
    step("PUT", "{cal}1.ics", "new-but-exists", headers={"Content-Type": "text/calendar; charset=utf-8", "If-None-Match": "*"}, body=CHANGED, want=412),
    step("PUT", "{cal}2.ics", "second", headers={"Content-Type": "text/calendar; charset=utf-8", "If-None-Match": "*"}, body=OTHER, want=201),
    step("REPORT", "{cal}", "sync", only_members("{cal}1.ics", "{cal}2.ics"), save_row_etag("{cal}1.ics"), save_token(), headers={"Depth": "0"},
         body=sync_collection("{token}", "D:getetag", "D:resourcetype")),
    step("REPORT", "{cal}", "sync-quiet", only_members(), token_kept(), headers={"Depth": "0"}, body=sync_collection("{token}", "D:getetag", "D:resourcetype")),
    step("REPORT", "{cal}", "multiget-without-depth", data("C:calendar-data", "{cal}1.ics", EVENT), data("C:calendar-data", "{cal}2.ics", OTHER),
         body=dav.multiget("calendar", ["{cal}1.ics", "{cal}2.ics"], "D:getcontenttype", "D:getetag", "C:schedule-tag", "C:calendar-data")),
    step("REPORT", "{cal}", "multiget-of-a-missing-one", gone("{cal}missing.ics"), has_row("{cal}1.ics"),
         body=dav.multiget("calendar", ["{cal}1.ics", "{cal}missing.ics"], "D:getetag", "C:calendar-data")),
    step("PUT", "{cal}1.ics", "change", save_etag("etag2"), headers={"Content-Type": "text/calendar; charset=utf-8", "If-Match": "{etag}"}, body=CHANGED),
    step("PUT", "{cal}1.ics", "change-of-an-old-state", headers={"Content-Type": "text/calendar; charset=utf-8", "If-Match": "{etag}"}, body=EVENT, want=412),
    step("GET", "{cal}1.ics", "the-bytes", content(CHANGED), headers={"Accept": "*/*"}),
    step("PROPFIND", "{cal}", "ctag-and-token", moved("CS:getctag", "ctag"), save_text("newest", "D:sync-token"), headers={"Depth": "0"},
         body=propfind("CS:getctag", "D:sync-token")),
    step("REPORT", "{cal}", "query-without-end", has_row("{cal}1.ics"), has_row("{cal}2.ics"), headers={"Depth": "1"},
         body=dav.calendar_query(dav.time_range("20260824T000000Z"), "D:getetag")),
    step("REPORT", "{cal}", "query-later", no_row("{cal}1.ics"), has_row("{cal}2.ics"), headers={"Depth": "1"},
         body=dav.calendar_query(dav.time_range("20270101T000000Z"), "D:getetag")),
    step("REPORT", "{cal}", "query-tasks", only_members(), headers={"Depth": "1"}, body=dav.calendar_query("", "D:getetag", component="VTODO")),
    step("REPORT", "{cal}", "token-of-another-world", refused_with("D:valid-sync-token"), headers={"Depth": "0"},
         body=sync_collection("http://radicale.org/ns/sync/0123456789abcdef", "D:getetag", "D:resourcetype"), want=(400, 403, 409, 412)),
    step("REPORT", "{cal}", "token-that-is-none", refused_with("D:valid-sync-token"), headers={"Depth": "0"},
         body=sync_collection("nonsense", "D:getetag", "D:resourcetype"), want=(400, 403, 409, 412)),
    step("DELETE", "{cal}1.ics", "old-state", headers={"If-Match": "{etag}", **QUIET}, want=412),
    step("DELETE", "{cal}1.ics", "current-state", headers={"If-Match": "{etag2}", **QUIET}),
    step("REPORT", "{cal}", "sync-removal", gone("{cal}1.ics"), only_members("{cal}1.ics"), save_token(), headers={"Depth": "0"},
         body=sync_collection("{token}", "D:getetag", "D:resourcetype")),
    step("PUT", "{cal}1.ics", "again-after-removal", headers={"Content-Type": "text/calendar; charset=utf-8", "If-None-Match": "*"}, body=EVENT, want=201),
    step("REPORT", "{cal}", "sync-return", only_members("{cal}1.ics"), headers={"Depth": "0"}, body=sync_collection("{token}", "D:getetag", "D:resourcetype")),
    step("PUT", "{cal}3.ics", "change-of-what-is-gone", headers={"Content-Type": "text/calendar; charset=utf-8", "If-Match": '"gone"'}, body=OTHER,
         want=(404, 412)),
    step("DELETE", "{cal}", "calendar"),
    step("PROPFIND", "{calendars}", "it-is-gone", no_row("{cal}"), headers={"Depth": "1"}, body=propfind(*CALENDAR_PROPS)),
    step("REPORT", "{cal}", "sync-of-a-gone-calendar", headers={"Depth": "0"}, body=sync_collection("{token}", "D:getetag", "D:resourcetype"), want=(404, 410)),
)

CONTACTS = (
    step("MKCOL", "{book}", "extended", body=MKCOL),
    step("PROPFIND", "{contacts}", "home-again", typed("D:collection", "CARD:addressbook", at="{book}"), text("D:displayname", "Kontakte", at="{book}"),
         text("CARD:addressbook-description", "Alle", at="{book}"), privileges("D:read", "D:write-content", at="{book}"),
         headers={"Depth": "1"}, body=propfind(*BOOK_PROPS)),
    step("PROPFIND", "{book}", "capabilities", reports("D:sync-collection", "CARD:addressbook-multiget"), save_text("ctag", "CS:getctag"),
         found("CARD:supported-address-data"), lambda reply, known: vcard4(reply, known), headers={"Depth": "0"}, body=CAPABILITIES),
    step("REPORT", "{book}", "first-sync", only_members(), save_token(), headers={"Depth": "0"}, body=sync_collection("", "D:getetag", "D:resourcetype")),
    step("PUT", "{book}1.vcf", "new", save_etag(), headers={"Content-Type": "text/vcard; charset=utf-8", "If-None-Match": "*"}, body=CARD, want=201),
    step("REPORT", "{book}", "sync", only_members("{book}1.vcf"), save_row_etag("{book}1.vcf"), save_token(), headers={"Depth": "0"},
         body=sync_collection("{token}", "D:getetag", "D:resourcetype")),
    step("REPORT", "{book}", "multiget-depth-0", data("CARD:address-data", "{book}1.vcf", CARD), headers={"Depth": "0"},
         body=dav.multiget("addressbook", ["{book}1.vcf"], "D:getcontenttype", "D:getetag", "CARD:address-data")),
    step("REPORT", "{book}", "multiget-vcard-4", lambda reply, known: in_version_4(reply), headers={"Depth": "0"}, needs="vcard4",
         body=dav.multiget("addressbook", ["{book}1.vcf"], "D:getcontenttype", "D:getetag", '<CARD:address-data content-type="text/vcard" version="4.0"/>')),
    step("PUT", "{book}1.vcf", "change", save_etag("etag2"), headers={"Content-Type": "text/vcard; charset=utf-8", "If-Match": "{etag}"}, body=CARD_CHANGED),
    step("PROPFIND", "{book}", "listing", has_row("{book}1.vcf"), headers={"Depth": "1"}, body=propfind("D:resourcetype", "D:getetag")),
    step("PROPFIND", "{book}", "ctag", moved("CS:getctag", "ctag"), headers={"Depth": "0"}, body=propfind("CS:getctag", "D:sync-token")),
    step("PUT", "{book}4.vcf", "version-4", headers={"Content-Type": "text/vcard; charset=utf-8; version=4.0", "If-None-Match": "*"}, needs="vcard4",
         body=card("davx5-card-4", "Four Point Zero", version="4.0"), want=201),
    step("REPORT", "{book}", "version-4-not-asked-for", lacks("VERSION:4.0"), headers={"Depth": "0"}, needs="vcard4",
         body=dav.multiget("addressbook", ["{book}4.vcf"], "D:getetag", "CARD:address-data")),
    step("GET", "{book}4.vcf", "version-4-untouched", content(card("davx5-card-4", "Four Point Zero", version="4.0")), headers={"Accept": "*/*"}, needs="vcard4"),
    step("OPTIONS", "{book}", "options", offers("addressbook"), allows("PUT", "REPORT", "PROPFIND")),
    step("REPORT", "{book}", "bad-token", refused_with("D:valid-sync-token"), headers={"Depth": "0"},
         body=sync_collection("http://example.com/sync/1", "D:getetag", "D:resourcetype"), want=(400, 403, 409, 412)),
    step("DELETE", "{book}1.vcf", "current-state", headers={"If-Match": "{etag2}"}),
    step("REPORT", "{book}", "sync-removal", gone("{book}1.vcf"), headers={"Depth": "0"}, body=sync_collection("{token}", "D:getetag", "D:resourcetype")),
    step("DELETE", "{book}", "book"),
    step("PROPPATCH", "{book}", "of-a-gone-book", body=dav.proppatch(["<D:displayname>x</D:displayname>"]),
         want=tuple(status for status in ANY_BUT_5XX if status not in (200, 204, 207))),
)


def mail(reply):
    row = reply.parsed.rows[0]
    hrefs = [one.text or "" for one in row.found[dav.clark("C:calendar-user-address-set")].findall(dav.clark("D:href"))]
    assert any(href.startswith("mailto:") and "@" in href for href in hrefs), f"no mailto: among {hrefs}"


def vcard4(reply, known):
    at = reply.parsed.rows[0].found[dav.clark("CARD:supported-address-data")]
    versions = {one.get("version") for one in at}
    assert "3.0" in versions, f"supported-address-data offers {versions}"
    known["vcard4"] = "4.0" in versions


def in_version_4(reply):
    got = reply.parsed.rows[0].text("CARD:address-data") or ""
    assert "VERSION:4.0" in got and "UID:" in got, f"address-data {got[:200]!r}"


SEQUENCES = {"davx5-discovery": (HEADERS, DISCOVERY), "davx5-calendar": (HEADERS, CALENDAR), "davx5-contacts": (HEADERS, CONTACTS)}
