"""Calendar objects and cards from the wild: none may upset the server, and what it takes it gives back to the byte.

Besides the samples of this suite, the test data of other projects is used where it is found: of the Python package icalendar, and
of checkouts named in DAV_CORPORA (folders, separated by colons). Nothing of theirs is kept here.
"""
import os
from pathlib import Path

import dav
from aim import propfind, put
from aim import report as ask
from importing import objects
from odd_samples import samples

from harness import install
from harness.report import say

ICALENDAR = "icalendar==7.3.2"
FILES_MAX, FILES_SMALL = 400, 60  # of each source
PIECES_MAX = 5  # of each file
FILE_BYTES_MAX = 300_000
RANGES = (("20261201T000000Z", "20270101T000000Z"), ("20050101T000000Z", "20060101T000000Z"))


def run(report, aim):
    found = {"ics": samples("ics"), "vcf": samples("vcf")}
    for name, folder in corpora(report).items():
        for kind in found:
            found[kind] += files(name, folder, kind, FILES_SMALL if aim.small else FILES_MAX)
    for kind, make in (("ics", aim.calendar), ("vcf", aim.book)):
        collection = make("odd")
        accepted = put_all(report, aim, kind, collection, found[kind])
        say(f"   {kind}: {len(accepted)} of {len(found[kind])} files taken as they are, the others refused by name")
        # Most files of the others hold several objects or a METHOD; a client takes them apart before it sends them.
        pieces = [(f"{name}/{piece}", body) for number, (name, data) in enumerate(found[kind]) for piece,
                  body in objects(kind, data, f"i{number}")[:PIECES_MAX]]
        imported = put_all(report, aim, kind, collection, pieces, first=len(found[kind]))
        say(f"   {kind}: {len(imported)} of {len(pieces)} objects taken as a client imports them")
        accepted.update(imported)
        whole(report, aim, kind, collection, accepted)


def corpora(report):
    """{name: folder} of the test data that is there."""
    home = install.venv("corpora", ICALENDAR)
    [package] = home.glob("lib/python*/site-packages/icalendar")
    sources = {"icalendar": package}
    named = [Path(path) for path in os.environ.get("DAV_CORPORA", "").split(":") if path]
    if not named:
        report.skip("oddities/checkouts", "DAV_CORPORA names no checkouts (calcard, ez-vcard, ical4j, libical; see the README)")
    for path in named:
        sources[path.name] = path
    return sources


def files(name, folder, kind, most):
    rows = []
    for path in sorted(folder.rglob(f"*.{kind}")):
        if "zoneinfo" in path.parts or path.stat().st_size > FILE_BYTES_MAX:
            continue
        rows.append((f"{name}/{path.relative_to(folder).as_posix()}", path.read_bytes()))
    step = max(1, len(rows) // most)
    return rows[::step][:most]


def put_all(report, aim, kind, collection, found, first=0):
    """{path: bytes} of what was taken."""
    wire, accepted = aim.wire(), {}
    for number, (name, data) in enumerate(found, first):
        path = f"{collection}{number}.{kind}"
        with report.test(f"oddities/{kind}/{name}"):
            reply = put(wire, path, data, If_None_Match="*")
            if reply.status in (201, 204):
                accepted[path] = data
                got = wire.request("GET", raw=path).want(200)
                if aim.is_allod:
                    assert got.body == data, f"not the bytes that were put in: {difference(data, got.body)}"
            else:
                elements = dav.error_elements(reply.body)
                assert 400 <= reply.status < 500, f"status {reply.status}: {reply.body[:150]!r}"
                assert elements, f"refused with {reply.status} and no precondition element: {reply.body[:150]!r}"
                say(f"   refused {name}: {reply.status} {', '.join(sorted(elements))}")
    return accepted


def whole(report, aim, kind, collection, accepted):
    """Every report over the whole collection stays well-formed and complete."""
    wire = aim.wire()
    data = "C:calendar-data" if kind == "ics" else "CARD:address-data"
    hrefs = list(accepted)

    def check(name, answer, count=None):
        rows = [row for row in answer.rows if row.href.rstrip("/") != collection.rstrip("/")]
        assert count is None or len(rows) == count, f"{len(rows)} rows, expected {count}"
        bad = [row.href for row in rows if row.status and " 5" in row.status]
        assert not bad, f"rows with an error of the server: {bad[:5]}"
        if name == "multiget" and aim.is_allod:
            # XML has no place for most control characters; a row of its own status, or data without them, but never a broken answer.
            for row in rows:
                body = accepted[row.href].decode("utf-8", "replace")
                if kind == "vcf" and "VERSION:4.0" in body.upper():
                    # RFC 6352 §10.4: who names no version means 3.0.
                    assert "VERSION:3.0" in (row.text(data) or ""), f"{row.href}: not asked for version 4.0: {row.text(data)!r}"
                    continue
                if any(ord(one) < 32 and one not in "\r\n\t" for one in body) or "\ufffe" in body or "\ufffd" in body or "\ufeff" in body:
                    continue
                assert (row.text(data) or "").replace("\r\n", "\n").replace("\r",
                                                                            "\n") == body.replace("\r\n", "\n").replace("\r", "\n"), f"{row.href}: data differs"

    with report.test(f"oddities/{kind}/whole/propfind"):
        check("propfind", propfind(wire, collection, "D:getetag", "D:getcontenttype", "D:resourcetype", "D:displayname", depth="1"), len(accepted))
    with report.test(f"oddities/{kind}/whole/multiget"):
        check("multiget", ask(wire, collection, dav.multiget("calendar" if kind == "ics" else "addressbook", hrefs, "D:getetag", data)),
              len(accepted))
    with report.test(f"oddities/{kind}/whole/sync"):
        check("sync", ask(wire, collection, dav.sync_collection("", "D:getetag", data), depth="0"), len(accepted))
    with report.test(f"oddities/{kind}/whole/query"):
        body = dav.calendar_query("", "D:getetag", data,
                                  component=None) if kind == "ics" else dav.addressbook_query('<CARD:prop-filter name="VERSION"/>', "D:getetag", data)
        check("query", ask(wire, collection, body))
    if kind == "vcf":
        with report.test("oddities/vcf/whole/text-match"):
            check("text-match", ask(wire, collection, dav.addressbook_query(
                '<CARD:prop-filter name="FN"><CARD:text-match collation="i;unicode-casemap">a</CARD:text-match></CARD:prop-filter>',
                "D:getetag", data)))
        for version in ("3.0", "4.0"):
            with report.test(f"oddities/vcf/whole/as-version-{version}"):
                body = dav.multiget("addressbook", hrefs, "D:getetag", f'<CARD:address-data content-type="text/vcard" version="{version}"/>')
                reply = wire.request("REPORT", headers={**dav.XML, "Depth": "1"}, body=body, raw=collection).want(207, 403, 415)
                if reply.status == 207:
                    check("version", dav.Multistatus(reply.body), len(accepted))
        return
    for start, end in RANGES:
        for name, inner in (("plain", "C:calendar-data"), ("expand", f'<C:calendar-data><C:expand start="{start}" end="{end}"/></C:calendar-data>'),
                            ("limit", f'<C:calendar-data><C:limit-recurrence-set start="{start}" end="{end}"/></C:calendar-data>')):
            for component in ("VEVENT", "VTODO", "VJOURNAL"):
                with report.test(f"oddities/ics/whole/{component}-{start[:4]}-{name}"):
                    check("range", ask(wire, collection, dav.calendar_query(dav.time_range(start, end), "D:getetag", inner, component=component)))
    with report.test("oddities/ics/whole/free-busy"):
        reply = wire.request("REPORT", headers={**dav.XML, "Depth": "1"}, body=dav.free_busy_query(*RANGES[0]), raw=collection).want(200)
        assert b"END:VFREEBUSY" in reply.body, f"{reply.body[:200]!r}"


def difference(first, second):
    at = next((at for at, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), min(len(first), len(second)))
    return f"{len(first)} and {len(second)} bytes, from {at}: {first[at:at + 40]!r} {second[at:at + 40]!r}"
