"""Apple's Calendar and Contacts (macOS, iOS): one question with some forty properties, properties of its own written back,
labels in groups. It ignores the path a person types and asks the well-known places. Reports on principals may be refused,
but a 5xx makes the account "not respond".
"""
import dav
from dav import propfind, proppatch, sync_collection
from objects import APPLE_CARD, APPLE_GROUP, series
from sequence import (ANY_BUT_5XX, content, contains, data, found, gone, has_row, no_row, offers, only_members, row_of, save_etag, save_href,
                      save_row_etag, save_text, save_token, step, text, typed)

ACCOUNTS = {"User-Agent": "macOS/14.2.1 (23C71) accountsd/113", "Accept": "*/*", "Accept-Language": "de-DE,de;q=0.9", "Brief": "t", "Prefer": "return=minimal"}
CALENDAR = {"User-Agent": "macOS/14.2.1 (23C71) dataaccessd/1.0 CalendarAgent/988", "Accept": "*/*", "Accept-Language": "de-DE,de;q=0.9"}
CONTACTS = {"User-Agent": "macOS/14.2.1 (23C71) AddressBookCore/2500.2.1", "Accept": "*/*", "Accept-Language": "de-DE,de;q=0.9"}

FIRST = propfind("D:current-user-principal", "D:principal-URL", "D:resourcetype")
PRINCIPAL = ("C:calendar-home-set", "C:calendar-user-address-set", "D:current-user-principal", "D:displayname", "CS:dropbox-home-URL",
             "CS:email-address-set", "CS:notification-URL", "D:principal-collection-set", "D:principal-URL", "D:resource-id",
             "C:schedule-inbox-URL", "C:schedule-outbox-URL", "D:supported-report-set")
FORTY = ("D:add-member", "CS:allowed-sharing-modes", "ICAL:autoprovisioned", "ME:bulk-requests", "C:calendar-alarm", "ICAL:calendar-color",
         "C:calendar-description", "C:calendar-free-busy-set", "ICAL:calendar-order", "C:calendar-timezone", "D:current-user-privilege-set",
         "C:default-alarm-vevent-date", "C:default-alarm-vevent-datetime", "D:displayname", "CS:getctag", "CS:invite", "ICAL:language-code",
         "ICAL:location-code", "D:owner", "CS:pre-publish-url", "CS:publish-url", "CS:push-transports", "CS:pushkey",
         "D:quota-available-bytes", "D:quota-used-bytes", "ICAL:refreshrate", "D:resource-id", "D:resourcetype",
         "C:schedule-calendar-transp", "C:schedule-default-calendar-URL", "CS:source", "CS:subscribed-strip-alarms",
         "CS:subscribed-strip-attachments", "CS:subscribed-strip-todos", "C:supported-calendar-component-set",
         "C:supported-calendar-component-sets", "D:supported-report-set", "D:sync-token", "C:managed-attachments-server-URL")
BOOK_HOME = ("D:add-member", "ME:bulk-requests", "D:current-user-privilege-set", "D:displayname", "CARD:max-image-size",
             "CARD:max-resource-size", "CS:me-card", "D:owner", "CS:push-transports", "CS:pushkey", "D:quota-available-bytes",
             "D:quota-used-bytes", "D:resource-id", "D:resourcetype", "D:supported-report-set", "D:sync-token")

ALARM = ("BEGIN:VALARM&#13;\nX-WR-ALARMUID:4AD03A33-54A6-42BE-A157-47273DD60803&#13;\nUID:4AD03A33-54A6-42BE-A157-47273DD60803&#13;\n"
         "TRIGGER;VALUE=DATE-TIME:19760401T005545Z&#13;\nACTION:NONE&#13;\nEND:VALARM&#13;\n")
ZONE = ("BEGIN:VCALENDAR&#13;\nVERSION:2.0&#13;\nPRODID:-//Apple Inc.//macOS 14.2.1//EN&#13;\nCALSCALE:GREGORIAN&#13;\nBEGIN:VTIMEZONE&#13;\n"
        "TZID:Europe/Berlin&#13;\nBEGIN:DAYLIGHT&#13;\nTZOFFSETFROM:+0100&#13;\nRRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU&#13;\n"
        "DTSTART:19810329T020000&#13;\nTZNAME:MESZ&#13;\nTZOFFSETTO:+0200&#13;\nEND:DAYLIGHT&#13;\nBEGIN:STANDARD&#13;\nTZOFFSETFROM:+0200&#13;\n"
        "RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU&#13;\nDTSTART:19961027T030000&#13;\nTZNAME:MEZ&#13;\nTZOFFSETTO:+0100&#13;\nEND:STANDARD&#13;\n"
        "END:VTIMEZONE&#13;\nEND:VCALENDAR&#13;\n")
EXPAND = dav.Body.of(dav.root("D:expand-property", "".join(
    f'<D:property name="{name}" namespace="http://calendarserver.org/ns/"><D:property name="calendar-user-address-set" '
    'namespace="urn:ietf:params:xml:ns:caldav"/><D:property name="email-address-set" namespace="http://calendarserver.org/ns/"/>'
    '<D:property name="displayname" namespace="DAV:"/></D:property>' for name in ("calendar-proxy-read-for", "calendar-proxy-write-for"))))
SEARCH_SET = dav.Body.of(dav.root("D:principal-search-property-set", ""))
SEARCH = dav.Body.of('<CS:calendarserver-principal-search context="attendee" ' + dav.DECLARED + "><CS:search-token>ali</CS:search-token>"
                     + dav.prop("C:calendar-user-type", "CS:email-address-set", "D:displayname", "D:principal-URL", "C:calendar-user-address-set")
                     + "</CS:calendarserver-principal-search>")
PROPERTY_SEARCH = dav.Body.of('<D:principal-property-search test="anyof" ' + dav.DECLARED + "><D:property-search>"
                              '<D:prop><D:displayname/></D:prop><D:match>ali</D:match></D:property-search><D:property-search><D:prop>'
                              "<CS:email-address-set/></D:prop><D:match>ali</D:match></D:property-search>"
                              + dav.prop("D:displayname", "D:principal-URL") + "</D:principal-property-search>")

EVENT = series("3E2D9B52-0B35-4A4C-8C7E-6C0E0B6B9A01", "FREQ=WEEKLY;INTERVAL=1;UNTIL=20261231T225959Z", "Yoga", "20261103T183000",
               "TRANSP:OPAQUE", "SEQUENCE:1", "CREATED:20261101T101010Z", "X-APPLE-TRAVEL-ADVISORY-BEHAVIOR:AUTOMATIC",
               'X-APPLE-STRUCTURED-LOCATION;VALUE=URI;X-ADDRESS="Main St 1\\n10115 Be', ' rlin";X-APPLE-RADIUS=70;X-TITLE=Gym:geo:52.5,13.4',
               "BEGIN:VALARM", "X-WR-ALARMUID:2A5E4A8C-6B8F-4A9D-9B0D-3F0E2B1C4D5E", "UID:2A5E4A8C-6B8F-4A9D-9B0D-3F0E2B1C4D5E",
               "TRIGGER:-PT15M", "ACTION:AUDIO", "ATTACH;VALUE=URI:Chord", "END:VALARM")
ICS = {"Content-Type": "text/calendar"}
VCF = {"Content-Type": "text/vcard"}

MACOS_CALENDAR = (
    step("PROPFIND", "/.well-known/caldav", "without-login", headers={**ACCOUNTS, "Depth": "0"}, body=FIRST, want=401, nobody=True),
    step("PROPFIND", "/.well-known/caldav", "first", save_href("principal", "D:current-user-principal"), headers={**ACCOUNTS, "Depth": "0"}, body=FIRST),
    step("OPTIONS", "{principal}", "principal", offers("1", "access-control", "calendar-access"), headers=ACCOUNTS),
    step("PROPFIND", "{principal}", "principal", found("D:displayname", "D:principal-collection-set", "C:calendar-user-address-set"),
         save_href("calendars", "C:calendar-home-set"), save_href("collection", "D:principal-collection-set"),
         save_href("inbox", "C:schedule-inbox-URL", may_lack=True), save_href("outbox", "C:schedule-outbox-URL", may_lack=True),
         headers={"Depth": "0"}, body=propfind(*PRINCIPAL)),
    step("PROPFIND", "{principal}", "principal-URL", save_href("principal", "D:principal-URL"), headers={"Depth": "0"}, body=propfind("D:principal-URL")),
    step("REPORT", "{principal}", "expand-property", headers={"Depth": "0"}, body=EXPAND, want=ANY_BUT_5XX),
    step("REPORT", "{collection}", "principal-search-property-set", headers={"Depth": "0"}, needs="collection", body=SEARCH_SET, want=ANY_BUT_5XX),
    step("REPORT", "{collection}", "calendarserver-principal-search", headers={"Depth": "0"}, needs="collection", body=SEARCH, want=ANY_BUT_5XX),
    step("REPORT", "{collection}", "principal-property-search", headers={"Depth": "0"}, needs="collection", body=PROPERTY_SEARCH, want=ANY_BUT_5XX),
    step("PROPFIND", "{calendars}", "home-forty-properties", typed("D:collection", without=("C:calendar",), at="{calendars}"), headers={"Depth": "1"},
         body=propfind(*FORTY)),
    step("PROPPATCH", "{calendars}", "default-alarm-date", found("C:default-alarm-vevent-date"),
         body=proppatch([f"<C:default-alarm-vevent-date>{ALARM}</C:default-alarm-vevent-date>"])),
    step("PROPPATCH", "{calendars}", "default-alarm-datetime", found("C:default-alarm-vevent-datetime"),
         body=proppatch([f"<C:default-alarm-vevent-datetime>{ALARM}</C:default-alarm-vevent-datetime>"])),
    step("PROPFIND", "{calendars}", "default-alarm-kept", lambda reply, known: alarm_kept(reply, known), headers={"Depth": "0"},
         body=propfind("C:default-alarm-vevent-datetime")),
    step("MKCALENDAR", "{calendars}{id}/", "with-zone-and-color", body=dav.mkcalendar(
        "<ICAL:calendar-order>7</ICAL:calendar-order>", '<C:supported-calendar-component-set><C:comp name="VEVENT"/></C:supported-calendar-component-set>',
        '<ICAL:calendar-color symbolic-color="custom">#FF2968FF</ICAL:calendar-color>', f"<C:calendar-timezone>{ZONE}</C:calendar-timezone>",
        "<D:displayname>Untitled</D:displayname>", "<C:schedule-calendar-transp><C:opaque/></C:schedule-calendar-transp>")),
    step("PROPFIND", "{cal}", "as-created", text("ICAL:calendar-order", "7"), text("ICAL:calendar-color", "#FF2968FF"), text("D:displayname", "Untitled"),
         typed("C:calendar"), found("C:calendar-timezone", "C:supported-calendar-component-set", "D:owner", "D:supported-report-set"),
         headers={"Depth": "0"}, body=propfind(*FORTY)),
    step("PROPPATCH", "{cal}", "rename", found("D:displayname"), body=proppatch(["<D:displayname>Familie &amp; Freunde</D:displayname>"])),
    step("PROPPATCH", "{cal}", "color", found("ICAL:calendar-color"),
         body=proppatch(['<ICAL:calendar-color symbolic-color="orange">#FD8208FF</ICAL:calendar-color>'])),
    step("PROPPATCH", "{cal}", "order", found("ICAL:calendar-order"), body=proppatch(["<ICAL:calendar-order>3</ICAL:calendar-order>"])),
    step("PROPPATCH", "{cal}", "description", found("C:calendar-description"), body=proppatch(["<C:calendar-description>Notes</C:calendar-description>"])),
    step("PROPPATCH", "{cal}", "transparent", found("C:schedule-calendar-transp"),
         body=proppatch(["<C:schedule-calendar-transp><C:transparent/></C:schedule-calendar-transp>"])),
    step("PROPPATCH", "{cal}", "time-zone", found("C:calendar-timezone"), body=proppatch([f"<C:calendar-timezone>{ZONE}</C:calendar-timezone>"])),
    step("PROPFIND", "{calendars}", "home-with-new-values", text("D:displayname", "Familie & Freunde", at="{cal}"), text("ICAL:calendar-order", "3", at="{cal}"),
         text("ICAL:calendar-color", "#FD8208FF", at="{cal}"), text("C:calendar-description", "Notes", at="{cal}"),
         lambda reply, known: transparent(reply, known), save_text("ctag", "CS:getctag", at="{cal}"), headers={"Depth": "1"}, body=propfind(*FORTY)),
    step("PROPFIND", "{cal}", "members", only_members(), headers={"Depth": "1"}, body=propfind("D:getcontenttype", "D:getetag")),
    step("PUT", "{cal}3E2D9B52.ics", "new", save_etag(), headers={**ICS, "If-None-Match": "*"}, body=EVENT, want=201),
    step("PROPFIND", "{cal}", "members-with-one", text("D:getetag", "{etag}", at="{cal}3E2D9B52.ics"), headers={"Depth": "1"},
         body=propfind("D:getcontenttype", "D:getetag")),
    step("REPORT", "{cal}", "query-month", has_row("{cal}3E2D9B52.ics"), headers={"Depth": "1"},
         body=dav.calendar_query(dav.time_range("20261201T000000Z", "20270101T000000Z"), "D:getetag", "D:getcontenttype")),
    step("REPORT", "{cal}", "query-past-the-end", no_row("{cal}3E2D9B52.ics"), headers={"Depth": "1"},
         body=dav.calendar_query(dav.time_range("20270101T000000Z", "20270201T000000Z"), "D:getetag", "D:getcontenttype")),
    step("REPORT", "{cal}", "multiget", data("C:calendar-data", "{cal}3E2D9B52.ics", EVENT), headers={"Depth": "1"},
         body=dav.multiget("calendar", ["{cal}3E2D9B52.ics"], "D:getetag", "C:schedule-tag", "C:calendar-data", "CS:created-by", "CS:updated-by")),
    step("REPORT", "{cal}", "sync", save_token(), has_row("{cal}3E2D9B52.ics"), headers={"Depth": "1"}, body=sync_collection("", "D:getetag", "D:getcontenttype")),
    step("REPORT", "{calendars}", "sync-of-the-home", headers={"Depth": "1"}, body=sync_collection("", *FORTY[:-1]), want=ANY_BUT_5XX),
    step("GET", "{cal}3E2D9B52.ics", "the-bytes", content(EVENT)),
    step("PROPFIND", "{inbox}", "inbox", headers={"Depth": "1"}, needs="inbox", body=propfind("D:getcontenttype", "D:getetag", "C:schedule-default-calendar-URL")),
    step("PROPFIND", "{outbox}", "outbox", headers={"Depth": "0"}, needs="outbox", body=propfind("D:resourcetype")),
    step("POST", "{outbox}", "free-busy", contains("schedule-response", "2.0"), needs="outbox",
         headers={"Content-Type": "text/calendar", "Originator": "mailto:alice@example.com", "Recipient": "mailto:alice@example.com"}, want=200,
         body=("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nMETHOD:REQUEST\r\nPRODID:-//Apple Inc.//macOS 14.2.1//EN\r\nBEGIN:VFREEBUSY\r\nUID:fb-1\r\n"
               "DTSTART:20261201T000000Z\r\nDTEND:20261208T000000Z\r\nDTSTAMP:20261124T120000Z\r\nORGANIZER:mailto:alice@example.com\r\n"
               "ATTENDEE:mailto:alice@example.com\r\nEND:VFREEBUSY\r\nEND:VCALENDAR\r\n").encode()),
    step("DELETE", "{cal}3E2D9B52.ics", "with-etag", headers={"If-Match": "{etag}"}),
    step("REPORT", "{cal}", "sync-removal", gone("{cal}3E2D9B52.ics"), headers={"Depth": "1"}, body=sync_collection("{token}", "D:getetag", "D:getcontenttype")),
    step("DELETE", "{cal}", "calendar"),
)

MACOS_CONTACTS = (
    step("PROPFIND", "/.well-known/carddav", "first", save_href("principal", "D:current-user-principal"), headers={**ACCOUNTS, "Depth": "0"}, body=FIRST),
    step("OPTIONS", "{principal}", "principal", offers("1", "addressbook"), headers=ACCOUNTS),
    step("PROPFIND", "{principal}", "principal", save_href("contacts", "CARD:addressbook-home-set"), headers={"Depth": "0"},
         body=propfind("CARD:addressbook-home-set", "CARD:directory-gateway", "D:displayname", "CS:email-address-set", "D:principal-collection-set",
                       "D:principal-URL", "D:resource-id", "D:supported-report-set")),
    step("PROPFIND", "{contacts}", "home", typed("D:collection", at="{contacts}"), headers={"Depth": "1"}, body=propfind(*BOOK_HOME)),
    step("MKCOL", "{book}", "book", body=dav.mkcol("CARD:addressbook", properties=("<D:displayname>Card</D:displayname>",))),
    step("PROPFIND", "{contacts}", "home-again", typed("CARD:addressbook", at="{book}"), headers={"Depth": "1"}, body=propfind(*BOOK_HOME)),
    step("PUT", "{book}5B7A0F4C.vcf", "grouped-lines", save_etag(), headers={**VCF, "If-None-Match": "*"}, body=APPLE_CARD, want=201),
    step("GET", "{book}5B7A0F4C.vcf", "the-bytes", content(APPLE_CARD)),
    step("PUT", "{book}0F4C5B7A.vcf", "group", headers={**VCF, "If-None-Match": "*"}, body=APPLE_GROUP, want=201),
    step("PROPFIND", "{book}", "members", only_members("{book}5B7A0F4C.vcf", "{book}0F4C5B7A.vcf"), headers={"Depth": "1"},
         body=propfind("D:getetag", "D:getcontenttype")),
    step("REPORT", "{book}", "multiget", data("CARD:address-data", "{book}5B7A0F4C.vcf", APPLE_CARD), data("CARD:address-data", "{book}0F4C5B7A.vcf", APPLE_GROUP),
         headers={"Depth": "1"}, body=dav.multiget("addressbook", ["{book}5B7A0F4C.vcf", "{book}0F4C5B7A.vcf"], "D:getetag", "CARD:address-data")),
    step("REPORT", "{book}", "sync", save_token(), has_row("{book}0F4C5B7A.vcf"), headers={"Depth": "1"}, body=sync_collection("", "D:getetag")),
    step("REPORT", "{book}", "query-by-name", only_members("{book}5B7A0F4C.vcf"), headers={"Depth": "1"}, body=dav.addressbook_query(
        '<CARD:prop-filter name="FN"><CARD:text-match collation="i;unicode-casemap" match-type="contains">appleSEED</CARD:text-match></CARD:prop-filter>',
        "D:getetag", "CARD:address-data")),
    step("REPORT", "{book}", "query-of-a-grouped-line", only_members("{book}5B7A0F4C.vcf"), headers={"Depth": "1"}, body=dav.addressbook_query(
        '<CARD:prop-filter name="EMAIL"><CARD:text-match match-type="starts-with">johnny@</CARD:text-match></CARD:prop-filter>', "D:getetag")),
    step("PROPPATCH", "{contacts}", "me-card", body=proppatch(["<CS:me-card><D:href>{book}5B7A0F4C.vcf</D:href></CS:me-card>"]), want=(207, 403)),
    step("PUT", "{book}5B7A0F4C.vcf", "change", headers={**VCF, "If-Match": "{etag}"}, body=APPLE_CARD.replace(b"Infinite", b"Finite")),
    step("REPORT", "{book}", "sync-change", only_members("{book}5B7A0F4C.vcf"), save_row_etag("{book}5B7A0F4C.vcf"), headers={"Depth": "1"},
         body=sync_collection("{token}", "D:getetag")),
    step("DELETE", "{book}5B7A0F4C.vcf", "with-etag", headers={"If-Match": "{etag}"}),
    step("DELETE", "{book}", "book"),
)


def alarm_kept(reply, known):
    got = row_of(reply, known, None).text("C:default-alarm-vevent-datetime") or ""
    assert "UID:4AD03A33-54A6-42BE-A157-47273DD60803" in got and got.count("\n") >= 6, f"the alarm came back as {got!r}"


def transparent(reply, known):
    at = reply.parsed.row(known["cal"]).found.get(dav.clark("C:schedule-calendar-transp"))
    kinds = [] if at is None else [dav.short(one.tag) for one in at]
    assert kinds == ["C:transparent"], f"schedule-calendar-transp {kinds}"


SEQUENCES = {"apple-calendar": (CALENDAR, MACOS_CALENDAR), "apple-contacts": (CONTACTS, MACOS_CONTACTS)}
