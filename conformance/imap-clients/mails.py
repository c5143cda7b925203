"""Mail by the dozen: varied messages, each the same for the same number, with Message-IDs that occur once."""
import base64
import quopri
import random

WORDS = ("server calendar invoice meeting tomorrow question answer release patch review holiday garden recipe ticket flight hotel report "
         "budget draft agenda minutes birthday photo music lesson school doctor insurance contract delivery parcel update security backup "
         "storage network kernel compiler parser mailbox thread message header body folder archive signature attachment forward reply").split()
PEOPLE = (("Anna Müller", "anna@example.org"), ("Bob Stone", "bob@example.com"), ("Carol \"CJ\" Jones", "carol@example.net"), ("", "daemon@example.org"),
          ("Émile Zola", "emile@example.fr"), ("林 美咲", "misaki@example.jp"), ("Доставка", "post@example.ru"), ("Smith, John (Sales)", "john@example.com"),
          ("Support", "help@example.org"), ("O'Neil", "oneil@example.ie"), ("newsletter", "news@lists.example.org"), ("Zoë", "zoe@example.nl"))
DAYS, MONTHS = "Mon Tue Wed Thu Fri Sat Sun".split(), "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
RARE = "xylophonquartz"  # in one message of a thousand
COMMON = "tomorrow"


def message(number, size=None, seed=7):
    """The bytes of one message with CRLF. `size`: about so many bytes, in a body of text."""
    source = random.Random(f"{seed}:{number}")
    kind = "plain" if size is not None else source.choice(("plain", "plain", "plain", "quoted", "eight", "alternative", "attachment", "forwarded", "empty", "nested"))
    head = headers(number, source, seed)
    content = MAKERS[kind](number, source, size)
    return ("".join(f"{row}\r\n" for row in head) + content).encode("utf-8")


def headers(number, source, seed):
    sender, to = source.choice(PEOPLE), source.sample(PEOPLE, source.randrange(1, 4))
    thread = number - number % 5
    rows = [
        f"Received: from mx{source.randrange(9)}.example.org (mx.example.org [192.0.2.{source.randrange(256)}])",
        f"\tby mail.example.com with ESMTPS id {source.randrange(1 << 40):x}; {date(number)}",
        f"Date: {date(number)}",
        f"From: {address(sender)}",
        "To: " + ",\r\n ".join(map(address, to)),
        f"Subject: {'Re: ' if number % 5 else ''}{subject(thread, seed)}",
        f"Message-ID: {message_id(number, seed)}",
    ]
    if number % 5:
        rows.append(f"In-Reply-To: {message_id(number - 1, seed)}")
        rows.append("References: " + "\r\n ".join(message_id(older, seed) for older in range(thread, number)))
    if source.random() < 0.3:
        rows.append("Cc: " + address(source.choice(PEOPLE)))
    if source.random() < 0.2:
        rows.append(f"List-Id: <list-{source.randrange(9)}.example.org>")
    if source.random() < 0.1:
        rows.append("X-Long: " + "\r\n ".join(words(source, 8) for _ in range(6)))
    return rows


def message_id(number, seed=7):
    return f"<{seed}.{number}.allod@conformance.example>"


def subject(number, seed):
    source = random.Random(f"subject {seed}:{number}")
    text = words(source, source.randrange(2, 7)).capitalize()
    return encoded(text + " ✓ Grüße") if source.random() < 0.2 else text


def address(person):
    name, mail = person
    if not name:
        return mail
    if not name.isascii():
        return f"{encoded(name)} <{mail}>"
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}" <{mail}>' if set(name) & set('",().<>@') else f"{name} <{mail}>"


def encoded(text):
    return f"=?utf-8?B?{base64.b64encode(text.encode()).decode()}?="


def date(number):
    """Ever later, a message every 17 minutes, from the first of January 2024, a Monday."""
    minutes = number * 17
    days, rest = divmod(minutes, 1440)
    year, day = 2024, days
    while day >= (length := 366 if year % 4 == 0 else 365):
        day, year = day - length, year + 1
    month = 0
    lengths = (31, 29 if year % 4 == 0 else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
    while day >= lengths[month]:
        day, month = day - lengths[month], month + 1
    return f"{DAYS[days % 7]}, {day + 1} {MONTHS[month]} {year} {rest // 60:02}:{rest % 60:02}:00 +0000"


def words(source, count):
    return " ".join(source.choice(WORDS) for _ in range(count))


def paragraphs(source, count):
    return "".join(words(source, source.randrange(6, 12)) + "\r\n" for _ in range(count))


def plain(number, source, size):
    text = paragraphs(source, source.randrange(3, 40)) if size is None else ""
    while size is not None and len(text) < size - 600:
        text += paragraphs(source, 10)
    if number % 1000 == 500:
        text += RARE + "\r\n"
    return "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n" + text


def quoted(number, source, size):
    text = f"Schöne Grüße – {paragraphs(source, 12)} ünd mehr = so\r\n"
    body = quopri.encodestring(text.encode().replace(b"\r\n", b"\n")).decode().replace("\n", "\r\n")
    return f"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n{body}"


def eight(number, source, size):
    return f"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8; format=flowed\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGrüße aus Köln, 東京 и Москва\r\n{paragraphs(source, 9)}"


def alternative(number, source, size):
    text = paragraphs(source, 10)
    return multipart("alternative", f"alt-{number}", part("text/plain; charset=utf-8", text),
                     part("text/html; charset=utf-8", f"<html><body><p>{text}</p></body></html>\r\n"))


def attachment(number, source, size):
    data = base64.encodebytes(source.randbytes(source.randrange(100, 30_000))).decode().replace("\n", "\r\n")
    return multipart("mixed", f"mix_{number}", part("text/plain; charset=us-ascii", paragraphs(source, 5)),
                     part(f'application/pdf; name="file {number}.pdf"', data, "Content-Transfer-Encoding: base64",
                          f"Content-Disposition: attachment;\r\n filename=\"file {number}.pdf\"; size=1234"))


def forwarded(number, source, size):
    inner = message(number + 10_000_019, seed=99).decode()
    return multipart("mixed", f"fwd{number}", part("text/plain", paragraphs(source, 2)), part("message/rfc822", inner))


def nested(number, source, size):
    inner = part(f"multipart/alternative; boundary=\"in {number}\"", f"preamble\r\n--in {number}\r\n" + part("text/plain", "one\r\n") +
                 f"\r\n--in {number}\r\n" + part("text/html", "<b>two</b>\r\n") + f"\r\n--in {number}--\r\n")
    return multipart("related", f"out={number}", inner, part("image/png", "iVBORw0KGgo=\r\n", "Content-Transfer-Encoding: base64",
                                                            f"Content-ID: <img.{number}@example.org>"))


def empty(number, source, size):
    return "\r\n"


def part(kind, content, *rows):
    return "".join(f"{row}\r\n" for row in (f"Content-Type: {kind}", *rows)) + "\r\n" + content


def multipart(kind, boundary, *parts):
    body = "".join(f"--{boundary}\r\n{one}\r\n" for one in parts)
    return f"MIME-Version: 1.0\r\nContent-Type: multipart/{kind};\r\n boundary=\"{boundary}\"\r\n\r\nThis is a message in parts.\r\n{body}--{boundary}--\r\n"


MAKERS = {"plain": plain, "quoted": quoted, "eight": eight, "alternative": alternative, "attachment": attachment, "forwarded": forwarded,
          "nested": nested, "empty": empty}


def mbox(path, count, seed=7):
    """A file in mbox form with CRLF, as imaptest reads it."""
    with open(path, "wb") as file:
        for number in range(count):
            file.write(b"From conformance@example.org Mon Jan  1 00:00:00 2024\r\n")
            # A line of the body that begins with "From " would end the message.
            file.write(message(number, seed=seed).replace(b"\r\nFrom ", b"\r\n>From ") + b"\r\n")
