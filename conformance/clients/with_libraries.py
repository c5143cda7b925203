"""Client libraries that programs use: webdav4 and webdavclient3 (Python), webdav (npm)."""
import subprocess

import corpus

from harness import install

WEBDAV4 = """\
import sys
from webdav4.client import Client
from webdav4.fsspec import WebdavFileSystem
url, user, password, source, back = sys.argv[1:]
client = Client(url, auth=(user, password))
client.mkdir("w4")
client.upload_file(source, "w4/a file 1")
assert client.exists("w4/a file 1") and client.isfile("w4/a file 1") and client.isdir("w4")
assert client.content_length("w4/a file 1") == 123456
client.copy("w4/a file 1", "w4/copied")
client.move("w4/copied", "w4/moved é")
assert sorted(row["name"] for row in client.ls("w4")) == ["w4/a file 1", "w4/moved é"], client.ls("w4")
client.download_file("w4/moved é", back)
client.remove("w4/a file 1")
assert not client.exists("w4/a file 1")
system = WebdavFileSystem(url, auth=(user, password))
with system.open("w4/moved é", "rb") as file:
    file.seek(100_000)
    tail = file.read(1000)
assert tail == open(source, "rb").read()[100_000:101_000]
"""

WEBDAVCLIENT3 = """\
import sys
from webdav3.client import Client
url, user, password, source, back = sys.argv[1:]
client = Client({"webdav_hostname": url.rstrip("/"), "webdav_login": user, "webdav_password": password})
client.mkdir("w3")
client.upload_sync(remote_path="w3/a file", local_path=source)
assert client.check("w3/a file") and not client.check("w3/missing")
assert client.info("w3/a file")["size"] == "123456"
client.copy(remote_path_from="w3/a file", remote_path_to="w3/copied")
client.move(remote_path_from="w3/copied", remote_path_to="w3/moved")
assert {"a file", "moved"} <= set(client.list("w3")), client.list("w3")
client.download_sync(remote_path="w3/moved", local_path=back)
client.set_property("w3/moved", option={"namespace": "http://example.org/", "name": "mood", "value": "good"})
assert client.get_property("w3/moved", option={"namespace": "http://example.org/", "name": "mood"}) == "good"
client.clean("w3/a file")
assert not client.check("w3/a file")
"""

NODE = """\
import assert from "node:assert";
import fs from "node:fs";
import { createClient } from "webdav";
const [url, username, password, source, back] = process.argv.slice(2);
const client = createClient(url, { username, password });
await client.createDirectory("/js folder/deeper", { recursive: true });
const data = fs.readFileSync(source);
assert(await client.putFileContents("/js folder/a file #1 é", data, { overwrite: false }));
assert.equal(await client.putFileContents("/js folder/a file #1 é", "no", { overwrite: false }), false);
assert(await client.exists("/js folder/a file #1 é"));
const stat = await client.stat("/js folder/a file #1 é");
assert.equal(stat.size, 123456);
assert.equal(stat.type, "file");
await client.copyFile("/js folder/a file #1 é", "/js folder/deeper/copied");
await client.moveFile("/js folder/deeper/copied", "/js folder/deeper/100% moved");
const names = (await client.getDirectoryContents("/js folder", { deep: true })).map((row) => row.filename).sort();
assert.deepEqual(names, ["/js folder/a file #1 é", "/js folder/deeper", "/js folder/deeper/100% moved"]);
fs.writeFileSync(back, await client.getFileContents("/js folder/deeper/100% moved"));
const lock = await client.lock("/js folder/deeper/100% moved");
await assert.rejects(client.putFileContents("/js folder/deeper/100% moved", "knock"), /423/);
await client.unlock("/js folder/deeper/100% moved", `<${lock.token}>`);
await client.putFileContents("/js folder/streamed", "from a string");
assert.equal(await client.getFileContents("/js folder/streamed", { format: "text" }), "from a string");
const quota = await client.getQuota();
assert(quota === null || typeof quota.used === "number");
await client.deleteFile("/js folder");
assert.equal(await client.exists("/js folder"), false);
"""

# The library's own way to unlock leaves out the angle brackets that RFC 4918 §10.5 wants around the token.
NODE_UNLOCK = """\
import { createClient } from "webdav";
const [url, username, password] = process.argv.slice(2);
const client = createClient(url, { username, password });
await client.putFileContents("/to unlock", "x");
await client.unlock("/to unlock", (await client.lock("/to unlock")).token);
await client.putFileContents("/to unlock", "free");
"""


def run(report, aim):
    python = install.venv("libraries", "webdav4[fsspec]", "webdavclient3") / "bin/python"
    node = install.node_modules("webdav", "webdav")
    (node / "round_trip.mjs").write_text(NODE, encoding="utf-8")
    (node / "unlock.mjs").write_text(NODE_UNLOCK, encoding="utf-8")
    rows = {
        "webdav4": [python, "-c", WEBDAV4],
        "webdavclient3": [python, "-c", WEBDAVCLIENT3],
        "npm-webdav": ["node", node / "round_trip.mjs"],
    }
    data = corpus.content("library", 123_456)
    corpus.write(aim.folder / "source", data)
    for name, command in rows.items():
        back = aim.folder / f"back-{name}"
        with report.test(f"libraries/{name}"):
            subprocess.run([*command, aim.url, aim.user, aim.password, aim.folder / "source", back], check=True,
                           capture_output=True, timeout=120)
            assert back.read_bytes() == data, "other bytes came back"
    with report.test("libraries/npm-webdav-bare-unlock"):
        subprocess.run(["node", node / "unlock.mjs", aim.url, aim.user, aim.password], check=True, capture_output=True, timeout=60)
