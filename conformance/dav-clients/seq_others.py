"""KDE's kdav (Kontact, Merkuro), CalDAV Synchronizer for Outlook, and what a person types in wrong.

kdav asks for events, tasks and journals one after another and writes back what it was given; CalDAV Synchronizer looks for the typed address
first, tests what the server can do, and keeps a range of time in step by calendar-query.
"""
import dav
from dav import propfind, proppatch
from objects import card, event, todo
from sequence import (content, data, found, gone, has_row, lacks, moved, no_row, offers, only_members, privileges, reports, same_rows, save_etag, save_href,
                      save_row_etag, save_rows, save_text, step, text, typed)

KDE = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) kdav/6.9", "Accept": "text/html, text/*;q=0.9, */*;q=0.5",
       "Accept-Encoding": "gzip, deflate", "Accept-Language": "de"}
OUTLOOK = {"User-Agent": "CalDavSynchronizer/4.4", "Accept": "*/*"}
HOME = ("D:displayname", "D:resourcetype", "ICAL:calendar-color", "C:supported-calendar-component-set", "D:current-user-privilege-set", "CS:getctag",
        "D:sync-token", "C:calendar-description", "D:owner")

EVENT, TASK = event("kdav-1", "Kontact"), todo("kdav-2", "Merkuro", "DUE;VALUE=DATE:20261231")
CHANGED = event("kdav-1", "Kontact, geändert")
CARD = card("kdav-card", "Konqi Dragon", "X-KADDRESSBOOK-X-Anniversary:2000-01-01", "item1.X-ABLabel:kept")
ICS, VCF = {"Content-Type": "text/calendar"}, {"Content-Type": "text/vcard"}

KDAV = (
    step("PROPFIND", "/", "principal", save_href("principal", "D:current-user-principal"), headers={"Depth": "0"}, body=propfind("D:current-user-principal", "D:principal-URL")),
    step("PROPFIND", "{principal}", "home", save_href("calendars", "C:calendar-home-set"), headers={"Depth": "0"}, body=propfind("C:calendar-home-set")),
    step("MKCALENDAR", "{calendars}{id}/", "new", body=dav.mkcalendar("<D:displayname>KDE</D:displayname>")),
    step("PROPFIND", "{calendars}", "calendars", typed("C:calendar", at="{cal}"), privileges("D:write-content", "D:bind", "D:unbind", at="{cal}"),
         save_text("ctag", "CS:getctag", at="{cal}"), headers={"Depth": "1"}, body=propfind(*HOME)),
    step("PROPPATCH", "{cal}", "name-and-color", found("D:displayname", "ICAL:calendar-color"),
         body=proppatch(["<D:displayname>KDE ✓</D:displayname><ICAL:calendar-color>#1d99f3</ICAL:calendar-color>"])),
    step("PROPFIND", "{cal}", "name-and-color", text("D:displayname", "KDE ✓"), text("ICAL:calendar-color", "#1d99f3"), headers={"Depth": "0"},
         body=propfind("D:displayname", "ICAL:calendar-color")),
    step("PUT", "{cal}kdav-1.ics", "new-event", save_etag(), headers={**ICS, "If-None-Match": "*"}, body=EVENT, want=(201, 204)),
    step("PUT", "{cal}kdav-2.ics", "new-task", headers={**ICS, "If-None-Match": "*"}, body=TASK, want=(201, 204)),
    step("REPORT", "{cal}", "events", only_members("{cal}kdav-1.ics"), headers={"Depth": "1"}, body=dav.calendar_query("", "D:getetag", "D:resourcetype", "D:getcontenttype")),
    step("REPORT", "{cal}", "tasks", only_members("{cal}kdav-2.ics"), headers={"Depth": "1"},
         body=dav.calendar_query("", "D:getetag", "D:resourcetype", "D:getcontenttype", component="VTODO")),
    step("REPORT", "{cal}", "journals", only_members(), headers={"Depth": "1"},
         body=dav.calendar_query("", "D:getetag", "D:resourcetype", "D:getcontenttype", component="VJOURNAL")),
    step("REPORT", "{cal}", "multiget", data("C:calendar-data", "{cal}kdav-1.ics", EVENT), data("C:calendar-data", "{cal}kdav-2.ics", TASK), headers={"Depth": "1"},
         body=dav.multiget("calendar", ["{cal}kdav-1.ics", "{cal}kdav-2.ics"], "D:getetag", "C:calendar-data")),
    step("PROPFIND", "{cal}", "ctag", moved("CS:getctag", "ctag"), headers={"Depth": "0"}, body=propfind("CS:getctag")),
    step("PUT", "{cal}kdav-1.ics", "change", save_etag(), headers={**ICS, "If-Match": "{etag}"}, body=CHANGED, want=(200, 201, 204)),
    step("GET", "{cal}kdav-1.ics", "read-back", content(CHANGED)),
    step("DELETE", "{cal}kdav-1.ics", "event", headers={"If-Match": "{etag}"}),
    step("REPORT", "{cal}", "multiget-of-what-is-gone", gone("{cal}kdav-1.ics"), headers={"Depth": "1"},
         body=dav.multiget("calendar", ["{cal}kdav-1.ics"], "D:getetag", "C:calendar-data")),
    step("PROPFIND", "{principal}", "book-home", save_href("contacts", "CARD:addressbook-home-set"), headers={"Depth": "0"}, body=propfind("CARD:addressbook-home-set")),
    step("MKCOL", "{book}", "book", body=dav.mkcol("CARD:addressbook", properties=("<D:displayname>KDE</D:displayname>",))),
    step("PUT", "{book}kdav-card.vcf", "card", headers={**VCF, "If-None-Match": "*"}, body=CARD, want=(201, 204)),
    step("PROPFIND", "{book}", "etags", save_row_etag("{book}kdav-card.vcf"), headers={"Depth": "1"}, body=propfind("D:getetag", "D:resourcetype", "D:getcontenttype")),
    step("REPORT", "{book}", "multiget", data("CARD:address-data", "{book}kdav-card.vcf", CARD), headers={"Depth": "1"},
         body=dav.multiget("addressbook", ["{book}kdav-card.vcf"], "D:getetag", "CARD:address-data")),
    step("DELETE", "{book}kdav-card.vcf", "card", headers={"If-Match": "{etag}"}),
    step("DELETE", "{book}", "book"),
    step("DELETE", "{cal}", "calendar"),
)

RANGE = dav.time_range("20261024T000000Z", "20271124T000000Z")
SYNCHRONIZER = (
    step("OPTIONS", "/.well-known/caldav", "well-known", lambda reply, known: None, want=(200, 204, 301, 302, 307, 308, 404, 405)),
    step("PROPFIND", "/.well-known/caldav", "principal", save_href("principal", "D:current-user-principal"), headers={"Depth": "0"}, body=propfind("D:current-user-principal")),
    step("PROPFIND", "{principal}", "home", save_href("calendars", "C:calendar-home-set"), headers={"Depth": "0"}, body=propfind("C:calendar-home-set")),
    step("MKCALENDAR", "{calendars}{id}/", "new", body=dav.mkcalendar("<D:displayname>Outlook</D:displayname>")),
    step("PROPFIND", "{calendars}", "calendars", typed("C:calendar", at="{cal}"), headers={"Depth": "1"},
         body=propfind("D:resourcetype", "D:displayname", "ICAL:calendar-color", "C:supported-calendar-component-set", "ICAL:calendar-order", "D:current-user-privilege-set")),
    step("OPTIONS", "{cal}", "is-calendar-access", offers("calendar-access")),
    step("PROPFIND", "{cal}", "supports-query", reports("C:calendar-query"), headers={"Depth": "0"}, body=propfind("D:supported-report-set", "D:resourcetype")),
    step("PROPFIND", "{cal}", "may-write", privileges("D:write-content", "D:bind", "D:unbind"), headers={"Depth": "0"}, body=propfind("D:current-user-privilege-set")),
    step("PUT", "{cal}1f6e9a.ics", "new", save_etag(), headers={**ICS, "If-None-Match": "*"}, body=event("outlook-1", "Termin"), want=(201, 204)),
    step("REPORT", "{cal}", "versions-in-range", has_row("{cal}1f6e9a.ics"), headers={"Depth": "1"}, body=dav.calendar_query(RANGE, "D:getetag")),
    step("REPORT", "{cal}", "multiget", data("C:calendar-data", "{cal}1f6e9a.ics", event("outlook-1", "Termin")), headers={"Depth": "1"},
         body=dav.multiget("calendar", ["{cal}1f6e9a.ics"], "D:getetag", "D:displayname", "C:calendar-data")),
    step("PUT", "{cal}1f6e9a.ics", "change", save_etag(), headers={**ICS, "If-Match": "{etag}"}, body=event("outlook-1", "Termin neu"), want=(200, 201, 204)),
    step("DELETE", "{cal}1f6e9a.ics", "with-etag", headers={"If-Match": "{etag}"}),
    step("REPORT", "{cal}", "gone-from-range", no_row("{cal}1f6e9a.ics"), headers={"Depth": "1"}, body=dav.calendar_query(RANGE, "D:getetag")),
    step("DELETE", "{cal}", "calendar"),
)

NOT_THERE = (404, 405, 403, 410)
WHO = propfind("D:current-user-principal")
# Addresses that people type, or that clients try in turn. With a right login none may be answered by 401: a client would drop the password.
TYPED = (
    step("PROPFIND", "/", "before", save_rows(), headers={"Depth": "1"}, body=propfind("D:resourcetype")),
    step("PROPFIND", "/principals/users/alice/", "calendar-server", headers={"Depth": "0"}, body=WHO, want=NOT_THERE),
    step("PROPFIND", "/calendar/dav/alice/user/", "yahoo", headers={"Depth": "0"}, body=WHO, want=NOT_THERE),
    step("PROPFIND", "/caldav.php/alice/", "davical", headers={"Depth": "0"}, body=WHO, want=NOT_THERE),
    step("PROPFIND", "/SOGo/dav/alice/", "sogo", headers={"Depth": "0"}, body=WHO, want=NOT_THERE),
    step("PROPFIND", "/.well-known/webdav", "well-known-webdav", headers={"Depth": "0"}, body=WHO, want=(*NOT_THERE, 207)),
    step("PROPFIND", "/.well-known/caldav/", "well-known-with-slash", headers={"Depth": "0"}, body=WHO, want=(*NOT_THERE, 207)),
    step("GET", "/.well-known/caldav", "well-known-by-get", want=(200, 301, 302, 303, 307, 308, 404, 405, 403)),
    step("REPORT", "/.well-known/carddav", "well-known-by-report", headers={"Depth": "0"}, body=dav.sync_collection("", "D:getetag"), want=(*NOT_THERE, 207, 400)),
    step("PROPFIND", "{calendars}", "home-of-somebody-else", lacks("bob"), headers={"Depth": "1"}, body=propfind("D:displayname")),
    step("PUT", "/new.ics", "put-at-the-root", headers={**ICS, "If-None-Match": "*"}, body=event("root-1"), want=(*NOT_THERE, 409, 412)),
    step("MKCALENDAR", "/calendar/", "calendar-at-the-root", body=dav.mkcalendar("<D:displayname>x</D:displayname>"), want=(*NOT_THERE, 409, 412)),
    step("PROPFIND", "/", "nothing-left-behind", same_rows(), headers={"Depth": "1"}, body=propfind("D:resourcetype")),
)

SEQUENCES = {"kdav": (KDE, KDAV), "outlook-synchronizer": (OUTLOOK, SYNCHRONIZER), "typed-wrong": (OUTLOOK, TYPED)}
