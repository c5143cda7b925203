"""Values that a script takes out of an answer to use them later."""
import xml.etree.ElementTree as ET

import content
from answers import Mismatch, rows, select, xml


def from_answer(player, grabs, answer):
    """Keep what the script asks for; Mismatch when it is not there."""
    keep = player.variables.grab
    fill = player.variables.fill
    if grabs.uri and player.found_uri:
        keep(grabs.uri, player.found_uri)
    if grabs.count:
        if answer.status != 207:
            raise Mismatch(f"nothing to count in {answer.status}")
        keep(grabs.count, str(len(rows(answer)) - 1))
    for name, _, variables in grabs.headers:
        value = answer.first(fill(name))
        if value is None:
            raise Mismatch(f"no header {name} to keep in {answer.status}")
        keep(variables[0], value)
    if answer.status == 207:
        for name, _, variables in grabs.properties:
            keep(variables[0], property_value(answer, fill(name)))
    for path, parent, variables in grabs.elements:
        values = elements(answer, fill(path), fill(parent) if parent else None)
        if len(values) != len(variables):
            raise Mismatch(f"{len(values)} elements {fill(path)} to keep, expected {len(variables)}")
        for variable, value in zip(variables, values, strict=True):
            keep(variable, value or "")
    for path, _, variables in grabs.calendar_properties:
        keep(variables[0], content.unescape(calendar_property(answer, fill(path)).value))
    for path, _, variables in grabs.calendar_parameters:
        steps, _, parameter = fill(path).rpartition("/")
        parameter, dollar, value = parameter.partition("$")
        found = calendar_property(answer, steps + dollar + value).parameter(parameter)
        if found is None:
            raise Mismatch(f"no {fill(path)} to keep")
        keep(variables[0], found)


def property_value(answer, name):
    for row in rows(answer):
        for prop in row.ok:
            if prop.tag == name:
                return "".join(ET.tostring(child, encoding="unicode").strip() for child in prop) if len(prop) else prop.text or ""
    raise Mismatch(f"no property {name} to keep")


def elements(answer, path, parent):
    root = xml(answer.body)
    if parent:
        found = select(root, parent)
        if not found:
            raise Mismatch(f"no {parent} to keep from")
        root = found[0]
    # A path from the root begins with a slash; with a parent, its first step is the parent itself.
    nodes = select(root, path) if parent or path.startswith("/") else root.findall(path)
    if not nodes:
        raise Mismatch(f"no {path} to keep from {answer.status}")
    return [node.text for node in nodes]


def calendar_property(answer, path):
    """`VEVENT/ATTACH`, or `VEVENT/ATTACH$VALUE` for the one with that value."""
    path, _, value = path.partition("$")
    *names, prop = path.split("/")
    try:
        component = content.parse(answer.text, "VCALENDAR")
    except content.NotContent as error:
        raise Mismatch(f"nothing to keep, not a calendar: {error}") from None
    for name in names:
        component = next((c for c in component.components if c.name == name), None)
        if component is None:
            raise Mismatch(f"no {name} to keep from")
    found = [p for p in component.all(prop) if not value or p.value == value]
    if not found:
        raise Mismatch(f"no {path} to keep")
    return found[0]
