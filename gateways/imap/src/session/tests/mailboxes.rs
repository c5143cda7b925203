//! Names, listings, rights, quota, metadata.

use super::*;

#[tokio::test]
async fn a_new_account_has_its_mailboxes() {
    let bench = Bench::new().await;
    let mut client = bench.client().await;
    client
        .talk(
            r#"
        C: LIST "" ""
        S: * LIST (\Noselect) "/" ""
        S: OK *
        C: LIST "" *
        S: * LIST (\HasNoChildren \Archive) "/" Archive
        S: * LIST (\HasNoChildren \Drafts) "/" Drafts
        S: * LIST (\HasNoChildren) "/" INBOX
        S: * LIST (\HasNoChildren \Junk) "/" Junk
        S: * LIST (\HasNoChildren \Sent) "/" Sent
        S: * LIST (\HasNoChildren \Trash) "/" Trash
        S: OK *
        C: LIST "" inb%
        S: * LIST (\HasNoChildren) "/" INBOX
        S: OK *
        C: LIST (SUBSCRIBED) "" "*" RETURN (SPECIAL-USE)
        S: * LIST (\HasNoChildren \Subscribed \Archive) "/" Archive
        S: * LIST (\HasNoChildren \Subscribed \Drafts) "/" Drafts
        S: ...
        S: OK *
        C: LIST "" (INBOX Sent) RETURN (STATUS (MESSAGES UIDNEXT) SUBSCRIBED CHILDREN)
        S: * LIST (\HasNoChildren \Subscribed) "/" INBOX
        S: * STATUS INBOX (MESSAGES 0 UIDNEXT 1)
        S: * LIST (\HasNoChildren \Subscribed \Sent) "/" Sent
        S: * STATUS Sent (MESSAGES 0 UIDNEXT 1)
        S: OK *
        C: XLIST "" "%n%x"
        S: * XLIST (\HasNoChildren \Inbox) "/" INBOX
        S: OK *
        C: XLIST "" "Junk"
        S: * XLIST (\HasNoChildren \Spam) "/" Junk
        S: OK *
        C: NAMESPACE
        S: * NAMESPACE (("" "/")) NIL NIL
        S: OK *
    "#,
        )
        .await;
}

#[tokio::test]
async fn mailboxes_are_made_renamed_and_removed() {
    let bench = Bench::new().await;
    let mut client = bench.client().await;
    client
        .talk(
            r#"
        C: CREATE Work/Plans/2024
        S: OK [MAILBOXID (F*
        C: CREATE Work
        S: NO [ALREADYEXISTS] *
        C: CREATE inbox
        S: NO [ALREADYEXISTS] *
        C: CREATE Work/New/
        S: OK *
        C: CREATE a//b
        S: NO [CANNOT] *
        C: CREATE a/../b
        S: NO [CANNOT] *
        C: CREATE /a
        S: NO [CANNOT] *
        C: CREATE "Caf&AOk-"
        S: OK *
        C: LIST "" Caf*
        S: * LIST (\HasNoChildren) "/" Caf&AOk-
        S: OK *
        C: CREATE Old (USE (\Archive))
        S: OK *
        C: LIST Wo rk/%
        S: * LIST (\HasNoChildren) "/" Work/New
        S: * LIST (\HasChildren) "/" Work/Plans
        S: OK *
        C: DELETE Work/Plans
        S: NO [HASCHILDREN] *
        C: DELETE INBOX
        S: NO [CANNOT] *
        C: DELETE Nowhere
        S: NO [NONEXISTENT] *
        C: RENAME Work/Plans Ideas/Of/Mine
        S: OK *
        C: LIST "" Ideas*
        S: * LIST (\HasChildren) "/" Ideas
        S: * LIST (\HasChildren) "/" Ideas/Of
        S: * LIST (\HasChildren) "/" Ideas/Of/Mine
        S: * LIST (\HasNoChildren) "/" Ideas/Of/Mine/2024
        S: OK *
        C: RENAME Ideas Sent
        S: NO [ALREADYEXISTS] *
        C: RENAME Ideas Ideas/Of
        S: NO *
        C: SELECT Ideas/Of/Mine
        S: ...
        S: OK *
        C: RENAME Ideas Thoughts
        S: OK *
        C: DELETE Thoughts/Of/Mine/2024
        S: OK *
        C: DELETE Thoughts/Of/Mine
        S: * OK [CLOSED] *
        S: OK *
        C: CHECK
        S: OK *
        C: EXPUNGE
        S: BAD *
        C: SELECT Thoughts/Of/Mine
        S: NO [NONEXISTENT] *
    "#,
        )
        .await;
}

#[tokio::test]
async fn inbox_is_renamed_by_moving_what_is_in_it() {
    let bench = Bench::new().await;
    let mut client = bench.client().await;
    client.append("INBOX", "", "Subject: x\r\n\r\n").await;
    client
        .talk(
            r#"
        C: RENAME INBOX Older
        S: OK *
        C: STATUS INBOX (MESSAGES)
        S: * STATUS INBOX (MESSAGES 0)
        S: OK *
        C: STATUS Older (MESSAGES)
        S: * STATUS Older (MESSAGES 1)
        S: OK *
        C: ENABLE IMAP4rev2
        S: OK *
        C: RENAME Older "Caf\u{e9}"
        S: * LIST () "/" "Caf\u{e9}" ("OLDNAME" (Older))
        S: OK *
    "#
            .replace("\\u{e9}", "\u{e9}")
            .as_str(),
        )
        .await;
}

/// RFC 5258 §5.
#[tokio::test]
async fn subscriptions_are_listed_in_all_forms() {
    let bench = Bench::new().await;
    let mut client = bench.client().await;
    for name in ["Archive", "Drafts", "Junk", "Sent", "Trash", "INBOX"] {
        client.ask(&format!("UNSUBSCRIBE {name}")).await;
    }
    client
        .talk(
            r#"
        C: CREATE Foo/Bar
        S: OK *
        C: CREATE Foo/Baz
        S: OK *
        C: CREATE Moo
        S: OK *
        C: SUBSCRIBE Foo/Baz
        S: OK *
        C: SUBSCRIBE Fruit/Peach
        S: OK *
        C: LIST (SUBSCRIBED) "" *
        S: * LIST (\HasNoChildren \Subscribed) "/" Foo/Baz
        S: * LIST (\NonExistent \HasNoChildren \Subscribed) "/" Fruit/Peach
        S: OK *
        C: LIST (SUBSCRIBED RECURSIVEMATCH) "" %
        S: * LIST (\HasChildren) "/" Foo ("CHILDINFO" ("SUBSCRIBED"))
        S: * LIST (\NonExistent \HasNoChildren) "/" Fruit ("CHILDINFO" ("SUBSCRIBED"))
        S: OK *
        C: LIST (SUBSCRIBED RECURSIVEMATCH) "" *
        S: * LIST (\HasNoChildren \Subscribed) "/" Foo/Baz
        S: * LIST (\NonExistent \HasNoChildren \Subscribed) "/" Fruit/Peach
        S: OK *
        C: SUBSCRIBE Foo
        S: OK *
        C: LIST (SUBSCRIBED RECURSIVEMATCH) "" Foo
        S: * LIST (\HasChildren \Subscribed) "/" Foo ("CHILDINFO" ("SUBSCRIBED"))
        S: OK *
        C: UNSUBSCRIBE Foo
        S: OK *
        C: LSUB "" %
        S: * LSUB (\Noselect) "/" Foo
        S: * LSUB (\Noselect) "/" Fruit
        S: OK *
        C: LSUB "" *
        S: * LSUB () "/" Foo/Baz
        S: * LSUB () "/" Fruit/Peach
        S: OK *
        C: LSUB "" Foo/%
        S: * LSUB () "/" Foo/Baz
        S: OK *
        C: LIST (SPECIAL-USE) "" * RETURN (MYRIGHTS)
        S: * LIST (\HasNoChildren \Archive) "/" Archive
        S: * MYRIGHTS Archive lrswipkxtea
        S: ...
        S: OK *
    "#,
        )
        .await;
}

#[tokio::test]
async fn quota_metadata_and_rights() {
    let bench = Bench::new().await;
    let mut client = bench.client().await;
    client
        .talk(
            r#"
        C: GETQUOTAROOT INBOX
        S: * QUOTAROOT INBOX
        S: OK *
        C: GETQUOTA ""
        S: NO [NONEXISTENT] *
        C: SETQUOTA "" (STORAGE 5)
        S: NO [NOPERM] *
        C: SETMETADATA INBOX (/private/comment "My own" /shared/Comment {3+}\r\na"b)
        S: OK *
        C: GETMETADATA INBOX (/shared/comment /private/none)
        S: * METADATA INBOX (/shared/comment "a\"b" /private/none NIL)
        S: OK *
        C: GETMETADATA (DEPTH infinity) INBOX /private
        S: * METADATA INBOX (/private/comment "My own")
        S: OK *
        C: GETMETADATA (MAXSIZE 4) INBOX (/private/comment /shared/comment)
        S: * METADATA INBOX (/shared/comment "a\"b")
        S: OK [METADATA LONGENTRIES 6] *
        C: SETMETADATA INBOX (/private/comment NIL)
        S: OK *
        C: GETMETADATA INBOX /private/comment
        S: * METADATA INBOX (/private/comment NIL)
        S: OK *
        C: SETMETADATA "" (/shared/admin "mailto:x@example")
        S: OK *
        C: GETMETADATA "" /shared/admin
        S: * METADATA "" (/shared/admin "mailto:x@example")
        S: OK *
        C: SETMETADATA INBOX (comment "x")
        S: BAD *
        C: MYRIGHTS INBOX
        S: * MYRIGHTS INBOX lrswipkxtea
        S: OK *
        C: LISTRIGHTS INBOX bob
        S: * LISTRIGHTS INBOX bob "" lr swipkxte
        S: OK *
        C: SETACL Sent nobody lr
        S: NO [NONEXISTENT] *
        C: SETACL Sent bob lrs
        S: NO [CANNOT] *
        C: SETACL Sent bob lr
        S: OK *
        C: GETACL Sent
        S: * ACL Sent alice lrswipkxtea bob lr
        S: OK *
    "#,
        )
        .await;
}

#[tokio::test]
async fn a_lent_mailbox_is_another_accounts() {
    let bench = Bench::new().await;
    let mut alice = bench.client().await;
    let mut bob = bench.client_of("bob", &["all"]).await;
    alice.append("Sent", "(\\Seen)", "Subject: x\r\n\r\nhello\r\n").await;
    alice.talk("C: SETACL Sent bob lrswipkxte\nS: OK *").await;
    bob.append("INBOX", "(\\Flagged mine)", "Subject: y\r\n\r\nhello\r\n").await;
    bob.talk(
        r#"
        C: LIST "" "*(*"
        S: * LIST (\HasNoChildren) "/" "Sent (alice)"
        S: OK *
        C: SELECT INBOX
        S: ...
        S: OK *
        C: COPY 1 "Sent (alice)"
        S: OK [COPYUID *
        C: MYRIGHTS "Sent (alice)"
        S: * MYRIGHTS "Sent (alice)" lrswipkxte
        S: OK *
        C: GETACL "Sent (alice)"
        S: NO [NOPERM] *
        C: SELECT "Sent (alice)"
        S: * OK [CLOSED] *
        S: ...
        S: * 2 EXISTS
        S: ...
        S: OK [READ-WRITE] *
        C: FETCH 1:2 (FLAGS BODY.PEEK[TEXT])
        S: * 1 FETCH (FLAGS (\Seen) BODY[TEXT] {7}\r\nhello\r\n)
        S: * 2 FETCH (FLAGS (\Flagged mine) BODY[TEXT] {7}\r\nhello\r\n)
        S: OK *
        C: MOVE 1 INBOX
        S: * OK [COPYUID *
        S: * 1 EXPUNGE
        S: OK *
    "#,
    )
    .await;
    assert!(!bob.is_woken());
    alice.append("Sent", "", "Subject: x\r\n\r\nhello\r\n").await;
    assert!(bob.is_woken());
    bob.talk("C: NOOP\nS: * 2 EXISTS\nS: OK *").await;
    alice.talk("C: SETACL Sent bob lr\nS: OK *").await;
    bob.talk("C: STORE 1 +FLAGS (\\Deleted)\nS: NO [NOPERM] *").await;
    alice.talk("C: DELETEACL Sent bob\nS: OK *").await;
    bob.talk("C: FETCH 1 FLAGS\nS: * BYE *\nS: BAD connection ended").await;
}

/// What a narrow app password may do by IMAP.
#[tokio::test]
async fn narrow_credentials_are_refused() {
    let bench = Bench::new().await;
    let mut owner = bench.client().await;
    for name in ["Lists/Rust", "Lists/Go", "Private"] {
        owner.ask(&format!("CREATE {name}")).await;
    }
    owner.append("Lists/Rust", "", "Subject: x\r\n\r\n").await;
    let mut reader = bench.limited(&["/Mail/Lists/Rust:r"]).await;
    reader
        .talk(
            r#"
        C: LIST "" *
        S: * LIST (\Noselect \HasChildren) "/" Lists
        S: * LIST (\HasNoChildren) "/" Lists/Rust
        S: OK *
        C: SELECT INBOX
        S: NO [NONEXISTENT] *
        C: SELECT Lists
        S: NO [NONEXISTENT] *
        C: STATUS Private (MESSAGES)
        S: NO [NONEXISTENT] *
        C: SELECT Lists/Rust
        S: ...
        S: * OK [PERMANENTFLAGS ()] *
        S: ...
        S: OK [READ-ONLY] *
        C: FETCH 1 BODY[TEXT]
        S: * 1 FETCH (BODY[TEXT] {0}\r\n)
        S: OK *
        C: STORE 1 +FLAGS (\Seen)
        S: NO [NOPERM] *
        C: EXPUNGE
        S: NO [NOPERM] *
        C: COPY 1 Lists/Rust
        S: NO [NOPERM] *
        C: COPY 1 INBOX
        S: NO [TRYCREATE] *
        C: MOVE 1 Lists/Rust
        S: NO [NOPERM] *
        C: APPEND Lists/Rust {3+}\r\na:b
        S: NO [NOPERM] *
        C: APPEND INBOX {3+}\r\na:b
        S: NO *
        C: CREATE Lists/Rust/Inner
        S: NO [NOPERM] *
        C: DELETE Lists/Rust
        S: NO [NOPERM] *
        C: RENAME Lists/Rust Lists/Other
        S: NO *
        C: SETMETADATA Lists/Rust (/shared/comment "x")
        S: NO [NOPERM] *
        C: SETACL Lists/Rust bob lr
        S: NO [NOPERM] *
        C: MYRIGHTS Lists/Rust
        S: * MYRIGHTS Lists/Rust lr
        S: OK *
        C: SUBSCRIBE Private
        S: NO *
        C: CLOSE
        S: OK *
        C: STATUS Lists/Rust (MESSAGES UNSEEN)
        S: * STATUS Lists/Rust (MESSAGES 1 UNSEEN 1)
        S: OK *
    "#,
        )
        .await;
    let mut filer = bench.limited(&["/Mail/Lists:a"]).await;
    filer
        .talk(
            r#"
        C: APPEND Lists/Rust {3+}\r\na:b
        S: OK *
        C: CREATE Lists/C
        S: OK *
        C: SELECT Lists/Rust
        S: ...
        S: OK [READ-ONLY] *
        C: COPY 1 Lists/C
        S: OK *
        C: STORE 1 FLAGS (\Deleted)
        S: NO [NOPERM] *
        C: DELETE Lists/C
        S: NO [NOPERM] *
    "#,
        )
        .await;
}
