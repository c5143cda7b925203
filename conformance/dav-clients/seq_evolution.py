"""Evolution and GNOME (both through evolution-data-server), and the account set-up of GNOME Online Accounts.

Seen in its source: sync-collection with Depth 0, multiget without Depth, partial calendar-data and address-data, the UID alone;
a free-busy-query with Depth infinity; PUT with `Prefer: return=minimal`.
"""
import dav
from dav import propfind, sync_collection
from objects import card, event, todo
from sequence import (ANY_BUT_5XX, allows, contains, content, data, found, gone, has_row, moved, no_row, offers, only_members, privileges, reports,
                      row_of, save_etag, save_href, save_row_etag, save_text, save_token, step, still, typed)

EVOLUTION = {"User-Agent": "Evolution/3.56.2", "Accept": "*/*", "Accept-Encoding": "gzip, deflate", "Cache-Control": "no-cache", "Pragma": "no-cache"}
GNOME = {"User-Agent": "gnome-online-accounts/3.54.3", "Accept": "*/*", "Accept-Encoding": "gzip, deflate"}

DISCOVER = propfind("D:resourcetype", "D:current-user-principal", "D:principal-URL", "C:calendar-home-set", "C:calendar-user-address-set",
                    "CARD:addressbook-home-set")
LIST = propfind("D:resourcetype", "CS:source", "C:supported-calendar-component-set", "D:displayname", "C:calendar-description",
                "CARD:addressbook-description", "ICAL:calendar-color", "ICAL:calendar-order")
PART = ('<C:calendar-data><C:comp name="VCALENDAR"><C:comp name="VEVENT"><C:prop name="UID"/></C:comp></C:comp></C:calendar-data>')
CARD_PART = '<CARD:address-data><CARD:prop name="VERSION"/><CARD:prop name="UID"/></CARD:address-data>'

EVENT, CHANGED = event("evolution-1", "Meeting"), event("evolution-1", "Meeting, moved", "20261202T120000Z", "20261202T130000Z")
TASK = todo("evolution-task-1", "Pay", "DUE:20261215T120000Z", "STATUS:NEEDS-ACTION", "PERCENT-COMPLETE:0")
CARD, CARD_CHANGED = card("evolution-card", "Grace Hopper"), card("evolution-card", "Grace Brewster Hopper")
ICS = {"Content-Type": 'text/calendar; charset="utf-8"', "Prefer": "return=minimal"}
VCF = {"Content-Type": 'text/vcard; charset="utf-8"', "Prefer": "return=minimal"}

CALENDAR = (
    step("PROPFIND", "/", "typed-address", save_href("principal", "D:current-user-principal"), headers={"Depth": "0"}, body=DISCOVER),
    step("PROPFIND", "/.well-known/caldav", "well-known", save_href("principal", "D:current-user-principal"), headers={"Depth": "0"}, body=DISCOVER),
    step("PROPFIND", "{principal}", "principal", typed("D:principal"), save_href("calendars", "C:calendar-home-set"), headers={"Depth": "0"}, body=DISCOVER),
    step("PROPFIND", "{calendars}", "home", typed("D:collection", at="{calendars}"), headers={"Depth": "1"}, body=LIST),
    step("OPTIONS", "{calendars}", "home", offers("calendar-access")),
    step("MKCALENDAR", "{calendars}{id}/", "new", body=dav.mkcalendar("<D:displayname>Evolution</D:displayname>", "<ICAL:calendar-color>#3584e4</ICAL:calendar-color>")),
    step("PROPFIND", "{calendars}", "home-again", typed("C:calendar", at="{cal}"), headers={"Depth": "1"}, body=LIST),
    step("OPTIONS", "{cal}", "capabilities", offers("1", "calendar-access"), allows("PUT", "DELETE", "REPORT", "PROPFIND")),
    step("PROPFIND", "{cal}", "privileges", privileges("D:read", "D:write-content", "D:bind"), headers={"Depth": "0"}, body=propfind("D:current-user-privilege-set")),
    step("PROPFIND", "{cal}", "collection-props", save_text("ctag", "CS:getctag"), reports("D:sync-collection", "C:calendar-query", "C:calendar-multiget"),
         headers={"Depth": "0"}, body=propfind("CS:getctag", "D:supported-report-set")),
    step("REPORT", "{cal}", "first-sync", only_members(), save_token(), headers={"Depth": "0"}, body=sync_collection("", "D:getetag")),
    step("PUT", "{cal}evolution-1.ics", "new", save_etag(), headers={**ICS, "If-None-Match": "*"}, body=EVENT, want=(201, 204)),
    step("GET", "{cal}evolution-1.ics", "read-back", content(EVENT)),
    step("PUT", "{cal}task.ics", "task", headers={**ICS, "If-None-Match": "*"}, body=TASK, want=(201, 204)),
    step("PROPFIND", "{cal}", "ctag", moved("CS:getctag", "ctag"), headers={"Depth": "0"}, body=propfind("CS:getctag")),
    step("PROPFIND", "{cal}", "ctag-quiet", still("CS:getctag", "ctag"), headers={"Depth": "0"}, body=propfind("CS:getctag")),
    step("REPORT", "{cal}", "sync", only_members("{cal}evolution-1.ics", "{cal}task.ics"), save_row_etag("{cal}evolution-1.ics"), save_token(),
         headers={"Depth": "0"}, body=sync_collection("{token}", "D:getetag")),
    step("REPORT", "{cal}", "sync-as-if-the-token-were-bad", headers={"Depth": "0"}, body=sync_collection("x", "D:getetag"), want=(400, 403, 409, 412)),
    step("REPORT", "{cal}", "query-events", only_members("{cal}evolution-1.ics"), headers={"Depth": "1"}, body=dav.calendar_query("", "D:getetag")),
    step("REPORT", "{cal}", "query-tasks", only_members("{cal}task.ics"), headers={"Depth": "1"}, body=dav.calendar_query("", "D:getetag", component="VTODO")),
    step("REPORT", "{cal}", "multiget-without-depth", data("C:calendar-data", "{cal}evolution-1.ics", EVENT), data("C:calendar-data", "{cal}task.ics", TASK),
         body=dav.multiget("calendar", ["{cal}evolution-1.ics", "{cal}task.ics"], "D:getetag", "C:calendar-data")),
    step("REPORT", "{cal}", "query-part-of-the-data", lambda reply, known: only_uid(reply, known), headers={"Depth": "1"},
         body=dav.calendar_query("", "D:getetag", PART)),
    step("REPORT", "{cal}", "query-with-depth-0", headers={"Depth": "0"}, body=dav.calendar_query("", "D:getetag", PART)),
    step("PUT", "{cal}evolution-1.ics", "change", save_etag("etag2"), headers={**ICS, "If-Match": "{etag}"}, body=CHANGED),
    step("PUT", "{cal}evolution-1.ics", "change-of-an-old-state", headers={**ICS, "If-Match": "{etag}"}, body=EVENT, want=412),
    step("PUT", "{cal}evolution-1.ics", "overwrite-after-asking", headers={**ICS, "If-Match": "*"}, body=CHANGED),
    step("REPORT", "{cal}", "free-busy-depth-infinity", contains("VFREEBUSY", "20261202T120000Z"), headers={"Depth": "infinity"},
         body=dav.free_busy_query("20261201T000000Z", "20261231T000000Z"), want=200),
    step("REPORT", "{principal}", "principal-property-search", headers={"Depth": "0"}, want=ANY_BUT_5XX, body=dav.Body.of(
        dav.root("D:principal-property-search", "<D:property-search><D:prop><C:calendar-user-address-set/></D:prop><D:match>alice@example.com</D:match>"
                 "</D:property-search>" + dav.prop("D:displayname") + "<D:apply-to-principal-collection-set/>"))),
    step("PROPFIND", "{cal}", "owner", save_href("owner", "D:owner", may_lack=True), headers={"Depth": "0"}, body=propfind("D:owner")),
    step("PROPFIND", "{owner}", "outbox", headers={"Depth": "0"}, needs="owner", body=propfind("C:schedule-outbox-URL")),
    step("DELETE", "{cal}evolution-1.ics", "depth-infinity", headers={"Depth": "infinity", "If-Match": "*"}),
    step("DELETE", "{cal}evolution-1.ics", "what-is-gone", headers={"Depth": "infinity"}, want=404),
    step("REPORT", "{cal}", "sync-removal", gone("{cal}evolution-1.ics"), only_members("{cal}evolution-1.ics"), headers={"Depth": "0"},
         body=sync_collection("{token}", "D:getetag")),
    step("DELETE", "{cal}", "calendar", headers={"Depth": "infinity"}),
    step("PROPFIND", "{calendars}", "it-is-gone", no_row("{cal}"), headers={"Depth": "1"}, body=LIST),
)

CONTACTS = (
    step("PROPFIND", "/.well-known/carddav", "well-known", save_href("principal", "D:current-user-principal"), headers={"Depth": "0"}, body=DISCOVER),
    step("PROPFIND", "{principal}", "principal", save_href("contacts", "CARD:addressbook-home-set"), headers={"Depth": "0"}, body=DISCOVER),
    step("MKCOL", "{book}", "new", body=dav.mkcol("CARD:addressbook", properties=("<D:displayname>Evolution</D:displayname>",))),
    step("PROPFIND", "{contacts}", "home", typed("CARD:addressbook", at="{book}"), headers={"Depth": "1"}, body=LIST),
    step("OPTIONS", "{book}", "capabilities", offers("addressbook"), allows("PUT", "REPORT")),
    step("PROPFIND", "{book}", "collection-props", save_text("ctag", "CS:getctag"), reports("D:sync-collection", "CARD:addressbook-multiget"), headers={"Depth": "0"},
         body=propfind("CS:getctag", "CARD:supported-address-data", "D:supported-report-set")),
    step("REPORT", "{book}", "first-sync", save_token(), headers={"Depth": "0"}, body=sync_collection("", "D:getetag")),
    step("PUT", "{book}evolution-card.vcf", "new", save_etag(), headers={**VCF, "If-None-Match": "*"}, body=CARD, want=(201, 204)),
    step("GET", "{book}evolution-card.vcf", "read-back", content(CARD)),
    step("PROPFIND", "{book}", "listing", has_row("{book}evolution-card.vcf"), headers={"Depth": "1"}, body=propfind("D:getetag")),
    step("REPORT", "{book}", "multiget-without-depth", data("CARD:address-data", "{book}evolution-card.vcf", CARD),
         body=dav.multiget("addressbook", ["{book}evolution-card.vcf"], "D:getetag", "CARD:address-data")),
    step("REPORT", "{book}", "query-part-of-the-data", lambda reply, known: only_card_uid(reply, known), headers={"Depth": "1"},
         body=dav.addressbook_query('<CARD:prop-filter name="UID"/>', "D:getetag", CARD_PART)),
    step("REPORT", "{book}", "query-without-filter", headers={"Depth": "0"}, want=ANY_BUT_5XX,
         body=dav.Body.of(dav.root("CARD:addressbook-query", dav.prop("D:getetag", CARD_PART)))),
    step("PUT", "{book}evolution-card.vcf", "change", save_etag("etag2"), headers={**VCF, "If-Match": "{etag}"}, body=CARD_CHANGED),
    step("REPORT", "{book}", "sync", only_members("{book}evolution-card.vcf"), save_row_etag("{book}evolution-card.vcf"), headers={"Depth": "0"},
         body=sync_collection("{token}", "D:getetag")),
    step("DELETE", "{book}evolution-card.vcf", "old-state", headers={"If-Match": '"0"'}, want=412),
    step("DELETE", "{book}evolution-card.vcf", "current-state", headers={"If-Match": "{etag2}"}),
    step("DELETE", "{book}", "book", headers={"Depth": "infinity"}),
)

ONLINE_ACCOUNTS = (
    step("PROPFIND", "/", "typed-address", save_href("principal", "D:current-user-principal"), headers={"Depth": "0"}, body=DISCOVER),
    step("OPTIONS", "/", "typed-address", lambda reply, known: None),
    step("OPTIONS", "{principal}", "principal", offers("calendar-access", "addressbook")),
    step("PROPFIND", "{principal}", "principal", found("C:calendar-home-set", "CARD:addressbook-home-set"), save_href("calendars", "C:calendar-home-set"),
         save_href("contacts", "CARD:addressbook-home-set"), headers={"Depth": "0"}, body=DISCOVER),
    step("OPTIONS", "{calendars}", "calendars", offers("calendar-access")),
    step("OPTIONS", "{contacts}", "contacts", offers("addressbook")),
    step("PROPFIND", "/.well-known/caldav", "wrong-login", headers={"Depth": "0", "Authorization": "Basic YWxpY2U6d3Jvbmc="}, body=DISCOVER, want=401, nobody=True),
)


def only_uid(reply, known):
    got = row_of(reply, known, "{cal}evolution-1.ics").text("C:calendar-data") or ""
    assert "UID:evolution-1" in got and "SUMMARY" not in got and "END:VCALENDAR" in got, f"calendar-data {got!r}"


def only_card_uid(reply, known):
    got = row_of(reply, known, "{book}evolution-card.vcf").text("CARD:address-data") or ""
    assert "UID:evolution-card" in got and "FN:" not in got and "END:VCARD" in got, f"address-data {got!r}"


SEQUENCES = {"evolution-calendar": (EVOLUTION, CALENDAR), "evolution-contacts": (EVOLUTION, CONTACTS), "gnome-accounts": (GNOME, ONLINE_ACCOUNTS)}
