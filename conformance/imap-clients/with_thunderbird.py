"""Thunderbird itself, without a screen, with one IMAP account: what a script does is what its windows do.

Its remote control is the one of `dav-clients`.
"""
import base64
import importlib.util
import subprocess
import time
from pathlib import Path

import mails
from aim import fill, mail, on_server, wait_until
from imap import quote

from harness import install
from harness.peers import end, free_port

WAIT_S = 30
NOTICE_S = 5
PREFERENCES = {
    "app.update.enabled": False, "app.donation.eoy.version.viewed": 99, "mail.provider.suppress_dialog_on_startup": True, "mail.rights.version": 1,
    "mailnews.start_page.enabled": False, "mail.spotlight.firstRunDone": True, "mail.shell.checkDefaultClient": False, "extensions.update.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False, "toolkit.telemetry.enabled": False, "browser.safebrowsing.provider.mozilla.updateURL": "",
    "signon.rememberSignons": True, "network.captive-portal-service.enabled": False, "network.connectivity-service.enabled": False,
    "marionette.log.level": "Fatal", "mail.winsearch.firstRunDone": True, "mail.biff.show_alert": False, "mail.biff.play_sound": False,
    "mail.accountmanager.accounts": "account1,account2", "mail.accountmanager.defaultaccount": "account1", "mail.accountmanager.localfoldersserver": "server2",
    "mail.account.account1.server": "server1", "mail.account.account1.identities": "id1", "mail.account.account2.server": "server2",
    "mail.identity.id1.useremail": "alice@example.com", "mail.identity.id1.fullName": "Alice", "mail.identity.id1.valid": True,
    "mail.server.server1.type": "imap", "mail.server.server1.name": "conformance", "mail.server.server1.socketType": 0, "mail.server.server1.authMethod": 3,
    "mail.server.server1.login_at_startup": False, "mail.server.server1.check_new_mail": False, "mail.server.server1.offline_download": False,
    "mail.server.server1.autosync_offline_stores": False, "mail.server.server1.delete_model": 1,
    "mail.server.server2.type": "none", "mail.server.server2.hostname": "Local Folders", "mail.server.server2.userName": "nobody",
}

HEAD = """
const { setTimeout } = ChromeUtils.importESModule("resource://gre/modules/Timer.sys.mjs");
const { MailServices } = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
const server = MailServices.accounts.allServers.find(one => one.type == "imap");
const root = server.rootFolder;
const at = path => { let f = root; for (const name of path.split("/")) { f = f.subFolders.find(one => one.name == name || (name == "INBOX" && (one.flags & 0x1000)));
  if (!f) throw new Error("no folder " + path); } return f; };
const headers = folder => [...folder.messages];
const find = (folder, id) => { const one = headers(folder).find(h => h.messageId == id); if (!one) throw new Error("no message " + id); return one; };
const wait = start => new Promise((resolve, reject) => start({
  QueryInterface: ChromeUtils.generateQI(["nsIUrlListener", "nsIMsgCopyServiceListener"]),
  onStartRunningUrl() {}, OnStartRunningUrl() {}, onStopRunningUrl(url, code) { this.OnStopRunningUrl(url, code); },
  OnStopRunningUrl(url, code) { Components.isSuccessCode(code) ? resolve() : reject(new Error("url failed: " + code.toString(16))); },
  onStartCopy() {}, OnStartCopy() {}, onProgress() {}, OnProgress() {}, setMessageKey() {}, SetMessageKey() {}, getMessageId() { return ""; }, GetMessageId() {},
  onStopCopy(code) { this.OnStopCopy(code); }, OnStopCopy(code) { Components.isSuccessCode(code) ? resolve() : reject(new Error("copy failed: " + code.toString(16))); },
}));
"""
LOGIN = HEAD + """
const [password] = args;
const login = Cc["@mozilla.org/login-manager/loginInfo;1"].createInstance(Ci.nsILoginInfo);
const origin = "imap://" + (server.hostName || server.hostname);
login.init(origin, null, origin, server.username, password, "", "");
await Services.logins.addLoginAsync(login);
const folder = at("INBOX").QueryInterface(Ci.nsIMsgImapMailFolder); await wait(listener => folder.updateFolderWithListener(null, listener));
server.performExpand(null);
"""
FOLDERS = HEAD + "return root.descendants.map(one => ({ name: one.name, flags: one.flags, path: one.URI }));"
# When the program updates the folder already by itself, the listener hears nothing.
UPDATE = HEAD + """
const folder = at(args[0]).QueryInterface(Ci.nsIMsgImapMailFolder);
await Promise.race([wait(listener => folder.updateFolderWithListener(null, listener)), new Promise(resolve => setTimeout(resolve, 5000))]);
"""
LIST = HEAD + """
const folder = at(args[0]);
return headers(folder).map(h => ({ id: h.messageId, subject: h.mime2DecodedSubject, author: h.mime2DecodedAuthor, flags: h.flags, key: h.messageKey, size: h.messageSize,
  keywords: h.getStringProperty("keywords"), date: h.date }));
"""
READ_FLAG = HEAD + """
const folder = at(args[0]); const one = find(folder, args[1]);
folder.markMessagesRead([one], true); folder.markMessagesFlagged([one], true);
"""
TAG = HEAD + "const folder = at(args[0]); folder.addKeywordsToMessages([find(folder, args[1])], args[2]);"
MOVE = HEAD + """
const source = at(args[0]), target = at(args[1]);
const chosen = args[2].map(id => find(source, id));
MailServices.copy.copyMessages(source, chosen, target, args[3], null, null, false);
"""
DELETE = HEAD + "const folder = at(args[0]); await wait(listener => folder.deleteMessages([find(folder, args[1])], null, false, true, listener, false));"
CREATE = HEAD + "at(args[0]).createSubfolder(args[1], null);"
CREATE_TOP = HEAD + "root.createSubfolder(args[0], null);"
RENAME = HEAD + "at(args[0]).rename(args[1], null);"
SOURCE = HEAD + """
const folder = at(args[0]); const uri = folder.getUriForMsg(find(folder, args[1]));
const service = MailServices.messageServiceFromURI(uri);
return await new Promise((resolve, reject) => {
  let text = "";
  service.streamMessage(uri, { QueryInterface: ChromeUtils.generateQI(["nsIStreamListener"]), onStartRequest() {},
    onDataAvailable(request, stream, offset, count) { const s = Cc["@mozilla.org/binaryinputstream;1"].createInstance(Ci.nsIBinaryInputStream); s.setInputStream(stream); text += s.readBytes(count); },
    onStopRequest(request, code) { Components.isSuccessCode(code) ? resolve(btoa(text)) : reject(new Error("stream " + code.toString(16))); } }, null, null, false, "", false);
});
"""
SEARCH = HEAD + """
const folder = at(args[0]);
const session = Cc["@mozilla.org/messenger/searchSession;1"].createInstance(Ci.nsIMsgSearchSession);
session.addScopeTerm(Ci.nsMsgSearchScope.onlineMail, folder);
const term = session.createTerm(); term.attrib = Ci.nsMsgSearchAttrib[args[1]]; term.op = Ci.nsMsgSearchOp.Contains;
const value = term.value; value.attrib = term.attrib; value.str = args[2]; term.value = value; term.booleanAnd = true;
session.appendTerm(term);
const found = [];
await new Promise((resolve, reject) => {
  session.registerListener({ QueryInterface: ChromeUtils.generateQI(["nsIMsgSearchNotify"]), onNewSearch() {}, onSearchHit(header) { found.push(header.messageId); },
    onSearchDone(code) { Components.isSuccessCode(code) ? resolve() : reject(new Error("search " + code.toString(16))); } });
  session.search(null);
});
return found;
"""
OFFLINE = HEAD + """
const folder = at(args[0]); folder.setFlag(Ci.nsMsgFolderFlags.Offline);
await wait(listener => folder.downloadAllForOffline(listener, null));
return headers(folder).filter(h => h.flags & 0x80).length;
"""
READ, FLAGGED = 0x1, 0x4
SPECIAL = {"Sent": 0x200, "Drafts": 0x400, "Trash": 0x100, "Junk": 0x40000000, "Archive": 0x4000}


def marionette():
    path = Path(__file__).resolve().parent.parent / "dav-clients/marionette.py"
    spec = importlib.util.spec_from_file_location("marionette", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Thunderbird:
    """The program with a profile of its own."""

    def __init__(self, aim):
        install.apt(thunderbird="thunderbird")
        self.profile = aim.folder / "profile"
        self.profile.mkdir()
        port = free_port()
        server = aim.server
        preferences = {**PREFERENCES, "marionette.port": port, "mail.server.server1.hostname": server.host, "mail.server.server1.port": server.port,
                       "mail.server.server1.userName": server.user}
        rows = [f'user_pref("{name}", {str(value).lower() if isinstance(value, bool) else value if isinstance(value, int) else chr(34) + value + chr(34)});'
                for name, value in preferences.items()]
        (self.profile / "user.js").write_text("\n".join(rows) + "\n", encoding="utf-8")
        with open(aim.folder / "thunderbird.log", "wb") as log:
            self.process = subprocess.Popen(["thunderbird", "--headless", "--marionette", "--remote-allow-system-access", "--no-remote", "--profile", self.profile],
                                            stdout=log, stderr=log, env=aim.environment(MOZ_HEADLESS="1", MOZ_DISABLE_CONTENT_SANDBOX="1"))
        try:
            self.remote = marionette().Marionette(port)
        except BaseException:
            end(self.process)
            raise

    def run(self, script, *arguments):
        return self.remote.run(script, *arguments)

    def list(self, path):
        return {one["id"]: one for one in self.run(LIST, path)}

    def stop(self):
        self.remote.close()
        end(self.process)


def run(report, aim):
    count = 40 if aim.small else 200
    with aim.client() as client:
        fill(client, "INBOX", [mails.message(number) for number in range(count)])
        client.append("INBOX", mail("Ünïcode ✓ needle", "the haystack has a nadel\r\n", message_id="<needle@x>").replace("Ünïcode ✓ needle".encode(), b"=?utf-8?B?w5xuw69jb2RlIOKckyBuZWVkbGU=?="))
    bird = Thunderbird(aim)
    try:
        parts(report, aim, bird, count)
    finally:
        bird.stop()


def plain(identity):
    return identity.strip("<>")


def parts(report, aim, bird, count):
    with report.test("thunderbird/login-and-folders"):
        bird.run(LOGIN, aim.server.password)
        wait_until(lambda: {"Sent", "Drafts", "Trash"} <= {one["name"] for one in bird.run(FOLDERS)}, f"folders: {bird.run(FOLDERS)}", WAIT_S)
        folders = {one["name"]: one["flags"] for one in bird.run(FOLDERS)}
        wrong = [name for name, flag in SPECIAL.items() if not folders.get(name, 0) & flag]
        assert not wrong, f"without its special use: {wrong}"
    with report.test("thunderbird/headers"):
        bird.run(UPDATE, "INBOX")
        wait_until(lambda: len(bird.list("INBOX")) == count + 1, "the headers do not all arrive", WAIT_S)
        one = bird.list("INBOX")["needle@x"]
        assert one["subject"] == "Ünïcode ✓ needle", one
        assert not one["flags"] & READ
    with report.test("thunderbird/bodies-byte-for-byte"):
        for number in (0, 3, 7, 11):
            got = base64.b64decode(bird.run(SOURCE, "INBOX", plain(mails.message_id(number))))
            assert got.replace(b"\r\n", b"\n") == mails.message(number).replace(b"\r\n", b"\n"), f"message {number}: {got[:200]!r}"
    with report.test("thunderbird/flags-and-tags"):
        bird.run(READ_FLAG, "INBOX", "needle@x")
        bird.run(TAG, "INBOX", "needle@x", "$label1")
        wait_until(lambda: {"\\Seen", "\\Flagged"} <= flags(aim, "<needle@x>") and "$LABEL1" in {flag.upper() for flag in flags(aim, "<needle@x>")},
                   f"on the server: {flags(aim, '<needle@x>')}", WAIT_S)
    with report.test("thunderbird/notice-of-a-message-appended"):
        with aim.client() as client:
            started = time.monotonic()
            client.append("INBOX", mail("pushed", message_id="<pushed@x>"))
        wait_until(lambda: "pushed@x" in bird.list("INBOX"), "no notice", NOTICE_S)
        assert time.monotonic() - started < NOTICE_S
    with report.test("thunderbird/notice-of-a-flag-and-a-removal"):
        with aim.client() as client:
            client.select("INBOX")
            uid = client.ok('UID SEARCH HEADER Message-ID "<pushed@x>"').numbers()[0]
            client.ok(f"UID STORE {uid} +FLAGS (\\Flagged)")
            wait_until(lambda: bird.list("INBOX")["pushed@x"]["flags"] & FLAGGED, "no notice of the flag", NOTICE_S)
            client.ok(f"UID STORE {uid} +FLAGS.SILENT (\\Deleted)")
            client.ok("EXPUNGE")
        wait_until(lambda: "pushed@x" not in bird.list("INBOX"), "no notice of the removal", NOTICE_S)
    with report.test("thunderbird/notice-of-a-file-put-by-webdav"):
        wire = aim.wire(aim.server.inbox_path if aim.is_allod else "")
        wire.request("PUT", "dropped.eml", {"Content-Type": "message/rfc822"}, mail("dropped in", message_id="<dropped@x>")).want(201)
        wait_until(lambda: "dropped@x" in bird.list("INBOX"), "no notice", NOTICE_S)
    with report.test("thunderbird/folders-made-and-renamed"):
        bird.run(CREATE_TOP, "Vögel")
        wait_until(lambda: exists(aim, "V&APY-gel"), "the folder is not on the server", WAIT_S)
        wait_until(lambda: any(one["name"] == "Vögel" for one in bird.run(FOLDERS)), "the folder is not here", WAIT_S)
        bird.run(CREATE, "Vögel", "Meisen")
        wait_until(lambda: exists(aim, "V&APY-gel/Meisen"), "the folder below is not on the server", WAIT_S)
        wait_until(lambda: any(one["name"] == "Meisen" for one in bird.run(FOLDERS)), "the folder below is not here", WAIT_S)
        bird.run(RENAME, "Vögel/Meisen", "Finken")
        wait_until(lambda: exists(aim, "V&APY-gel/Finken") and not exists(aim, "V&APY-gel/Meisen"), "not renamed on the server", WAIT_S)
    with report.test("thunderbird/copy-and-move"):
        ids = [plain(mails.message_id(number)) for number in range(10)]
        bird.run(MOVE, "INBOX", "Vögel", ids[:5], False)
        with aim.client() as client:
            wait_until(lambda: len(on_server(client, "V&APY-gel")) == 5, "not copied", WAIT_S)
        bird.run(MOVE, "INBOX", "Vögel", ids[5:], True)
        with aim.client() as client:
            wait_until(lambda: len(on_server(client, "V&APY-gel")) == 10, "not moved", WAIT_S)
            wait_until(lambda: not set(map(mails.message_id, range(5, 10))) & set(on_server(client, "INBOX")), "still in the inbox", WAIT_S)
            assert set(on_server(client, "V&APY-gel")) == {mails.message_id(number) for number in range(10)}
            inbox = on_server(client, "INBOX")
            assert all(mails.message_id(number) in inbox for number in range(5)) and not any(mails.message_id(number) in inbox for number in range(5, 10))
        bird.run(UPDATE, "Vögel")
        wait_until(lambda: len(bird.list("Vögel")) == 10, "not all are here", WAIT_S)
    with report.test("thunderbird/delete-to-trash"):
        bird.run(DELETE, "INBOX", plain(mails.message_id(20)))
        with aim.client() as client:
            wait_until(lambda: mails.message_id(20) in on_server(client, "Trash"), "not in the trash", WAIT_S)
            assert mails.message_id(20) not in on_server(client, "INBOX")
    with report.test("thunderbird/search-on-the-server"):
        assert bird.run(SEARCH, "INBOX", "Body", "nadel") == ["needle@x"]
        assert bird.run(SEARCH, "INBOX", "Subject", "Ünïcode") == ["needle@x"]
        assert bird.run(SEARCH, "INBOX", "Body", "nothing of the kind") == []
    with report.test("thunderbird/offline-copy"):
        total = len(bird.list("INBOX"))
        assert bird.run(OFFLINE, "INBOX") == total
    with report.test("thunderbird/many-at-once-while-away"):
        with aim.client() as client:
            fill(client, "INBOX", [mails.message(number) for number in range(5000, 5050)])
            client.select("INBOX")
            client.ok("STORE 1:3 +FLAGS.SILENT (\\Deleted)")
            client.ok("EXPUNGE")
            expected = {plain(identity) for identity in on_server(client, "INBOX")}
        bird.run(UPDATE, "INBOX")
        wait_until(lambda: set(bird.list("INBOX")) == expected, "the folder is another one than on the server", WAIT_S)


def flags(aim, identity):
    with aim.client() as client:
        return on_server(client, "INBOX").get(identity, set())


def exists(aim, name):
    with aim.client() as client:
        return bool(client.ok(f"LIST \"\" {quote(name)}").all("LIST"))
