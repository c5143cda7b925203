"""GNOME's gvfs by its `gio` command: what Nautilus does, without a screen."""
import os
import shutil
import subprocess

import corpus

from harness import install

SCRIPT = """\
set -e
printf '%s\\n%s\\n' "$USER_NAME" "$SECRET" | gio mount "$PLACE" >&2
exec bash "$1"
"""


class Gio:
    """Runs shell lines in a session bus of their own with the place mounted; `$PLACE` is its URL."""

    def __init__(self, aim):
        self.aim = aim
        self.folder = aim.folder / "gio"
        self.folder.mkdir()
        (self.folder / "runtime").mkdir(mode=0o700)
        (self.folder / "mount.sh").write_text(SCRIPT, encoding="utf-8")
        wire = aim.wire()
        self.place = f"dav://{aim.user}@{wire.host}:{wire.port}{wire.base}/"

    def __call__(self, *lines):
        script = self.folder / "lines.sh"
        script.write_text("\n".join(["set -e", *lines]) + "\n", encoding="utf-8")
        environment = {**os.environ, "HOME": str(self.folder), "XDG_RUNTIME_DIR": str(self.folder / "runtime"),
                       "PLACE": self.place, "USER_NAME": self.aim.user, "SECRET": self.aim.password, "HERE": str(self.folder)}
        environment.pop("DISPLAY", None)
        return subprocess.run(["dbus-run-session", "--", "bash", self.folder / "mount.sh", script], env=environment,
                              capture_output=True, check=True, timeout=120, stdin=subprocess.DEVNULL).stdout.decode()


def run(report, aim):
    install.apt(gio="libglib2.0-bin", dbus_run_session="dbus dbus-bin dbus-daemon")
    if not os.path.exists("/usr/lib/gvfs/gvfsd-dav") and not os.path.exists("/usr/libexec/gvfsd-dav"):
        install.quietly(["apt-get", "install", "-y", "--no-install-recommends", "gvfs", "gvfs-daemons", "gvfs-backends"])
    gio = Gio(aim)
    try:
        gio("gio info \"$PLACE\" > /dev/null")
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        said = (error.stderr or b"").decode("utf-8", "replace").strip()[-400:]
        if not aim.wire().propfind("", "0").status == 207:
            raise
        report.record("gio/mount", "fail", said)
        return
    report.record("gio/mount", "pass")
    wire = aim.wire()
    data = corpus.content("gio", 300_000)
    corpus.write(gio.folder / "local file #1", data)
    with report.test("gio/copy-up-and-down"):
        gio('gio mkdir "${PLACE}gio%20folder"', 'gio copy "$HERE/local file #1" "${PLACE}gio%20folder/remote%20%231"',
            'gio copy "${PLACE}gio%20folder/remote%20%231" "$HERE/back"')
        assert wire.get("gio folder/remote #1").want(200).body == data
        assert (gio.folder / "back").read_bytes() == data
    with report.test("gio/list"):
        said = gio('gio list -l "${PLACE}gio%20folder/"')
        assert "remote #1" in said and "300000" in said, said
    with report.test("gio/move-rename-remove"):
        gio('gio move "${PLACE}gio%20folder/remote%20%231" "${PLACE}gio%20folder/moved"',
            'gio rename "${PLACE}gio%20folder/moved" "renamed é"')
        assert wire.get("gio folder/renamed é").want(200).body == data
        wire.get("gio folder/moved").want(404)
        gio('gio remove "${PLACE}gio%20folder/renamed%20%C3%A9"')
        wire.get("gio folder/renamed é").want(404)
    with report.test("gio/overwrite"):
        corpus.write(gio.folder / "second", b"second version")
        gio('gio copy "$HERE/local file #1" "${PLACE}gio%20folder/twice"', 'gio copy "$HERE/second" "${PLACE}gio%20folder/twice"',
            'echo from a pipe | gio save "${PLACE}gio%20folder/saved"')
        assert wire.get("gio folder/twice").body == b"second version"
        assert wire.get("gio folder/saved").body == b"from a pipe\n"
    with report.test("gio/tree"):
        tree = aim.folder / "gio-tree"
        corpus.plant_many(tree, 20)
        lines = ['gio mkdir "${PLACE}tree"']
        for folder in sorted(p.name for p in tree.iterdir()):
            lines += [f'gio mkdir "${{PLACE}}tree/{folder}"', f'gio copy {tree}/{folder}/* "${{PLACE}}tree/{folder}/"']
        gio(*lines)
        for path in (p for p in tree.rglob("*") if p.is_file()):
            assert wire.get(f"tree/{path.relative_to(tree)}").want(200).body == path.read_bytes()
        shutil.rmtree(tree)
