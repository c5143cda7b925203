"""remotestorage.js, two releases, in headless Chromium: the whole way from a page of another origin and back.

The page is served from an origin of its own. Between its steps this side looks into the drive by WebDAV.
"""
import json
import subprocess
from pathlib import Path

from harness import install
from harness.allod import Allod
from harness.target import workspace

HERE = Path(__file__).resolve().parent
PACKAGES = ("remotestoragejs@1.2.3", "rs2@npm:remotestoragejs@2.0.0-beta.10", "remotestorage-module-bookmarks@0.3.2",
            "playwright-core@1.65.1")
PASSWORD = "correct horse battery"


def run(report, options):
    install.apt(chromium="chromium")
    modules = install.node_modules("remotestorage", *PACKAGES)
    for release in ("remotestoragejs", "rs2"):
        with workspace(options.keep) as folder:
            server = Allod(options.allod, folder / "data")
            server.command("account", "add", "alice", "--password-stdin", stdin=PASSWORD + "\n")
            drive = server.add_app("alice", "the drive", "files")
            server.start()
            try:
                walk(report, release, modules, server, drive, folder)
            finally:
                server.stop()


def walk(report, release, modules, server, drive, folder):
    name = {"remotestoragejs": "1.2", "rs2": "2.0-beta"}[release]
    task = {"modules": str(modules / "node_modules"), "release": release, "base": server.base, "password": PASSWORD,
            "drive": {"user": drive["username"], "password": drive["password"]}, "chromium": install.find("chromium"),
            "folder": str(folder)}
    done = subprocess.run(["node", str(HERE / "browser.mjs"), json.dumps(task)], capture_output=True, text=True,
                          timeout=300, check=False)
    results = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    for result in results:
        report.record(f"browser/{name}/{result['name']}", "pass" if result["ok"] else "fail", result.get("detail", ""))
    ended = bool(results) and results[-1]["name"] == "end"
    if not ended:
        report.record(f"browser/{name}/end", "fail", (done.stdout + done.stderr).strip()[-600:])
    listed = json.loads(server.command("app", "list", "alice", "--json").stdout)
    labels = [app["label"] for app in listed if app["label"] != "the drive"]
    report.record(f"browser/{name}/nothing is left of the app", "pass" if not labels else "fail", str(labels))
