"""The scripts of CalDAVTester as objects: what a file says, without running it.

A script is a `caldavtest` element: requests that prepare (`start`), suites of tests, requests that clean up (`end`). Any
level may require or exclude features. Substitutions (`$name:`) are left in the text; they are made when a request is sent.
"""
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field


@dataclass
class Features:
    """What must and what must not be switched on for an element to count."""

    required: set
    excluded: set

    def obstacle(self, switched_on):
        """Why the element does not count under these features, or None."""
        missing = sorted(self.required - switched_on)
        if missing:
            return f"needs {missing[0]}"
        unwanted = sorted(self.excluded & switched_on)
        return f"excludes {unwanted[0]}" if unwanted else None


@dataclass
class Verify:
    features: Features
    callback: str
    args: dict  # name: [value, ...]


@dataclass
class Body:
    content_type: str = ""
    filepath: str = ""
    substitutions: dict = field(default_factory=dict)  # of this body alone
    is_generated: bool = False  # fresh UID, dates of today


@dataclass
class Grabs:
    """Values of the answer that later requests use. Each entry: (where, parent or None, [variable, ...])."""

    uri: str = ""
    count: str = ""
    headers: list = field(default_factory=list)
    properties: list = field(default_factory=list)
    elements: list = field(default_factory=list)
    calendar_properties: list = field(default_factory=list)
    calendar_parameters: list = field(default_factory=list)


@dataclass
class Request:
    features: Features
    method: str
    uris: list
    is_quoted: bool  # the path is percent-encoded before it is sent
    headers: list  # [(name, value)]
    body: Body | None
    verifies: list
    grabs: Grabs
    user: str = ""
    password: str = ""
    has_login: bool = True
    is_deleted_at_end: bool = False
    waits_for_success: bool = False
    iterates: bool = False  # the body is a folder: once for each file in it


@dataclass
class Test:
    name: str  # the whole of it: SCRIPT/SUITE/TEST
    description: str
    features: Features
    count: int
    is_ignored: bool
    requests: list


@dataclass
class Suite:
    name: str
    features: Features
    is_ignored: bool
    renews_uids: bool
    tests: list


@dataclass
class Script:
    name: str  # CalDAV/get
    description: str
    features: Features
    is_ignored: bool  # ignored by runs over everything
    start: list
    suites: list
    end: list
    text: str  # the source, to see which accounts it uses

    def tests(self):
        return [test for suite in self.suites for test in suite.tests]


def read(path, name):
    """The script of a file, or None when the file is something else."""
    text = path.read_text(encoding="utf-8")
    root = ET.fromstring(text)
    if root.tag != "caldavtest":
        return None
    names = Names()
    return Script(
        name=name, description=root.findtext("description", "").strip(), features=features(root),
        is_ignored=says_yes(root, "ignore-all"), start=requests(root.find("start")),
        suites=[suite(node, name, names) for node in root.findall("test-suite")], end=requests(root.find("end")), text=text)


class Names:
    """Names of tests, made unique: some scripts use one twice."""

    def __init__(self):
        self.seen = {}

    def unique(self, name):
        self.seen[name] = self.seen.get(name, 0) + 1
        return name if self.seen[name] == 1 else f"{name}#{self.seen[name]}"


def suite(node, script, names):
    name = node.get("name", "")
    tests = [test(child, names.unique(f"{script}/{name}/{child.get('name', '')}")) for child in node.findall("test")]
    return Suite(name, features(node), says_yes(node, "ignore"), says_yes(node, "change-uid"), tests)


def test(node, name):
    return Test(name, (node.findtext("description") or "").strip(), features(node), int(node.get("count", "1")),
                says_yes(node, "ignore"), requests(node))


def requests(node):
    """A `pause` waits for a person at the keyboard; there is none here, so it is left out."""
    return [] if node is None else [request(child) for child in node.findall("request")]


def request(node):
    ruris = node.findall("ruri")
    return Request(
        features=features(node), method=(node.findtext("method") or "").strip(), uris=[(ruri.text or "") for ruri in ruris],
        is_quoted=not ruris or ruris[0].get("quote", "yes") == "yes",
        headers=[(header.findtext("name"), header.findtext("value") or "") for header in node.findall("header")],
        body=body(node.find("data")), verifies=[verify(child) for child in node.findall("verify")], grabs=grabs(node),
        user=node.get("user", ""), password=node.get("pswd", ""), has_login=node.get("auth", "yes") == "yes",
        is_deleted_at_end=says_yes(node, "end-delete"), waits_for_success=says_yes(node, "wait-for-success"),
        iterates=says_yes(node, "iterate-data"))


def body(node):
    if node is None:
        return None
    own = {child.findtext("name"): child.findtext("value") or "" for child in node.findall("substitute")}
    return Body(node.findtext("content-type") or "", node.findtext("filepath") or "", own, says_yes(node, "generate"))


def verify(node):
    args = {arg.findtext("name"): [value.text or "" for value in arg.findall("value")] for arg in node.findall("arg")}
    return Verify(features(node), node.findtext("callback") or "", args)


def grabs(node):
    def all_of(tag):
        return [(child.findtext("name") or child.findtext("property"), child.findtext("parent"),
                 [variable.text for variable in child.findall("variable")]) for child in node.findall(tag)]

    return Grabs(node.findtext("graburi") or "", node.findtext("grabcount") or "", all_of("grabheader"), all_of("grabproperty"),
                 all_of("grabelement"), all_of("grabcalproperty"), all_of("grabcalparameter"))


def features(node):
    def named(tag):
        return {feature.text for group in node.findall(tag) for feature in group.findall("feature")}

    return Features(named("require-feature"), named("exclude-feature"))


def says_yes(node, attribute):
    return node.get(attribute, "no") == "yes"
