"""Checks of bodies: text, files, iCalendar, vCard, free-busy."""
import re

import content
import same
from answers import Mismatch, canonical, said, xml

CALDAV = "{urn:ietf:params:xml:ns:caldav}"
KINDS = {"BUSY": "busy", "BUSY-TENTATIVE": "tentative", "BUSY-UNAVAILABLE": "unavailable"}


def need_status(check, *codes):
    if check.answer.status not in codes:
        raise Mismatch(f"got {check.answer.status}{said(check.answer)}, expected {' or '.join(map(str, codes))}")
    if not check.answer.body:
        raise Mismatch(f"{check.answer.status} without a body")


def data_string(check):
    args, body = check.args, check.answer.text
    if args.get("empty"):
        if body:
            raise Mismatch(f"a body: {body[:80]!r}")
        return
    if not body:
        raise Mismatch(f"{check.answer.status} without a body")
    if "unwrap" in args:
        body = body.replace("\r\n ", "")

    plain_body = plain_xml(body) if body.lstrip().startswith("<?xml") else None

    def holds(text):
        return text.replace("\n", "\r\n") in body or text in body or plain_body is not None and plain_xml(text) in plain_body

    for text in args.get("equals", []):
        if text != body:
            raise Mismatch(f"the body is {body[:80]!r}, expected {text!r}")
    for text in args.get("contains", []):
        if not holds(text):
            raise Mismatch(f"the body lacks {text!r} (got {check.answer.status})")
    for text in args.get("notcontains", []):
        if holds(text):
            raise Mismatch(f"the body contains {text!r}")


def plain_xml(text):
    """XML, or a piece of it, without what servers may write differently: prefixes, declarations, quotes, empty elements."""
    text = re.sub(r"""\sxmlns(:[\w-]+)?=("[^"]*"|'[^']*')""", "", text)
    text = re.sub(r"<(/?)[\w-]+:", r"<\1", text).replace("'", '"').replace(" />", "/>")
    return re.sub(r"<([\w-]+)((?: [^<>]*)?)></\1>", r"<\1\2/>", text)


def data_match(check):
    """The body is the file, by bytes; line ends, folding of .ics and the prefixes of .xml aside."""
    need_status(check, 200, 207)
    expected, got = check.file_text(), check.answer.text
    if got in (expected, expected.replace("\n", "\r\n")):
        return
    name = check.args["filepath"][0]
    if name.endswith(".xml") and canonical(xml(expected)) == canonical(xml(check.answer.body)):
        return
    if name.endswith(".ics") and content.unfolded(expected) == content.unfolded(got):
        return
    lines = [f"{a!r} is {b!r}" for a, b in zip(expected.splitlines(), got.splitlines(), strict=False) if a != b]
    raise Mismatch("the body differs from the file: " + (lines[0] if lines else "its length"))


def calendar_data_match(check):
    need_status(check, *(int(code) for code in check.args.get("status", ["200", "201", "207"])))
    filters = check.args.get("filter", []) + check.layout.calendar_filters
    if "EMAIL parameter" not in check.layout.features:
        filters = [*filters, "ATTENDEE:EMAIL", "ORGANIZER:EMAIL"]
    by_reference = "timezones-by-reference" in check.layout.features
    with_zones = check.args["doTimezones"][0] == "true" if check.args.get("doTimezones") else not by_reference
    compare(check, "VCALENDAR", filters, with_zones)


def address_data_match(check):
    need_status(check, 200, 201, 207)
    compare(check, "VCARD", check.args.get("filter", []) + check.layout.address_filters, True)


def compare(check, kind, filters, with_zones):
    try:
        delta = same.differences(check.file_text(), check.answer.text, kind, filters, with_zones)
    except content.NotContent as error:
        raise Mismatch(f"not a {kind}: {error}") from None
    if delta:
        raise Mismatch(f"the {kind} differs (- lacks, + has): {delta}")


def free_busy(check):
    need_status(check, 200)
    compare_periods(check, vfreebusy(check.answer.text))


def post_free_busy(check):
    """Among the answers to a free-busy request, the one of the named attendee has these periods."""
    need_status(check, 200)
    users = [same.address(user) for user in check.args.get("attendee", [])]
    for node in xml(check.answer.body).findall(f"./{CALDAV}response/{CALDAV}calendar-data"):
        component = vfreebusy(node.text or "")
        theirs = {same.address(prop.value) for prop in component.all("ATTENDEE")}
        if theirs & set(users):
            users = [user for user in users if user not in theirs]
            compare_periods(check, component)
            break
    if users:
        raise Mismatch(f"no calendar-data for {', '.join(users)}: {check.answer.text[:300]!r}")


def vfreebusy(text):
    try:
        calendar = content.parse(text, "VCALENDAR")
    except content.NotContent as error:
        raise Mismatch(f"not a calendar: {error}") from None
    found = [component for component in calendar.components if component.name == "VFREEBUSY"]
    if len(found) != 1:
        raise Mismatch(f"{len(found)} VFREEBUSY, expected one")
    return found[0]


def compare_periods(check, component):
    got = {name: [] for name in KINDS.values()}
    for prop in component.all("FREEBUSY"):
        kind = prop.parameter("FBTYPE") or "BUSY"
        if kind not in KINDS:
            raise Mismatch(f"unknown FBTYPE {kind}")
        got[KINDS[kind]] += [same.period(text) for text in prop.value.split(",") if text]
    expected = {name: [same.period(text) for text in check.args.get(name, [])] for name in got}
    # RFC 4791 §7.10: periods of different types may overlap; so they may as well not.
    apart, expected_apart = without_overlap(got), without_overlap(expected)
    for name, periods in got.items():
        wanted = expected[name]
        if sorted(periods) != sorted(wanted) and (name == "busy" or apart[name] != expected_apart[name]):
            raise Mismatch(f"{name} {', '.join(sorted(periods)) or 'never'}, expected {', '.join(sorted(wanted)) or 'never'}")


def without_overlap(periods):
    """The times of each kind that no weightier kind covers: {kind: [[start, end], ...]}, joined and in order."""
    found, taken = {}, []
    for name in ("busy", "unavailable", "tentative"):
        spans = joined([text.split("/") for text in periods[name]])
        found[name] = subtracted(spans, taken)
        taken = joined(taken + spans)
    return found


def joined(spans):
    done = []
    for start, end in sorted(spans):
        if done and start <= done[-1][1]:
            done[-1][1] = max(done[-1][1], end)
        else:
            done.append([start, end])
    return done


def subtracted(spans, taken):
    left = []
    for start, end in spans:
        for other_start, other_end in taken:
            if other_end <= start or end <= other_start:
                continue
            if start < other_start:
                left.append([start, other_start])
            start = max(start, other_end)
        if start < end:
            left.append([start, end])
    return left
