"""Calendar objects and cards that the parts put in."""


def lines(*rows):
    """Content lines as they go over the wire."""
    return ("\r\n".join(rows) + "\r\n").encode()


def event(uid, summary="Lunch", start="20261201T120000Z", end="20261201T130000Z", *more):
    return lines("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//conformance//dav-clients//EN", "BEGIN:VEVENT", f"UID:{uid}",
                 "DTSTAMP:20261124T120000Z", f"DTSTART:{start}", f"DTEND:{end}", f"SUMMARY:{summary}", *more, "END:VEVENT", "END:VCALENDAR")


BERLIN = ("BEGIN:VTIMEZONE", "TZID:Europe/Berlin", "BEGIN:DAYLIGHT", "TZOFFSETFROM:+0100", "TZOFFSETTO:+0200", "TZNAME:CEST",
          "DTSTART:19700329T020000", "RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU", "END:DAYLIGHT", "BEGIN:STANDARD", "TZOFFSETFROM:+0200",
          "TZOFFSETTO:+0100", "TZNAME:CET", "DTSTART:19701025T030000", "RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU", "END:STANDARD",
          "END:VTIMEZONE")


def series(uid, rule="FREQ=WEEKLY;COUNT=10", summary="Weekly", start="20261102T090000", *more, zone="Europe/Berlin", after=()):
    """A recurring event in a time zone; `more` lines inside it, `after` whole components behind it."""
    return lines("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//conformance//dav-clients//EN", *BERLIN, "BEGIN:VEVENT", f"UID:{uid}",
                 "DTSTAMP:20261124T120000Z", f"DTSTART;TZID={zone}:{start}", "DURATION:PT1H", f"RRULE:{rule}", f"SUMMARY:{summary}", *more,
                 "END:VEVENT", *after, "END:VCALENDAR")


def todo(uid, summary="Buy milk", *more):
    return lines("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//conformance//dav-clients//EN", "BEGIN:VTODO", f"UID:{uid}",
                 "DTSTAMP:20261124T120000Z", f"SUMMARY:{summary}", *more, "END:VTODO", "END:VCALENDAR")


def card(uid, name="Ada Lovelace", *more, version="3.0"):
    family, given = name.rpartition(" ")[2], name.rpartition(" ")[0]
    return lines("BEGIN:VCARD", f"VERSION:{version}", f"UID:{uid}", f"FN:{name}", f"N:{family};{given};;;", *more, "END:VCARD")


# What Apple's Contacts writes: grouped lines with labels of its own, a photo, a line with parameters in lower case.
APPLE_CARD = lines(
    "BEGIN:VCARD", "VERSION:3.0", "PRODID:-//Apple Inc.//macOS 14.2//EN", "N:Appleseed;Johnny;Q;Dr.;", "FN:Dr. Johnny Q Appleseed",
    "ORG:Orchard;", "item1.EMAIL;type=INTERNET;type=pref:johnny@example.com", "item1.X-ABLabel:_$!<HomePage>!$_",
    "EMAIL;type=INTERNET;type=WORK:j@example.org", "TEL;type=CELL;type=VOICE;type=pref:+1 555 0100",
    "item2.ADR;type=HOME;type=pref:;;1 Infinite Loop;Cupertino;CA;95014;United States", "item2.X-ABADR:us",
    "item3.X-ABRELATEDNAMES;type=pref:Jane", "item3.X-ABLabel:_$!<Spouse>!$_", "BDAY;X-APPLE-OMIT-YEAR=1604:1604-03-14",
    "PHOTO;ENCODING=b;TYPE=JPEG:/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAgGBgcGBQgHBwcJCQgKDBQNDAsLDBkS", " Ew8UHRofHh0aHBwgJC4nICIsIxwcKDcp",
    "X-ABUID:5B7A0F4C-93A5-4B24-9E1C-8E4C8B6D2F11:ABPerson", "UID:5B7A0F4C-93A5-4B24-9E1C-8E4C8B6D2F11", "REV:2026-11-24T12:00:00Z",
    "END:VCARD")

APPLE_GROUP = lines(
    "BEGIN:VCARD", "VERSION:3.0", "PRODID:-//Apple Inc.//AddressBook 12.0//EN", "N:Friends;;;;", "FN:Friends",
    "X-ADDRESSBOOKSERVER-KIND:group", "X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:5B7A0F4C-93A5-4B24-9E1C-8E4C8B6D2F11",
    "UID:0F4C5B7A-93A5-4B24-9E1C-8E4C8B6D2F12", "END:VCARD")
