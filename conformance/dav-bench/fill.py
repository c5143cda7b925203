"""Collections of a given size on every server. allod is filled through its door; the peers, which would need minutes, by files in
their own layout."""
import json
import subprocess
import threading

import dav
import generate
from driver import Pipe

CONNECTIONS = 8


def fill(server, login, path, make, count):
    """A collection at `path` with items 0 to `count` of `make` (`generate.event` or `generate.card`)."""
    create(server, login, path, "calendar" if make is generate.event else "addressbook")
    {"allod": by_put, "radicale": radicale_files, "radicale+gunicorn": radicale_files, "xandikos": xandikos_files}[server.name](server, login, path, make, count)


def create(server, login, path, kind):
    pipe = Pipe(server.base, login)
    name = f"<D:displayname>{path.rstrip('/').rpartition('/')[2]}</D:displayname>"
    method, body = ("MKCALENDAR", dav.mkcalendar(name)) if kind == "calendar" else ("MKCOL", dav.mkcol("CARD:addressbook", properties=(name,)))
    status, said = pipe.exchange(pipe.ready(method, path, dav.XML, body))
    pipe.close()
    assert status == 201, f"{server.name}: {method} {path}: {status} {said[:200]!r}"


def by_put(server, login, path, make, count):
    failures = []

    def put(part):
        pipe = Pipe(server.base, login)
        for number in range(part, count, CONNECTIONS):
            name, data = make(number)
            kind = "text/calendar" if name.endswith(".ics") else "text/vcard"
            status, said = pipe.exchange(pipe.ready("PUT", path + name, {"Content-Type": f"{kind}; charset=utf-8", "If-None-Match": "*"}, data))
            if status != 201:
                failures.append(f"{name}: {status} {said[:200]!r}")
                break
        pipe.close()

    threads = [threading.Thread(target=put, args=(part,)) for part in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, f"filling {path}: {failures[:3]}"


def radicale_files(server, login, path, make, count):
    folder = server.home / "collections/collection-root" / path.strip("/")
    assert json.loads((folder / ".Radicale.props").read_text(encoding="utf-8"))["tag"] in ("VCALENDAR", "VADDRESSBOOK")
    write(folder, make, count)


def xandikos_files(server, login, path, make, count):
    folder = server.home / "dav" / path.strip("/")
    write(folder, make, count)
    git = ["git", "-c", "user.name=bench", "-c", "user.email=bench@example.com", "-C", folder]
    subprocess.run([*git, "add", "-A"], check=True, capture_output=True)
    subprocess.run([*git, "commit", "-q", "-m", "fill"], check=True, capture_output=True)


def write(folder, make, count):
    for number in range(count):
        name, data = make(number)
        (folder / name).write_bytes(data)
