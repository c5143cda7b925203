"""s3cmd of Debian: the oldest of the common tools."""
import hashlib

import corpus
from programs import Program

from harness import install

MIB = 1 << 20


def run(report, aim):
    install.apt(s3cmd="s3cmd")
    work = aim.folder
    host = aim.url.partition("://")[2]
    config = work / "s3cfg"
    config.write_text(f"[default]\naccess_key = {aim.user.access_key}\nsecret_key = {aim.user.secret_key}\nhost_base = {host}\n"
                      f"host_bucket = {host}\nuse_https = False\nbucket_location = us-east-1\nsignature_v2 = False\n", encoding="ascii")
    s3cmd = Program(install.find("s3cmd"), aim.environment(), "-c", config, "--no-progress", cwd=work)
    with report.test("s3cmd/mb"):
        s3cmd("mb", "s3://s3cmd")
        assert b"s3://s3cmd" in s3cmd("ls").stdout
    with report.test("s3cmd/put-get"):
        data = corpus.content("s3cmd", 50_000)
        corpus.write(work / "one é", data)
        s3cmd("put", "--mime-type=x/y", "--add-header=x-amz-meta-kept:yes", "one é", "s3://s3cmd/folder/one é +%")
        s3cmd("get", "s3://s3cmd/folder/one é +%", "back")
        assert (work / "back").read_bytes() == data
        assert b"one \xc3\xa9 +%" in s3cmd("ls", "s3://s3cmd/folder/").stdout
    with report.test("s3cmd/info"):
        said = s3cmd("info", "s3://s3cmd/folder/one é +%").stdout
        assert b"x/y" in said and hashlib.md5(data).hexdigest().encode() in said, said
        s3cmd("info", "s3://s3cmd")
    with report.test("s3cmd/setacl-private"):
        s3cmd("setacl", "--acl-private", "s3://s3cmd/folder/one é +%")
        s3cmd("setacl", "--acl-private", "s3://s3cmd")
    with report.test("s3cmd/setacl-public-refused"):
        assert s3cmd("setacl", "--acl-public", "s3://s3cmd/folder/one é +%", check=False).returncode != 0, "made public"
    with report.test("s3cmd/multipart"):
        digest = corpus.write_big(work / "big", 23 * MIB, "s3cmd")
        s3cmd("put", "--multipart-chunk-size-mb=5", "big", "s3://s3cmd/big")
        s3cmd("get", "s3://s3cmd/big", "big back")
        assert hashlib.sha256((work / "big back").read_bytes()).hexdigest() == digest
    with report.test("s3cmd/sync"):
        corpus.plant_many(work / "tree", 40)
        s3cmd("sync", "tree/", "s3://s3cmd/tree/")
        (work / "tree/0/file 0.dat").unlink()
        s3cmd("sync", "--delete-removed", "tree/", "s3://s3cmd/tree/")
        (work / "tree back").mkdir()
        s3cmd("sync", "s3://s3cmd/tree/", "tree back/")
        corpus.assert_same(work / "tree", work / "tree back")
    with report.test("s3cmd/cp-mv"):
        s3cmd("cp", "s3://s3cmd/big", "s3://s3cmd/big copy")
        s3cmd("mv", "s3://s3cmd/big copy", "s3://s3cmd/big moved")
        s3cmd("get", "--force", "s3://s3cmd/big moved", "big back")
        assert hashlib.sha256((work / "big back").read_bytes()).hexdigest() == digest
    with report.test("s3cmd/modify"):
        s3cmd("modify", "--add-header=x-amz-meta-more:1", "s3://s3cmd/folder/one é +%")
        assert b"more" in s3cmd("info", "s3://s3cmd/folder/one é +%").stdout
    with report.test("s3cmd/del"):
        s3cmd("del", "--recursive", "--force", "s3://s3cmd")
        assert not s3cmd("ls", "--recursive", "s3://s3cmd").stdout
        s3cmd("rb", "s3://s3cmd")
