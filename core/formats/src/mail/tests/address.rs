//! Addresses: the examples of RFC 5322 and what stands in mail.

use crate::mail::{Address, read};

/// Addresses in short: `name|route|mailbox|host`, `-` for what is not there.
fn sketch(list: &[Address]) -> String {
    let text = |bytes: &Option<Vec<u8>>| {
        bytes.as_deref().map_or("-".to_owned(), |bytes| String::from_utf8_lossy(bytes).into_owned())
    };
    let one = |address: &Address| {
        [&address.name, &address.route, &address.mailbox, &address.host].map(text).join("|")
    };
    list.iter().map(one).collect::<Vec<_>>().join(", ")
}

#[test]
fn lists_of_addresses() {
    for (value, want) in [
        // RFC 5322 appendix A
        ("John Doe <jdoe@machine.example>", "John Doe|-|jdoe|machine.example"),
        ("\"Joe Q. Public\" <john.q.public@example.com>", "Joe Q. Public|-|john.q.public|example.com"),
        (
            "Mary Smith <mary@x.test>, jdoe@example.org, Who? <one@y.test>",
            "Mary Smith|-|mary|x.test, -|-|jdoe|example.org, Who?|-|one|y.test",
        ),
        (
            "<boss@nil.test>, \"Giant; \\\"Big\\\" Box\" <sysservices@example.net>",
            "-|-|boss|nil.test, Giant; \"Big\" Box|-|sysservices|example.net",
        ),
        (
            "A Group:Ed Jones <c@a.test>,joe@where.test,John <jdoe@one.test>;",
            "-|-|A Group|-, Ed Jones|-|c|a.test, -|-|joe|where.test, John|-|jdoe|one.test, -|-|-|-",
        ),
        ("Undisclosed recipients:;", "-|-|Undisclosed recipients|-, -|-|-|-"),
        ("Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>", "Pete|-|pete|silly.test"),
        (
            "A Group(Some people)\r\n     :Chris Jones <c@(Chris's host.)public.example>,\r\n  joe@example.org,\r\n  John <jdoe@one.test> (my dear friend); (the end of the group)",
            "-|-|A Group|-, Chris Jones|-|c|public.example, -|-|joe|example.org, John|-|jdoe|one.test, -|-|-|-",
        ),
        (
            "(Empty list)(start)Hidden recipients  :(nobody(that I know))  ;",
            "-|-|Hidden recipients|-, -|-|-|-",
        ),
        ("Joe Q. Public <john.q.public@example.com>", "Joe Q. Public|-|john.q.public|example.com"),
        (
            "Mary Smith <@node.test:mary@example.net>, , jdoe@test  . example",
            "Mary Smith|@node.test|mary|example.net, -|-|jdoe|test.example",
        ),
        ("John Doe <jdoe@machine(comment).  example>", "John Doe|-|jdoe|machine.example"),
        // in the wild
        ("a@b (Name)", "Name|-|a|b"),
        ("a@b (One, Two)", "One, Two|-|a|b"),
        ("root", "-|-|root|MISSING_DOMAIN"),
        ("Some Body", "Some Body|-|MISSING_MAILBOX|MISSING_DOMAIN"),
        ("<>", "-|-|MISSING_MAILBOX|MISSING_DOMAIN"),
        ("Name <a@b", "Name|-|a|SYNTAX_ERROR"),
        ("\"Name <a@b>", "Name|-|a|b"),
        ("Name (x <a@b>", "Name x|-|a|b"),
        ("Jané <jané@bücher.example>", "Jané|-|jané|bücher.example"),
        ("=?utf-8?q?a,b?= <a@b>", "-|-|=?utf-8?q?a|MISSING_DOMAIN, b?=|-|a|b"),
        ("\"quoted local\"@b", "-|-|quoted local|b"),
        ("a@[127.0.0.1]", "-|-|a|[127.0.0.1]"),
        ("a@b; c@d", "-|-|a|b"),
        ("A <a@b> junk, c@d", "A|-|a|b, -|-|c|d"),
        ("group: a@b", "-|-|group|-, -|-|a|b, -|-|-|-"),
        ("a@b,", "-|-|a|b"),
        ("", ""),
    ] {
        let message = format!("From: {value}\r\n\r\n");
        assert_eq!(sketch(&read(message.as_bytes()).envelope.from), want, "{value}");
    }
}

#[test]
fn lists_of_repeated_fields_are_put_together() {
    let envelope = read(b"To: a@b\r\nTO: c@d\r\nSubject: 1\r\nSubject: 2\r\nSender: \r\n\r\n").envelope;
    assert_eq!(sketch(&envelope.to), "-|-|a|b, -|-|c|d");
    assert_eq!(envelope.subject.as_deref(), Some(&b"2"[..]));
    assert_eq!(envelope.sender, []);
}
