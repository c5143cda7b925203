"""The same clients over TLS, where they behave differently: SDKs then send the checksum as a trailer and leave the body unsigned.

allod has a certificate of its own; a peer gets nginx in front.
"""
import hashlib
import secrets

import corpus
import with_awscli
from aim import body_of, keys_of
from boto3.s3.transfer import TransferConfig
from programs import Program
from proxy import Proxy

from harness import install

MIB = 1 << 20

def run(report, aim):
    folder = aim.folder / "tls"
    folder.mkdir()
    install.apt(openssl="openssl")
    install.quietly(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
                     "subjectAltName=IP:127.0.0.1,DNS:localhost", "-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")])
    aim.ca = str(folder / "cert.pem")
    front = None
    if aim.is_allod:
        aim.server.stop()
        aim.server.flags += ["--tls-cert", aim.ca, "--tls-key", str(folder / "key.pem")]
        aim.server.url, aim.server.base = (url.replace("http:", "https:") for url in (aim.server.url, aim.server.base))
        aim.server.start()
    else:
        front = Proxy(folder, aim.server.url, is_tls=True)
        front.start()
        aim.url_override = front.url
    try:
        clients(report, aim)
    finally:
        if front:
            front.stop()


def clients(report, aim):
    client, bucket = aim.boto(), aim.bucket("tls")
    with report.test("tls/boto3"):
        data = secrets.token_bytes(3 * MIB)
        told = client.put_object(Bucket=bucket, Key="x é", Body=data)
        assert told["ETag"] == f'"{hashlib.md5(data).hexdigest()}"'
        got = client.get_object(Bucket=bucket, Key="x é")
        assert body_of(got) == data and not got.get("ContentEncoding")
        assert keys_of(client, bucket) == ["x é"]
    for algorithm in ("CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"):
        with report.test(f"tls/boto3-trailer-{algorithm.lower()}"):
            told = client.put_object(Bucket=bucket, Key=algorithm, Body=data, ChecksumAlgorithm=algorithm)
            head = client.head_object(Bucket=bucket, Key=algorithm, ChecksumMode="ENABLED")
            assert head[f"Checksum{algorithm}"] == told[f"Checksum{algorithm}"]
            assert body_of(client.get_object(Bucket=bucket, Key=algorithm)) == data
    with report.test("tls/boto3-multipart"):
        digest = corpus.write_big(aim.folder / "big", 33 * MIB, "tls")
        client.upload_file(str(aim.folder / "big"), bucket, "big", Config=TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB))
        client.download_file(bucket, "big", str(aim.folder / "back"))
        assert hashlib.sha256((aim.folder / "back").read_bytes()).hexdigest() == digest
    for name, binary in (("v2", "/usr/bin/aws"), ("v1", install.venv("awscli", with_awscli.VERSION_1) / "bin/aws")):
        with report.test(f"tls/awscli-{name}"):
            install.apt(**{"/usr/bin/aws": "awscli"})
            aws = Program(binary, aim.environment(AWS_CA_BUNDLE=aim.ca), "--endpoint-url", aim.url, cwd=aim.folder)
            aws("s3", "cp", "big", f"s3://{bucket}/aws {name}")
            aws("s3", "cp", f"s3://{bucket}/aws {name}", "back")
            assert hashlib.sha256((aim.folder / "back").read_bytes()).hexdigest() == digest
    with report.test("tls/rclone"):
        from with_rclone import RELEASES

        config = aim.folder / "rclone.conf"
        config.write_text(f"[s3]\ntype = s3\nprovider = Other\nendpoint = {aim.url}\naccess_key_id = {aim.user.access_key}\n"
                          f"secret_access_key = {aim.user.secret_key}\nregion = us-east-1\n", encoding="ascii")
        rclone = Program(install.venv("rclone-s3", RELEASES["newest"]) / "bin/rclone", aim.environment(), "--config", config, "--ca-cert", aim.ca,
                         "--retries", "1", cwd=aim.folder)
        tree = corpus.plant_many(aim.folder / "tree", 30)
        rclone("copy", tree, f"s3:{bucket}/tree")
        rclone("check", "--download", tree, f"s3:{bucket}/tree")
    with report.test("tls/restic"):
        install.apt(restic="restic")
        restic = Program(install.find("restic"), aim.environment(RESTIC_PASSWORD="x", RESTIC_REPOSITORY=f"s3:{aim.url}/{bucket}/restic"),
                         "--cacert", aim.ca, cwd=aim.folder)
        restic("init")
        restic("backup", aim.folder / "tree")
        restic("check", "--read-data")
