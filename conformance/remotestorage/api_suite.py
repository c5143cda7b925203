"""The public suite remotestorage/api-test-suite, each of its tests as one of ours."""
import os
import re
import shutil
import subprocess
from pathlib import Path

from harness import install
from harness.allod import Allod
from harness.target import workspace

MODULE = "api-test"
RESULT = re.compile(r"^\s*(?:test_\d+_)?(.*?)\s+(PASS|FAIL|ERROR|SKIP)\b")
# The suite pins gems of 2014; its tests run unchanged on those that Debian has.
ORDERED = """
require "minitest"
module Minitest
  # Tests build on those before them. The release that the suite pins ran groups as they are written; later ones shuffle.
  def self.__run(reporter, options)
    Runnable.runnables.reject { |s| s.runnable_methods.empty? }.map { |s| s.run reporter, options }
  end
end
load "api_spec.rb"
"""
GEMFILE = 'gem "rest-client"\ngem "minitest"\ngem "minitest-reporters"\ngem "json"\ngem "colored"\n'


def run(report, options):
    checkout = os.environ.get("RS_API_TEST_SUITE")
    if not checkout:
        report.skip("api", "RS_API_TEST_SUITE is not set; it wants a clone of the public repository remotestorage/api-test-suite")
        return
    packages = "ruby-bundler ruby-rest-client ruby-minitest ruby-minitest-reporters ruby-colored"
    install.apt(ruby="ruby", bundle=packages)
    if not Path("/usr/share/doc/ruby-colored").exists():
        install.quietly(["apt-get", "install", "-y", "--no-install-recommends", *packages.split()])
    with workspace(options.keep) as folder:
        server = Allod(options.allod, folder / "data")
        for name in ("alice", "bob"):
            server.add_account(name)
        suite = folder / "suite"
        shutil.copytree(checkout, suite, ignore=shutil.ignore_patterns(".git"))
        (suite / "Gemfile").write_text(GEMFILE, encoding="utf-8")
        (suite / "Gemfile.lock").unlink(missing_ok=True)
        server.start()
        try:
            (suite / "config.yml").write_text(settings(server), encoding="utf-8")
            done = subprocess.run(["ruby", "-W0", "-I.", "-e", ORDERED], cwd=suite, capture_output=True, text=True,
                                  timeout=300, check=False)
        finally:
            server.stop()
        judge(report, done.stdout + done.stderr)


def settings(server):
    corner = [f"/{MODULE}", f"/public/{MODULE}"]
    token = lambda *grants: server.add_app("alice", "suite", *grants)["bearer"]  # noqa: E731
    return "\n".join([
        f"storage_base_url: {server.base}/storage/alice",
        f"storage_base_url_other: {server.base}/storage/bob",
        f"category: {MODULE}",
        "token: " + token(*[f"{path}:rw@remotestorage" for path in corner]),
        "read_only_token: " + token(*[f"{path}:r@remotestorage" for path in corner]),
        "root_token: " + token("/:rw@remotestorage"),
    ]) + "\n"


def judge(report, output):
    """File each test of the reporter's output; the group's name stands on a line of its own before its tests."""
    group, count = "", 0
    for line in re.sub(r"\x1b\[[\d;]*m", "", output).splitlines():
        found = RESULT.match(line)
        if not found:
            if line and not line.startswith(" ") and " request failed with: " not in line:
                group = line.strip()
            continue
        name, word = found.groups()
        count += 1
        report.record(f"api/{group}/{name}", "pass" if word == "PASS" else "fail", word)
    if count == 0:
        report.record("api", "fail", output.strip()[-400:])
    elif "FAIL" in output or "ERROR" in output:
        print(output[-6000:])
