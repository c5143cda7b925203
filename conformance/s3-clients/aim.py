"""What the parts get: a started server, users, boto3 clients, fresh buckets, a folder of their own."""
import itertools
import os
import secrets
from pathlib import Path

import boto3
import botocore.config
import botocore.exceptions
import sigv4
from s3_peers import REGION

from harness.report import Skip
from harness.wire import Wire


class Aim:
    def __init__(self, server, folder, small=False):
        self.server, self.folder, self.small = server, Path(folder), small
        self.folder.mkdir(parents=True, exist_ok=True)
        self.serial = itertools.count(1)
        self.ca = None  # a certificate file, when `url` is https
        self.url_override = None

    @property
    def url(self):
        return self.url_override or self.server.url

    @property
    def user(self):
        return self.server.users["main"]

    @property
    def is_allod(self):
        return self.server.name == "allod"

    def boto(self, user=None, **config):
        """A client that shows failures at once."""
        user = user or self.user
        given = {"s3": {"addressing_style": "path"}, "retries": {"max_attempts": 1, "mode": "standard"}, "signature_version": "s3v4",
                 "max_pool_connections": 32, **config}
        return boto3.client("s3", endpoint_url=self.url, region_name=REGION, aws_access_key_id=user.access_key,
                            aws_secret_access_key=user.secret_key, verify=self.ca, config=botocore.config.Config(**given))

    def raw(self, user=None, **signing):
        return sigv4.Raw(self.server.url, user or self.user, **signing)

    def bucket(self, stem="b", **words):
        """A new bucket; its name."""
        name = f"{stem}-{next(self.serial)}-{secrets.token_hex(3)}"
        self.boto().create_bucket(Bucket=name, **words)
        return name

    def dav(self, bucket=""):
        """The same account by WebDAV. Only allod has that door."""
        if not self.is_allod:
            raise Skip(f"{self.server.name} has no WebDAV")
        login = self.user.extra
        return Wire(f"{self.server.base}/dav/{login['account']}/{bucket}", login["username"], login["password"])

    def killable(self):
        if not self.server.name.startswith(("allod", "garage", "juicefs", "s3s-fs")):
            raise Skip(f"{self.server.name} is not killed: it would not keep its data, or was not started here")

    def environment(self, user=None, **more):
        """For programs that read AWS_*; nothing of this machine's own set-up gets through."""
        user = user or self.user
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "RCLONE_", "RESTIC_"))}
        return {**kept, "HOME": str(self.folder), "AWS_ACCESS_KEY_ID": user.access_key, "AWS_SECRET_ACCESS_KEY": user.secret_key,
                "AWS_DEFAULT_REGION": REGION, "AWS_REGION": REGION, "AWS_EC2_METADATA_DISABLED": "true", "AWS_MAX_ATTEMPTS": "2",
                **{name: str(value) for name, value in more.items()}}


def refused(call, *codes, **words):
    """The error's code; AssertionError when the call goes through, or fails with another code."""
    try:
        call(**words)
    except botocore.exceptions.ClientError as error:
        code = error.response["Error"].get("Code", "")
        assert not codes or code in codes, f"refused with {code!r}, expected {' or '.join(codes)}"
        return code
    raise AssertionError(f"{getattr(call, '__name__', call)} went through, expected {' or '.join(codes) or 'a refusal'}")


def body_of(answer):
    return answer["Body"].read()


def keys_of(client, bucket, version=2, **words):
    """All keys of a bucket by pages, as a client sees them that decodes what it is told to decode."""
    pages = client.get_paginator("list_objects_v2" if version == 2 else "list_objects").paginate(Bucket=bucket, **words)
    return [item["Key"] for page in pages for item in page.get("Contents", [])]
