"""restic: generations, pruning, a server killed under it, and credentials that can only add.

restic locks its repository with an object below `locks/`, renews it, and removes it at the end. A credential that can only
add cannot remove it, and restic asks again for minutes before it gives up. So the recipe for backups that an intruder on
the client cannot destroy is two grants: `--grant backup=/BUCKET --grant /BUCKET/locks:rw`; forget and prune run with
another credential, elsewhere.
"""
import json
import shutil
import subprocess
import time

import corpus
from aim import keys_of, refused
from programs import Program

from harness import install
from harness.report import Skip, say

MIB = 1 << 20


def run(report, aim):
    install.apt(restic="restic")
    source, work = aim.folder / "source", aim.folder
    restic = repository(aim, "restic", "a")
    kept = []
    with report.test("restic/init"):
        restic("init")
        assert b"Fatal" in restic("init", check=False).stderr, "a second init went through"
    with report.test("restic/generations"):
        for generation in range(3):
            corpus.plant_many(source, 200 + generation * 50)
            corpus.write(source / f"generation {generation}", corpus.content(generation, 3 * MIB))
            if generation:
                (source / f"generation {generation - 1}").unlink()
            kept.append((backup(restic, source), shutil.copytree(source, work / f"kept {generation}")))
        assert len(json.loads(restic("snapshots", "--json").stdout)) == 3
    with report.test("restic/restore"):
        restore_all(restic, kept, work, source)
    with report.test("restic/forget-prune"):
        restic("forget", "--keep-last", "2", "--prune")
        restic("check", "--read-data")
        restore_all(restic, kept[1:], work, source)
    with report.test("restic/key-and-tags"):
        restic("tag", "--add", "kept", "latest")
        restic("unlock")
        assert not keys_of(aim.boto(), "restic", Prefix="a/locks/"), "locks are left"
    with report.test("restic/killed-server"):
        killed_server(aim, work)
    append_only(report, aim, work)


def repository(aim, bucket, path, user=None, *flags):
    environment = aim.environment(user, RESTIC_PASSWORD="secret", RESTIC_REPOSITORY=f"s3:{aim.url}/{bucket}/{path}",
                                  RESTIC_CACHE_DIR=aim.folder / f"cache {path}")
    return Program(install.find("restic"), environment, "-q", *flags, cwd=aim.folder)


def backup(restic, source):
    """The id of the new snapshot."""
    restic("backup", source)
    return json.loads(restic("snapshots", "--json", "latest").stdout)[0]["id"]


def restore_all(restic, kept, work, source):
    for snapshot, tree in kept:
        target = work / "restored"
        shutil.rmtree(target, ignore_errors=True)
        restic("restore", snapshot, "--target", target)
        corpus.assert_same(tree, target / str(source).lstrip("/"), times=True)


def killed_server(aim, work):
    """SIGKILL in the middle of a backup; restic may go on by itself or give up. Run again, all is whole."""
    aim.killable()
    client, restic = aim.boto(), repository(aim, "restic", "killed", None, "--limit-upload", "20000")
    restic("init")
    source = work / "to kill under"
    source.mkdir()
    size = (60 if aim.small else 160) * MIB
    corpus.write_big(source / "big", size, "restic")
    corpus.plant_many(source / "many", 500)
    running = restic.start("backup", source)
    deadline = time.monotonic() + 60
    while len(keys_of(client, "restic", Prefix="killed/data/")) < 2:
        assert running.poll() is None, f"restic ended before the kill: {running.communicate()[0][-300:]}"
        assert time.monotonic() < deadline, "restic uploads nothing"
        time.sleep(0.2)
    aim.server.kill()
    time.sleep(1)
    aim.server.start()
    try:
        running.wait(120)
    except subprocess.TimeoutExpired:
        running.kill()
    restic = repository(aim, "restic", "killed")
    restic("unlock", "--remove-all")
    snapshot = backup(restic, source)
    restic("check", "--read-data")
    restic("prune")
    restic("check", "--read-data")
    restore_all(restic, [(snapshot, source)], work, source)


def append_only(report, aim, work):
    source = corpus.plant_many(work / "append source", 120)
    with report.test("restic/append-only"):
        only_grants(aim)
        bucket = aim.bucket("append")
        restic = repository(aim, bucket, "only", aim.server.credential(aim.user.extra["account"], f"backup=/{bucket}"))
        try:
            restic("init", timeout=60)
            started = time.monotonic()
            done = restic("backup", source, check=False, timeout=90)
            say(f"       restic backup without a grant on locks: exit {done.returncode} after {time.monotonic() - started:.0f} s; "
                f"{done.stderr.decode(errors='replace').strip()[-200:]}")
        except subprocess.TimeoutExpired as late:
            say(f"       restic {late.cmd[-1]} without a grant on locks: still asking for the removal of its lock after {late.timeout:.0f} s")
        owner = repository(aim, bucket, "only")
        owner("unlock", "--remove-all")
        owner("check", "--read-data")
        assert json.loads(owner("snapshots", "--json").stdout), "the snapshot itself is not there"
    with report.test("restic/append-only-recipe"):
        only_grants(aim)
        bucket = aim.bucket("recipe")
        user = aim.server.credential(aim.user.extra["account"], f"backup=/{bucket}", f"/{bucket}/r/locks:rw")
        restic, owner = repository(aim, bucket, "r", user), repository(aim, bucket, "r")
        restic("init", timeout=60)
        first = backup(restic, source)
        kept = shutil.copytree(source, work / "append kept")
        corpus.write(source / "0/file 0.dat", b"ransom note")
        second = backup(restic, source)
        assert not keys_of(aim.boto(), bucket, Prefix="r/locks/"), "locks are left"
        for command in (["forget", first], ["prune"]):
            try:
                restic(*command, check=False, timeout=15)
            except subprocess.TimeoutExpired:
                pass  # it keeps asking
        client = aim.boto(user)
        for key in keys_of(aim.boto(), bucket, Prefix="r/"):
            if "/locks/" not in key:
                refused(client.delete_object, "AccessDenied", Bucket=bucket, Key=key)
                refused(client.put_object, "AccessDenied", Bucket=bucket, Key=key, Body=b"ransom")
        owner("unlock", "--remove-all")
        owner("check", "--read-data")
        restore_all(owner, [(first, kept), (second, source)], work, source)


def only_grants(aim):
    if not aim.is_allod:
        raise Skip(f"{aim.server.name} has no credentials that can only add")
