"""One store, two doors: what S3 writes WebDAV reads, renames and removes, and the other way round."""
import datetime
import email.utils
import hashlib
import re
import secrets

from aim import body_of, keys_of, refused

SYNC = b"""<?xml version="1.0" encoding="utf-8"?><D:sync-collection xmlns:D="DAV:"><D:sync-token>%s</D:sync-token>
<D:sync-level>1</D:sync-level><D:prop><D:getetag/></D:prop></D:sync-collection>"""


def run(report, aim):
    with report.test("cross/doors"):
        aim.dav()
    if not aim.is_allod:
        return
    client, bucket = aim.boto(), aim.bucket("cross")
    dav = aim.dav(bucket)
    with report.test("cross/s3-to-webdav"):
        s3_to_webdav(client, bucket, dav)
    with report.test("cross/webdav-to-s3"):
        webdav_to_s3(client, bucket, dav)
    with report.test("cross/rename"):
        rename(client, bucket, dav)
    with report.test("cross/folders"):
        folders(client, bucket, dav)
    with report.test("cross/sync-token"):
        sync_token(client, bucket, dav)
    with report.test("cross/delete"):
        client.put_object(Bucket=bucket, Key="gone", Body=b"x")
        dav.delete("gone").want(204)
        refused(client.get_object, "NoSuchKey", Bucket=bucket, Key="gone")
        dav.put("gone too", b"x").want(201)
        client.delete_object(Bucket=bucket, Key="gone too")
        dav.get("gone too").want(404)
    with report.test("cross/bucket-by-webdav"):
        aim.dav().mkcol("made-by-webdav").want(201)
        client.head_bucket(Bucket="made-by-webdav")
        client.put_object(Bucket="made-by-webdav", Key="x", Body=b"x")
        aim.dav().delete("made-by-webdav").want(204)
        refused(client.head_bucket, "404", Bucket="made-by-webdav")
    with report.test("cross/conditions"):
        conditions(client, bucket, dav)
    with report.test("cross/lock"):
        lock(client, bucket, dav)
    with report.test("cross/raw-names"):
        raw_names(client, bucket, dav)
    with report.test("cross/narrow-credential"):
        narrow_credential(aim, client, bucket)
    with report.test("cross/revoked-credential"):
        user = aim.server.credential(aim.user.extra["account"], "all")
        other = aim.boto(user)
        other.list_objects_v2(Bucket=bucket)
        aim.server.command("app", "revoke", user.extra["id"])
        refused(other.list_objects_v2, "InvalidAccessKeyId", "AccessDenied", Bucket=bucket)


def s3_to_webdav(client, bucket, dav):
    data = secrets.token_bytes(300_000)
    put = client.put_object(Bucket=bucket, Key="folder/é file.txt", Body=data, ContentType="text/plain; charset=utf-8")
    got = dav.get("folder/é file.txt").want(200)
    assert got.body == data and got.headers["content-type"] == "text/plain; charset=utf-8"
    assert got.headers["content-length"] == str(len(data))
    head = client.head_object(Bucket=bucket, Key="folder/é file.txt")
    assert parsed(got.headers["last-modified"]) == head["LastModified"], (got.headers["last-modified"], head["LastModified"])
    assert put["ETag"] == f'"{hashlib.md5(data).hexdigest()}"'
    assert got.headers["etag"].startswith('"'), "WebDAV's ETag is not a strong one"
    listed = client.list_objects_v2(Bucket=bucket, Prefix="folder/")["Contents"][0]
    assert (listed["ETag"], listed["Size"]) == (put["ETag"], len(data))


def webdav_to_s3(client, bucket, dav):
    data = secrets.token_bytes(300_000)
    dav.put("by webdav.bin", data, Content_Type="application/x-thing").want(201)
    got = client.get_object(Bucket=bucket, Key="by webdav.bin")
    assert body_of(got) == data and got["ContentType"] == "application/x-thing"
    # Not an MD5 of the body: the dash tells clients not to compare it with one.
    assert re.fullmatch(r'"[0-9a-f]{32}-\d+"', got["ETag"]), got["ETag"]
    client.get_object(Bucket=bucket, Key="by webdav.bin", IfMatch=got["ETag"])
    assert client.list_objects_v2(Bucket=bucket, Prefix="by webdav.bin")["Contents"][0]["ETag"] == got["ETag"]
    other = dav.put("by webdav.bin", data + b"x").want(204)
    assert client.head_object(Bucket=bucket, Key="by webdav.bin")["ETag"] != got["ETag"], other


def rename(client, bucket, dav):
    tag = client.put_object(Bucket=bucket, Key="old/name", Body=b"moved", Metadata={"kept": "yes"}, ContentType="x/kept")["ETag"]
    dav.mkcol("new").want(201)
    dav.transfer("MOVE", "old/name", "new/name").want(201)
    got = client.get_object(Bucket=bucket, Key="new/name")
    assert (body_of(got), got["ETag"], got["Metadata"], got["ContentType"]) == (b"moved", tag, {"kept": "yes"}, "x/kept")
    refused(client.get_object, "NoSuchKey", Bucket=bucket, Key="old/name")
    assert keys_of(client, bucket, Prefix="new/n") == ["new/name"] and not keys_of(client, bucket, Prefix="old/n")


def folders(client, bucket, dav):
    """Empty folders of WebDAV, key prefixes of S3."""
    dav.mkcol("empty").want(201)
    client.put_object(Bucket=bucket, Key="deep/er/est", Body=b"x")
    assert dav.propfind("deep/er/", "0").want(207)
    client.delete_object(Bucket=bucket, Key="deep/er/est")
    assert not keys_of(client, bucket, Prefix="deep/")
    dav.propfind("empty/", "0").want(207)
    dav.delete("empty").want(204)


def sync_token(client, bucket, dav):
    client.put_object(Bucket=bucket, Key="synced one", Body=b"1")
    before, _ = report_of(dav, b"")
    client.put_object(Bucket=bucket, Key="synced two", Body=b"2")
    client.delete_object(Bucket=bucket, Key="synced one")
    after, body = report_of(dav, before)
    assert after != before, "the sync-token did not move"
    assert b"synced%20two" in body and b"synced%20one" in body and b"404" in body, body[:500]
    again, body = report_of(dav, after)
    assert again == after and b"<D:response>" not in body and b"response>" not in body.replace(b"multistatus", b""), body[:300]


def report_of(dav, token):
    reply = dav.request("REPORT", "", {"Depth": "0", "Content-Type": "application/xml"}, SYNC % token).want(207)
    return re.search(rb"sync-token>([^<]+)<", reply.body).group(1), reply.body


def conditions(client, bucket, dav):
    """A change by one door is seen by the conditions of the other."""
    tag = client.put_object(Bucket=bucket, Key="shared", Body=b"1")["ETag"]
    strong = dav.get("shared").headers["etag"]
    dav.put("shared", b"2", If_Match=strong).want(200, 204)
    refused(client.put_object, "PreconditionFailed", Bucket=bucket, Key="shared", Body=b"3", IfMatch=tag)
    client.put_object(Bucket=bucket, Key="shared", Body=b"4")
    dav.put("shared", b"5", If_Match=strong).want(412)
    refused(client.put_object, "PreconditionFailed", Bucket=bucket, Key="shared", Body=b"6", IfNoneMatch="*")


def lock(client, bucket, dav):
    """A WebDAV lock binds S3 as well."""
    body = b'<D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype></D:lockinfo>'
    client.put_object(Bucket=bucket, Key="under lock", Body=b"1")
    token = dav.request("LOCK", "under lock", {"Timeout": "Second-60", "Depth": "0"}, body).want(200).headers["lock-token"]
    refused(client.put_object, Bucket=bucket, Key="under lock", Body=b"2")
    refused(client.delete_object, Bucket=bucket, Key="under lock")
    dav.request("UNLOCK", "under lock", {"Lock-Token": token}).want(204)
    client.put_object(Bucket=bucket, Key="under lock", Body=b"2")


def raw_names(client, bucket, dav):
    """Keys that are no file names do not break a listing by WebDAV."""
    for key in ("a//b", "../up", "dir/", "x" * 600):
        client.put_object(Bucket=bucket, Key=key, Body=b"x")
    dav.propfind("", "1").want(207)
    aside = client.list_objects_v2(Bucket=bucket, Prefix="a//")["Contents"]
    assert [item["Key"] for item in aside] == ["a//b"]


def narrow_credential(aim, client, bucket):
    """A credential for a folder sees that folder by S3, and nothing beside it."""
    client.put_object(Bucket=bucket, Key="mine/x", Body=b"mine")
    client.put_object(Bucket=bucket, Key="other/x", Body=b"other")
    account = aim.user.extra["account"]
    reader = aim.boto(aim.server.credential(account, f"/{bucket}/mine:r"))
    assert body_of(reader.get_object(Bucket=bucket, Key="mine/x")) == b"mine"
    assert keys_of(reader, bucket, Prefix="mine/") == ["mine/x"]
    refused(reader.get_object, "AccessDenied", "NoSuchKey", Bucket=bucket, Key="other/x")
    refused(reader.put_object, "AccessDenied", Bucket=bucket, Key="mine/y", Body=b"y")
    refused(reader.delete_object, "AccessDenied", Bucket=bucket, Key="mine/x")
    refused(reader.copy_object, "AccessDenied", "NoSuchKey", Bucket=bucket, Key="mine/y", CopySource={"Bucket": bucket, "Key": "other/x"})
    writer = aim.boto(aim.server.credential(account, f"/{bucket}/mine:rw@s3"))
    writer.put_object(Bucket=bucket, Key="mine/y", Body=b"y")
    # A copy reads its source: that must be inside as well.
    refused(writer.copy_object, "AccessDenied", "NoSuchKey", Bucket=bucket, Key="mine/z", CopySource={"Bucket": bucket, "Key": "other/x"})
    assert "other/x" not in (keys_of(writer, bucket) if can_list(writer, bucket) else [])
    dav_only = aim.boto(aim.server.credential(account, f"/{bucket}:rw@webdav"))
    refused(dav_only.get_object, Bucket=bucket, Key="mine/x")


def can_list(client, bucket):
    try:
        client.list_objects_v2(Bucket=bucket)
    except Exception:  # noqa: BLE001: refusing the whole listing is an answer, too
        return False
    return True


def parsed(stamp):
    return email.utils.parsedate_to_datetime(stamp).astimezone(datetime.timezone.utc)
