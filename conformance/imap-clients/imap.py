"""A client for IMAP on a raw socket: commands as they are written, answers as trees, and every answer held to the grammar.

A tree is made of `None` (NIL), `bytes` (quoted string or literal), `Atom` (everything else that stands alone) and lists. What breaks the
grammar of RFC 3501 §9 or RFC 9051 §9 raises Malformed, whatever the test was about.
"""
import base64
import socket
import ssl
import time
import zlib

TIMEOUT_S = 30


class Malformed(AssertionError):
    """An answer that no grammar knows."""


class Closed(ConnectionError):
    """The server closed the connection."""


class Atom(str):
    """A word without quotes."""

    __slots__ = ()


class Literal:
    """An argument sent as a literal: `{n}` and a wait, `{n+}` with plus, `~{n}` with binary."""

    def __init__(self, data, plus=False, binary=False):
        self.data, self.plus, self.binary = data, plus, binary

    def head(self):
        return f"{'~' if self.binary else ''}{{{len(self.data)}{'+' if self.plus else ''}}}\r\n".encode()


class Answer:
    """One untagged, tagged or continuation answer."""

    def __init__(self, raw):
        self.raw = raw
        self.tag, self.number, self.name, self.code, self.text, self.args = None, None, "", None, "", []
        Parser(raw).answer(self)

    def __repr__(self):
        return self.raw[:300].decode("utf-8", "replace").strip()


class Parser:
    """Reads one answer, with its literals inside."""

    STATUS = ("OK", "NO", "BAD", "BYE", "PREAUTH")

    def __init__(self, raw):
        self.raw, self.at = raw, 0

    def fail(self, why):
        raise Malformed(f"{why} at {self.at} of {self.raw[:400]!r}")

    def answer(self, into):
        if not self.raw.endswith(b"\r\n"):
            self.fail("no CRLF")
        into.tag = self.word()
        if into.tag == "+":
            into.text = self.raw[self.at:].strip().decode("utf-8", "replace")
            return
        self.space()
        word = self.word()
        if word.isdigit():
            into.number = int(word)
            self.space()
            word = self.word()
        into.name = word.upper()
        if into.name in self.STATUS and into.number is None:
            self.status(into)
            return
        while self.peek() != b"\r":
            if self.raw[self.at:self.at + 1] != b" ":
                self.fail("no space between two arguments")
            self.at += 1
            if self.peek() == b"\r" and into.name in ("SEARCH", "SORT", "ESEARCH", "LSUB", "FLAGS", "THREAD"):
                self.fail("a space at the end")
            into.args.append(self.thread() if into.name == "THREAD" else self.value())
        self.end()

    def status(self, into):
        if self.peek() == b"\r":
            return
        self.space()
        if self.peek() == b"[":
            end = self.code_end()
            into.code = self.code(self.raw[self.at + 1:end])
            self.at = end + 1
        into.text = self.raw[self.at:-2].decode("utf-8", "replace").strip()
        if b"\r" in self.raw[self.at:-2] or b"\n" in self.raw[self.at:-2]:
            self.fail("a line end in the text")

    def code_end(self):
        depth, at, quoted = 0, self.at, False
        while at < len(self.raw):
            byte = self.raw[at:at + 1]
            if byte == b'"':
                quoted = not quoted
            elif not quoted and byte == b"[":
                depth += 1
            elif not quoted and byte == b"]":
                depth -= 1
                if depth == 0:
                    return at
            at += 1
        self.fail("a response code without its end")
        return None

    @staticmethod
    def code(raw):
        """[NAME, arguments...]."""
        inner = Parser(raw + b"\r\n")
        found = [Atom(inner.word().upper())]
        while inner.peek() != b"\r":
            inner.space()
            found.append(inner.value())
        return found

    def peek(self):
        return self.raw[self.at:self.at + 1]

    def space(self):
        if self.peek() != b" ":
            self.fail("want a space")
        self.at += 1

    def end(self):
        if self.raw[self.at:] != b"\r\n":
            self.fail("want the end")

    def word(self):
        start = self.at
        while self.at < len(self.raw) and self.raw[self.at:self.at + 1] not in (b" ", b"\r"):
            self.at += 1
        return self.raw[start:self.at].decode("ascii", "replace")

    def value(self):
        byte = self.peek()
        if byte == b"(":
            return self.list()
        if byte == b'"':
            return self.quoted()
        if byte == b"{" or self.raw[self.at:self.at + 2] == b"~{":
            return self.literal()
        return self.atom()

    def list(self):
        self.at += 1
        found = []
        while self.peek() != b")":
            if found:
                # BODYSTRUCTURE's parts and ENVELOPE's addresses stand side by side without a space.
                if self.peek() == b" ":
                    self.at += 1
                elif not (isinstance(found[-1], list) and self.peek() == b"("):
                    self.fail("no space in a list")
            if self.at >= len(self.raw) - 2:
                self.fail("a list without its end")
            found.append(self.value())
        self.at += 1
        return found

    def thread(self):
        found = []
        while self.peek() == b"(":
            found.append(self.list())
        return found

    def quoted(self):
        self.at += 1
        found = bytearray()
        while (byte := self.peek()) != b'"':
            if byte == b"\\":
                self.at += 1
                byte = self.peek()
                if byte not in (b'"', b"\\"):
                    self.fail("an escape that is none")
            elif byte in (b"\r", b"\n", b"\0", b""):
                self.fail("a control character in a quoted string")
            found += byte
            self.at += 1
        self.at += 1
        return bytes(found)

    def literal(self):
        if self.peek() == b"~":
            self.at += 1
        end = self.raw.index(b"}", self.at)
        digits = self.raw[self.at + 1:end]
        if not digits.isdigit() or self.raw[end + 1:end + 3] != b"\r\n":
            self.fail("a literal whose head is none")
        start = end + 3
        self.at = start + int(digits)
        if self.at > len(self.raw) - 2:
            self.fail("a literal that is cut")
        return self.raw[start:self.at]

    def atom(self):
        """A word; what stands in brackets belongs to it, spaces and all."""
        start, depth = self.at, 0
        while self.at < len(self.raw):
            byte = self.raw[self.at:self.at + 1]
            if byte == b"[":
                depth += 1
            elif byte == b"]":
                depth -= 1
            elif byte == b"\r" or (depth <= 0 and byte in (b" ", b")", b"(")):
                break
            elif depth <= 0 and byte in (b'"', b"{"):
                self.fail("a quote inside an atom")
            elif depth > 0 and byte == b'"':
                self.quoted()
                continue
            self.at += 1
        if self.at == start:
            self.fail("an empty atom")
        text = self.raw[start:self.at]
        if any(byte < 32 or byte == 127 for byte in text):
            self.fail("a control character in an atom")
        if text.upper() == b"NIL":
            return None
        return Atom(text.decode("utf-8", "replace"))


class Reply:
    """What a command got: the tagged answer and all untagged ones before it."""

    def __init__(self, sent, tagged, untagged):
        self.sent, self.tagged, self.untagged = sent, tagged, untagged
        self.status, self.code, self.text = tagged.name, tagged.code, tagged.text

    def __repr__(self):
        rows = [repr(one) for one in self.untagged[-6:]]
        return f"{self.sent[:200]!r} got {' | '.join([*rows, repr(self.tagged)])}"

    def ok(self):
        assert self.status == "OK", f"want OK: {self}"
        return self

    def no(self, *codes):
        """NO; with one of the codes, where codes are named."""
        assert self.status == "NO", f"want NO: {self}"
        assert not codes or (self.code and self.code[0] in codes), f"want NO [{'|'.join(codes)}]: {self}"
        return self

    def bad(self):
        assert self.status == "BAD", f"want BAD: {self}"
        return self

    def refused(self):
        assert self.status in ("NO", "BAD"), f"want NO or BAD: {self}"
        return self

    def all(self, name):
        return [one for one in self.untagged if one.name == name and one.tag == "*"]

    def one(self, name):
        found = self.all(name)
        assert len(found) == 1, f"want one {name}, got {len(found)}: {self}"
        return found[0]

    def number(self, name):
        """The last number that came with EXISTS and the like, or None."""
        found = [one.number for one in self.all(name)]
        return found[-1] if found else None

    def numbers(self, name="SEARCH"):
        """The numbers of all SEARCH or SORT answers."""
        assert self.all(name), f"want {name}: {self}"
        return [int(word) for one in self.all(name) for word in one.args if not isinstance(word, list)]

    def esearch(self):
        """The items of the one ESEARCH answer: {'COUNT': '3', ...}; its tag has to be this command's."""
        args = list(self.one("ESEARCH").args)
        found = {}
        if args and isinstance(args[0], list):
            correlator = args.pop(0)
            assert correlator[:1] == ["TAG"] and correlator[1] == self.tagged.tag.encode(), f"the tag is another one: {self}"
        if args and args[0] == "UID":
            found["UID"] = True
            args.pop(0)
        assert len(args) % 2 == 0, f"an item without its value: {self}"
        found.update({args[at].upper(): args[at + 1] for at in range(0, len(args), 2)})
        return found

    def fetched(self):
        """{sequence number: {ITEM: value}}; several answers for a message are laid over each other."""
        found = {}
        for one in self.all("FETCH"):
            found.setdefault(one.number, {}).update(items(one))
        return found

    def by_uid(self):
        return {int(row["UID"]): row for row in self.fetched().values() if "UID" in row}

    def codes(self, name):
        """The response codes of this name, untagged and tagged: lists of arguments."""
        return [one.code[1:] for one in [*self.untagged, self.tagged] if one.code and one.code[0] == name]


def items(fetch):
    assert len(fetch.args) == 1 and isinstance(fetch.args[0], list), f"no list of items: {fetch}"
    row = fetch.args[0]
    assert len(row) % 2 == 0, f"an item without its value: {fetch}"
    return {row[at].upper(): row[at + 1] for at in range(0, len(row), 2)}


class Imap:
    """One connection. As a context manager it is closed at the end, with LOGOUT where that works."""

    def __init__(self, server, timeout=TIMEOUT_S):
        self.server, self.serial, self.selected = server, 0, None
        self.sock = socket.create_connection((server.host, server.port), timeout=timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer, self.inflate, self.deflate = bytearray(), None, None
        self.greeting = self.receive()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            try:
                self.sock.settimeout(5)
                self.command("LOGOUT")
            except (OSError, AssertionError):
                pass
        self.close()

    def close(self):
        self.sock.close()

    # Bytes

    def send(self, data):
        if self.deflate:
            data = self.deflate.compress(data) + self.deflate.flush(zlib.Z_SYNC_FLUSH)
        self.sock.sendall(data)

    def fill(self):
        block = self.sock.recv(1 << 18)
        if not block:
            raise Closed("the server closed the connection")
        self.buffer += self.inflate.decompress(block) if self.inflate else block

    def raw(self):
        """The bytes of the next answer, with its literals."""
        found, at = bytearray(), 0
        while True:
            while (end := self.buffer.find(b"\n", at)) < 0:
                at = len(self.buffer)
                self.fill()
            line = bytes(self.buffer[:end + 1])
            del self.buffer[:end + 1]
            found += line
            at = 0
            size = literal_size(line)
            if size is None:
                return bytes(found)
            while len(self.buffer) < size:
                self.fill()
            found += self.buffer[:size]
            del self.buffer[:size]

    def receive(self):
        return Answer(self.raw())

    # Commands

    def tag(self):
        self.serial += 1
        return f"a{self.serial}"

    def command(self, *parts, timeout=None):
        """Send a command made of text and Literals; its Reply."""
        tag = self.start(*parts)
        if isinstance(tag, Reply):
            return tag
        return self.finish(tag, parts, timeout)

    def start(self, *parts):
        """Send without a wait for the answer: its tag; or the Reply, when a literal was refused."""
        tag = self.tag()
        data = f"{tag} ".encode()
        self.untagged = []
        for part in parts:
            if isinstance(part, Literal):
                self.send(data + part.head())
                data = b""
                if not part.plus and (refusal := self.consent(tag, parts)):
                    return refusal
                data = part.data
            else:
                data += part.encode() if isinstance(part, str) else part
        self.send(data + b"\r\n")
        return tag

    def consent(self, tag, parts):
        """Wait for the `+`; the Reply if the command is refused instead."""
        while True:
            one = self.receive()
            if one.tag == "+":
                return None
            if one.tag == tag:
                return Reply(shown(parts), one, self.untagged)
            self.untagged.append(one)

    def finish(self, tag, parts=("",), timeout=None):
        if timeout:
            self.sock.settimeout(timeout)
        untagged, self.untagged = getattr(self, "untagged", []), []
        while True:
            one = self.receive()
            if one.tag == tag:
                return Reply(shown(parts), one, untagged)
            if one.tag not in ("*", "+"):
                raise Malformed(f"an answer with the tag of another command: {one}")
            untagged.append(one)

    def ok(self, *parts, **options):
        return self.command(*parts, **options).ok()

    # What is asked for again and again

    def login(self, who=None):
        user, password = self.server.logins[who] if who else (self.server.user, self.server.password)
        self.ok(f"LOGIN {quote(user)} {quote(password)}")
        return self

    def authenticate_plain(self, user, password):
        return self.command("AUTHENTICATE PLAIN " + base64.b64encode(f"\0{user}\0{password}".encode()).decode())

    def capabilities(self):
        return {word.upper() for word in self.ok("CAPABILITY").one("CAPABILITY").args}

    def select(self, mailbox, parameters="", examine=False):
        return self.ok(f"{'EXAMINE' if examine else 'SELECT'} {quote(mailbox)}{' ' + parameters if parameters else ''}")

    def append(self, mailbox, data, flags="", date="", plus=False):
        """APPEND; (UIDVALIDITY, UID) where the server says so."""
        words = "".join(f" {word}" for word in (flags, date) if word)
        reply = self.ok(f"APPEND {quote(mailbox)}{words} ", Literal(data, plus))
        return tuple(map(int, reply.code[1:])) if reply.code and reply.code[0] == "APPENDUID" else None

    def fresh(self, stem, *messages, flags=""):
        """A new mailbox with these messages, its name."""
        name = f"{stem} {time.monotonic_ns()}"
        self.ok(f"CREATE {quote(name)}")
        for message in messages:
            self.append(name, message, flags)
        return name

    def uids(self):
        return self.ok("UID SEARCH ALL").numbers()

    # IDLE

    def idle(self):
        """Enter IDLE; the tag."""
        tag = self.tag()
        self.send(f"{tag} IDLE\r\n".encode())
        self.idled = []
        while (one := self.receive()).tag != "+":
            assert one.tag != tag, f"IDLE refused: {one}"
            self.idled.append(one)
        return tag

    def wait_for(self, what, seconds=10):
        """The first untagged answer for which `what` is true, within so many seconds; AssertionError after that."""
        deadline = time.monotonic() + seconds
        seen = []
        for one in getattr(self, "idled", []):
            if what(one):
                self.idled.remove(one)
                return one
        try:
            while (left := deadline - time.monotonic()) > 0:
                self.sock.settimeout(left)
                one = self.receive()
                if what(one):
                    return one
                seen.append(one)
        except TimeoutError:
            pass
        finally:
            self.sock.settimeout(TIMEOUT_S)
        raise AssertionError(f"nothing of the kind within {seconds} s; there came {seen[-5:]}")

    def quiet(self, seconds=0.5):
        """Everything that comes unasked for a while."""
        deadline, seen = time.monotonic() + seconds, []
        try:
            while (left := deadline - time.monotonic()) > 0:
                self.sock.settimeout(left)
                seen.append(self.receive())
        except TimeoutError:
            pass
        finally:
            self.sock.settimeout(TIMEOUT_S)
        return seen

    def done(self, tag):
        self.send(b"DONE\r\n")
        return self.finish(tag)

    # Layers

    def starttls(self):
        self.ok("STARTTLS")
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.sock = context.wrap_socket(self.sock)

    def compress(self):
        reply = self.command("COMPRESS DEFLATE")
        if reply.status == "OK":
            self.inflate = zlib.decompressobj(-zlib.MAX_WBITS)
            self.deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
            rest, self.buffer = bytes(self.buffer), bytearray()
            self.buffer += self.inflate.decompress(rest)
        return reply


def literal_size(line):
    """The size of the literal that the line announces, or None."""
    if not line.endswith(b"}\r\n"):
        return None
    head = line[line.rfind(b"{") + 1:-3]
    return int(head) if head.isdigit() else None


def shown(parts):
    return "".join(f"{{{len(part.data)}}}…" if isinstance(part, Literal) else part if isinstance(part, str) else part.decode("utf-8", "replace") for part in parts)


def quote(text):
    text = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def numbers_of(sequence):
    """The numbers of a sequence-set without `*`, in its order: '2:4,7' is [2, 3, 4, 7]."""
    found = []
    for piece in str(sequence).split(",") if sequence else ():
        first, _, last = piece.partition(":")
        low, high = int(first), int(last or first)
        found += range(low, high + 1) if low <= high else range(low, high - 1, -1)
    return found
