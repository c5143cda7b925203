"""iCalendar and vCard as trees of components and properties: parsing only, lenient about line ends and letter case.

What the bytes mean, and when two objects are the same, is in `same.py`.
"""
import re
from dataclasses import dataclass, field


class NotContent(Exception):
    """The text is not iCalendar or vCard; the message says where."""


@dataclass
class Property:
    name: str
    parameters: dict  # NAME: [value, ...]
    value: str  # as written, still escaped
    group: str = ""

    def copy(self):
        return Property(self.name, {name: list(values) for name, values in self.parameters.items()}, self.value, self.group)

    def parameter(self, name):
        values = self.parameters.get(name)
        return values[0] if values else None


@dataclass
class Component:
    name: str
    properties: list = field(default_factory=list)
    components: list = field(default_factory=list)

    def copy(self):
        return Component(self.name, [p.copy() for p in self.properties], [c.copy() for c in self.components])

    def all(self, name):
        return [p for p in self.properties if p.name == name]

    def first(self, name):
        return next(iter(self.all(name)), None)

    def remove(self, *names):
        self.properties = [p for p in self.properties if p.name not in names]


def parse(text, kind):
    """The only object of the text: `kind` is VCALENDAR or VCARD."""
    root, stack = None, []
    for line in unfolded(text):
        if not line.strip():
            continue
        found = parse_line(line)
        if found.name == "BEGIN":
            stack.append(Component(found.value.strip().upper()))
            if len(stack) == 1 and root is not None:
                raise NotContent("more than one object")
        elif found.name == "END":
            if not stack or stack[-1].name != found.value.strip().upper():
                raise NotContent(f"unexpected {line!r}")
            done = stack.pop()
            if stack:
                stack[-1].components.append(done)
            else:
                root = done
        elif not stack:
            raise NotContent(f"a property outside: {line[:60]!r}")
        else:
            stack[-1].properties.append(found)
    if stack or root is None:
        raise NotContent("it has no end" if stack else "no object at all")
    if root.name != kind:
        raise NotContent(f"a {root.name}, not a {kind}")
    return root


def unfolded(text):
    lines = re.split(r"\r\n|\n|\r", text)
    joined = []
    for line in lines:
        if line[:1] in (" ", "\t") and joined:
            joined[-1] += line[1:]
        else:
            joined.append(line)
    return joined


def parse_line(line):
    head, value = split_value(line)
    name, *parameters = split_outside_quotes(head, ";")
    group, dot, rest = name.rpartition(".")
    read = {}
    for parameter in parameters:
        key, equals, text = parameter.partition("=")
        if not equals:
            # vCard 2.1 writes `TEL;HOME:` for `TEL;TYPE=HOME:`, and `PHOTO;BASE64:` for `PHOTO;ENCODING=b:`.
            key, text = ("ENCODING", "b") if key.upper() == "BASE64" else ("TYPE", key)
        values = [decode_parameter(item) for item in split_outside_quotes(text, ",")]
        read.setdefault(key.upper(), []).extend(values)
    return Property((rest if dot else name).upper(), read, value, group)


def split_value(line):
    """(name and parameters, value): the first colon outside quotes parts them."""
    quoted = False
    for at, char in enumerate(line):
        if char == '"':
            quoted = not quoted
        elif char == ":" and not quoted:
            return line[:at], line[at + 1:]
    raise NotContent(f"no value in {line[:60]!r}")


def split_outside_quotes(text, separator):
    parts, quoted = [""], False
    for char in text:
        if char == '"':
            quoted = not quoted
        if char == separator and not quoted:
            parts.append("")
        else:
            parts[-1] += char
    return parts


def decode_parameter(text):
    if len(text) >= 2 and text[0] == text[-1] == '"':
        text = text[1:-1]
    # RFC 6868
    return re.sub(r"\^([n'^])", lambda match: {"n": "\n", "'": '"', "^": "^"}[match.group(1)], text)


def unescape(text):
    return re.sub(r"\\(.)", lambda match: "\n" if match.group(1) in "nN" else match.group(1), text, flags=re.DOTALL)


def split_escaped(text, separator):
    """Parts of a value at the separators that no backslash precedes, each still escaped."""
    return re.findall(rf"(?:^|{separator})((?:\\.|[^\\{separator}])*)", text, flags=re.DOTALL)
