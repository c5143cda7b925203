"""The server is killed between the steps of a client: what was acknowledged is there afterwards, and the client goes on."""
import hashlib
import secrets
import threading
import time

from aim import body_of, keys_of, refused
from botocore.exceptions import BotoCoreError, ClientError

MIB = 1 << 20


def run(report, aim):
    aim.killable()
    client = aim.boto()
    with report.test("kill/between-parts"):
        between_parts(aim, client)
    with report.test("kill/under-writers"):
        under_writers(aim, client)


def restart(aim):
    aim.server.kill()
    aim.server.start()


def between_parts(aim, client):
    """Parts uploaded before the kill are completed with parts uploaded after it."""
    bucket = aim.bucket("kill")
    there = {"Bucket": bucket, "Key": "survivor"}
    parts = [secrets.token_bytes(5 * MIB) for _ in range(4)]
    upload = client.create_multipart_upload(**there, Metadata={"kept": "yes"}, ContentType="x/y")["UploadId"]
    abandoned = client.create_multipart_upload(Bucket=bucket, Key="abandoned")["UploadId"]
    client.upload_part(Bucket=bucket, Key="abandoned", UploadId=abandoned, PartNumber=1, Body=b"x")
    made = []
    for number, part in enumerate(parts, 1):
        if number in (2, 4):
            restart(aim)
            listed = client.list_parts(**there, UploadId=upload).get("Parts", [])
            assert [one["ETag"] for one in listed] == [one["ETag"] for one in made], "a part that was acknowledged is gone"
        made.append({"PartNumber": number, "ETag": client.upload_part(**there, UploadId=upload, PartNumber=number, Body=part)["ETag"]})
    refused(client.get_object, "NoSuchKey", **there)
    done = client.complete_multipart_upload(**there, UploadId=upload, MultipartUpload={"Parts": made})
    restart(aim)
    got = client.get_object(**there)
    assert body_of(got) == b"".join(parts)
    assert got["ETag"] == done["ETag"] and got["Metadata"] == {"kept": "yes"} and got["ContentType"] == "x/y"
    client.abort_multipart_upload(Bucket=bucket, Key="abandoned", UploadId=abandoned)
    assert not client.list_multipart_uploads(Bucket=bucket).get("Uploads")


def under_writers(aim, client, rounds=3):
    """Eight writers; after each kill everything acknowledged is there with its own bytes, and nothing is half."""
    bucket = aim.bucket("writers")
    for number in range(rounds):
        acknowledged, sent, over = {}, {}, threading.Event()

        def write(writer, number=number, acknowledged=acknowledged, sent=sent, over=over):
            mine = aim.boto(connect_timeout=2, read_timeout=5)
            at = 0
            while not over.is_set():
                key = f"round {number}/writer {writer}/{at % 40}"
                data = secrets.token_bytes((100, 4096, 70_000, 300_000)[at % 4])
                sent[key] = hashlib.md5(data).hexdigest()
                try:
                    mine.put_object(Bucket=bucket, Key=key, Body=data)
                except (BotoCoreError, ClientError):
                    return
                acknowledged[key] = sent.pop(key)
                at += 1

        threads = [threading.Thread(target=write, args=(writer,)) for writer in range(8)]
        for thread in threads:
            thread.start()
        time.sleep(2)
        aim.server.kill()
        over.set()
        for thread in threads:
            thread.join()
        aim.server.start()
        assert len(acknowledged) > 8, f"only {len(acknowledged)} writes were acknowledged before the kill"
        listed = keys_of(client, bucket, Prefix=f"round {number}/")
        missing = sorted(set(acknowledged) - set(listed))
        assert not missing, f"{len(missing)} of {len(acknowledged)} acknowledged objects are missing: {missing[:3]}"
        for key in listed:
            got = client.get_object(Bucket=bucket, Key=key)
            digest = hashlib.md5(body_of(got)).hexdigest()
            assert digest in (acknowledged.get(key), sent.get(key)), f"{key} holds bytes that were not sent last"
            assert got["ETag"] == f'"{digest}"', f"{key}: its ETag is not that of its bytes"
