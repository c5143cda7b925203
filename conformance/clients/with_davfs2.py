"""davfs2: the tree as a mounted file system."""
import contextlib
import os
import shutil
import subprocess
import time
from pathlib import Path

import corpus

from harness import install

# buf_size, in KiB: newer kernels read folders in pieces larger than davfs2's default allows.
CONFIG = """\
use_locks 1
delay_upload 0
gui_optimize 0
buf_size 1024
drop_weak_etags 1
secrets {folder}/secrets
"""


def run(report, aim):
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        report.skip("davfs2", "/dev/fuse is not there or not ours to open: a FUSE file system cannot be mounted here")
        return
    if os.getuid() != 0:
        report.skip("davfs2", "mounting wants root")
        return
    install.apt(mount_davfs="davfs2")
    aim.wire().mkcol("davfs2").want(201)
    # davfs2 keeps a file in its cache under the file's name and seven characters more.
    source = corpus.plant(aim.folder / "source", name_bytes_max=248)
    try:
        with mounted(aim, "probe") as place:
            os.listdir(place)
    except subprocess.CalledProcessError as error:
        report.skip("davfs2", f"mount.davfs failed: {error.stderr.decode('utf-8', 'replace').strip()[-300:]}")
        return
    with report.test("davfs2/copy-in"):
        with mounted(aim, "first") as place:
            subprocess.run(["cp", "-r", source, place / "tree"], check=True, capture_output=True, timeout=300)
    with report.test("davfs2/diff-after-remount"):
        with mounted(aim, "second") as place:
            subprocess.run(["diff", "-r", source, place / "tree"], check=True, capture_output=True, timeout=300)
            corpus.assert_same(source, place / "tree")
    edits(report, aim)


def edits(report, aim):
    wire = aim.wire("davfs2/")
    text = corpus.content("edit", 20_000)
    with report.test("davfs2/rename-unlink-append-edit"):
        with mounted(aim, "third") as place:
            for name in ("renamed from", "unlinked", "appended", "edited", "truncated"):
                (place / name).write_bytes(text)
            settle(wire, {"truncated": text})
            (place / "renamed from").rename(place / "renamed to")
            (place / "unlinked").unlink()
            with open(place / "appended", "ab") as file:
                file.write(b"more")
            with open(place / "edited", "r+b") as file:
                file.seek(100)
                file.write(b"EDIT")
            os.truncate(place / "truncated", 10)
        expected = {"renamed to": text, "appended": text + b"more", "edited": text[:100] + b"EDIT" + text[104:],
                    "truncated": text[:10]}
        settle(wire, expected)
        for name in ("renamed from", "unlinked"):
            wire.get(name).want(404)
    with report.test("davfs2/folders"):
        with mounted(aim, "fourth") as place:
            (place / "one" / "two").mkdir(parents=True)
            (place / "one" / "two" / "file").write_bytes(b"deep")
            (place / "one").rename(place / "uno")
            (place / "gone").mkdir()
            (place / "gone").rmdir()
        settle(wire, {"uno/two/file": b"deep"})
        wire.get("one/two/file").want(404)
    with report.test("davfs2/sees-changes-from-elsewhere"):
        with mounted(aim, "fifth") as place:
            assert (place / "edited").read_bytes()[100:104] == b"EDIT"
            wire.put("from elsewhere", b"hello").want(201)
            deadline = time.monotonic() + 90
            while not (place / "from elsewhere").exists():
                assert time.monotonic() < deadline, "not seen after 90 s"
                time.sleep(1)
                os.listdir(place)
            assert (place / "from elsewhere").read_bytes() == b"hello"
    with report.test("davfs2/no-lock-left"):
        # davfs2 locks a file while it is open for writing; after unmounting everything is free.
        for name in ("appended", "edited", "truncated"):
            wire.put(name, b"free").want(200, 204)


def settle(wire, expected, timeout_s=30):
    """Wait until the server has these files: davfs2 uploads behind the caller's back."""
    deadline = time.monotonic() + timeout_s
    while wrong := [name for name, data in expected.items() if wire.get(name).body != data]:
        assert time.monotonic() < deadline, f"{wrong} did not arrive: {[wire.get(n).status for n in wrong]}"
        time.sleep(0.2)


@contextlib.contextmanager
def mounted(aim, name):
    """The test's folder mounted with an empty cache; unmounting waits for all uploads."""
    folder = aim.folder / f"davfs2-{name}"
    place = folder / "mnt"
    place.mkdir(parents=True)
    (folder / "secrets").write_text(f"{aim.url}davfs2/ {aim.user} \"{aim.password}\"\n", encoding="utf-8")
    (folder / "secrets").chmod(0o600)
    (folder / "conf").write_text(CONFIG.format(folder=folder), encoding="utf-8")
    subprocess.run([install.find("mount_davfs"), f"{aim.url}davfs2/", str(place), "-o", f"conf={folder}/conf"],
                   check=True, capture_output=True, timeout=60, stdin=subprocess.DEVNULL)
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True, capture_output=True, timeout=300)
        # davfs2 names a cache after URL and mount point, so a new mount point starts empty; it stays behind if we let it.
        for cache in Path("/var/cache/davfs2").glob(f"*{aim.folder.name}*"):
            shutil.rmtree(cache, ignore_errors=True)
