"""Objects made to cost much: rules that a careless server expands one by one, thousands of exceptions, deep and wide components.

Each is PUT in a calendar of its own and asked for: a month, the month expanded, free-busy. The server may refuse the object or the question by
name; it may not take long, answer with an error of its own, or keep others waiting. The times are printed.
"""
import threading
import time

import dav
from aim import put
from objects import BERLIN, lines

from harness.report import say

SECONDS_MAX = 10  # for one answer; a debug build takes several times what a user would see
OTHERS_MAX_S = 3
MONTH = ("20261201T000000Z", "20270101T000000Z")
FAR = ("22010101T000000Z", "22010201T000000Z")
STAMP = "DTSTAMP:20261124T120000Z"


def event(*rows, uid="hostile", zone=(), after=()):
    return lines("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//conformance//pathological//EN", *zone, "BEGIN:VEVENT", f"UID:{uid}", STAMP, *rows, "END:VEVENT",
                 *after, "END:VCALENDAR")


def ruled(rule, start="DTSTART:19700101T000000Z", *more, **words):
    return event(start, f"RRULE:{rule}", "SUMMARY:x", *more, **words)


def exception(number):
    day, hour = number // 24 % 28 + 1, number % 24
    return ("BEGIN:VEVENT", "UID:hostile", STAMP, f"RECURRENCE-ID:202612{day:02}T{hour:02}0000Z", f"DTSTART:202612{day:02}T{hour:02}1500Z", "SUMMARY:moved", "END:VEVENT")


EVERY = ",".join
CASES = {
    "secondly-since-1970": ruled("FREQ=SECONDLY"),
    "secondly-since-1970-in-a-zone": ruled("FREQ=SECONDLY", "DTSTART;TZID=Europe/Berlin:19700101T000000", zone=BERLIN),
    "minutely-since-1970": ruled("FREQ=MINUTELY"),
    "hourly-since-year-1": ruled("FREQ=HOURLY", "DTSTART:00010101T000000Z"),
    "secondly-long-events": ruled("FREQ=SECONDLY", "DTSTART:20200101T000000Z", "DURATION:P3650D"),
    "daily-for-a-million-days-each": ruled("FREQ=DAILY", "DTSTART:20200101T000000Z", "DURATION:P1000000D"),
    "count-1e9": ruled("FREQ=SECONDLY;COUNT=1000000000"),
    "count-1e9-daily": ruled("FREQ=DAILY;COUNT=1000000000"),
    "count-beyond-64-bit": ruled("FREQ=DAILY;COUNT=99999999999999999999"),
    "count-0": ruled("FREQ=DAILY;COUNT=0"),
    "interval-0": ruled("FREQ=DAILY;INTERVAL=0"),
    "interval-beyond-32-bit": ruled("FREQ=YEARLY;INTERVAL=4294967296"),
    "interval-negative": ruled("FREQ=DAILY;INTERVAL=-1"),
    "never-31-february": ruled("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=31"),
    "never-secondly": ruled("FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30"),
    "never-minutely-week-53-in-january": ruled("FREQ=MINUTELY;BYMONTH=6;BYYEARDAY=1"),
    "never-day-366-of-june": ruled("FREQ=YEARLY;BYYEARDAY=366;BYMONTH=6"),
    "never-setpos": ruled("FREQ=MONTHLY;BYDAY=MO;BYSETPOS=6"),
    "never-setpos-secondly": ruled("FREQ=SECONDLY;BYSETPOS=2"),
    "rare-29-february-on-a-sunday": ruled("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;BYDAY=SU"),
    "rare-every-9999-years": ruled("FREQ=YEARLY;INTERVAL=9999"),
    "rare-secondly-once-a-year": ruled("FREQ=SECONDLY;BYMONTH=12;BYMONTHDAY=31;BYHOUR=23;BYMINUTE=59;BYSECOND=59"),
    "product-of-all-by-parts": ruled("FREQ=YEARLY;BYMONTH=" + EVERY(map(str, range(1, 13))) + ";BYMONTHDAY=" + EVERY(map(str, range(1, 32)))
                                     + ";BYHOUR=" + EVERY(map(str, range(24))) + ";BYMINUTE=" + EVERY(map(str, range(60))) + ";BYSECOND=" + EVERY(map(str, range(60)))),
    "product-with-setpos": ruled("FREQ=YEARLY;BYHOUR=" + EVERY(map(str, range(24))) + ";BYMINUTE=" + EVERY(map(str, range(60))) + ";BYSECOND="
                                 + EVERY(map(str, range(60))) + ";BYYEARDAY=" + EVERY(map(str, range(1, 367))) + ";BYSETPOS=-1"),
    "weekno-times-day": ruled("FREQ=YEARLY;BYWEEKNO=" + EVERY(map(str, range(1, 54))) + ";BYDAY=MO,TU,WE,TH,FR,SA,SU;BYHOUR=" + EVERY(map(str, range(24)))),
    "list-of-100000-hours": ruled("FREQ=DAILY;BYHOUR=" + EVERY(["1"] * 100_000)),
    "until-before-start": ruled("FREQ=SECONDLY;UNTIL=19600101T000000Z"),
    "until-year-9999": ruled("FREQ=MINUTELY;UNTIL=99991231T235959Z"),
    "start-year-9999": ruled("FREQ=DAILY", "DTSTART:99991231T235959Z"),
    "five-thousand-exdates": ruled("FREQ=HOURLY", "DTSTART:20260101T000000Z", *(f"EXDATE:2026{n % 12 + 1:02}{n % 28 + 1:02}T{n % 24:02}0000Z" for n in range(5_000))),
    "exdates-in-one-line": ruled("FREQ=MINUTELY", "DTSTART:20261201T000000Z", "EXDATE:" + EVERY(f"202612{n // 1440 % 28 + 1:02}T{n // 60 % 24:02}{n % 60:02}00Z" for n in range(20_000))),
    "ten-thousand-rdates": event("DTSTART:20261201T000000Z", "SUMMARY:x", *(f"RDATE:202612{n // 1440 % 28 + 1:02}T{n // 60 % 24:02}{n % 60:02}00Z" for n in range(10_000))),
    "six-hundred-exceptions": ruled("FREQ=HOURLY", "DTSTART:20261201T000000Z", after=[row for number in range(600) for row in exception(number)]),
    "hundred-rules": event("DTSTART:19700101T000000Z", "SUMMARY:x", *(f"RRULE:FREQ=SECONDLY;INTERVAL={n + 1}" for n in range(100))),
    "exrule-against-rule": ruled("FREQ=SECONDLY", "DTSTART:19700101T000000Z", "EXRULE:FREQ=SECONDLY"),
    "hostile-vtimezone": event("DTSTART;TZID=Bad:20261201T000000", "DTEND;TZID=Bad:20261201T010000", "SUMMARY:x", zone=(
        "BEGIN:VTIMEZONE", "TZID:Bad", *(row for n in range(500) for row in ("BEGIN:STANDARD", "DTSTART:19700101T000000", f"TZOFFSETFROM:+{n % 12:02}00",
                                                                          f"TZOFFSETTO:-{n % 12:02}00", "RRULE:FREQ=SECONDLY", "END:STANDARD")), "END:VTIMEZONE")),
    "hostile-vtimezone-with-series": ruled("FREQ=HOURLY", "DTSTART;TZID=Bad:19700101T000000", zone=(
        "BEGIN:VTIMEZONE", "TZID:Bad", "BEGIN:STANDARD", "DTSTART:19700101T000000", "TZOFFSETFROM:+0100", "TZOFFSETTO:+0200", "RRULE:FREQ=MINUTELY", "END:STANDARD",
        "BEGIN:DAYLIGHT", "DTSTART:19700101T000030", "TZOFFSETFROM:+0200", "TZOFFSETTO:+0100", "RRULE:FREQ=MINUTELY", "END:DAYLIGHT", "END:VTIMEZONE")),
    "ten-thousand-alarms": event("DTSTART:20261201T000000Z", "SUMMARY:x", *(row for n in range(10_000) for row in ("BEGIN:VALARM", "ACTION:DISPLAY", f"TRIGGER:-PT{n}M", "END:VALARM"))),
    "alarm-repeats-1e9": ruled("FREQ=DAILY", "DTSTART:20200101T000000Z", "BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:-PT1M", "REPEAT:1000000000", "DURATION:PT1S", "END:VALARM"),
    "nested-5000-deep": event("DTSTART:20261201T000000Z", *["BEGIN:X-DEEP"] * 5_000, *["END:X-DEEP"] * 5_000),
    "ten-thousand-parameters": event("DTSTART:20261201T000000Z", "SUMMARY" + "".join(f";X-P{n}=v" for n in range(10_000)) + ":x"),
    "folded-after-each-byte": event("DTSTART:20261201T000000Z", "DESCRIPTION:" + "\r\n ".join("x" * 50_000)),
    "two-thousand-attendees": event("DTSTART:20261201T000000Z", "ORGANIZER:mailto:nobody@example.net", *(f"ATTENDEE;CN=A{n}:mailto:a{n}@example.net" for n in range(2_000))),
    "rscale": ruled("FREQ=YEARLY;RSCALE=CHINESE;BYMONTH=5L;SKIP=FORWARD"),
}


def run(report, aim):
    cases = dict(list(CASES.items())[::4]) if aim.small else CASES
    for name, data in cases.items():
        one(report, aim, name, data)
    together(report, aim, cases)


def one(report, aim, name, data):
    calendar, spent, refused = aim.calendar("hostile"), {}, {}
    watch = Watch(aim)
    with report.test(f"pathological/{name}"):
        wire = aim.wire(timeout=SECONDS_MAX * 3)
        reply = timed(spent, "put", lambda: put(wire, calendar + "x.ics", data, If_None_Match="*"))
        judge("PUT", reply, (201, 204), refused)
        if reply.status in (201, 204):
            for start, end, label in ((*MONTH, "month"), (*FAR, "far")):
                questions = {
                    label: dav.calendar_query(dav.time_range(start, end), "D:getetag"),
                    f"{label}-expanded": dav.calendar_query(dav.time_range(start, end), "D:getetag", f'<C:calendar-data><C:expand start="{start}" end="{end}"/></C:calendar-data>'),
                    f"{label}-busy": dav.free_busy_query(start, end),
                }
                for question, body in questions.items():
                    reply = timed(spent, question, lambda body=body: wire.request("REPORT", headers={**dav.XML, "Depth": "1"}, body=body, raw=calendar))
                    judge(question, reply, (200, 207), refused)
            alarm = dav.calendar_query(f'<C:comp-filter name="VALARM">{dav.time_range(*MONTH)}</C:comp-filter>', "D:getetag")
            reply = timed(spent, "alarms", lambda: wire.request("REPORT", headers={**dav.XML, "Depth": "1"}, body=alarm, raw=calendar))
            judge("alarms", reply, (207,), refused)
        timed(spent, "delete", lambda: wire.request("DELETE", raw=calendar).want(200, 204))
        slow = {label: seconds for label, seconds in spent.items() if seconds > SECONDS_MAX}
        assert not slow, f"took longer than {SECONDS_MAX} s: " + ", ".join(f"{label} {seconds:.1f} s" for label, seconds in slow.items())
    worst = watch.stop()
    if max(spent.values()) > SECONDS_MAX * 3:
        # It may be busy with this one for ever; the next object gets a server that is not.
        aim.server.kill()
        aim.server.start()
    say(f"   {name}: " + ", ".join(f"{label} {seconds * 1000:.0f} ms" + (f" ({refused[label]})" if label in refused else "") for label, seconds in spent.items())
        + f"; others waited at most {worst * 1000:.0f} ms")
    with report.test(f"pathological/{name}/others"):
        assert worst < OTHERS_MAX_S, f"another client waited {worst:.1f} s meanwhile"


def together(report, aim, cases):
    """All that was taken in one calendar: the month still has an answer."""
    calendar, wire, spent, refused = aim.calendar("all-hostile"), aim.wire(timeout=SECONDS_MAX * 6), {}, {}
    for number, (name, data) in enumerate(cases.items()):
        put(wire, f"{calendar}{name}.ics", data.replace(b"UID:hostile", b"UID:hostile-%d" % number))
    with report.test("pathological/all-in-one-calendar"):
        for question, body in {"month": dav.calendar_query(dav.time_range(*MONTH), "D:getetag"), "busy": dav.free_busy_query(*MONTH),
                               "sync": dav.sync_collection("", "D:getetag")}.items():
            reply = timed(spent, question, lambda body=body: wire.request("REPORT", headers={**dav.XML, "Depth": "1" if question != "sync" else "0"}, body=body, raw=calendar))
            judge(question, reply, (200, 207), refused)
        say("   all in one calendar: " + ", ".join(f"{label} {seconds * 1000:.0f} ms" for label, seconds in spent.items()))
        slow = {label: seconds for label, seconds in spent.items() if seconds > 3 * SECONDS_MAX}
        assert not slow, f"took too long: {slow}"


def timed(spent, label, act):
    started = time.monotonic()
    try:
        return act()
    finally:
        spent[label] = time.monotonic() - started


def judge(what, reply, good, refused):
    """An answer, or a refusal that says by which rule."""
    if reply.status in good:
        if reply.status == 207:
            rows = dav.Multistatus(reply.body).rows
            bad = [row.status for row in rows if row.status and " 507" not in row.status and " 5" in row.status]
            assert not bad, f"{what}: rows with {bad[:3]}"
        return
    elements = dav.error_elements(reply.body)
    assert (400 <= reply.status < 500 or reply.status == 507) and elements, f"{what}: {reply.status} {reply.body[:150]!r}"
    refused[what.lower()] = f"{reply.status} {', '.join(sorted(elements))}"


class Watch:
    """Another client that asks a small question again and again; the longest it had to wait."""

    def __init__(self, aim):
        self.wire, self.path, self.longest, self.going = aim.wire(timeout=SECONDS_MAX), aim.server.calendars, 0.0, True
        self.thread = threading.Thread(target=self.ask, daemon=True)
        self.thread.start()

    def ask(self):
        while self.going:
            started = time.monotonic()
            try:
                self.wire.request("PROPFIND", headers={**dav.XML, "Depth": "0"}, body=dav.propfind("D:resourcetype"), raw=self.path)
            except OSError:
                pass
            self.longest = max(self.longest, time.monotonic() - started)
            time.sleep(0.02)

    def stop(self):
        self.going = False
        self.thread.join(SECONDS_MAX)
        return self.longest
