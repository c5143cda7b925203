"""A pytest plugin: which of Ceph's tests run, and three changes that let more of them run.

The ledger's rows come in by S3_LEDGER. A row's test is a name, a name with a wildcard, or `@marker`; `deselect` takes the
tests out, `private` runs them with private ACLs in place of public ones (they need some object to exist, not a public one).

1. `private` tests: a public canned ACL becomes `private`, and the anonymous reads of the CORS tests are presigned.
2. POST forms are signed anew with Signature Version 4. Ceph's tests sign them with Version 2, which is broken by its
   SHA-1-era design and which allod refuses; what they test is the policy. A wrong signature stays wrong.
3. Buckets are emptied between tests by ListObjectVersions and DeleteObjects; where that fails, by plain listings and single
   deletions, so that a server without them loses only the tests that look at them.
"""
import base64
import datetime
import fnmatch
import hashlib
import hmac
import json
import os

import pytest

LEDGER = json.loads(os.environ["S3_LEDGER"])  # [[test, expected, reason], ...]
REGION = "us-east-1"
PUBLIC_ACLS = ("public-read", "public-read-write", "authenticated-read")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    private = rows("private")
    chosen, dropped, used = [], [], {}
    for item in items:
        row = next((name for name in rows("deselect") if applies(name, item)), None)
        if row is None:
            chosen.append(item)
        else:
            dropped.append(item)
            used[row] = used.get(row, 0) + 1
        adapted = next((name for name in private if applies(name, item)), None)
        if adapted:
            used[adapted] = used.get(adapted, 0) + 1
            item.add_marker("run_private")
    items[:] = chosen
    config.hook.pytest_deselected(items=dropped)
    report = os.environ["S3_SELECTION"]
    with open(f"{report}.{os.getpid()}", "w", encoding="utf-8") as file:
        json.dump({"rows": used}, file)
    os.replace(file.name, report)


def pytest_configure(config):
    config.addinivalue_line("markers", "run_private: public ACLs are made private")


def rows(expected):
    return [name for name, word, _ in LEDGER if word == expected]


def name_of(item):
    return item.nodeid.rpartition("::")[2]


def applies(row, item):
    if row.startswith("@"):
        return item.get_closest_marker(row[1:]) is not None
    return fnmatch.fnmatchcase(name_of(item), row.replace("[", "[[]"))


@pytest.fixture(autouse=True)
def changes(request, monkeypatch):
    import botocore.client
    import requests
    from s3tests import functional
    from s3tests.functional import test_s3

    nuke = functional.nuke_bucket
    monkeypatch.setattr(functional, "nuke_bucket", lambda client, bucket: emptied(nuke, client, bucket))
    post = requests.post
    monkeypatch.setattr(requests, "post", lambda url, **words: post(url, **signed_anew(words)))
    if request.node.get_closest_marker("run_private"):
        call = botocore.client.BaseClient._make_api_call
        monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call",
                            lambda self, operation, params: call(self, operation, made_private(params)))
        check = test_s3._cors_request_and_check
        monkeypatch.setattr(test_s3, "_cors_request_and_check",
                            lambda func, url, headers, status, *rest: check(func, presigned(func, url, status), headers, status, *rest))
    yield


def emptied(nuke, client, bucket):
    from botocore.exceptions import ClientError

    try:
        nuke(client, bucket)
    except ClientError:
        for page in client.get_paginator("list_objects").paginate(Bucket=bucket):
            for item in page.get("Contents", []):
                client.delete_object(Bucket=bucket, Key=item["Key"])
        client.delete_bucket(Bucket=bucket)


def made_private(params):
    return {**params, "ACL": "private"} if params.get("ACL") in PUBLIC_ACLS else params


def presigned(func, url, status):
    """A GET that the test wants answered, for a server without anonymous reads."""
    import requests
    from s3tests.functional import get_client

    if func is not requests.get or status == 403:
        return url
    bucket, _, key = url.split("://")[1].partition("/")[2].partition("/")
    if key:
        return get_client().generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": key})
    return get_client().generate_presigned_url("list_objects", Params={"Bucket": bucket})


def signed_anew(words):
    """The form of a POST with its Version 2 signature replaced by a Version 4 one."""
    form = words.get("files")
    fields = {name.lower(): name for name in form} if hasattr(form, "keys") else {}
    if "policy" not in fields or not {"awsaccesskeyid", "signature"} & set(fields):
        return words
    from s3tests.functional import get_main_aws_secret_key

    secret = get_main_aws_secret_key()
    policy = as_bytes(form[fields["policy"]])
    access_key = form[fields["awsaccesskeyid"]] if "awsaccesskeyid" in fields else None
    given = as_bytes(form[fields["signature"]]) if "signature" in fields else None
    is_wrong = given is not None and given != base64.b64encode(hmac.new(secret.encode(), policy, hashlib.sha1).digest())
    now = datetime.datetime.now(datetime.timezone.utc)
    scope = [f"{now:%Y%m%d}", REGION, "s3", "aws4_request"]
    added = {"x-amz-algorithm": "AWS4-HMAC-SHA256", "x-amz-credential": "/".join([str(access_key), *scope]),
             "x-amz-date": f"{now:%Y%m%dT%H%M%SZ}"}
    checksums = {name: form[name] for name in form if name.lower().startswith("x-amz-checksum-")}
    policy = with_conditions(policy, {**added, **checksums})
    key = ("AWS4" + secret).encode()
    for word in scope:
        key = hmac.new(key, word.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, policy, hashlib.sha256).hexdigest()
    made = {}
    for name, value in form.items():
        lower = name.lower()
        if lower == "policy":
            made[name] = policy
        elif lower == "awsaccesskeyid":
            made |= added
        elif lower == "signature":
            made["x-amz-signature"] = signature[::-1] if is_wrong else signature
        else:
            made[name] = value
    return {**words, "files": made}


def with_conditions(policy, added):
    """The policy that also covers the fields that Version 4 adds, and checksums; one that cannot be read stays as it is."""
    try:
        document = json.loads(base64.b64decode(policy))
        document["conditions"] += [{name: value} for name, value in added.items()]
    except (ValueError, KeyError, TypeError):
        return policy
    return base64.b64encode(json.dumps(document).encode())


def as_bytes(value):
    return value if isinstance(value, bytes) else str(value).encode()
