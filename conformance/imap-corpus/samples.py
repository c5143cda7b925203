"""Where the messages come from: checkouts named in MAIL_CORPORA, the tests of the Python that runs this, and some of our own."""
import os
import sysconfig
from pathlib import Path

import mails

SUFFIXES = {".eml", ".msg", ".mbox", ".mail"}
SIZE_MAX = 4 << 20
OWN = {
    "no headers": "\r\nbody only\r\n", "headers only": "Subject: x\r\nFrom: a@example.org\r\n", "folded subject": "Subject: one\r\n two\r\n\tthree\r\n\r\nx\r\n",
    "two subjects": "Subject: first\r\nSubject: second\r\nFrom: a@b.example\r\nFrom: c@d.example\r\n\r\nx\r\n", "empty values": "Subject:\r\nFrom:\r\nTo: \r\nDate:\r\n\r\nx\r\n",
    "odd spacing": "Subject : spaced\r\nFrom :a@b.example\r\n\r\nx\r\n", "groups": "To: undisclosed-recipients:;\r\nCc: A: b@c.example, \"d e\" <f@g.example>;, h@i.example\r\n\r\nx\r\n",
    "comments": "From: (comment) a@b.example (Real Name)\r\nTo: \"q\\\"uote\" (c (nested) d) <e@f.example>\r\nSubject: x\r\n\r\nx\r\n",
    "route": "From: <@r.example,@s.example:a@b.example>\r\nTo: a b@c.example\r\n\r\nx\r\n", "no domain": "From: root\r\nTo: <>\r\nCc: ,,,\r\n\r\nx\r\n",
    "8-bit header": "Subject: Grüße\r\nFrom: Jürgen <j@example.org>\r\n\r\nx\r\n", "no boundary": "Content-Type: multipart/mixed\r\n\r\nx\r\n",
    "boundary missing": "Content-Type: multipart/mixed; boundary=abc\r\n\r\nno parts at all\r\n", "empty multipart": "Content-Type: multipart/mixed; boundary=abc\r\n\r\n--abc--\r\n",
    "unclosed": "Content-Type: multipart/mixed; boundary=abc\r\n\r\n--abc\r\nContent-Type: text/plain\r\n\r\none\r\n--abc\r\n\r\ntwo\r\n",
    "prefix boundaries": "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nContent-Type: multipart/alternative; boundary=ab\r\n\r\n--ab\r\n\r\none\r\n--ab--\r\n\r\n--a\r\n\r\ntwo\r\n--a--\r\n",
    "digest": "Content-Type: multipart/digest; boundary=d\r\n\r\n--d\r\n\r\nSubject: inner\r\n\r\nbody\r\n--d--\r\n",
    "rfc822 in base64": "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nU3ViamVjdDogeA0KDQp4DQo=\r\n",
    "rfc822 in rfc822": "Content-Type: message/rfc822\r\n\r\nSubject: one\r\nContent-Type: message/rfc822\r\n\r\nSubject: two\r\n\r\ndeep\r\n",
    "parameters": "Content-Type: text/plain; charset=\"utf-8\"; name*0=\"a\"; name*1=\"b.txt\"; x*=utf-8''%C3%BC; empty=; flag\r\nContent-Disposition: inline; filename*=utf-8''%E2%82%AC\r\n\r\nx\r\n",
    "odd type": "Content-Type: text\r\n\r\nx\r\n", "odd encoding": "Content-Type: text/plain\r\nContent-Transfer-Encoding: x-foo (comment)\r\n\r\nx\r\n",
    "extension headers": "Content-Type: text/plain\r\nContent-Language: de, en\r\nContent-Location: http://example.org/\r\nContent-MD5: Q2hlY2s=\r\nContent-ID: <i@d>\r\nContent-Description: what it is\r\n\r\nx\r\n",
    "mbox line": "From a@example.org Mon Jan  1 00:00:00 2024\r\nSubject: x\r\n\r\nx\r\n", "no line end": "Subject: x\r\n\r\nx", "blank lines": "Subject: x\r\n\r\n\r\n\r\n", "long header": f"Subject: {'x' * 5000}\r\n\r\nx\r\n", "many to": "To: " + ",\r\n ".join(f"p{n}@example.org" for n in range(500)) + "\r\n\r\nx\r\n",
    "deep": "".join(f"Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\n" for n in range(30)) + "\r\nbottom\r\n",
    "quoted boundary": "Content-Type: multipart/mixed; boundary=\"a b'c:=?\"\r\n\r\n--a b'c:=?  \r\n\r\none\r\n--a b'c:=?--\r\nepilogue",
}


def found():
    """(sources, notes): sources are (name, bytes), the name without any path of this machine."""
    rows, notes = [(f"own/{name}", text.encode()) for name, text in OWN.items()], []
    rows += [(f"generated/{number}", mails.message(number)) for number in range(40)]
    python = Path(sysconfig.get_paths()["stdlib"]) / "test/test_email/data"
    if python.exists():
        rows += read(python, "python", {".txt"})
    else:
        notes.append(("python", "this Python came without its tests (Lib/test/test_email/data)"))
    folders = [Path(word) for word in os.environ.get("MAIL_CORPORA", "").split(":") if word]
    if not folders:
        notes.append(("checkouts", "MAIL_CORPORA is not set: DIR:DIR, checkouts of the repositories that README.md names"))
    for folder in folders:
        rows += read(folder, folder.name, SUFFIXES)
    return rows, notes


def read(folder, name, suffixes):
    rows = []
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in suffixes and path.is_file() and 0 < path.stat().st_size <= SIZE_MAX:
            data = path.read_bytes()
            if data.startswith(b"From "):  # the line that an mbox puts before a message; `own/mbox line` asks what becomes of it
                data = data.partition(b"\n")[2]
            rows.append((f"{name}/{path.relative_to(folder).as_posix()}", data))
    return rows
