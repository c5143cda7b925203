"""Values that a script takes out of an answer to use them later."""
import xml.etree.ElementTree as ET

import content
from answers import Mismatch, rows, select, xml


def from_answer(player, grabs, answer):
    """Keep what the script asks for. What could not be kept, in words; one thing missing does not keep the others away."""
    complaints = []
    for what, variables in wanted(player, grabs, answer):
        try:
            values = what()
            if len(values) != len(variables):
                raise Mismatch(f"{len(values)} values for {', '.join(variables)}")
            for variable, value in zip(variables, values, strict=True):
                player.variables.grab(variable, value)
        except Mismatch as error:
            complaints.append(str(error))
    return complaints


def wanted(player, grabs, answer):
    """[(function that finds the values, their variables)]."""
    fill = player.variables.fill
    found = []
    if grabs.uri and player.found_uri:
        found.append((lambda: [player.found_uri], [grabs.uri]))
    if grabs.count:
        found.append((lambda: [count(answer)], [grabs.count]))
    found += [(lambda name=name: [header(answer, fill(name))], variables) for name, _, variables in grabs.headers]
    if answer.status == 207:
        found += [(lambda name=name: [property_value(answer, fill(name))], variables) for name, _, variables in grabs.properties]
    found += [(lambda path=path, parent=parent: elements(answer, fill(path), fill(parent) if parent else None), variables)
              for path, parent, variables in grabs.elements]
    found += [(lambda path=path: [content.unescape(calendar_property(answer, fill(path)).value)], variables)
              for path, _, variables in grabs.calendar_properties]
    found += [(lambda path=path: [calendar_parameter(answer, fill(path))], variables)
              for path, _, variables in grabs.calendar_parameters]
    return found


def count(answer):
    if answer.status != 207:
        raise Mismatch(f"nothing to count in {answer.status}")
    return str(len(rows(answer)) - 1)


def header(answer, name):
    value = answer.first(name)
    if value is None:
        raise Mismatch(f"no header {name} to keep in {answer.status}")
    return value


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
    return [node.text or "" for node in nodes]


def calendar_parameter(answer, path):
    """`VEVENT/ATTACH/SIZE`, or `VEVENT/ATTACH/SIZE$VALUE` of the property with that value."""
    steps, _, parameter = path.rpartition("/")
    parameter, dollar, value = parameter.partition("$")
    found = calendar_property(answer, steps + dollar + value).parameter(parameter)
    if found is None:
        raise Mismatch(f"no {path} to keep")
    return found


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
