"""What a client makes of a file before it puts it on a server: one object for each UID, with the time zones of the file, without METHOD,
with a UID where none was. Works on content lines; nothing inside a component is touched."""


def objects(kind, data, stem):
    """[(name, bytes)] for the objects in a file; empty when there is no telling. Each gets a UID that starts with `stem`, so that
    objects of different files never meet."""
    text = data.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return cards(lines, stem) if kind == "vcf" else calendars(lines, stem)


def cards(lines, stem):
    found = []
    for number, block in enumerate(blocks(lines, depth=0)):
        if name_of(block[0]) == "BEGIN" and value_of(block[0]) == "VCARD":
            found.append((f"card-{number}", joined(with_uid(block, f"{stem}-{number}"))))
    return found


def calendars(lines, stem):
    found = []
    for calendar in blocks(lines, depth=0):
        if value_of(calendar[0]) != "VCALENDAR":
            continue
        inner = calendar[1:-1]
        parts = list(blocks(inner, depth=0))
        head = [line for line in header(inner) if name_of(line) not in ("METHOD", "", "(folded)")]
        zones = [part for part in parts if value_of(part[0]) == "VTIMEZONE"]
        groups = {}
        for number, part in enumerate(parts):
            kind = value_of(part[0])
            if kind in ("VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VAVAILABILITY"):
                groups.setdefault((kind, uid_of(part) or f"none {number}"), []).append(part)
        for number, ((kind, _), members) in enumerate(groups.items()):
            whole = [calendar[0], *head, *(line for zone in zones for line in zone),
                     *(line for member in members for line in with_uid(member, f"{stem}-{len(found)}")), calendar[-1]]
            found.append((f"{kind.lower()}-{number}", joined(whole)))
    return found


def header(lines):
    """The lines of a component that belong to none inside it."""
    depth = 0
    for line in lines:
        if name_of(line) == "BEGIN":
            depth += 1
        if depth == 0:
            yield line
        if name_of(line) == "END":
            depth -= 1


def blocks(lines, depth):
    """The components of one level, each from BEGIN to END; what is not closed is left out."""
    open_, block = 0, []
    for line in lines:
        name = name_of(line)
        if name == "BEGIN":
            open_ += 1
        if open_ > depth:
            block.append(line)
        if name == "END" and open_ > 0:
            open_ -= 1
            if open_ == depth and block:
                yield block
                block = []


def with_uid(block, stem):
    """The component with `stem` before its UID, or as its UID."""
    level, at = 0, None
    for number, line in enumerate(block):
        if name_of(line) == "BEGIN":
            level += 1
        elif name_of(line) == "END":
            level -= 1
        elif level == 1 and at is None and name_of(line) == "UID":
            at = number
    if at is None:
        return [block[0], f"UID:{stem}", *block[1:]]
    left, _, right = block[at].partition(":")
    return [*block[:at], f"{left}:{stem}-{right}", *block[at + 1:]]


def uid_of(block):
    return next((line.partition(":")[2].strip() for line in header(block[1:-1]) if name_of(line) == "UID"), None)


def name_of(line):
    if line[:1] in (" ", "\t"):
        return "(folded)"
    return line.partition(":")[0].partition(";")[0].strip().upper().rpartition(".")[2]


def value_of(line):
    return line.partition(":")[2].strip().upper()


def joined(lines):
    return ("\r\n".join(line for line in lines) + "\r\n").encode("utf-8", "surrogateescape")
