"""Builds imaptest from a checkout of its public repository, for the Dovecot that Debian has.

The newest sources want a newer Dovecot library. So the program is an older revision, with later corrections out of the same checkout
that touch no library, and the scripts are of the newest revision that was looked at.
"""
import os
import shutil
import subprocess
import sys
from pathlib import Path

from harness import install

PROGRAM = "924f619"  # the last before "Adjust to str_begins() API changes"
# IDLE's state, hanging commands, groups that are skipped, QRESYNC's view, MOVE, stalled clients, pipelines in scripts.
CORRECTIONS = ("d1a6fe3", "fa5de35", "2fce72e", "5aeb310", "9ea2bdd", "6f99cd0", "1425ad0", "cf57082", "23b8a38", "f21fcc4", "6f30b6a",
               "0b03c00", "acba1ae", "f28e32f", "a0f9a2e", "72e893b")
SCRIPTS = "9d78895"
LIBRARIES = Path("/usr/lib/dovecot")


def ready(checkout):
    """(program, folder of scripts), built unless that was done before."""
    folder = install.CACHE / f"imaptest-{PROGRAM}-{SCRIPTS}-{len(CORRECTIONS)}"
    program = folder / "program/src/imaptest"
    if not program.exists():
        need_tools()
        shutil.rmtree(folder, ignore_errors=True)
        print("building imaptest", flush=True)
        try:
            build(checkout, folder / "program")
            scripts(checkout, folder / "scripts")
        except subprocess.CalledProcessError as error:
            shutil.rmtree(folder, ignore_errors=True)
            sys.exit(f"imaptest cannot be built from {checkout}: {(error.stderr or error.stdout or b'').decode('utf-8', 'replace')[-800:]}")
    return program, folder / "scripts"


def need_tools():
    install.apt(autoreconf="autoconf automake", libtoolize="libtool", gcc="gcc", make="make", git="git", patch="patch")
    if not Path("/usr/include/dovecot/config.h").exists():
        install.quietly(["apt-get", "install", "-y", "--no-install-recommends", "dovecot-dev"],
                        {**os.environ, "DEBIAN_FRONTEND": "noninteractive"})


def build(checkout, folder):
    extract(checkout, PROGRAM, folder)
    for commit in CORRECTIONS:
        change = git(checkout, "show", commit, "--", "src", ":!src/profile.c", ":!src/tests")
        subprocess.run(["patch", "-p1", "-s"], input=change, cwd=folder, check=True, capture_output=True)
    # Debian's security update of the library gave this function one more argument.
    if "struct imap_parser_params" in Path("/usr/include/dovecot/imap-parser.h").read_text(encoding="utf-8"):
        for path in (folder / "src").glob("*.c"):
            rows = path.read_text(encoding="utf-8").split("\n")
            rows = [row.replace("(size_t)-1);", "(size_t)-1, NULL);") if "imap_parser_create" in row else row for row in rows]
            path.write_text("\n".join(rows), encoding="utf-8")
    (folder / "version").write_text("2.3.0\n", encoding="ascii")
    for path in (folder / "build-aux").iterdir():
        path.chmod(0o755)
    for command in (["sh", "./autogen.sh"], ["./configure", f"--with-dovecot={LIBRARIES}"], ["nice", "make"]):
        subprocess.run(command, cwd=folder, check=True, capture_output=True)


def scripts(checkout, folder):
    whole = folder.parent / "newest"
    extract(checkout, SCRIPTS, whole)
    shutil.move(whole / "src/tests", folder)
    shutil.rmtree(whole)


def extract(checkout, revision, folder):
    folder.mkdir(parents=True)
    subprocess.run(["tar", "x", "-C", str(folder)], input=git(checkout, "archive", revision), check=True, capture_output=True)


def git(checkout, *words):
    return subprocess.run(["git", "-C", str(checkout), *words], check=True, capture_output=True).stdout


def environment():
    return {**os.environ, "LD_LIBRARY_PATH": str(LIBRARIES)}
