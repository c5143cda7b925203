"""The shape of WebDAV answers: multistatus, elements found by the paths that the scripts use, XML that compares."""
import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

STATUS = re.compile(r"HTTP/\d\.\d (\d{3})")


class Mismatch(Exception):
    """A check failed; the message is short: what was expected, what came."""


@dataclass
class Row:
    """One `response` of a multistatus."""

    href: str  # decoded path
    status: int | None
    ok: list = field(default_factory=list)  # property elements with a 2xx status
    bad: list = field(default_factory=list)
    has_propstat: bool = False


def xml(body):
    try:
        return ET.fromstring(body)
    except ET.ParseError as error:
        raise Mismatch(f"not XML ({error}): {body[:80]!r}") from None


def rows(answer):
    """The rows of a 207 answer."""
    if answer.status != 207:
        raise Mismatch(f"got {answer.status}, expected 207{said(answer)}")
    return [row(node) for node in xml(answer.body).findall("{DAV:}response")]


def row(node):
    hrefs = node.findall("{DAV:}href")
    if not hrefs:
        raise Mismatch("a response without href")
    found = Row(path_of(hrefs[0].text or ""), status_of(node.find("{DAV:}status")))
    for propstat in node.findall("{DAV:}propstat"):
        found.has_propstat = True
        status = status_of(propstat.find("{DAV:}status"))
        props = [prop for group in propstat.findall("{DAV:}prop") for prop in group]
        (found.ok if status and status // 100 == 2 else found.bad).extend(props)
    return found


def status_of(node):
    found = STATUS.match((node.text or "").strip()) if node is not None else None
    return int(found.group(1)) if found else None


def path_of(href):
    """The decoded path of an href, which may be a whole URL."""
    href = href.strip()
    return unquote(urlsplit(href).path if "://" in href else href)


def said(answer):
    """What an error answer says, for people."""
    found = re.findall(rb"<(?:\w+:)?error\b.*?</(?:\w+:)?error>", answer.body, flags=re.DOTALL)
    text = (found[0] if found else b"").decode("utf-8", "replace")
    names = re.findall(r"<(?:\w+:)?([\w-]+)[^>]*/?>", text)[1:2]
    return f" ({names[0]})" if names else ""


def canonical(node):
    """An element as text that compares: no prefixes, no blanks around text, attributes in order."""
    attributes = "".join(f' {name}="{value}"' for name, value in sorted(node.attrib.items()))
    text = (node.text or "").strip()
    if node.tag == "{DAV:}href":
        # A collection has a slash at its end, or not, as the server likes (RFC 4918 §5.2).
        text = text.rstrip("/") or text
    inside = text + "".join(canonical(child) + (child.tail or "").strip() for child in node)
    return f"<{node.tag}{attributes}>{inside}</>"


def children_text(node):
    """What a property holds: the canonical form of its children, its text, or None when it is empty."""
    if len(node):
        return "".join(canonical(child) for child in node)
    return node.text or None


def match_path(root, path):
    """None when an element fits the path, else why none does.

    A path is `/{ns}root/{ns}child…`, with tests in brackets after an element, and may go on after them (`]/…`, `]/../…`).
    """
    parents = {child: parent for parent in root.iter() for child in parent}
    return match_from(root, path, parents)


def match_from(root, path, parents):
    steps, bracket, rest = path.partition("[")
    if steps.startswith("../"):
        root, steps = parents[root], "./" + steps[3:]
    head, below = re.match(r"(/?\{[^}]+\}[^/]+|\.)(.*)", steps, flags=re.DOTALL).groups()
    nodes = [root]
    if below:
        if head != "." and root.tag != head.lstrip("/"):
            return "absent"
        nodes = root.findall(below[1:])
    if not nodes:
        return "absent"
    if not bracket:
        return None
    tests, slash, onward = rest.partition("]/")
    for test in (item.removesuffix("]") for item in tests.split("[")):
        why = "absent"
        for node in nodes:
            why = check_node(node, test)
            if why is None and slash:
                why = match_from(node, onward, parents)
            if why is None:
                break
        if why is not None:
            return why
    return None


def select(root, path):
    """All elements of a path from the root, whose last step may carry tests; of several tests one is enough."""
    steps, bracket, tests = path.partition("[")
    head, below = re.match(r"/?(\{[^}]+\}[^/]+)(.*)", steps, flags=re.DOTALL).groups()
    if root.tag != head:
        return []
    nodes = root.findall(below[1:]) if below else [root]
    if bracket:
        nodes = [node for node in nodes if any(check_node(node, test.removesuffix("]")) is None for test in tests.split("["))]
    return nodes


def check_node(node, test):
    """None when the element passes one bracketed test, else what it holds."""
    sign, value = test[:1], test[1:]
    text = node.text
    if sign == "@":
        name, equals, wanted = value.partition("=")
        fits = name in node.attrib and (not equals or node.attrib[name] == wanted[1:-1])
        return None if fits else f"attributes {node.attrib}"
    if sign == "^":
        name, equals, wanted = value.partition("=")
        fits = any(child.tag == name and (not equals or child.text == wanted) for child in node)
        return None if fits else f"children {[child.tag for child in node]}"
    if sign == "|":
        is_empty = text is None and not len(node)
        return None if is_empty != (value == "|") else f"holds {children_text(node)!r}"
    if test in ("icalendar", "json"):
        return None if text else "no data"
    fits = {"=": (text or "") == value, "!": text != value, "*": value in (text or ""),
            "$": text is not None and value not in text, "+": (text or "").startswith(value)}
    if sign not in fits:
        raise Mismatch(f"the script has an unknown test [{test}]")
    return None if fits[sign] else f"holds {text!r}"
