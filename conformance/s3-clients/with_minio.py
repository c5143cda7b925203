"""MinIO's Python SDK: signs, streams and lists in its own way."""
import datetime
import hashlib
import io
import secrets
import urllib.request

import corpus
from minio import Minio
from minio.commonconfig import COMPLIANCE, ENABLED, ComposeSource, CopySource, Filter, Tags
from minio.datatypes import PostPolicy
from minio.deleteobjects import DeleteObject
from minio.error import S3Error
from minio.lifecycleconfig import Expiration, LifecycleConfig, Rule
from minio.retention import Retention
from minio.versioningconfig import VersioningConfig

MIB = 1 << 20


def run(report, aim):
    client = Minio(aim.url.partition("://")[2], aim.user.access_key, aim.user.secret_key, secure=False, region="us-east-1")
    bucket = "minio-sdk"
    data = secrets.token_bytes(12 * MIB + 5)
    with report.test("minio/bucket"):
        assert not client.bucket_exists(bucket)
        client.make_bucket(bucket)
        assert client.bucket_exists(bucket) and bucket in [one.name for one in client.list_buckets()]
    with report.test("minio/put-known-length"):
        client.put_object(bucket, "known é", io.BytesIO(data[:100_000]), 100_000, content_type="x/y", metadata={"kept": "yes"})
        told = client.stat_object(bucket, "known é")
        assert (told.size, told.content_type, told.metadata["x-amz-meta-kept"]) == (100_000, "x/y", "yes")
        assert told.etag == hashlib.md5(data[:100_000]).hexdigest()
    with report.test("minio/put-unknown-length"):
        client.put_object(bucket, "unknown", io.BytesIO(data), -1, part_size=5 * MIB)
        assert read(client, bucket, "unknown") == data
        assert client.stat_object(bucket, "unknown").etag.endswith("-3")
    with report.test("minio/ranges"):
        assert read(client, bucket, "unknown", offset=5 * MIB - 10, length=20) == data[5 * MIB - 10:5 * MIB + 10]
        assert read(client, bucket, "unknown", offset=12 * MIB) == data[12 * MIB:]
    with report.test("minio/files"):
        digest = corpus.write_big(aim.folder / "up", 23 * MIB, "minio")
        client.fput_object(bucket, "file", str(aim.folder / "up"), part_size=5 * MIB)
        client.fget_object(bucket, "file", str(aim.folder / "down"))
        assert hashlib.sha256((aim.folder / "down").read_bytes()).hexdigest() == digest
    with report.test("minio/list"):
        for number in range(30):
            client.put_object(bucket, f"list/{number % 3}/{number:02} &<é", io.BytesIO(b"x"), 1)
        names = [item.object_name for item in client.list_objects(bucket, "list/", recursive=True)]
        assert len(names) == 30 and names == sorted(names, key=str.encode)
        assert [item.object_name for item in client.list_objects(bucket, "list/")] == ["list/0/", "list/1/", "list/2/"]
        after = [item.object_name for item in client.list_objects(bucket, "list/", recursive=True, start_after=names[20])]
        assert after == names[21:]
        old = [item.object_name for item in client.list_objects(bucket, "list/", recursive=True, use_api_v1=True)]
        assert old == names
    with report.test("minio/copy-compose"):
        client.copy_object(bucket, "copied", CopySource(bucket, "unknown"))
        assert read(client, bucket, "copied") == data
        client.compose_object(bucket, "composed", [ComposeSource(bucket, "unknown"), ComposeSource(bucket, "known é")])
        assert read(client, bucket, "composed") == data + data[:100_000]
    with report.test("minio/tags"):
        tags = Tags.new_object_tags()
        tags["a b"] = "é"
        client.set_object_tags(bucket, "copied", tags)
        assert client.get_object_tags(bucket, "copied") == tags
        client.delete_object_tags(bucket, "copied")
        assert not client.get_object_tags(bucket, "copied")
    with report.test("minio/presigned"):
        url = client.presigned_put_object(bucket, "pre é+", expires=datetime.timedelta(minutes=1))
        urllib.request.urlopen(urllib.request.Request(url, data=data[:1000], method="PUT")).close()
        with urllib.request.urlopen(client.presigned_get_object(bucket, "pre é+")) as answer:
            assert answer.read() == data[:1000]
    with report.test("minio/post-policy"):
        policy = PostPolicy(bucket, datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=5))
        policy.add_starts_with_condition("key", "form/")
        policy.add_content_length_range_condition(1, 1000)
        form = client.presigned_post_policy(policy)
        from with_boto3 import send_form

        status, said = send_form({"url": f"{aim.url}/{bucket}", "fields": {**form, "key": "form/x"}}, "x", data[:500])
        assert status == 204, (status, said)
        assert read(client, bucket, "form/x") == data[:500]
    with report.test("minio/lifecycle"):
        config = LifecycleConfig([Rule(ENABLED, rule_filter=Filter(prefix="list/"), rule_id="r", expiration=Expiration(days=3))])
        client.set_bucket_lifecycle(bucket, config)
        told = client.get_bucket_lifecycle(bucket)
        assert told.rules[0].expiration.days == 3 and told.rules[0].rule_filter.prefix == "list/"
        client.delete_bucket_lifecycle(bucket)
        assert client.get_bucket_lifecycle(bucket) is None
    with report.test("minio/versions-and-lock"):
        client.make_bucket("minio-locked", object_lock=True)
        client.set_bucket_versioning("minio-locked", VersioningConfig(ENABLED))
        until = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
        put = client.put_object("minio-locked", "x", io.BytesIO(b"x"), 1, retention=Retention(COMPLIANCE, until))
        try:
            client.remove_object("minio-locked", "x", version_id=put.version_id)
            raise AssertionError("a locked version was removed")
        except S3Error as error:
            assert error.code == "AccessDenied", error.code
        assert client.get_object_retention("minio-locked", "x").mode == COMPLIANCE
        client.enable_object_legal_hold("minio-locked", "x")
        assert client.is_object_legal_hold_enabled("minio-locked", "x")
    with report.test("minio/remove"):
        doomed = [DeleteObject(item.object_name) for item in client.list_objects(bucket, recursive=True)]
        errors = list(client.remove_objects(bucket, doomed))
        assert not errors, errors[:3]
        client.remove_bucket(bucket)
        assert not client.bucket_exists(bucket)


def read(client, bucket, key, **words):
    answer = client.get_object(bucket, key, **words)
    try:
        return answer.read()
    finally:
        answer.close()
        answer.release_conn()
