"""A small client for WebDAV's extensions: property names in short, request bodies, answers taken apart."""
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit
from xml.sax.saxutils import escape

SPACES = {
    "D": "DAV:",
    "C": "urn:ietf:params:xml:ns:caldav",
    "CARD": "urn:ietf:params:xml:ns:carddav",
    "CS": "http://calendarserver.org/ns/",
    "ICAL": "http://apple.com/ns/ical/",
    "ME": "http://me.com/_namespace/",
    "PUSH": "https://bitfire.at/webdav-push",
}
DECLARED = " ".join(f'xmlns:{prefix}="{space}"' for prefix, space in SPACES.items())
XML = {"Content-Type": "application/xml; charset=utf-8"}


def clark(name):
    """`D:getetag` as `{DAV:}getetag`."""
    prefix, _, local = name.partition(":")
    return f"{{{SPACES[prefix]}}}{local}"


def short(tag):
    """The reverse, for messages."""
    for prefix, space in SPACES.items():
        if tag.startswith(f"{{{space}}}"):
            return f"{prefix}:{tag.rpartition('}')[2]}"
    return tag


class Body(bytes):
    """A request body that knows which properties it asks for."""

    names = ()

    @classmethod
    def of(cls, text, names=()):
        made = cls(('<?xml version="1.0" encoding="utf-8"?>\n' + text).encode())
        made.names = tuple(names)
        return made


def element(name, inner="", attributes=""):
    return f"<{name}{' ' if attributes else ''}{attributes}>{inner}</{name}>" if inner else f"<{name}{' ' if attributes else ''}{attributes}/>"


def root(name, inner):
    return f"<{name} {DECLARED}>{inner}</{name}>"


def prop(*names):
    return element("D:prop", "".join(name if name.startswith("<") else f"<{name}/>" for name in names))


def named(names):
    """Property names among names and ready elements such as `<C:calendar-data><C:comp ...`."""
    return [name if not name.startswith("<") else name[1:].replace("/", " ").replace(">", " ").split()[0] for name in names]


def propfind(*names):
    return Body.of(root("D:propfind", prop(*names)), names)


def proppatch(set_=(), remove=()):
    """`set_`: ready elements."""
    inner = "".join(element("D:set", element("D:prop", one)) for one in set_)
    inner += "".join(element("D:remove", prop(name)) for name in remove)
    return Body.of(root("D:propertyupdate", inner), named(set_) + list(remove))


def sync_collection(token, *names, limit=None, level="1"):
    limited = element("D:limit", element("D:nresults", str(limit))) if limit else ""
    return Body.of(root("D:sync-collection", f"<D:sync-token>{escape(token)}</D:sync-token>" + element("D:sync-level", level)
                        + limited + prop(*names)), named(names))


def multiget(kind, hrefs, *names):
    """`kind`: calendar or addressbook."""
    space = "C" if kind == "calendar" else "CARD"
    inner = prop(*names) + "".join(element("D:href", escape(href)) for href in hrefs)
    return Body.of(root(f"{space}:{kind}-multiget", inner), named(names))


def calendar_query(inner, *names, component="VEVENT", more=""):
    """`inner`: what stands in the component's filter; `more`: elements behind the filter (limit, timezone)."""
    nested = element("C:comp-filter", element("C:comp-filter", inner, f'name="{component}"') if component else inner, 'name="VCALENDAR"')
    return Body.of(root("C:calendar-query", prop(*names) + element("C:filter", nested) + more), named(names))


def time_range(start, end=None):
    return f'<C:time-range start="{start}"' + (f' end="{end}"' if end else "") + "/>"


def addressbook_query(inner, *names, more="", test=None):
    attributes = f'test="{test}"' if test else ""
    return Body.of(root("CARD:addressbook-query", prop(*names) + element("CARD:filter", inner, attributes) + more), named(names))


def free_busy_query(start, end):
    return Body.of(root("C:free-busy-query", time_range(start, end)))


def mkcalendar(*properties):
    return Body.of(root("C:mkcalendar", element("D:set", element("D:prop", "".join(properties)))))


def mkcol(*types, properties=()):
    """Extended MKCOL (RFC 5689)."""
    kind = element("D:resourcetype", "<D:collection/>" + "".join(f"<{name}/>" for name in types))
    return Body.of(root("D:mkcol", element("D:set", element("D:prop", kind + "".join(properties)))))


@dataclass
class Row:
    """One DAV:response."""

    href: str  # decoded path
    status: str | None
    found: dict = field(default_factory=dict)  # Clark name: element
    others: dict = field(default_factory=dict)  # Clark name: status line
    statuses: list = field(default_factory=list)  # of the propstats, in order
    twice: list = field(default_factory=list)

    def text(self, name):
        at = self.found.get(clark(name))
        return None if at is None else "".join(at.itertext())

    def href_of(self, name):
        at = self.found.get(clark(name))
        got = None if at is None else at.findtext(clark("D:href"))
        return None if got is None else got.strip()

    def types(self):
        at = self.found.get(clark("D:resourcetype"))
        return set() if at is None else {short(child.tag) for child in at}


class Multistatus:
    """A 207 taken apart; AssertionError when it is not well-formed or not a multistatus."""

    def __init__(self, body):
        try:
            self.tree = ElementTree.fromstring(body)
        except ElementTree.ParseError as error:
            raise AssertionError(f"not well-formed: {error}; {body[:200]!r}") from None
        assert self.tree.tag == clark("D:multistatus"), f"root element {self.tree.tag}"
        self.rows = [self.take(one) for one in self.tree.findall(clark("D:response"))]
        self.sync_token = self.tree.findtext(clark("D:sync-token"))

    @staticmethod
    def take(response):
        hrefs = response.findall(clark("D:href"))
        assert hrefs and hrefs[0].text, "a response without href"
        row = Row(path_of(hrefs[0].text), response.findtext(clark("D:status")))
        for propstat in response.findall(clark("D:propstat")):
            status = propstat.findtext(clark("D:status")) or ""
            row.statuses.append(status)
            for one in propstat.find(clark("D:prop")):
                if one.tag in row.found or one.tag in row.others:
                    row.twice.append(short(one.tag))
                if " 2" in status:
                    row.found[one.tag] = one
                else:
                    row.others[one.tag] = status
        return row

    def row(self, path):
        """The row of this path, a closing slash aside."""
        wanted = unquote(path).rstrip("/")
        for row in self.rows:
            if row.href.rstrip("/") == wanted:
                return row
        raise AssertionError(f"no row for {wanted!r}; there are {[row.href for row in self.rows][:6]}")

    def has(self, path):
        return any(row.href.rstrip("/") == unquote(path).rstrip("/") for row in self.rows)

    def members(self):
        """{path: row} of what is there and no collection."""
        return {row.href: row for row in self.rows if not row.status and not row.href.endswith("/")}


def path_of(href):
    return unquote(urlsplit(href.strip()).path)


def error_elements(body):
    """The children of a DAV:error body, as short names; empty when it is none."""
    try:
        tree = ElementTree.fromstring(body)
    except ElementTree.ParseError:
        return set()
    return {short(child.tag) for child in tree} if tree.tag == clark("D:error") else set()
