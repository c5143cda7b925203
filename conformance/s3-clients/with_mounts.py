"""Programs of Debian that keep a tree, an archive or an annex on S3: s3fs, duplicity, git-annex."""
import shutil
import subprocess
import time
from pathlib import Path

import corpus
from programs import Program
from proxy import Proxy

from harness import install
from harness.report import Skip

MIB = 1 << 20
ANNEX_HOST = "127.0.0.2"


def run(report, aim):
    with report.test("s3fs/mounted-tree"):
        s3fs(aim)
    with report.test("duplicity/full-and-incremental"):
        duplicity(aim)
    with report.test("git-annex/remote"):
        git_annex(aim)


def s3fs(aim):
    if not Path("/dev/fuse").exists():
        raise Skip("no /dev/fuse here")
    install.apt(s3fs="s3fs", fusermount="fuse3")
    bucket, mounted, work = aim.bucket("fs"), aim.folder / "mnt", aim.folder / "s3fs"
    for folder in (mounted, work):
        folder.mkdir()
    keys = work / "keys"
    keys.write_text(f"{aim.user.access_key}:{aim.user.secret_key}\n", encoding="ascii")
    keys.chmod(0o600)
    command = [install.find("s3fs"), bucket, mounted, "-f", "-o",
               f"passwd_file={keys},url={aim.url},use_path_request_style,sigv4,endpoint=us-east-1,multipart_size=5,use_cache="]
    server = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=aim.environment())
    try:
        deadline = time.monotonic() + 20
        while not mounted.is_mount():
            assert server.poll() is None, f"s3fs gave up: {server.communicate()[0][-400:]}"
            assert time.monotonic() < deadline, "s3fs does not mount"
            time.sleep(0.2)
        tree = corpus.plant_many(work / "tree", 40)
        corpus.write_big(tree / "big", 23 * MIB, "s3fs")
        (tree / "empty folder").mkdir()
        shutil.copytree(tree, mounted / "tree")
        corpus.assert_same(tree, mounted / "tree", times=True)
        (mounted / "tree/1").rename(mounted / "renamed é")
        corpus.assert_same(tree / "1", mounted / "renamed é")
        with open(mounted / "tree/0/file 0.dat", "ab") as file:
            file.write(b"appended")
        assert (mounted / "tree/0/file 0.dat").read_bytes() == (tree / "0/file 0.dat").read_bytes() + b"appended"
        shutil.rmtree(mounted / "tree")
        assert [entry.name for entry in mounted.iterdir()] == ["renamed é"]
    finally:
        subprocess.run([install.find("fusermount3") or "fusermount", "-u", str(mounted)], check=False)
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()


def duplicity(aim):
    install.apt(duplicity="duplicity python3-boto3")
    bucket, work = aim.bucket("duplicity"), aim.folder / "duplicity"
    source = corpus.plant_many(work / "source", 80)
    environment = aim.environment(HOME=work)
    words = ("--no-encryption", "--s3-endpoint-url", aim.url, "--s3-region-name", "us-east-1", "--archive-dir", work / "cache",
             "--num-retries", "2", "--volsize", "1")
    duplicity = Program(install.find("duplicity"), environment, cwd=work)
    target = f"boto3+s3://{bucket}/backup"
    duplicity("full", *words, source, target)
    first = shutil.copytree(source, work / "first")
    time.sleep(1.1)
    corpus.write(source / "new", corpus.content("new", 3 * MIB))
    (source / "0/file 0.dat").unlink()
    duplicity("incremental", *words, source, target)
    shutil.rmtree(work / "cache")
    duplicity("restore", *words, target, work / "restored")
    corpus.assert_same(source, work / "restored", times=True)
    status = duplicity("collection-status", *words, target).stdout.decode()
    assert "Full" in status and "Incremental" in status, status[-500:]
    assert first.exists()
    duplicity("verify", *words, target, source)


def git_annex(aim):
    install.apt(git_annex="git-annex", git="git")
    work = aim.folder / "annex"
    work.mkdir()
    git = Program(install.find("git"), aim.environment(HOME=work), cwd=work)
    git("init", "-q")
    for name, value in (("user.name", "x"), ("user.email", "x@example.org"), ("annex.retry", "0"), ("annex.security.allowed-ip-addresses", "all")):
        git("config", name, value)
    git("annex", "init", "here")
    corpus.plant_many(work / "files", 20)
    corpus.write_big(work / "big", 23 * MIB, "annex")
    git("annex", "add", ".")
    git("commit", "-q", "-m", "files")
    # This release signs the Host without its port, so only port 80 works; and it takes the host's name for the region.
    front = Proxy(aim.folder / "front", aim.server.url, address=f"{ANNEX_HOST}:80")
    front.start()
    try:
        annex_round_trip(aim, git, work)
    finally:
        front.stop()


def annex_round_trip(aim, git, work):
    digests = corpus.snapshot(work / "files")
    git("annex", "initremote", "cloud", "type=S3", f"host={ANNEX_HOST}", "port=80", "protocol=http", "requeststyle=path", "signature=v4",
        "datacenter=us-east-1", f"bucket={aim.bucket('annex')}", "encryption=none", "partsize=6MiB")
    git("annex", "copy", "--to", "cloud", ".")
    git("annex", "drop", ".")
    assert not (work / "big").exists(), "git-annex dropped nothing"
    git("annex", "fsck", "--from", "cloud", ".")
    git("annex", "get", ".")
    assert corpus.snapshot(work / "files") == digests
    git("annex", "drop", "--from", "cloud", "big", "--force")
