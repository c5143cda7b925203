"""Keys that break servers: each comes back to the letter by GET, HEAD and every kind of listing, and only its own bytes."""
import re
import unicodedata
from urllib.parse import unquote_plus
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import corpus
from sigv4 import error_code, md5

from harness.report import Skip

KEYS = (
    "plain", "a", "a/b", "a/b/c", "a//b", "a///b", "/leading", "//two leading", "./x", "../y", "a/../b", "a/./b", "..", ".", "trailing/",
    "a/b/", "trailing//", "/", "//", " ", " leading space", "trailing space ", "two  spaces", "a b/c d", "+", "a+b", "%", "%2F", "%2f",
    "100%25", "%zz", "a%00b", "&", "a&b=c", "a=b", "?", "a?b", "#", "a#b", ";", ":", "a:b", "@", ",", "$", "!", "'", '"', "(", ")", "*", "~",
    "`", "|", "^", "{}", "[]", "<", ">", "<Key>", "]]>", "\\", "a\\b", "line\nbreak", "tab\there", "return\rhere",
    unicodedata.normalize("NFC", "é"), unicodedata.normalize("NFD", "é"), "日本語/ファイル", "עברית", "🦀👩‍👩‍👧‍👦", "\u00a0", "\u200b", "\u2028", "\ufeffbom",
    "ﬁ", "K", "\U0010ffff", "x" * 1024, "é" * 512, "/".join("d" * 10 for _ in range(90)), "a" * 255 + "/b", "b" * 256, "語" * 341,
    "delete\x7f", "a\u0085b", ".hidden", "~", "_", "-dash", "CON", "nul", "Thumbs.db", ".DS_Store", "a.", "a..b", "dots...", "uploads", "?uploads", "a?acl",
)
# XML 1.0 cannot say these at all; only encoding-type=url can carry them.
UNSPEAKABLE = ("bell\x07", "escape\x1b", "\x01", "noncharacter\uffff")


def run(report, aim):
    raw, client = aim.raw(), aim.boto()
    bucket = aim.bucket("keys")
    stored = {}
    for number, key in enumerate(KEYS):
        with report.test(f"keys/{name_of(number, key)}"):
            store(raw, bucket, key, stored)
    for version in (1, 2):
        for size in (1000, 7):
            with report.test(f"keys/list-v{version}-{size}"):
                compare(listing(raw, bucket, version, False, size), sorted(stored, key=str.encode))
    for number, key in enumerate(UNSPEAKABLE, len(KEYS)):
        with report.test(f"keys/{name_of(number, key)}"):
            store(raw, bucket, key, stored)
    with report.test("keys/none-replaced-another"):
        wrong = [key for key, data in stored.items() if raw.request("GET", bucket, key).body != data]
        assert not wrong, f"{len(wrong)} keys have other bytes now: {wrong[:5]}"
    want = sorted(stored, key=str.encode)
    for version in (1, 2):
        for size in (1000, 7):
            with report.test(f"keys/list-v{version}-url-{size}"):
                compare(listing(raw, bucket, version, True, size), want)
    with report.test("keys/by-boto3"):
        got = [item["Key"] for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket) for item in page["Contents"]]
        compare(got, want)
    with report.test("keys/versions"):
        got = [item["Key"] for page in client.get_paginator("list_object_versions").paginate(Bucket=bucket)
               for item in page.get("Versions", [])]
        compare(got, want)
    with report.test("keys/prefix-and-delimiter"):
        prefixes(raw, bucket, want)
    with report.test("keys/copy"):
        copies(client, bucket, stored)
    with report.test("keys/multipart"):
        multipart(client, bucket)
    with report.test("keys/too-long"):
        for key in ("x" * 1025, "é" * 513):
            reply = raw.request("PUT", bucket, key, body=b"x").want(400)
            assert error_code(reply) == "KeyTooLongError", error_code(reply)
    with report.test("keys/not-utf-8"):
        reply = raw.request("PUT", bucket, raw_path=f"/{bucket}/%ff%fe", body=b"x")
        assert reply.status in (400, 403), f"got {reply.status}: a key has to be UTF-8"
    with report.test("keys/delete-many"):
        delete_all(raw, bucket, want)
    with report.test("keys/all-gone"):
        assert listing(raw, bucket, 2, True, 1000) == []
        client.delete_bucket(Bucket=bucket)


def store(raw, bucket, key, stored):
    data = corpus.content(key, 20 + len(stored))
    raw.request("PUT", bucket, key, body=data).want(200)
    stored[key] = data
    assert raw.request("GET", bucket, key).want(200).body == data
    assert raw.request("HEAD", bucket, key).want(200).headers["content-length"] == str(len(data))


def name_of(number, key):
    """A name for the test that fits a ledger."""
    shown = re.sub(r"[^\x21-\x7e]", lambda found: f"\\u{ord(found.group()):x}", key)
    return f"{number:03}-{shown[:24]}"


def listing(raw, bucket, version, encoded, size):
    """All keys by pages, parsed from the XML itself."""
    keys, more = [], ()
    for _ in range(2000):
        query = [("max-keys", str(size)), *more, *([("list-type", "2")] if version == 2 else []),
                 *([("encoding-type", "url")] if encoded else [])]
        root = ElementTree.fromstring(raw.request("GET", bucket, query=query).want(200).body)
        page = [decoded(item.text, encoded) for item in root.findall("{*}Contents/{*}Key")]
        keys += page
        assert (root.findtext("{*}EncodingType") == "url") == encoded, "EncodingType is not told, or told unasked"
        if root.findtext("{*}IsTruncated") != "true":
            return keys
        if version == 2:
            more = [("continuation-token", root.findtext("{*}NextContinuationToken"))]
        else:
            more = [("marker", page[-1])]
    raise AssertionError("the listing does not end")


def decoded(text, encoded):
    # AWS writes a space as `+` here, and every SDK takes `+` for a space: a plus sign has to come as %2B.
    return unquote_plus(text, errors="surrogateescape") if encoded else text


def compare(got, want):
    missing, extra = [key for key in want if key not in set(got)], [key for key in got if key not in set(want)]
    assert not missing and not extra, f"{len(missing)} missing {missing[:4]}, {len(extra)} unexpected {extra[:4]}"
    assert len(got) == len(set(got)), "a key is listed twice"
    assert got == want, f"not in byte order: {[pair for pair in zip(got, want, strict=False) if pair[0] != pair[1]][:2]}"


def prefixes(raw, bucket, want):
    for prefix in ("a", "a/", "a//", "/", "//", "..", "%", "+", " ", "é", "日本語/"):
        query = [("list-type", "2"), ("prefix", prefix), ("delimiter", "/"), ("encoding-type", "url")]
        root = ElementTree.fromstring(raw.request("GET", bucket, query=query).want(200).body)
        below = [key for key in want if key.startswith(prefix)]
        plain = [key for key in below if "/" not in key[len(prefix):]]
        folders = sorted({prefix + key[len(prefix):].partition("/")[0] + "/" for key in below if "/" in key[len(prefix):]}, key=str.encode)
        compare([decoded(item.text, True) for item in root.findall("{*}Contents/{*}Key")], plain)
        compare([decoded(item.text, True) for item in root.findall("{*}CommonPrefixes/{*}Prefix")], folders)


def copies(client, bucket, stored):
    """From and to odd keys; CopySource is percent-encoded by the SDK."""
    for key in ("a//b", "../y", "trailing/", "a+b", "%2F", "a?b", "日本語/ファイル", "two  spaces"):
        if key not in stored:
            raise Skip(f"{key!r} could not be stored")
        client.copy_object(Bucket=bucket, Key=f"copy of {key}", CopySource={"Bucket": bucket, "Key": key})
        assert client.get_object(Bucket=bucket, Key=f"copy of {key}")["Body"].read() == stored[key], key
        client.delete_object(Bucket=bucket, Key=f"copy of {key}")


def multipart(client, bucket):
    for key in ("m//x", "m/../x", "m/+%2F é/"):
        upload = client.create_multipart_upload(Bucket=bucket, Key=key)
        assert upload["Key"] == key, upload["Key"]
        told = client.upload_part(Bucket=bucket, Key=key, UploadId=upload["UploadId"], PartNumber=1, Body=key.encode())
        assert key in [one["Key"] for one in client.list_multipart_uploads(Bucket=bucket)["Uploads"]]
        client.complete_multipart_upload(Bucket=bucket, Key=key, UploadId=upload["UploadId"],
                                         MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": told["ETag"]}]})
        assert client.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode()
        client.delete_object(Bucket=bucket, Key=key)


def delete_all(raw, bucket, keys):
    """By DeleteObjects for what XML can say, one by one for the rest."""
    spoken = [key for key in keys if key not in UNSPEAKABLE]
    # A bare \r or \n in XML text would be read as a line end: written as a character reference it stays.
    items = "".join(f"<Object><Key>{escape(key, {chr(13): '&#13;', chr(10): '&#10;', chr(9): '&#9;'})}</Key></Object>" for key in spoken)
    body = f"<Delete>{items}<Quiet>true</Quiet></Delete>".encode()
    reply = raw.request("POST", bucket, query=[("delete", None)], body=body, headers={"Content-MD5": md5(body)}).want(200)
    assert b"<Error>" not in reply.body, reply.body[:300]
    for key in keys:
        if key in UNSPEAKABLE:
            raw.request("DELETE", bucket, key).want(204)
