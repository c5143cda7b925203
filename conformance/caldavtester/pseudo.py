"""The methods of the script language that HTTP does not have: they look into a collection, wait, and delete.

| method | what it does |
|---|---|
| `DELETEALL` | deletes every member of the collections |
| `DELAY` | waits that many seconds |
| `GETNEW`, `FINDNEW` | the newest member that has not been found before; the first also GETs it |
| `GETOTHER` | the newest member beside the named one, and GETs it |
| `GETCONTAINS TEXT` | the first member with that text, and GETs it |
| `WAITCOUNT N` | waits until the collections have N members |
| `WAITDELETEALL N` | waits for that, then deletes them |

A URI of `$` stands for the member that was found last.
"""
import email.utils
import time

from answers import Mismatch, path_of, rows, xml

LIST = b"""<?xml version="1.0" encoding="utf-8"?>
<D:propfind xmlns:D="DAV:"><D:prop><D:getetag/><D:getlastmodified/></D:prop></D:propfind>
"""


def resolve(player, request):
    """(HTTP method, URI, whether it is an href of the server); the method is None when all is done already."""
    method, _, argument = request.method.partition(" ")
    uris = [player.variables.fill(uri) for uri in request.uris]
    if method == "DELAY":
        time.sleep(int(uris[0]))
    elif method == "DELETEALL":
        for uri in uris:
            delete_all(player, request, uri)
    elif method in ("WAITCOUNT", "WAITDELETEALL"):
        for uri in uris:
            try:
                wait_for_count(player, request, uri, int(argument))
            finally:
                # Also when the count is wrong: else what is too much would be too much in every test that follows.
                if method == "WAITDELETEALL":
                    delete_all(player, request, uri)
    elif method in ("GETNEW", "FINDNEW", "GETOTHER", "GETCONTAINS"):
        if method == "GETCONTAINS":
            player.found_uri = containing(player, request, uris[0], player.variables.fill(argument))
        else:
            player.found_uri = newest(player, request, uris[0], beside=method == "GETOTHER")
        if request.grabs.uri:
            player.variables.grab(request.grabs.uri, player.found_uri)
        return (None, None, False) if method == "FINDNEW" else ("GET", player.found_uri, True)
    elif uris == ["$"]:
        if player.found_uri is None:
            raise Mismatch(f"{method} $: nothing has been found yet")
        return request.method, player.found_uri, True
    else:
        return request.method, None, False
    return None, None, False


def members(player, request, uri):
    """{href as it came: time of its last change} of the members of a collection; nothing when it cannot be listed."""
    answer = player.plain(request, "PROPFIND", uri, {"Depth": "1", "Content-Type": "text/xml"}, LIST)
    if answer.status != 207:
        return {}
    found = {}
    for row, href in zip(rows(answer), raw_hrefs(answer), strict=True):
        if row.href.rstrip("/") != path_of(uri).rstrip("/"):
            stamps = [prop.text for prop in row.ok if prop.tag == "{DAV:}getlastmodified" and prop.text]
            parsed = email.utils.parsedate_tz(stamps[0]) if stamps else None
            found[href] = email.utils.mktime_tz(parsed) if parsed else 0
    return found


def raw_hrefs(answer):
    return [(node.findtext("{DAV:}href") or "").strip() for node in xml(answer.body).findall("{DAV:}response")]


def delete_all(player, request, uri):
    for href in members(player, request, uri):
        answer = player.send("DELETE", href, {}, None, request, is_quoted=False)
        if answer.status // 100 != 2:
            raise Mismatch(f"DELETEALL: DELETE {href} got {answer.status}")
    if player.is_home(uri):
        player.furnish()  # see Player.start


def wait_for_count(player, request, uri, count):
    until = time.monotonic() + player.layout.wait_count_s
    while True:
        trace = player.trace
        found = members(player, request, uri)
        if len(found) == count:
            return
        if time.monotonic() >= until:
            raise Mismatch(f"{request.method} {uri}: it has {len(found)}")
        player.trace = trace  # the last look is enough
        time.sleep(player.layout.wait_delay_s)


def newest(player, request, uri, beside):
    """A clock of whole seconds cannot order what came in one second: then the only one not found before is taken."""
    folder, skipped = (uri.rpartition("/")[0] + "/", path_of(uri)) if beside else (uri, None)
    found = {href: stamp for href, stamp in members(player, request, folder).items() if path_of(href) != skipped}
    latest = [href for href, stamp in found.items() if stamp == max(found.values())]
    fresh = [href for href in latest if href not in player.found_before]
    if len(latest) != 1 and len(fresh) != 1:
        raise Mismatch(f"{request.method} {uri}: {len(latest)} newest members of {len(found)}")
    href = latest[0] if len(latest) == 1 else fresh[0]
    player.found_before.add(href)
    return href


def containing(player, request, uri, text):
    for href in members(player, request, uri):
        answer = player.send("GET", href, {}, None, request, is_quoted=False)
        if text in answer.text:
            return href
    raise Mismatch(f"GETCONTAINS {uri}: no member has {text!r}")
