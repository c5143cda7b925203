"""Thunderbird 153: what its calendar and its address book send.

Seen in its source: it reads only the first status of a row, and only `HTTP/1.1 200 OK` counts; both kinds of sync-collection
go out with Depth 1; rows of a calendar need getcontenttype; contacts are PUT without a precondition and read back at once; a sync-token
of a calendar that is refused with any 4xx is forgotten. The real program is the part `thunderbird`.
"""
import dav
from dav import propfind, sync_collection
from objects import card, event
from sequence import (ANY_BUT_5XX, content, data, found, gone, header, no_row, offers, only_members, privileges, reports, row_of, same_rows, save_etag,
                      save_href, save_row_etag, save_rows, save_text, save_token, step, typed)

HEADERS = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Thunderbird/153.7.0", "Accept-Language": "en-US,en;q=0.5",
           "Accept-Encoding": "gzip, deflate", "Sec-Fetch-Dest": "empty", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "none", "Origin": "null"}
DAV_CALENDAR = {**HEADERS, "Accept": "text/xml", "Accept-Charset": "utf-8,*;q=0.1"}

DETECT = propfind("D:resourcetype", "D:owner", "D:displayname", "D:current-user-principal", "D:current-user-privilege-set", "ICAL:calendar-color",
                  "C:calendar-home-set")
HOME = propfind("D:resourcetype", "D:displayname", "D:current-user-privilege-set", "ICAL:calendar-color")
TYPE = propfind("D:resourcetype", "D:owner", "D:current-user-principal", "D:current-user-privilege-set", "D:supported-report-set",
                "C:supported-calendar-component-set", "CS:getctag")
BOOKS = propfind("D:resourcetype", "D:displayname", "D:current-user-principal", "D:current-user-privilege-set")

EVENT, CHANGED = event("tb-1", "Thunder"), event("tb-1", "Lightning")
CARD, CARD_CHANGED = card("tb-card", "Alan Turing"), card("tb-card", "Alan Mathison Turing")
ICS = {"Content-Type": "text/calendar; charset=utf-8"}

CALENDAR = (
    step("PROPFIND", "/.well-known/caldav", "without-login", header("www-authenticate", "basic realm="), headers={"Depth": "0"}, body=DETECT, want=401, nobody=True),
    step("PROPFIND", "/.well-known/caldav", "detect", save_href("principal", "D:current-user-principal"), headers={"Depth": "0"}, body=DETECT),
    step("PROPFIND", "{principal}", "home-set", save_href("calendars", "C:calendar-home-set"), headers={"Depth": "0"}, body=propfind("C:calendar-home-set")),
    step("PROPFIND", "{calendars}", "home", typed("D:collection", at="{calendars}"), headers={"Depth": "1"}, body=HOME),
    step("MKCALENDAR", "{calendars}{id}/", "by-another-client", body=dav.mkcalendar("<D:displayname>Bird</D:displayname>", "<ICAL:calendar-color>#ff0000ff</ICAL:calendar-color>")),
    step("PROPFIND", "{calendars}", "home-again", typed("C:calendar", at="{cal}"), privileges("D:write-content", at="{cal}"), headers={"Depth": "1"}, body=HOME),
    step("PROPFIND", "{cal}", "resource-type", typed("C:calendar"), reports("D:sync-collection"), save_text("ctag", "CS:getctag"),
         lambda reply, known: components(reply), save_href("owner", "D:owner", may_lack=True), headers={"Depth": "0"}, body=TYPE),
    step("OPTIONS", "{calendars}", "server-capabilities", offers("calendar-access")),
    step("PROPFIND", "{calendars}", "principal-collection", save_href("collection", "D:principal-collection-set"), headers={"Depth": "0"},
         body=propfind("D:principal-collection-set")),
    step("PROPFIND", "{principal}", "scheduling", found("C:calendar-home-set"), headers={"Depth": "0"},
         body=propfind("C:calendar-home-set", "C:calendar-user-address-set", "C:schedule-inbox-URL", "C:schedule-outbox-URL")),
    step("REPORT", "{collection}", "principal-search", headers={"Depth": "1"}, want=ANY_BUT_5XX, needs="collection", body=dav.Body.of(
        dav.root("D:principal-property-search", "<D:property-search><D:prop><C:calendar-home-set/></D:prop><D:match>/alice/</D:match></D:property-search>"
                 + dav.prop("C:calendar-home-set", "C:calendar-user-address-set", "C:schedule-inbox-URL", "C:schedule-outbox-URL")))),
    step("REPORT", "{cal}", "first-sync", save_token(), only_members(), headers={"Depth": "1"}, body=sync_collection("", "D:getcontenttype", "D:getetag")),
    step("PUT", "{cal}tb-1.ics", "new", headers={**ICS, "If-None-Match": "*"}, body=EVENT, want=(201, 204)),
    step("REPORT", "{cal}", "read-back", save_row_etag("{cal}tb-1.ics"), data("C:calendar-data", "{cal}tb-1.ics", EVENT), headers={"Depth": "1"},
         body=dav.multiget("calendar", ["{cal}tb-1.ics"], "D:getetag", "C:calendar-data")),
    step("REPORT", "{cal}", "sync", only_members("{cal}tb-1.ics"), lambda reply, known: content_type(reply, known), save_token(), headers={"Depth": "1"},
         body=sync_collection("{token}", "D:getcontenttype", "D:getetag")),
    step("PUT", "{cal}tb-1.ics", "change", save_etag("etag2"), headers={**ICS, "If-Match": "{etag}"}, body=CHANGED),
    step("PUT", "{cal}tb-1.ics", "change-of-an-old-state", headers={**ICS, "If-Match": "{etag}"}, body=EVENT, want=(409, 412)),
    step("PROPFIND", "{cal}", "ctag", lambda reply, known: None, headers={"Depth": "0"}, body=propfind("CS:getctag")),
    step("PROPFIND", "{cal}", "etags-without-sync", headers={"Depth": "1"}, body=propfind("D:getcontenttype", "D:resourcetype", "D:getetag")),
    step("REPORT", "{cal}", "bad-token", headers={"Depth": "1"}, body=sync_collection("data:,0_old", "D:getcontenttype", "D:getetag"),
         want=tuple(range(400, 500))),
    step("DELETE", "{cal}tb-1.ics", "old-state", headers={"If-Match": "{etag}"}, want=(409, 412)),
    step("DELETE", "{cal}tb-1.ics", "current-state", headers={"If-Match": "{etag2}"}),
    step("REPORT", "{cal}", "sync-removal", gone("{cal}tb-1.ics"), headers={"Depth": "1"}, body=sync_collection("{token}", "D:getcontenttype", "D:getetag")),
    step("DELETE", "{cal}", "calendar"),
)

CONTACTS = (
    step("PROPFIND", "/", "before", save_rows(), headers={"Depth": "1"}, body=BOOKS),
    step("PUT", "/", "if-match-nothing", headers={"If-Match": "nothing", "Content-Type": "text/vcard"}, body=b"", want=(400, 401, 403, 404, 405, 409, 412)),
    step("PROPFIND", "/", "nothing-left-behind", same_rows(), headers={"Depth": "1"}, body=BOOKS),
    step("PROPFIND", "/.well-known/carddav", "detect", save_href("principal", "D:current-user-principal"), headers={"Depth": "0"},
         body=propfind("D:current-user-principal")),
    step("PROPFIND", "{principal}", "home-set", save_href("contacts", "CARD:addressbook-home-set"), headers={"Depth": "0"}, body=propfind("CARD:addressbook-home-set")),
    step("MKCOL", "{book}", "by-another-client", body=dav.mkcol("CARD:addressbook", properties=("<D:displayname>Birds</D:displayname>",))),
    step("PROPFIND", "{contacts}", "home", typed("CARD:addressbook", at="{book}"), privileges("D:read", "D:write-content", at="{book}"), headers={"Depth": "1"},
         body=propfind("D:resourcetype", "D:displayname", "D:current-user-privilege-set")),
    step("PROPFIND", "{book}", "typed-by-hand", typed("CARD:addressbook"), headers={"Depth": "0"}, body=BOOKS),
    step("PROPFIND", "{book}", "fetch-all", only_members(), headers={"Depth": "1"}, body=propfind("D:resourcetype", "D:getetag", "CS:getctag")),
    step("PROPFIND", "{book}", "sync-token", save_text("token", "D:sync-token"), headers={"Depth": "0"},
         body=propfind("D:displayname", "CS:getctag", "D:sync-token")),
    step("PUT", "{book}tb-card.vcf", "without-precondition", headers={"Content-Type": "text/vcard"}, body=CARD, want=(201, 204)),
    step("GET", "{book}tb-card.vcf", "read-back", content(CARD), header("content-type", "text/vcard")),
    step("REPORT", "{book}", "sync-with-data", only_members("{book}tb-card.vcf"), save_token(), headers={"Depth": "1"},
         body=sync_collection("{token}", "D:getetag", "CARD:address-data"), want=207),
    step("REPORT", "{book}", "multiget", save_row_etag("{book}tb-card.vcf"), data("CARD:address-data", "{book}tb-card.vcf", CARD), headers={"Depth": "1"},
         body=dav.multiget("addressbook", ["{book}tb-card.vcf"], "D:getetag", "CARD:address-data")),
    step("PUT", "{book}tb-card.vcf", "overwrite", headers={"Content-Type": "text/vcard"}, body=CARD_CHANGED),
    step("GET", "{book}tb-card.vcf", "overwritten", content(CARD_CHANGED)),
    step("DELETE", "{book}tb-card.vcf", "card"),
    step("REPORT", "{book}", "sync-removal", gone("{book}tb-card.vcf"), headers={"Depth": "1"}, body=sync_collection("{token}", "D:getetag", "CARD:address-data")),
    step("DELETE", "{book}", "book"),
    step("PROPFIND", "{contacts}", "it-is-gone", no_row("{book}"), headers={"Depth": "1"}, body=BOOKS),
)


def components(reply):
    at = reply.parsed.rows[0].found.get(dav.clark("C:supported-calendar-component-set"))
    # Without the property everything is allowed; with it, events have to be among the parts.
    assert at is None or "VEVENT" in {one.get("name") for one in at}, "no VEVENT in supported-calendar-component-set"


def content_type(reply, known):
    got = row_of(reply, known, "{cal}tb-1.ics").text("D:getcontenttype") or ""
    assert got.startswith("text/calendar"), f"getcontenttype {got!r}"


SEQUENCES = {"thunderbird-calendar": (DAV_CALENDAR, CALENDAR), "thunderbird-contacts": (HEADERS, CONTACTS)}
