"""The same calendars and address books for every server: a generator with a seed.

Events lie over ten years. About one in ten repeats, half of those without an end; three in ten carry a VTIMEZONE, others are
whole days or in UTC; some have attendees, alarms, long descriptions. Item N is the same in a collection of any size.
"""
import random

SEED = "dav-bench 1"
FIRST_YEAR, YEARS = 2021, 10
DAYS = 28

ZONE = """\
BEGIN:VTIMEZONE
TZID:Europe/Berlin
BEGIN:DAYLIGHT
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
TZNAME:CEST
DTSTART:19700329T020000
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
END:DAYLIGHT
BEGIN:STANDARD
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
TZNAME:CET
DTSTART:19701025T030000
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
END:STANDARD
END:VTIMEZONE
"""
# (share in a thousand, rule); the first three never end.
RULES = ((20, "FREQ=WEEKLY"), (20, "FREQ=YEARLY"), (10, "FREQ=MONTHLY;BYDAY=2TU"), (15, "FREQ=DAILY;COUNT=10"),
         (20, "FREQ=WEEKLY;BYDAY=MO,WE,FR;UNTIL={until}"), (15, "FREQ=MONTHLY;BYMONTHDAY=-1;COUNT=12"))
WORDS = ("planning review lunch budget dentist sprint release concert holiday call interview workshop delivery birthday travel "
         "invoice rehearsal training inspection handover").split()
FAMILIES = ("Müller Schmidt Schneider Fischer Weber Meyer Wagner Becker Schulz Hoffmann Koch Bauer Richter Klein Wolf Schröder Neumann "
            "Schwarz Zimmermann Braun Krüger Hofmann Hartmann Lange Schmitt Werner Krause Meier Lehmann Schmid Schulze Maier Köhler "
            "Herrmann König Walter Mayer Huber Kaiser Fuchs Peters Lang Scholz Möller Weiß Jung Hahn Schubert Vogel Friedrich").split()
GIVEN = "Anna Ben Clara David Emma Felix Greta Hannes Ida Jonas Klara Leon Mia Noah Olivia Paul Quirin Rosa Simon Tilda".split()


def event(number):
    """(name, bytes) of event `number`."""
    chance = random.Random(f"{SEED} event {number}")
    year, month, day = FIRST_YEAR + chance.randrange(YEARS), chance.randrange(12) + 1, chance.randrange(DAYS) + 1
    hour, minute, length = chance.randrange(7, 20), chance.choice((0, 15, 30, 45)), chance.choice((15, 30, 60, 90, 180))
    kind = chance.random()
    uid = f"{chance.getrandbits(64):016x}-{number}@bench.example"
    rule, roll, until = None, chance.randrange(1000), f"{year + 1}{month:02}{day:02}"
    for share, text in RULES:
        if roll < share:
            rule = text
            break
        roll -= share
    rows = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//bench//generator//EN"]
    if kind < 0.3:
        rows += ZONE.splitlines()
    rows += ["BEGIN:VEVENT", f"UID:{uid}", "DTSTAMP:20260101T000000Z", f"SUMMARY:{' '.join(chance.sample(WORDS, 3))} {number}"]
    if kind < 0.3:
        rows += [f"DTSTART;TZID=Europe/Berlin:{year}{month:02}{day:02}T{hour:02}{minute:02}00", f"DURATION:PT{length}M"]
        until += "T220000Z"
    elif kind < 0.45:
        rows += [f"DTSTART;VALUE=DATE:{year}{month:02}{day:02}"]
    else:
        rows += [f"DTSTART:{year}{month:02}{day:02}T{hour:02}{minute:02}00Z", f"DURATION:PT{length}M"]
        until += "T220000Z"
    if rule:
        rows += ["RRULE:" + rule.format(until=until)]
    if chance.random() < 0.15:
        rows += ["ORGANIZER;CN=Alice:mailto:alice@bench.example"]
        rows += [f"ATTENDEE;CN={name};PARTSTAT=ACCEPTED:mailto:{name.lower()}@bench.example" for name in chance.sample(GIVEN, chance.randrange(1, 6))]
    if chance.random() < 0.3:
        rows += [f"LOCATION:Room {chance.randrange(40)}", "DESCRIPTION:" + "\\n".join(" ".join(chance.choices(WORDS, k=8)) for _ in range(chance.randrange(1, 9)))]
    if chance.random() < 0.3:
        rows += ["BEGIN:VALARM", "ACTION:DISPLAY", "DESCRIPTION:Soon", f"TRIGGER:-PT{chance.choice((5, 15, 60))}M", "END:VALARM"]
    rows += ["END:VEVENT", "END:VCALENDAR"]
    return f"{number}.ics", folded(rows)


def card(number):
    """(name, bytes) of contact `number`."""
    chance = random.Random(f"{SEED} card {number}")
    family, given = chance.choice(FAMILIES), chance.choice(GIVEN)
    rows = ["BEGIN:VCARD", "VERSION:3.0", f"UID:{chance.getrandbits(64):016x}-{number}", f"N:{family};{given};;;", f"FN:{given} {family}",
            f"EMAIL;TYPE=WORK:{given.lower()}.{number}@bench.example", f"TEL;TYPE=CELL:+49 170 {chance.randrange(10**7):07}"]
    if chance.random() < 0.5:
        rows += [f"ORG:{chance.choice(WORDS).title()} GmbH", f"ADR;TYPE=WORK:;;Street {chance.randrange(200)};Town;;{chance.randrange(99999):05};Germany"]
    if chance.random() < 0.3:
        rows += ["item1.URL:https://bench.example/" + str(number), "item1.X-ABLabel:page", "NOTE:" + " ".join(chance.choices(WORDS, k=20))]
    return f"{number}.vcf", folded([*rows, "END:VCARD"])


def folded(rows):
    out = []
    for row in rows:
        data, width = row.encode(), 75
        while len(data) > width:
            cut = width
            while data[cut] & 0xC0 == 0x80:  # not inside a character
                cut -= 1
            out.append(data[:cut])
            data, width = b" " + data[cut:], 75
        out.append(data)
    return b"\r\n".join(out) + b"\r\n"


def months(count=24):
    """(start, end) of months in the middle of the years, spread so that a repeated question is not the same one."""
    spread = random.Random(f"{SEED} months")
    found = []
    for _ in range(count):
        year, month = FIRST_YEAR + spread.randrange(2, YEARS - 2), spread.randrange(1, 12)
        found.append((f"{year}{month:02}01T000000Z", f"{year}{month + 1:02}01T000000Z"))
    return found
