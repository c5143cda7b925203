"""When two iCalendar or vCard objects are the same to CalDAVTester.

Order of properties and components, folding, escapes, the case of a `mailto:`, how a duration is spelled and whether an event
ends by DTEND or DURATION do not matter. Filters name what else is left out: `NAME`, `NAME=VALUE`, `NAME:PARAMETER`,
`NAME:PARAMETER=VALUE`; one that begins with `!` takes back a filter of the layout. Overridden instances that only one of two
calendars spells out are derived for the other.
"""
import datetime
import difflib
import re
import zoneinfo

import content

# Types of values by property, where it is not TEXT (RFC 5545 §3.8, RFC 6350 has only text for our purpose).
DATES = {"COMPLETED", "DTEND", "DUE", "DTSTART", "RECURRENCE-ID", "EXDATE", "RDATE", "CREATED", "DTSTAMP", "LAST-MODIFIED",
         "ACKNOWLEDGED"}
DURATIONS = {"DURATION", "TRIGGER", "REFRESH-INTERVAL", "X-APPLE-TRAVEL-DURATION"}
ADDRESSES = {"ATTENDEE", "ORGANIZER"}
RULES = {"RRULE", "EXRULE"}
INTEGERS = {"PRIORITY", "SEQUENCE", "REPEAT", "PERCENT-COMPLETE"}
URIS = {"ATTACH", "TZURL", "URL"}
LISTS = {"CATEGORIES", "RESOURCES", "EXDATE", "RDATE", "FREEBUSY", "NICKNAME"}
STRUCTURED = {"N", "ADR", "ORG"}  # of vCard
INSTANTS = {"RECURRENCE-ID", "EXDATE", "RDATE"}  # an instant is the same in whatever zone it is told
RECURRING = {"VEVENT", "VTODO", "VJOURNAL"}
DEFAULT_VALUES = {**dict.fromkeys(DATES, "DATE-TIME"), **dict.fromkeys(DURATIONS, "DURATION"),
                  **dict.fromkeys(ADDRESSES, "CAL-ADDRESS"), **dict.fromkeys(URIS, "URI"), "FREEBUSY": "PERIOD"}


def differences(expected, got, kind, filters, with_timezones=True):
    """None when both are the same, else a short account of what is lacking (-) and what is too much (+)."""
    filters = effective(filters)
    ours, theirs = content.parse(expected, kind), content.parse(got, kind)
    for tree in (ours, theirs):
        reduce(tree, filters, with_timezones)
        drop_unused_zones(tree)
    if kind == "VCALENDAR":
        add_missing_overrides(ours, theirs)
    ours, theirs = normal(ours), normal(theirs)
    if ours == theirs:
        return None
    delta = difflib.ndiff(lines(ours), lines(theirs))
    return " | ".join(line for line in delta if line[:2] in ("- ", "+ ")) or "different"


def effective(filters):
    taken_back = {name[1:] for name in filters if name.startswith("!")}
    return [name for name in filters if not name.startswith("!") and name not in taken_back]


def reduce(tree, filters, with_timezones):
    """Take out what the filters name; end events by durations."""
    if not with_timezones:
        tree.components = [c for c in tree.components if c.name != "VTIMEZONE"]
    for component in tree.components:
        reduce(component, filters, with_timezones)
    if tree.name == "VEVENT":
        end_by_duration(tree)
    for text in filters:
        name, colon, parameter = text.partition(":")
        if colon:
            key, equals, value = parameter.partition("=")
            for prop in tree.all(name):
                if not equals or prop.parameter(key) == value:
                    prop.parameters.pop(key, None)
        else:
            name, equals, value = text.partition("=")
            tree.properties = [p for p in tree.properties if p.name != name or (equals and p.value != value)]


def drop_unused_zones(tree):
    """Take out the VTIMEZONEs that nothing refers to: a server may leave them or not."""
    used = zones_of(tree)
    tree.components = [c for c in tree.components if c.name != "VTIMEZONE" or (c.first("TZID") and c.first("TZID").value in used)]


def zones_of(tree):
    own = {prop.parameter("TZID") for prop in tree.properties}
    return own.union(*(zones_of(component) for component in tree.components))


def end_by_duration(event):
    start, end, duration = event.first("DTSTART"), event.first("DTEND"), event.first("DURATION")
    if start is None or (end is None and duration is None):
        return
    seconds = seconds_between(start, end) if end is not None else duration_seconds(duration.value)
    if seconds is None:
        return
    event.remove("DTEND", "DURATION")
    # A date alone lasts one day by itself.
    if not (is_date(start) and seconds == 86400):
        event.properties.append(content.Property("DURATION", {}, f"PT{seconds}S"))


def is_date(prop):
    return prop.parameter("VALUE") == "DATE" or len(prop.value) == 8


def seconds_between(start, end):
    one, two = moment(start), moment(end)
    if one is None or two is None or (one.tzinfo is None) != (two.tzinfo is None):
        return None
    if one.tzinfo is not None:
        one, two = one.astimezone(datetime.UTC), two.astimezone(datetime.UTC)
    return int((two - one).total_seconds())


def moment(prop):
    """The date-time of a property, aware when its zone is known; None when it is not one."""
    found = re.fullmatch(r"(\d{8})(?:T(\d{6})(Z?))?", prop.value.strip())
    if not found:
        return None
    date, time, utc = found.groups()
    try:
        naive = datetime.datetime.strptime(date + (time or "000000"), "%Y%m%d%H%M%S")
    except ValueError:
        return None
    if utc:
        return naive.replace(tzinfo=datetime.UTC)
    zone = zone_of(prop.parameter("TZID"))
    return naive.replace(tzinfo=zone) if zone and time else naive


def zone_of(name):
    try:
        return zoneinfo.ZoneInfo(name) if name else None
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return None


def duration_seconds(text):
    found = re.fullmatch(r"([+-]?)P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?", text.strip().upper())
    if not found:
        return None
    sign, *numbers = found.groups()
    weeks, days, hours, minutes, seconds = (int(number or 0) for number in numbers)
    total = (((weeks * 7 + days) * 24 + hours) * 60 + minutes) * 60 + seconds
    return -total if sign == "-" else total


def add_missing_overrides(one, two):
    """Derive the instances that only one of the calendars overrides, from the master of the other."""
    first, second = overridden(one), overridden(two)
    for tree, missing in ((one, second.keys() - first.keys()), (two, first.keys() - second.keys())):
        master = next((c for c in tree.components if c.name in RECURRING and c.first("RECURRENCE-ID") is None), None)
        if master is None or master.first("DTSTART") is None:
            continue
        for key in missing:
            tree.components.append(derived(master, (second if tree is one else first)[key]))


def overridden(tree):
    """{moment: RECURRENCE-ID} of the overridden instances."""
    found = {}
    for component in tree.components:
        prop = component.first("RECURRENCE-ID") if component.name in RECURRING else None
        if prop is not None:
            when = moment(prop)
            if when is not None and when.tzinfo is not None:
                when = when.astimezone(datetime.UTC)
            found[str(when)] = prop
    return found


def derived(master, recurrence_id):
    instance = master.copy()
    instance.remove("RRULE", "RDATE", "EXRULE", "EXDATE", "RECURRENCE-ID")
    start = instance.first("DTSTART")
    when, zone = moment(recurrence_id), zone_of(start.parameter("TZID"))
    if is_date(start) or when is None:
        start.value = recurrence_id.value[:8]
    elif zone is not None and when.tzinfo is not None:
        start.value = when.astimezone(zone).strftime("%Y%m%dT%H%M%S")
    else:
        start.value = recurrence_id.value
    instance.properties.append(content.Property("RECURRENCE-ID", {k: list(v) for k, v in start.parameters.items()}, start.value))
    return instance


def normal(tree):
    """A component as nested tuples that compare regardless of order. Repeated equal properties count once."""
    return (tree.name, tuple(sorted({normal_property(p) for p in tree.properties}, key=repr)),
            tuple(sorted((normal(c) for c in tree.components), key=by_instance)))


def by_instance(component):
    """Instances of one event in the order of time, so that a difference shows within the one that differs."""
    name, properties, _ = component
    return name, [value for _, key, _, value in properties if key == "RECURRENCE-ID"], repr(component)


def normal_property(prop):
    if prop.name in INSTANTS:
        prop = in_utc(prop)
    parameters = {name: list(values) for name, values in prop.parameters.items()}
    if parameters.get("VALUE") == [DEFAULT_VALUES.get(prop.name)]:
        del parameters["VALUE"]
    if prop.name in STRUCTURED or prop.name in ("TEL", "EMAIL", "URL"):
        parameters = {name: sorted(values) for name, values in parameters.items()}
    return (prop.group, prop.name, tuple(sorted((name, tuple(values)) for name, values in parameters.items())),
            normal_value(prop))


def in_utc(prop):
    moments = [moment(content.Property(prop.name, prop.parameters, part)) for part in prop.value.split(",")]
    if any(when is None or when.tzinfo is None for when in moments):
        return prop
    parameters = {name: values for name, values in prop.parameters.items() if name != "TZID"}
    return content.Property(prop.name, parameters, ",".join(f"{when.astimezone(datetime.UTC):%Y%m%dT%H%M%SZ}" for when in moments))


def normal_value(prop):
    text, name = prop.value, prop.name
    if name in RULES:
        parts = (part.partition("=") for part in text.upper().split(";") if part)
        return tuple(sorted((key, ",".join(sorted(value.split(",")))) for key, _, value in parts
                            if (key, value) != ("INTERVAL", "1")))
    if name in DURATIONS and duration_seconds(text) is not None:
        return duration_seconds(text)
    if name in ADDRESSES:
        return address(text)
    if name in INTEGERS and re.fullmatch(r"[+-]?\d+", text.strip()):
        return int(text)
    if name == "GEO":
        return tuple(text.replace(",", ";").split(";"))
    if name == "FREEBUSY":
        return tuple(sorted(period(part) for part in text.split(",")))
    if name in LISTS:
        return tuple(sorted(content.unescape(part) for part in content.split_escaped(text, ",")))
    if name in STRUCTURED:
        return tuple(content.unescape(part) for part in content.split_escaped(text, ";"))
    if prop.parameter("ENCODING") in ("b", "B", "BASE64"):
        return re.sub(r"\s", "", text)
    if name.startswith("X-"):
        return text
    return content.unescape(text)


def address(text):
    """A calendar user address: the scheme and what follows `mailto:` in lower case."""
    scheme, colon, rest = text.partition(":")
    if not colon:
        return text
    scheme = scheme.lower()
    return f"{scheme}:{rest.lower() if scheme == 'mailto' else rest}"


def period(text):
    """START/END of a period that may be START/DURATION, both in UTC."""
    start, _, end = text.strip().partition("/")
    seconds = duration_seconds(end)
    if seconds is None:
        return f"{start}/{end}"
    first = datetime.datetime.strptime(start.rstrip("Z"), "%Y%m%dT%H%M%S")
    return f"{start}/{(first + datetime.timedelta(seconds=seconds)).strftime('%Y%m%dT%H%M%S')}{'Z' if start.endswith('Z') else ''}"


def lines(tree, depth=0):
    """A normal form for people, one line a property."""
    name, properties, components = tree
    pad = "  " * depth
    found = [f"{pad}BEGIN:{name}"]
    for group, key, parameters, value in properties:
        written = "".join(f";{k}={','.join(v)}" for k, v in parameters)
        found.append(f"{pad}{group + '.' if group else ''}{key}{written}:{value}")
    for component in components:
        found += lines(component, depth + 1)
    return found
