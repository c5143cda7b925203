"""Checks of WebDAV answers: status, headers, rows of a multistatus, their properties, elements of any XML answer."""
import re
import xml.etree.ElementTree as ET
from urllib.parse import urljoin

from answers import Mismatch, canonical, children_text, match_path, path_of, row, rows, said, select, xml

PROSE = {"{http://twistedmatrix.com/xml_namespace/dav/}error-description", "{DAV:}responsedescription"}  # for people, in an error


def status_code(check):
    wanted = check.args.get("status", ["2xx"])
    for code in wanted:
        if code[1:] == "xx" and check.answer.status // 100 == int(code[0]) or code == str(check.answer.status):
            return
    raise Mismatch(f"got {check.answer.status}{said(check.answer)}, expected {' or '.join(wanted)}")


def header(check):
    """`NAME` one field; `NAME$REGEX` that matches, `NAME!REGEX` that does not; `*` before it: several; `!` before it: none."""
    for text in check.args.get("header", []):
        is_absent, is_many = text.startswith("!"), text.startswith("*")
        name, sign, pattern = re.match(r"([^$!]*)([$!]?)(.*)", text[is_absent or is_many:], flags=re.DOTALL).groups()
        values = check.answer.all(name)
        if name.lower() == "location":
            # RFC 9110 §10.2.2: it may be relative; the scripts compare whole URLs.
            values = [urljoin(check.variables.fill("$host:") + check.uri, value) for value in values]
        if is_absent:
            if values:
                raise Mismatch(f"header {name} is there: {values}")
            continue
        if not values:
            raise Mismatch(f"no header {name}")
        if len(values) > 1 and not is_many:
            raise Mismatch(f"header {name} came {len(values)} times")
        if sign:
            pattern = pattern.replace(" ", "")
            if any(re.match(pattern, value.replace(" ", "")) for value in values) != (sign == "$"):
                raise Mismatch(f"header {name} is {values}, expected {'' if sign == '$' else 'not '}{pattern}")


def multistatus_items(check):
    """Which hrefs came with a good and with a bad status; or how many."""
    args = check.args
    found = {item.href.rstrip("/"): item for item in rows(check.answer)}
    good = {href for href, item in found.items()
            if (item.status or 0) // 100 == 2 or item.status is None and item.has_propstat}
    bad = found.keys() - good
    for name, got, more in (("count", len(good), 1), ("totalcount", len(good), 0), ("responsecount", len(found), 0)):
        if args.get(name):
            wanted = sum(number(text) for text in args[name]) if name == "totalcount" else number(args[name][0])
            if got != wanted + more:
                raise Mismatch(f"{got - more} items, expected {wanted}")
            return
    prefix = (args.get("prefix") or [check.uri])[0]
    prefix = "" if prefix == "-" else prefix
    codes = {int(name): hrefs(values, prefix) for name, values in args.items() if name.isdigit()}
    if codes and not {"okhrefs", "nohrefs", "badhrefs"} & args.keys():
        by_code = {}
        for href, item in found.items():
            by_code.setdefault(item.status or 0, set()).add(href)
        # The scripts write these hrefs in full.
        codes = {int(name): set(values) for name, values in args.items() if name.isdigit()}
        if by_code != codes:
            raise Mismatch(f"by status {short(by_code)}, expected {short(codes)}")
        return
    wanted_good, unwanted, wanted_bad = (hrefs(args.get(name, []), prefix) for name in ("okhrefs", "nohrefs", "badhrefs"))
    ignores_more = "ignoremissing" in args
    complaints = {
        "missing": wanted_good - good, "unexpected": set() if ignores_more else good - wanted_good, "unwanted": good & unwanted,
        "not refused": wanted_bad - bad, "refused": set() if ignores_more else bad - wanted_bad}
    complain({name: items for name, items in complaints.items() if items})


def hrefs(values, prefix):
    found = set()
    for value in values:
        items = [item for item in value[1:-1].split(",") if item] if value.startswith("[") else [value]
        found |= {(prefix + ("" if item == "-" and value.startswith("[") else item)).rstrip("/") for item in items}
    return found


def number(text):
    """A count, or a sum of counts such as `3+1`."""
    if not re.fullmatch(r"[\d+\- ]+", text):
        raise Mismatch(f"the script counts to {text!r}")
    return sum(int(part) for part in re.findall(r"[+-]?\s*\d+", text.replace(" ", "")))


def propfind_items(check):
    """The properties of each row with a good status (`okprops`) and with a bad one (`badprops`), all of them and no others."""
    args = check.args
    root = xml(check.answer.body) if check.answer.body else None
    wanted_status = int(args.get("status", ["207"])[0])
    if check.answer.status != wanted_status:
        raise Mismatch(f"got {check.answer.status}{said(check.answer)}, expected {wanted_status}")
    wanted_root = args.get("root-element", ["{DAV:}multistatus"])[0]
    if root is None or root.tag != wanted_root:
        raise Mismatch(f"root element {root.tag if root is not None else None}, expected {wanted_root}")
    good = [named(text) for text in args.get("okprops", [])]
    bad = [named(text) for text in args.get("badprops", [])]
    different = {name: value for name, sign, value in good if sign == "!"}
    ok_wanted = {(name, value) for name, sign, value in good if sign != "!"}
    bad_wanted = {(name, value) for name, _, value in bad}
    concerned = [found for found in map(row, root.findall("{DAV:}response")) if concerns(found, args)]
    if args.get("count"):
        if len(concerned) != number(args["count"][0]):
            raise Mismatch(f"{len(concerned)} responses, expected {args['count'][0]}")
        return
    for found in concerned:
        ok, refused = values(found.ok, ok_wanted), values(found.bad, bad_wanted)
        extra = {(name, value) for name, value in ok - ok_wanted if name not in different or different[name] == value}
        complaints = {"missing": ok_wanted - ok, "unexpected": extra, "not refused": bad_wanted - refused,
                      "refused": refused - bad_wanted}
        complain({name: [f"{key}={value}" if value else key for key, value in items] for name, items in complaints.items() if items},
                 f" in {found.href}")


def propfind_values(check):
    """`NAME$REGEX` matches the value of a property, `NAME!REGEX` does not; in every row."""
    wanted = [re.match(r"([^$!]*)([$!])(.*)", text, flags=re.DOTALL).groups() for text in check.args.get("props", [])]
    for found in rows(check.answer):
        if not concerns(found, check.args):
            continue
        got = {prop.tag: raw_value(prop) for prop in found.ok}
        for name, sign, pattern in wanted:
            if name not in got:
                raise Mismatch(f"no {name} in {found.href}")
            if (re.match(pattern, got[name], flags=re.DOTALL) is not None) != (sign == "$"):
                raise Mismatch(f"{name} is {got[name]!r}, expected {'' if sign == '$' else 'not '}{pattern}")


def raw_value(prop):
    if not len(prop):
        return prop.text or ""
    return "".join(re.sub(r">\s+<", "><", ET.tostring(child, encoding="unicode").strip()) for child in prop)


def concerns(found, args):
    return found.href not in args.get("ignore", []) and (not args.get("only") or found.href in args["only"])


def named(text):
    """(name, sign, value) of `NAME`, `NAME$VALUE` or `NAME!VALUE`; the value canonical when it is XML."""
    name, sign, value = re.match(r"([^$!]*)([$!]?)([^$]*)", text, flags=re.DOTALL).groups()
    if value.startswith("<"):
        value = canonical(xml(value))
    return name, sign, plain(name, value) or None


def values(props, wanted):
    """{(name, value)} as they came; the value is None where the script does not ask for it."""
    return {(prop.tag, None if (prop.tag, None) in wanted else plain(prop.tag, children_text(prop))) for prop in props}


def plain(name, value):
    # The blank before a media type's parameter is a matter of taste (RFC 9110 §8.3.1).
    return value.replace(" ", "") if value and name == "{DAV:}getcontenttype" else value


def precondition(check):
    """The elements of a DAV:error body."""
    codes = check.args.get("status", ["403", "409", "507"])
    if str(check.answer.status) not in codes:
        raise Mismatch(f"got {check.answer.status}{said(check.answer)}, expected {' or '.join(codes)} "
                       f"with {', '.join(check.args.get('error', []))}")
    if not check.answer.body:
        raise Mismatch(f"{check.answer.status} without a body, expected {check.args.get('error')}")
    root = xml(check.answer.body)
    if root.tag != "{DAV:}error":
        raise Mismatch(f"root element {root.tag}, expected DAV:error")
    got, wanted = {child.tag for child in root if child.tag not in PROSE}, set(check.args.get("error", []))
    if wanted - got or (got - wanted and "ignoreextras" not in check.args):
        raise Mismatch(f"error {sorted(got)}, expected {sorted(wanted)}")


def acl_items(check):
    """Privileges that the user must have (`granted`) or must not have (`denied`), in every row."""
    for found in rows(check.answer):
        got = {held.tag for prop in found.ok if prop.tag == "{DAV:}current-user-privilege-set"
               for privilege in prop.iter("{DAV:}privilege") for held in privilege}
        complain({name: items for name, items in {"not granted": set(check.args.get("granted", [])) - got,
                                                  "granted": got & set(check.args.get("denied", []))}.items() if items},
                 f" in {found.href}")


def xml_element_match(check):
    """Paths that must exist in the answer and paths that must not, below `parent` if that is given."""
    if check.answer.status not in (200, 207):
        raise Mismatch(f"got {check.answer.status}{said(check.answer)}, expected 200 or 207")
    root = xml(check.answer.body)
    if check.args.get("parent"):
        root = parent_node(root, check.args["parent"][0])
    for path in check.args.get("exists", []):
        why = match_path(root, path)
        if why is not None:
            raise Mismatch(f"{path}: {why}")
    for path in check.args.get("notexists", []):
        if match_path(root, path) is None:
            raise Mismatch(f"{path} is there")


def parent_node(root, path):
    found = select(root, path)
    if len(found) != 1:
        raise Mismatch(f"{len(found)} elements {path}, expected one")
    return found[0]


def xml_data_match(check):
    """The whole answer is the XML of a file; the elements that `filter` names are emptied in both."""
    if check.answer.status not in (200, 207):
        raise Mismatch(f"got {check.answer.status}{said(check.answer)}, expected 200 or 207")
    forms = []
    for text in (check.answer.body, check.file_text()):
        root = xml(text)
        for name in check.args.get("filter", []):
            for node in list(root.iter(name)):
                tail = node.tail
                node.clear()
                node.tail = tail
        forms.append(canonical(root))
    if forms[0] != forms[1]:
        at = next((i for i, (a, b) in enumerate(zip(*forms, strict=False)) if a != b), min(map(len, forms)))
        raise Mismatch(f"got …{forms[0][max(0, at - 60):at + 60]}…, expected …{forms[1][max(0, at - 60):at + 60]}…")


def complain(complaints, where=""):
    if complaints:
        raise Mismatch("; ".join(f"{name} {short(items)}" for name, items in complaints.items()) + where)


def short(items, most=6):
    if isinstance(items, dict):
        return "{" + ", ".join(f"{key}: {short(value)}" for key, value in sorted(items.items())) + "}"
    listed = sorted(str(path_of(str(item))) for item in items)
    return ", ".join(listed[:most]) + (f" and {len(listed) - most} more" if len(listed) > most else "")
