"""ENVELOPE and BODYSTRUCTURE as trees that can be compared, and what has to be true of them on any server."""

MEDIA = 7  # where the fields of a single part begin to depend on its type


def normal(structure):
    """The tree with names in lower case, where case has no meaning; parameters sorted; extension data cut to what both may have."""
    if isinstance(structure[0], list):
        parts = [normal(part) for part in structure if isinstance(part, list) and is_part(part)]
        rest = structure[len(parts):]
        return ["multipart", low(rest[0]), parameters(rest[1] if len(rest) > 1 else None), disposition(rest[2] if len(rest) > 2 else None),
                language(rest[3] if len(rest) > 3 else None), rest[4] if len(rest) > 4 else None, parts]
    kind, sub = low(structure[0]), low(structure[1])
    fields = [kind, sub, parameters(structure[2]), structure[3], structure[4], low(structure[5]), int(structure[6])]
    at = MEDIA
    if (kind, sub) == (b"message", b"rfc822") and len(structure) > 9 and isinstance(structure[7], list):
        fields += [envelope(structure[7]), normal(structure[8]), int(structure[9])]
        at = 10
    elif kind == b"text" and len(structure) > 7:
        fields.append(int(structure[7]))
        at = 8
    rest = structure[at:]
    return [*fields, rest[0] if rest else None, disposition(rest[1] if len(rest) > 1 else None), language(rest[2] if len(rest) > 2 else None), rest[3] if len(rest) > 3 else None]


def is_part(value):
    return bool(value) and (isinstance(value[0], list) or (len(value) >= MEDIA and isinstance(value[0], bytes) and isinstance(value[1], bytes)))


def low(value):
    return value.lower() if isinstance(value, bytes) else value


def parameters(value):
    return sorted((low(value[at]), value[at + 1]) for at in range(0, len(value), 2)) if value else None


def disposition(value):
    return [low(value[0]), parameters(value[1])] if isinstance(value, list) and len(value) == 2 else value


def language(value):
    return sorted(value) if isinstance(value, list) else [value] if value else None


def envelope(value):
    return [*value[:2], *[[[low_host(address) for address in people] if people else None for people in value[2:8]]], *value[8:]]


def low_host(address):
    return [*address[:3], low(address[3])]


def sections(structure, prefix=""):
    """[(section, octets)] of all leaves, as BODY[section] names them."""
    if isinstance(structure[0], list):
        found = []
        for number, part in enumerate([part for part in structure if isinstance(part, list) and is_part(part)], 1):
            found += sections(part, f"{prefix}.{number}" if prefix else str(number))
        return found
    here = prefix or "1"
    found = [(here, int(structure[6]))]
    if low(structure[0]) == b"message" and low(structure[1]) == b"rfc822" and len(structure) > 9 and isinstance(structure[8], list):
        inner = structure[8]
        found += sections(inner, here) if isinstance(inner[0], list) else sections(inner, f"{here}.1")
    return found


def difference(first, second, path=""):
    """Where two trees differ first: a short text, or None."""
    if isinstance(first, (list, tuple)) and isinstance(second, (list, tuple)):
        for at, (one, two) in enumerate(zip(first, second, strict=False)):
            if (found := difference(one, two, f"{path}/{at}")):
                return found
        return f"{path}: {len(first)} and {len(second)} items" if len(first) != len(second) else None
    return None if first == second else f"{path}: {short(first)} and {short(second)}"


def short(value):
    text = repr(value)
    return text if len(text) < 120 else text[:120] + "…"
