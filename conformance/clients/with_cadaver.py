"""cadaver, scripted: the interactive client of many a how-to."""
import os
import subprocess

import corpus

from harness import install

FAILURES = ("failed", "Could not", "could not", "Unrecognised", "error:", "Not Found")


class Cadaver:
    def __init__(self, aim):
        self.aim = aim
        self.folder = aim.folder / "cadaver"
        self.folder.mkdir()
        wire = aim.wire()
        (self.folder / ".netrc").write_text(f"machine {wire.host}\nlogin {aim.user}\npassword {aim.password}\n", encoding="utf-8")
        (self.folder / ".netrc").chmod(0o600)
        self.environment = {**os.environ, "HOME": str(self.folder), "EDITOR": str(self.folder / "editor")}

    def __call__(self, *lines):
        """Run the commands in a folder of its own; what cadaver said. AssertionError when it reports a failure."""
        done = subprocess.run(["cadaver", self.aim.url + "cadaver/"], input="\n".join([*lines, "quit"]) + "\n", text=True,
                              cwd=self.folder, env=self.environment, capture_output=True, timeout=120,
                              check=False)
        said = done.stdout + done.stderr
        for word in FAILURES:
            assert word not in said, f"cadaver said: {said[-400:]}"
        return said


def run(report, aim):
    install.apt(cadaver="cadaver")
    aim.wire().mkcol("cadaver").want(201)
    cadaver = Cadaver(aim)
    wire = aim.wire("cadaver/")
    data = corpus.content("cadaver", 100_000)
    corpus.write(cadaver.folder / "local file", data)
    files(report, cadaver, wire, data)
    locks_and_properties(report, cadaver, wire)


def files(report, cadaver, wire, data):
    with report.test("cadaver/put-get"):
        cadaver('put "local file" "remote file"', 'get "remote file" back')
        assert (cadaver.folder / "back").read_bytes() == data
        assert wire.get("remote file").want(200).body == data
    with report.test("cadaver/mput-mget"):
        for at in range(5):
            corpus.write(cadaver.folder / f"many{at}.dat", corpus.content(at, 3000 + at))
        cadaver("mkcol many", "cd many", "mput many0.dat many1.dat many2.dat many3.dat many4.dat")
        for at in range(5):
            assert wire.get(f"many/many{at}.dat").want(200).body == corpus.content(at, 3000 + at)
    with report.test("cadaver/ls"):
        said = cadaver("ls", "ls many")
        assert "remote file" in said and "many3.dat" in said, said[-400:]
    with report.test("cadaver/copy-move-delete"):
        cadaver('copy "remote file" copied', "move copied moved", "mkcol sub", "move moved sub/", "copy many many2")
        assert wire.get("sub/moved").want(200).body == data
        assert wire.get("many2/many4.dat").want(200).body == corpus.content(4, 3004)
        cadaver("delete sub/moved", "rmcol many2")
        wire.get("sub/moved").want(404)
        wire.get("many2/many4.dat").want(404)


def locks_and_properties(report, cadaver, wire):
    with report.test("cadaver/lock-unlock"):
        said = cadaver('lock "remote file"', 'discover "remote file"', 'unlock "remote file"')
        assert "Lock token" in said or "opaquelocktoken" in said or "urn:uuid" in said, said[-400:]
        wire.put("remote file", b"free again").want(200, 204)
    with report.test("cadaver/edit-under-lock"):
        # `edit` locks, fetches, calls the editor, stores, unlocks. Our editor knocks at the locked door meanwhile.
        url = f"http://{wire.host}:{wire.port}{wire.path('remote file')}"
        editor = cadaver.folder / "editor"
        editor.write_text("#!/bin/sh\nsleep 1.1\necho edited >> \"$1\"\n"
                          f"curl -s -o /dev/null -w '%{{http_code}}' -T '{cadaver.folder}/back' "
                          f"-u '{cadaver.aim.user}:{cadaver.aim.password}' '{url}' > '{cadaver.folder}/knock'\n", encoding="utf-8")
        editor.chmod(0o755)
        cadaver('edit "remote file"')
        knocked = (cadaver.folder / "knock").read_text(encoding="ascii")
        assert knocked == "423", f"a PUT without the lock's token got {knocked}"
        assert wire.get("remote file").want(200).body == b"free againedited\n"
        wire.put("remote file", b"free again").want(200, 204)
    with report.test("cadaver/properties"):
        said = cadaver('propset "remote file" mood "quite good"', 'propget "remote file" mood',
                       'propnames "remote file"')
        assert "quite good" in said and "mood" in said, said[-600:]
        said = cadaver('propdel "remote file" mood', 'propnames "remote file"')
        assert "mood" not in said.partition("propnames")[2], said[-600:]
