"""caldav-server-tester: the checks by which the authors of python-caldav tell what a server can do.

Each feature is one line. It must be "full", unless `features.tsv` names another level with a reason.
"""
import ast
import json
import re
import subprocess
from pathlib import Path

from harness import install
from harness.report import say

# vobject: one of its checks looks at events through it.
PACKAGES = ("caldav==3.6.0", "caldav-server-tester==1.7.0", "vobject==0.9.9")
EXPECTATIONS = Path(__file__).resolve().parent / "features.tsv"


def run(report, aim):
    program = install.venv("caldav", *PACKAGES) / "bin/caldav-server-tester"
    config = aim.folder / "caldav.json"
    logins = aim.server.logins if aim.server.has_login else {aim.server.user: (aim.server.user, aim.server.password)}
    config.write_text(json.dumps({name: {"caldav_url": aim.url + "/", "caldav_username": user, "caldav_password": password}
                                  for name, (user, password) in logins.items()}), encoding="utf-8")
    sections = [word for name in logins for word in ("--config-section", name)]
    done = subprocess.run([program, "--format", "hints", *sections], env=aim.environment(CALDAV_CONFIG_FILE=config, TZ="UTC"), capture_output=True,
                          text=True, timeout=900, check=False)
    with report.test("server-tester/runs"):
        assert done.returncode == 0, f"exit {done.returncode}: {done.stderr[-600:]}"
    found = re.search(r"^\{$.*^\}$", done.stdout, re.MULTILINE | re.DOTALL)
    if not found:
        report.record("server-tester/report", "fail", f"no report in {done.stdout[-300:]!r}; {done.stderr[-500:]!r}")
        return
    features, expected = ast.literal_eval(found.group()), read_expectations()
    width = max(map(len, features))
    for name, info in sorted(features.items()):
        level = info.get("support", "observation")
        note = "; ".join(str(value) for key, value in info.items() if key in ("behaviour", "description", "value", "error"))
        say(f"   {name:{width}} {level:12} {note[:160]}")
        wanted, reason = expected.get(name, ("full", "the protocol allows it"))
        if wanted != level:
            report.record(f"server-tester/{name}", "fail", f"{level}, expected {wanted} ({reason}); {note[:300]}")
        else:
            report.record(f"server-tester/{name}", "pass")
    for name in sorted(set(expected) - set(features)):
        report.skip(f"server-tester/{name}", "features.tsv expects it, this version does not look at it here")


def read_expectations():
    rows = [line.split("\t") for line in EXPECTATIONS.read_text(encoding="utf-8").splitlines() if line.strip() and not line.startswith("#")]
    return {name: (level, reason) for name, level, reason in rows}
