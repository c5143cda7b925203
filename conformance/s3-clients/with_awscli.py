"""The AWS command line: version 1 from PyPI, version 2 from Debian."""
import hashlib
import json
import urllib.request

import corpus
from programs import Program

from harness import install

VERSION_1 = "awscli[crt]==1.46.2"
MIB = 1 << 20


def run(report, aim):
    install.apt(**{"/usr/bin/aws": "awscli"})
    releases = {"v2": "/usr/bin/aws", "v1": install.venv("awscli", VERSION_1) / "bin/aws"}
    for name, binary in releases.items():
        work = aim.folder / name
        (work / ".aws").mkdir(parents=True)
        config = work / ".aws/config"
        # Without signature_version, version 1 presigns for us-east-1 by Signature Version 2.
        config.write_text("[default]\nregion = us-east-1\ns3 =\n  signature_version = s3v4\n  multipart_threshold = 5MB\n  multipart_chunksize = 5MB\n"
                          "  addressing_style = path\n", encoding="ascii")
        aws = Program(binary, aim.environment(HOME=work, AWS_CONFIG_FILE=config, PYTHONUTF8=1), "--endpoint-url", aim.url, cwd=work)
        release(report, aim, f"awscli-{name}", aws, work)


def release(report, aim, name, aws, work):
    bucket = f"aws-{hashlib.md5(str(work).encode()).hexdigest()[:8]}"
    with report.test(f"{name}/mb"):
        aws("s3", "mb", f"s3://{bucket}")
        assert bucket in aws("s3", "ls").stdout.decode()
    with report.test(f"{name}/cp"):
        data = corpus.content(name, 100_000)
        corpus.write(work / "one é.bin", data)
        aws("s3", "cp", "one é.bin", f"s3://{bucket}/one é +%.bin")
        aws("s3", "cp", f"s3://{bucket}/one é +%.bin", "back")
        assert (work / "back").read_bytes() == data
        assert aws("s3", "cp", f"s3://{bucket}/one é +%.bin", "-").stdout == data
        aws("s3", "cp", "-", f"s3://{bucket}/stdin", stdin=data)
        assert aws("s3", "cp", f"s3://{bucket}/stdin", "-").stdout == data
    with report.test(f"{name}/multipart"):
        digest = corpus.write_big(work / "big", 33 * MIB + 1, name)
        aws("s3", "cp", "big", f"s3://{bucket}/big")
        aws("s3", "cp", f"s3://{bucket}/big", "big back")
        assert hashlib.sha256((work / "big back").read_bytes()).hexdigest() == digest
        head = json.loads(aws("s3api", "head-object", "--bucket", bucket, "--key", "big").stdout)
        assert head["ETag"].endswith('-7"'), head["ETag"]
        aws("s3", "cp", f"s3://{bucket}/big", f"s3://{bucket}/big copy")  # by UploadPartCopy
        aws("s3", "cp", f"s3://{bucket}/big copy", "big back")
        assert hashlib.sha256((work / "big back").read_bytes()).hexdigest() == digest
    with report.test(f"{name}/sync"):
        corpus.plant_many(work / "tree", 60)
        # The command line leaves a `%00` or control characters in names to the server, but not names it cannot open itself.
        for at, odd in enumerate(n for n in corpus.ODD_NAMES if len(n.encode()) < 200):
            corpus.write(work / "tree/odd" / odd, corpus.content(odd, at))
        aws("s3", "sync", "tree", f"s3://{bucket}/tree")
        aws("s3", "sync", f"s3://{bucket}/tree", "tree back")
        corpus.assert_same(work / "tree", work / "tree back")
        assert aws("s3", "sync", "tree", f"s3://{bucket}/tree").stdout == b"", "a second sync copies again"
        (work / "tree/1/file 1.dat").unlink()
        corpus.write(work / "tree/new", b"new")
        aws("s3", "sync", "--delete", "tree", f"s3://{bucket}/tree")
        aws("s3", "sync", "--delete", f"s3://{bucket}/tree", "tree back")
        corpus.assert_same(work / "tree", work / "tree back")
    with report.test(f"{name}/mv"):
        aws("s3", "mv", f"s3://{bucket}/tree/", f"s3://{bucket}/moved/", "--recursive")
        assert not aws("s3", "ls", f"s3://{bucket}/tree/", check=False).stdout
        aws("s3", "cp", "--recursive", f"s3://{bucket}/moved/", "moved back")
        corpus.assert_same(work / "tree", work / "moved back")
    with report.test(f"{name}/presign"):
        url = aws("s3", "presign", f"s3://{bucket}/one é +%.bin", "--expires-in", "60").stdout.decode().strip()
        with urllib.request.urlopen(url) as answer:
            assert answer.read() == data
    checksums(report, name, aws, bucket, work)
    with report.test(f"{name}/listing"):
        keys = [item["Key"] for item in json.loads(aws("s3api", "list-objects-v2", "--bucket", bucket, "--prefix", "moved/", "--page-size", "7")
                                                   .stdout)["Contents"]]
        assert keys == sorted(keys, key=str.encode) and len(keys) > 60
    with report.test(f"{name}/rm"):
        aws("s3", "rm", "--recursive", f"s3://{bucket}")
        assert not aws("s3", "ls", "--recursive", f"s3://{bucket}").stdout
        aws("s3", "rb", f"s3://{bucket}")


def checksums(report, name, aws, bucket, work):
    """Each algorithm that the release knows: sent, kept, told, and verified by the client on the way back."""
    helped = aws("s3api", "put-object", "help", check=False).stdout.decode("utf-8", "replace")
    for algorithm in ("CRC32", "CRC32C", "SHA1", "SHA256", "CRC64NVME"):
        with report.test(f"{name}/checksum-{algorithm.lower()}"):
            if algorithm == "CRC64NVME" and algorithm not in helped:
                continue  # newer than Debian's release
            there = ["--bucket", bucket, "--key", f"sum {algorithm}"]
            put = json.loads(aws("s3api", "put-object", *there, "--body", "one é.bin", "--checksum-algorithm", algorithm).stdout)
            got = json.loads(aws("s3api", "get-object", *there, "--checksum-mode", "ENABLED", "back").stdout)
            assert put[f"Checksum{algorithm}"] == got[f"Checksum{algorithm}"], (put, got)
            assert (work / "back").read_bytes() == (work / "one é.bin").read_bytes()
