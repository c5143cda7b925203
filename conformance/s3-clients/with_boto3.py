"""boto3: conditions, ranges, parts, versions, tags, presigned URLs and forms, many at once."""
import base64
import datetime
import hashlib
import secrets
import threading
import time
import urllib.error
import urllib.request
import uuid

from aim import body_of, keys_of, refused
from botocore.exceptions import ClientError

MIB = 1 << 20
RACERS = 12
CHECKSUMS = ("CRC32", "SHA1", "SHA256", "CRC32C", "CRC64NVME")


def run(report, aim):
    client = aim.boto()
    bucket = aim.bucket("boto")
    with report.test("boto3/buckets"):
        buckets(aim, client)
    with report.test("boto3/round-trip"):
        round_trip(client, bucket)
    with report.test("boto3/ranges"):
        ranges(client, bucket)
    with report.test("boto3/conditional-reads"):
        conditional_reads(client, bucket)
    with report.test("boto3/conditional-writes"):
        conditional_writes(client, bucket)
    with report.test("boto3/create-race"):
        race(aim, bucket, lambda racer, number: {"IfNoneMatch": "*", "Key": f"race {number}"})
    with report.test("boto3/update-race"):
        update_race(aim, client, bucket)
    with report.test("boto3/complete-race"):
        complete_race(aim, client, bucket)
    for algorithm in CHECKSUMS:
        with report.test(f"boto3/checksum-{algorithm.lower()}"):
            checksums(client, bucket, algorithm)
    with report.test("boto3/multipart"):
        multipart(client, bucket)
    with report.test("boto3/part-numbers"):
        part_numbers(client, bucket)
    with report.test("boto3/copy"):
        copy(client, bucket)
    with report.test("boto3/delete-many"):
        delete_many(client, bucket)
    with report.test("boto3/tagging"):
        tagging(client, bucket)
    with report.test("boto3/versioning"):
        versioning(aim, client)
    with report.test("boto3/presigned"):
        presigned(client, bucket)
    with report.test("boto3/post-policy"):
        post_policy(client, bucket)
    with report.test("boto3/listing-pages"):
        listing_pages(aim, client)
    with report.test("boto3/anonymous-refused"):
        assert status_of(urllib.request.Request(f"{aim.url}/{bucket}/round")) in (401, 403)


def buckets(aim, client):
    name = aim.bucket("made")
    assert name in [found["Name"] for found in client.list_buckets()["Buckets"]]
    client.head_bucket(Bucket=name)
    assert client.get_bucket_location(Bucket=name)["LocationConstraint"] in (None, "", "us-east-1")
    refused(client.create_bucket, "InvalidBucketName", Bucket="Not_A_Name")
    client.put_object(Bucket=name, Key="x", Body=b"x")
    refused(client.delete_bucket, "BucketNotEmpty", Bucket=name)
    client.delete_object(Bucket=name, Key="x")
    client.delete_bucket(Bucket=name)
    refused(client.head_bucket, "404", "NoSuchBucket", Bucket=name)
    refused(client.list_objects_v2, "NoSuchBucket", Bucket=name)


def round_trip(client, bucket):
    data = secrets.token_bytes(3 * MIB + 17)
    put = client.put_object(Bucket=bucket, Key="round", Body=data, ContentType="text/x; charset=utf-8", CacheControl="no-store",
                            ContentDisposition='attachment; filename="a b.txt"', ContentLanguage="de", Metadata={"mixed-case": "Value", "empty": "", "spaced": "a  b"},
                            Expires=datetime.datetime(2030, 1, 2, 3, 4, 5))
    assert put["ETag"] == f'"{hashlib.md5(data).hexdigest()}"', put["ETag"]
    got = client.get_object(Bucket=bucket, Key="round")
    assert body_of(got) == data
    assert (got["ContentType"], got["CacheControl"], got["ContentLanguage"]) == ("text/x; charset=utf-8", "no-store", "de")
    assert got["Metadata"] == {"mixed-case": "Value", "empty": "", "spaced": "a  b"}, got["Metadata"]
    assert "2030" in got["ExpiresString"], got["ExpiresString"]
    head = client.head_object(Bucket=bucket, Key="round")
    assert head["ContentLength"] == len(data) and head["ETag"] == put["ETag"]
    assert "aws-chunked" not in head.get("ContentEncoding", "")
    changed = client.get_object(Bucket=bucket, Key="round", ResponseContentType="a/b", ResponseCacheControl="max-age=1")
    assert (changed["ContentType"], changed["CacheControl"]) == ("a/b", "max-age=1")
    client.put_object(Bucket=bucket, Key="nothing", Body=b"")
    assert body_of(client.get_object(Bucket=bucket, Key="nothing")) == b""
    refused(client.get_object, "NoSuchKey", Bucket=bucket, Key="not there")
    refused(client.put_object, "BadDigest", "InvalidDigest", Bucket=bucket, Key="nothing", Body=b"x",
            ContentMD5=base64.b64encode(hashlib.md5(b"y").digest()).decode())
    assert body_of(client.get_object(Bucket=bucket, Key="nothing")) == b"", "a refused body replaced the object"


def ranges(client, bucket):
    data = secrets.token_bytes(100_000)
    client.put_object(Bucket=bucket, Key="ranges", Body=data)
    cases = {"bytes=0-0": data[:1], "bytes=0-": data, "bytes=99999-": data[-1:], "bytes=-5": data[-5:], "bytes=-200000": data,
             "bytes=70000-200000": data[70000:], "bytes=5000-5999": data[5000:6000]}
    for text, want in cases.items():
        got = client.get_object(Bucket=bucket, Key="ranges", Range=text)
        assert got["ResponseMetadata"]["HTTPStatusCode"] == 206, text
        assert body_of(got) == want, text
        assert got["ContentRange"].endswith("/100000"), got["ContentRange"]
    refused(client.get_object, "InvalidRange", Bucket=bucket, Key="ranges", Range="bytes=100000-")
    head = client.head_object(Bucket=bucket, Key="ranges", Range="bytes=10-19")
    assert head["ContentLength"] == 10


def conditional_reads(client, bucket):
    tag = client.put_object(Bucket=bucket, Key="seen", Body=b"seen")["ETag"]
    past, future = datetime.datetime(2020, 1, 1), datetime.datetime.now() + datetime.timedelta(days=1)
    there = {"Bucket": bucket, "Key": "seen"}
    client.get_object(**there, IfMatch=tag)
    refused(client.get_object, "PreconditionFailed", **there, IfMatch='"other"')
    refused(client.get_object, "304", **there, IfNoneMatch=tag)
    client.get_object(**there, IfNoneMatch='"other"')
    client.get_object(**there, IfModifiedSince=past)
    refused(client.get_object, "304", **there, IfModifiedSince=client.head_object(**there)["LastModified"])
    refused(client.get_object, "PreconditionFailed", **there, IfUnmodifiedSince=past)
    client.get_object(**there, IfUnmodifiedSince=future)
    # RFC 9110 §13.2.2: an entity tag outranks a time.
    client.get_object(**there, IfMatch=tag, IfUnmodifiedSince=past)
    refused(client.get_object, "304", **there, IfNoneMatch=tag, IfModifiedSince=past)


def conditional_writes(client, bucket):
    there = {"Bucket": bucket, "Key": "written"}
    tag = client.put_object(**there, Body=b"1", IfNoneMatch="*")["ETag"]
    refused(client.put_object, "PreconditionFailed", **there, Body=b"2", IfNoneMatch="*")
    refused(client.put_object, "PreconditionFailed", **there, Body=b"2", IfMatch='"other"')
    assert body_of(client.get_object(**there)) == b"1"
    client.put_object(**there, Body=b"2", IfMatch=tag)
    refused(client.put_object, "PreconditionFailed", **there, Body=b"3", IfMatch=tag)
    refused(client.put_object, "NoSuchKey", "PreconditionFailed", Bucket=bucket, Key="absent", Body=b"3", IfMatch=tag)
    refused(client.head_object, "404", Bucket=bucket, Key="absent")
    assert body_of(client.get_object(**there)) == b"2"
    refused(client.delete_object, "PreconditionFailed", **there, IfMatch='"other"')
    client.delete_object(**there, IfMatch=client.head_object(**there)["ETag"])
    refused(client.head_object, "404", **there)


def race(aim, bucket, words, rounds=5):
    """Twelve writers of one key at once: exactly one may win, and its bytes stay."""
    clients = [aim.boto() for _ in range(RACERS)]
    for client in clients:
        client.head_bucket(Bucket=bucket)  # connected and warm
    for number in range(rounds):
        start, won, other = threading.Barrier(RACERS), [], []

        def go(racer):
            start.wait()
            body = f"racer {racer}".encode() * 1000
            try:
                clients[racer].put_object(Bucket=bucket, Body=body, **words(racer, number))
                won.append((racer, body))
            except ClientError as error:
                other.append(error.response["Error"]["Code"])

        together(go)
        assert len(won) == 1, f"round {number}: {len(won)} of {RACERS} racers won"
        assert set(other) <= {"PreconditionFailed", "ConditionalRequestConflict"}, other
        key = words(0, number)["Key"]
        assert body_of(clients[0].get_object(Bucket=bucket, Key=key)) == won[0][1], "the winner's bytes are not there"


def update_race(aim, client, bucket):
    tags = {number: client.put_object(Bucket=bucket, Key=f"update {number}", Body=b"old")["ETag"] for number in range(5)}
    race(aim, bucket, lambda racer, number: {"IfMatch": tags[number], "Key": f"update {number}"})


def complete_race(aim, client, bucket):
    """Multipart uploads of one key completed at once with If-None-Match."""
    there = {"Bucket": bucket, "Key": "complete race"}
    uploads = []
    for racer in range(4):
        upload = client.create_multipart_upload(**there)["UploadId"]
        tag = client.upload_part(**there, UploadId=upload, PartNumber=1, Body=f"racer {racer}".encode())["ETag"]
        uploads.append((upload, tag))
    won, other, start = [], [], threading.Barrier(len(uploads))

    def go(racer):
        mine = aim.boto()
        start.wait()
        upload, tag = uploads[racer]
        try:
            mine.complete_multipart_upload(**there, UploadId=upload, IfNoneMatch="*",
                                           MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": tag}]})
            won.append(racer)
        except ClientError as error:
            other.append(error.response["Error"]["Code"])

    together(go, len(uploads))
    assert len(won) == 1, f"{len(won)} completions won; the others: {other}"
    assert body_of(client.get_object(**there)) == f"racer {won[0]}".encode()


def together(go, count=RACERS):
    threads = [threading.Thread(target=go, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def checksums(client, bucket, algorithm):
    data = secrets.token_bytes(200_000)
    name = f"Checksum{algorithm}"
    put = client.put_object(Bucket=bucket, Key=f"sum {algorithm}", Body=data, ChecksumAlgorithm=algorithm)
    head = client.head_object(Bucket=bucket, Key=f"sum {algorithm}", ChecksumMode="ENABLED")
    assert head.get(name) and head[name] == put[name], (put.get(name), head.get(name))
    assert head.get("ChecksumType") == "FULL_OBJECT", head.get("ChecksumType")
    assert body_of(client.get_object(Bucket=bucket, Key=f"sum {algorithm}", ChecksumMode="ENABLED")) == data
    told = client.get_object_attributes(Bucket=bucket, Key=f"sum {algorithm}", ObjectAttributes=["Checksum", "ETag", "ObjectSize"])
    assert told["Checksum"][name] == put[name] and told["ObjectSize"] == len(data)
    wrong = base64.b64encode(b"\0" * len(base64.b64decode(put[name]))).decode()
    refused(client.put_object, "BadDigest", "InvalidRequest", "XAmzContentChecksumMismatch", Bucket=bucket, Key=f"wrong {algorithm}",
            Body=data, **{name: wrong})
    refused(client.head_object, "404", Bucket=bucket, Key=f"wrong {algorithm}")


def multipart(client, bucket):
    there = {"Bucket": bucket, "Key": "many parts"}
    parts = [secrets.token_bytes(5 * MIB), secrets.token_bytes(6 * MIB), secrets.token_bytes(123)]
    upload = client.create_multipart_upload(**there, ContentType="x/y", Metadata={"kept": "yes"})["UploadId"]
    made = []
    for number in (3, 1, 2):  # out of order, with a gap in the numbers below
        tag = client.upload_part(**there, UploadId=upload, PartNumber=number * 7, Body=parts[number - 1])["ETag"]
        made.append({"PartNumber": number * 7, "ETag": tag})
    refused(client.get_object, "NoSuchKey", **there)
    listed = client.list_parts(**there, UploadId=upload)["Parts"]
    assert [(part["PartNumber"], part["Size"]) for part in listed] == [(7, 5 * MIB), (14, 6 * MIB), (21, 123)]
    assert upload in [one["UploadId"] for one in client.list_multipart_uploads(Bucket=bucket).get("Uploads", [])]
    refused(client.complete_multipart_upload, "InvalidPartOrder", **there, UploadId=upload, MultipartUpload={"Parts": made})
    made.sort(key=lambda part: part["PartNumber"])
    done = client.complete_multipart_upload(**there, UploadId=upload, MultipartUpload={"Parts": made})
    tag = hashlib.md5(b"".join(hashlib.md5(part).digest() for part in parts)).hexdigest() + "-3"
    assert done["ETag"] == f'"{tag}"', done["ETag"]
    got = client.get_object(**there)
    assert body_of(got) == b"".join(parts)
    assert (got["ETag"], got["ContentType"], got["Metadata"]) == (f'"{tag}"', "x/y", {"kept": "yes"})
    # A client that missed the answer asks again.
    again = client.complete_multipart_upload(**there, UploadId=upload, MultipartUpload={"Parts": made})
    assert again["ETag"] == done["ETag"]
    upload = client.create_multipart_upload(**there)["UploadId"]
    client.upload_part(**there, UploadId=upload, PartNumber=1, Body=b"x")
    client.abort_multipart_upload(**there, UploadId=upload)
    refused(client.list_parts, "NoSuchUpload", **there, UploadId=upload)
    assert body_of(client.get_object(**there)) == b"".join(parts), "an aborted upload changed the object"


def part_numbers(client, bucket):
    there = {"Bucket": bucket, "Key": "by part"}
    parts = [secrets.token_bytes(5 * MIB), secrets.token_bytes(100)]
    upload = client.create_multipart_upload(**there, ChecksumAlgorithm="SHA256")["UploadId"]
    made = []
    for number, part in enumerate(parts, 1):
        told = client.upload_part(**there, UploadId=upload, PartNumber=number, Body=part, ChecksumAlgorithm="SHA256")
        made.append({"PartNumber": number, "ETag": told["ETag"], "ChecksumSHA256": told["ChecksumSHA256"]})
    done = client.complete_multipart_upload(**there, UploadId=upload, MultipartUpload={"Parts": made})
    want = base64.b64encode(hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).digest()).decode() + "-2"
    assert done.get("ChecksumSHA256") == want, done.get("ChecksumSHA256")
    for number, part in enumerate(parts, 1):
        got = client.get_object(**there, PartNumber=number)
        assert body_of(got) == part and got["PartsCount"] == 2, number
    refused(client.get_object, "InvalidPart", "InvalidPartNumber", "InvalidRange", "416", **there, PartNumber=3)
    told = client.get_object_attributes(**there, ObjectAttributes=["ObjectParts", "Checksum"])
    assert told["ObjectParts"]["TotalPartsCount"] == 2, told["ObjectParts"]


def copy(client, bucket):
    data = secrets.token_bytes(2 * MIB)
    client.put_object(Bucket=bucket, Key="from/é + %2F?&", Body=data, ContentType="a/b", Metadata={"m": "1"})
    source = {"Bucket": bucket, "Key": "from/é + %2F?&"}
    done = client.copy_object(Bucket=bucket, Key="to/1", CopySource=source)
    assert done["CopyObjectResult"]["ETag"] == f'"{hashlib.md5(data).hexdigest()}"'
    got = client.get_object(Bucket=bucket, Key="to/1")
    assert body_of(got) == data and got["Metadata"] == {"m": "1"} and got["ContentType"] == "a/b"
    client.copy_object(Bucket=bucket, Key="to/2", CopySource=source, MetadataDirective="REPLACE", Metadata={"m": "2"}, ContentType="c/d")
    got = client.get_object(Bucket=bucket, Key="to/2")
    assert (got["Metadata"], got["ContentType"]) == ({"m": "2"}, "c/d")
    refused(client.copy_object, "InvalidRequest", Bucket=bucket, Key="to/1", CopySource={"Bucket": bucket, "Key": "to/1"})
    refused(client.copy_object, "PreconditionFailed", Bucket=bucket, Key="to/3", CopySource=source, CopySourceIfMatch='"other"')
    refused(client.copy_object, "NoSuchKey", Bucket=bucket, Key="to/3", CopySource={"Bucket": bucket, "Key": "absent"})
    there = {"Bucket": bucket, "Key": "to/parts"}
    client.put_object(Bucket=bucket, Key="big source", Body=data * 4)
    upload = client.create_multipart_upload(**there)["UploadId"]
    made = []
    for number, span in enumerate(("bytes=0-6291455", "bytes=6291456-8388607"), 1):
        told = client.upload_part_copy(**there, UploadId=upload, PartNumber=number, CopySource={"Bucket": bucket, "Key": "big source"},
                                       CopySourceRange=span)
        made.append({"PartNumber": number, "ETag": told["CopyPartResult"]["ETag"]})
    client.complete_multipart_upload(**there, UploadId=upload, MultipartUpload={"Parts": made})
    assert body_of(client.get_object(**there)) == data * 4


def delete_many(client, bucket):
    keys = [f"gone/{number} é&<>" for number in range(1000)]
    for key in keys[:50]:
        client.put_object(Bucket=bucket, Key=key, Body=b"x")
    done = client.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in keys]})
    assert len(done["Deleted"]) == 1000 and not done.get("Errors"), (len(done["Deleted"]), done.get("Errors"))
    assert not keys_of(client, bucket, Prefix="gone/")
    quiet = client.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "gone/1"}], "Quiet": True})
    assert not quiet.get("Deleted")
    refused(client.delete_objects, "MalformedXML", Bucket=bucket, Delete={"Objects": [{"Key": key} for key in keys + ["one more"]]})


def tagging(client, bucket):
    there = {"Bucket": bucket, "Key": "tagged"}
    client.put_object(**there, Body=b"x", Tagging="a=1&b%20c=%C3%A9")
    tags = [{"Key": "a", "Value": "1"}, {"Key": "b c", "Value": "é"}]
    assert sorted(client.get_object_tagging(**there)["TagSet"], key=str) == sorted(tags, key=str)
    assert client.get_object(**there)["TagCount"] == 2
    client.put_object_tagging(**there, Tagging={"TagSet": tags[:1]})
    client.copy_object(Bucket=bucket, Key="tagged copy", CopySource=there)
    assert client.get_object_tagging(Bucket=bucket, Key="tagged copy")["TagSet"] == tags[:1]
    client.delete_object_tagging(**there)
    assert client.get_object_tagging(**there)["TagSet"] == []
    refused(client.put_object_tagging, "BadRequest", "InvalidTag", **there,
            Tagging={"TagSet": [{"Key": str(n), "Value": ""} for n in range(11)]})
    refused(client.get_bucket_tagging, "NoSuchTagSet", Bucket=bucket)
    client.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})
    assert len(client.get_bucket_tagging(Bucket=bucket)["TagSet"]) == 2


def versioning(aim, client):
    bucket = aim.bucket("versioned")
    there = {"Bucket": bucket, "Key": "v"}
    assert "Status" not in client.get_bucket_versioning(Bucket=bucket)
    client.put_object(**there, Body=b"before")
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    first = client.put_object(**there, Body=b"one")["VersionId"]
    second = client.put_object(**there, Body=b"two")["VersionId"]
    assert body_of(client.get_object(**there)) == b"two"
    assert body_of(client.get_object(**there, VersionId=first)) == b"one"
    assert body_of(client.get_object(**there, VersionId="null")) == b"before"
    marker = client.delete_object(**there)
    assert marker["DeleteMarker"] is True
    refused(client.get_object, "NoSuchKey", **there)
    listed = client.list_object_versions(Bucket=bucket)
    assert [one["VersionId"] for one in listed["Versions"]] == [second, first, "null"]
    assert [one["VersionId"] for one in listed["DeleteMarkers"]] == [marker["VersionId"]] and listed["DeleteMarkers"][0]["IsLatest"]
    client.delete_object(**there, VersionId=marker["VersionId"])
    assert body_of(client.get_object(**there)) == b"two"
    client.delete_object(**there, VersionId=second)
    assert body_of(client.get_object(**there)) == b"one"
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    client.put_object(**there, Body=b"null again")
    assert body_of(client.get_object(**there, VersionId="null")) == b"null again"
    assert body_of(client.get_object(**there, VersionId=first)) == b"one"
    refused(client.get_object, "NoSuchVersion", "NoSuchKey", "InvalidArgument", **there, VersionId=uuid.uuid4().hex)


def presigned(client, bucket):
    there = {"Bucket": bucket, "Key": "pre signed/é+&=%.txt"}
    url = client.generate_presigned_url("put_object", Params={**there, "ContentType": "x/pre"}, ExpiresIn=60)
    data = secrets.token_bytes(70_000)
    assert status_of(urllib.request.Request(url, data=data, method="PUT", headers={"Content-Type": "x/pre"})) == 200
    got = client.get_object(**there)
    assert body_of(got) == data and got["ContentType"] == "x/pre"
    assert status_of(urllib.request.Request(url, data=data, method="PUT", headers={"Content-Type": "x/other"})) == 403
    url = client.generate_presigned_url("get_object", Params={**there, "ResponseContentDisposition": 'attachment; filename="a b"'})
    with urllib.request.urlopen(url) as answer:
        assert answer.read() == data and answer.headers["Content-Disposition"] == 'attachment; filename="a b"'
    with urllib.request.urlopen(urllib.request.Request(url, headers={"Range": "bytes=1-3"})) as answer:
        assert answer.status == 206 and answer.read() == data[1:4]
    assert status_of(urllib.request.Request(url, method="DELETE")) == 403
    assert status_of(urllib.request.Request(url[:-1] + ("0" if url[-1] != "0" else "1"))) == 403
    short = client.generate_presigned_url("get_object", Params=there, ExpiresIn=1)
    time.sleep(3)
    assert status_of(urllib.request.Request(short)) == 403
    long = client.generate_presigned_url("get_object", Params=there, ExpiresIn=7 * 86400 + 1)
    assert status_of(urllib.request.Request(long)) in (400, 403), "an expiry beyond seven days was taken"


def post_policy(client, bucket):
    form = client.generate_presigned_post(bucket, "posted/${filename}", Fields={"Content-Type": "x/form", "success_action_status": "201"},
                                          Conditions=[["starts-with", "$key", "posted/"], {"Content-Type": "x/form"},
                                                      {"success_action_status": "201"}, ["content-length-range", 1, 100_000]])
    data = secrets.token_bytes(50_000)
    status, said = send_form(form, "ä b.bin", data)
    assert status == 201 and b"<PostResponse>" in said, (status, said[:200])
    got = client.get_object(Bucket=bucket, Key="posted/ä b.bin")
    assert body_of(got) == data and got["ContentType"] == "x/form"
    assert send_form(form, "too big", secrets.token_bytes(100_001))[0] == 400
    assert send_form(form, "too small", b"")[0] == 400
    assert send_form({**form, "fields": {**form["fields"], "key": "elsewhere"}}, "x", data)[0] == 403
    assert send_form({**form, "fields": {**form["fields"], "x-amz-meta-more": "1"}}, "x", data)[0] == 403, "a field outside the policy"
    late = client.generate_presigned_post(bucket, "late", ExpiresIn=1)
    time.sleep(3)
    assert send_form(late, "x", data)[0] == 403
    assert keys_of(client, bucket, Prefix="posted/") == ["posted/ä b.bin"], "a refused form left something"


def send_form(form, filename, data):
    boundary = uuid.uuid4().hex
    pieces = [f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
              for name, value in form["fields"].items()]
    pieces.append(f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{filename}"\r\n'
                  "Content-Type: application/octet-stream\r\n\r\n".encode() + data + b"\r\n")
    pieces.append(f"--{boundary}--\r\n".encode())
    request = urllib.request.Request(form["url"], data=b"".join(pieces), method="POST",
                                     headers={"Content-Type": f"multipart/form-data; boundary={boundary}"})
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def listing_pages(aim, client):
    bucket = aim.bucket("pages")
    keys = sorted([f"{letter}/{number:02}" for letter in "abc" for number in range(7)] + ["a", "a-", "b", "z", "a0"], key=str.encode)
    for key in keys:
        client.put_object(Bucket=bucket, Key=key, Body=b"x")
    for version in (1, 2):
        for size in (1, 2, 3, 7, 1000):
            assert keys_of(client, bucket, version, PaginationConfig={"PageSize": size}) == keys, (version, size)
            pages = client.get_paginator("list_objects_v2" if version == 2 else "list_objects").paginate(
                Bucket=bucket, Delimiter="/", PaginationConfig={"PageSize": size})
            seen = [entry for page in pages for entry in
                    [item["Key"] for item in page.get("Contents", [])] + [item["Prefix"] for item in page.get("CommonPrefixes", [])]]
            assert sorted(seen) == sorted(["a", "a-", "a/", "a0", "b", "b/", "c/", "z"]), (version, size, seen)
    assert keys_of(client, bucket, StartAfter="b/03") == [key for key in keys if key > "b/03"]
    assert keys_of(client, bucket, StartAfter="a", Prefix="c/") == [key for key in keys if key.startswith("c/")]
    answer = client.list_objects_v2(Bucket=bucket, Prefix="a/", Delimiter="/", MaxKeys=1000)
    assert [item["Key"] for item in answer["Contents"]] == [key for key in keys if key.startswith("a/")]
    assert answer["KeyCount"] == 7 and answer["IsTruncated"] is False


def status_of(request):
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        error.read()
        return error.code
