"""Object lock: what is under retention or hold stays, by every door."""
import datetime
import time

from aim import body_of, refused

from harness.report import Skip


def run(report, aim):
    client = aim.boto()
    with report.test("lock/bucket"):
        bucket = aim.bucket("locked", ObjectLockEnabledForBucket=True)
        assert client.get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"]["ObjectLockEnabled"] == "Enabled"
        assert client.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
        refused(client.put_bucket_versioning, "InvalidBucketState", Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    with report.test("lock/plain-bucket-has-none"):
        plain = aim.bucket("plain")
        refused(client.get_object_lock_configuration, "ObjectLockConfigurationNotFoundError", Bucket=plain)
        # A lock that is not kept must not be promised.
        refused(client.put_object, "InvalidRequest", Bucket=plain, Key="x", Body=b"x", ObjectLockMode="COMPLIANCE",
                ObjectLockRetainUntilDate=soon(60))
    for mode in ("GOVERNANCE", "COMPLIANCE"):
        with report.test(f"lock/{mode.lower()}"):
            retention(aim, client, mode)
    with report.test("lock/legal-hold"):
        legal_hold(aim, client)
    with report.test("lock/default-retention"):
        default_retention(aim, client)
    with report.test("lock/multipart"):
        multipart(aim, client)
    with report.test("lock/retention-ends"):
        retention_ends(aim, client)
    with report.test("lock/webdav"):
        webdav(aim, client)


def soon(seconds):
    return datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)


def retention(aim, client, mode):
    bucket = aim.bucket("retention", ObjectLockEnabledForBucket=True)
    there = {"Bucket": bucket, "Key": "kept"}
    until = soon(3600).replace(microsecond=0)
    version = client.put_object(**there, Body=b"kept", ObjectLockMode=mode, ObjectLockRetainUntilDate=until)["VersionId"]
    told = client.get_object_retention(**there)["Retention"]
    assert told["Mode"] == mode and told["RetainUntilDate"] == until, told
    assert client.head_object(**there)["ObjectLockMode"] == mode
    refused(client.delete_object, "AccessDenied", **there, VersionId=version)
    many = client.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "kept", "VersionId": version}]})
    assert [error["Code"] for error in many["Errors"]] == ["AccessDenied"], many
    marker = client.delete_object(**there)  # a marker only: the version stays
    assert body_of(client.get_object(**there, VersionId=version)) == b"kept"
    client.delete_object(**there, VersionId=marker["VersionId"])
    client.put_object(**there, Body=b"newer")
    assert body_of(client.get_object(**there, VersionId=version)) == b"kept"
    shorter = {"Mode": mode, "RetainUntilDate": soon(60)}
    refused(client.put_object_retention, "AccessDenied", **there, VersionId=version, Retention=shorter)
    client.put_object_retention(**there, VersionId=version, Retention={"Mode": mode, "RetainUntilDate": soon(7200)})
    refused(client.delete_bucket, "BucketNotEmpty", Bucket=bucket)
    if mode == "GOVERNANCE":
        client.put_object_retention(**there, VersionId=version, Retention=shorter, BypassGovernanceRetention=True)
        client.delete_object(**there, VersionId=version, BypassGovernanceRetention=True)
        refused(client.get_object, "NoSuchVersion", "NoSuchKey", **there, VersionId=version)
    else:
        refused(client.put_object_retention, "AccessDenied", **there, VersionId=version, Retention=shorter, BypassGovernanceRetention=True)
        refused(client.delete_object, "AccessDenied", **there, VersionId=version, BypassGovernanceRetention=True)
        assert body_of(client.get_object(**there, VersionId=version)) == b"kept"


def legal_hold(aim, client):
    bucket = aim.bucket("hold", ObjectLockEnabledForBucket=True)
    there = {"Bucket": bucket, "Key": "held"}
    version = client.put_object(**there, Body=b"held", ObjectLockLegalHoldStatus="ON")["VersionId"]
    assert client.get_object_legal_hold(**there)["LegalHold"]["Status"] == "ON"
    refused(client.delete_object, "AccessDenied", **there, VersionId=version, BypassGovernanceRetention=True)
    client.put_object_legal_hold(**there, LegalHold={"Status": "OFF"})
    client.delete_object(**there, VersionId=version)


def default_retention(aim, client):
    bucket = aim.bucket("default", ObjectLockEnabledForBucket=True)
    rule = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 2}}}
    client.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration=rule)
    version = client.put_object(Bucket=bucket, Key="x", Body=b"x")["VersionId"]
    told = client.get_object_retention(Bucket=bucket, Key="x")["Retention"]
    assert told["Mode"] == "GOVERNANCE" and abs((told["RetainUntilDate"] - soon(2 * 86_400)).total_seconds()) < 120, told
    refused(client.delete_object, "AccessDenied", Bucket=bucket, Key="x", VersionId=version)


def multipart(aim, client):
    bucket = aim.bucket("parts", ObjectLockEnabledForBucket=True)
    there = {"Bucket": bucket, "Key": "big"}
    upload = client.create_multipart_upload(**there, ObjectLockMode="COMPLIANCE", ObjectLockRetainUntilDate=soon(3600))["UploadId"]
    part = client.upload_part(**there, UploadId=upload, PartNumber=1, Body=b"x" * 1000)
    done = client.complete_multipart_upload(**there, UploadId=upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]})
    refused(client.delete_object, "AccessDenied", **there, VersionId=done["VersionId"], BypassGovernanceRetention=True)


def retention_ends(aim, client):
    bucket = aim.bucket("ends", ObjectLockEnabledForBucket=True)
    version = client.put_object(Bucket=bucket, Key="x", Body=b"x", ObjectLockMode="COMPLIANCE", ObjectLockRetainUntilDate=soon(4))["VersionId"]
    refused(client.delete_object, "AccessDenied", Bucket=bucket, Key="x", VersionId=version)
    time.sleep(5)
    client.delete_object(Bucket=bucket, Key="x", VersionId=version)
    client.delete_bucket(Bucket=bucket)


def webdav(aim, client):
    """A version under lock cannot be destroyed by the other door; a plain overwrite may only put a newer one on top."""
    if not aim.is_allod:
        raise Skip(f"{aim.server.name} has no WebDAV")
    bucket = aim.bucket("door", ObjectLockEnabledForBucket=True)
    there = {"Bucket": bucket, "Key": "folder/kept"}
    version = client.put_object(**there, Body=b"kept", ObjectLockMode="COMPLIANCE", ObjectLockRetainUntilDate=soon(3600))["VersionId"]
    dav = aim.dav(bucket)
    replies = {
        "PUT": dav.put("folder/kept", b"ransom"),
        "MOVE": dav.transfer("MOVE", "folder/kept", "folder/elsewhere"),
        "DELETE": dav.delete("folder/kept"),
        "DELETE folder": dav.delete("folder"),
        "DELETE bucket": aim.dav().delete(bucket),
        "MOVE bucket": aim.dav().transfer("MOVE", bucket, bucket + "-moved"),
    }
    try:
        assert body_of(client.get_object(**there, VersionId=version)) == b"kept"
    except Exception as error:
        said = {name: reply.status for name, reply in replies.items()}
        raise AssertionError(f"the locked version is gone: {error}; WebDAV said {said}") from None
    refused(client.delete_object, "AccessDenied", **there, VersionId=version)
