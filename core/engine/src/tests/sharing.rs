//! Folders lent to other accounts.

use allod_model::{ErrorKind, Kind, Rights};

use super::*;

fn event(uid: &str) -> Vec<u8> {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y\r\nBEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:20240101T000000Z\r\n\
         DTSTART:20240101T090000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
    .into_bytes()
}

async fn of(bench: &Bench, account: &str, grants: &[&str]) -> (NewCredential, Session) {
    let grants = grants.iter().map(|grant| parse_grant(grant).unwrap()).collect();
    let new = bench.core.operator().add_credential(account, "test", grants, None).await.unwrap();
    let session = bench.login(account, &new.password, "caldav").await.unwrap();
    (new, session)
}

async fn two() -> (Bench, Session, Session) {
    let bench = Bench::new().await;
    bench.core.operator().add_account("bob", AccountChange::default()).await.unwrap();
    let alice = of(&bench, "alice", &["all"]).await.1;
    let bob = of(&bench, "bob", &["all"]).await.1;
    put(&alice, "/Calendars/Personal/a.ics", &event("a")).await.unwrap();
    put(&alice, "/secret.txt", b"secret").await.unwrap();
    (bench, alice, bob)
}

async fn mount(session: &Session) -> Option<Mount> {
    session.mounts(&path("/Calendars")).await.unwrap().pop()
}

#[tokio::test]
async fn a_lent_calendar_is_read_and_written_as_was_agreed() {
    let (bench, alice, bob) = two().await;
    let calendar = path("/Calendars/Personal");
    assert!(mount(&bob).await.is_none());
    alice.share(&calendar, "bob", Rights::Read).await.unwrap();
    let lent = mount(&bob).await.unwrap();
    assert_eq!(
        (lent.owner.as_str(), lent.at.to_string()),
        ("alice", "/Calendars/Personal (alice)".to_owned())
    );
    assert_eq!(lent.node.rights, Some(Rights::Read));
    let inside = lent.at.join(path("/a.ics").last().unwrap().clone());
    let (through, at) = bob.through(&inside).await.unwrap().unwrap();
    assert_eq!(
        collect(through.session.open(&at, &Precondition::default()).await.unwrap().read(None)).await.unwrap(),
        event("a")
    );

    // Reading is not writing, and the corner is the folder.
    let own = |name: &str| format!("/Calendars/Personal/{name}");
    assert_eq!(put(&through.session, &own("b.ics"), &event("b")).await.unwrap_err().kind, ErrorKind::Denied);
    assert_eq!(remove(&through.session, &own("a.ics")).await.unwrap_err().kind, ErrorKind::Denied);
    assert_eq!(get(&through.session, "/secret.txt").await.unwrap_err().kind, ErrorKind::NotFound);
    let lists = through.session.list(&path("/"), None, 10, false).await.unwrap();
    assert_eq!(lists.nodes.len(), 1, "only the way to the folder");
    let again = through.session.share(&calendar, "bob", Rights::Write).await;
    assert_eq!(again.unwrap_err().kind, ErrorKind::Denied, "who borrows does not lend");

    alice.share(&calendar, "bob", Rights::Write).await.unwrap();
    let lent = mount(&bob).await.unwrap();
    put(&lent.session, &own("b.ics"), &event("b")).await.unwrap();
    assert_eq!(
        put(&lent.session, &own("c.ics"), &event("b")).await.unwrap_err().kind,
        ErrorKind::UidConflict
    );
    assert_eq!(get(&alice, &own("b.ics")).await.unwrap(), event("b"));
    assert_eq!(put(&lent.session, "/x.txt", b"x").await.unwrap_err().kind, ErrorKind::Denied);
    let line = &alice.log(&path("/Calendars"), None, 1).await.unwrap()[0];
    assert_eq!(line.credential, bob.credential(), "the owner's history says who did it");
    assert_eq!(alice.shares(&calendar).await.unwrap()[0].account, "bob");

    // The borrower's name and color are his own.
    let color =
        Property { namespace: "x".into(), name: "color".into(), xml: "<color xmlns='x'>red</color>".into() };
    bob.set_mount_properties(&lent.at, vec![PropertyChange::Set(color.clone())]).await.unwrap();
    assert_eq!(mount(&bob).await.unwrap().node.properties, [color]);
    assert!(alice.stat(&calendar, Want::Folder, true).await.unwrap().properties.is_empty());
    bench.assert_clean().await;
}

#[tokio::test]
async fn a_share_ends_with_whatever_ends_it() {
    let (bench, alice, bob) = two().await;
    let calendar = path("/Calendars/Personal");
    alice.share(&calendar, "bob", Rights::Write).await.unwrap();
    // A rename keeps it.
    rename(&alice, "/Calendars/Personal", "/Calendars/Family").await.unwrap();
    let lent = mount(&bob).await.unwrap();
    assert_eq!(lent.path, path("/Calendars/Family"));
    // The trash does not.
    remove(&alice, "/Calendars/Family").await.unwrap();
    assert!(mount(&bob).await.is_none() && bob.through(&lent.at).await.unwrap().is_none());

    let options = FolderOptions { kind: Kind::Calendar, ..FolderOptions::default() };
    alice.make_folder(&path("/Calendars/Two"), options, Precondition::default()).await.unwrap();
    let two = path("/Calendars/Two");
    alice.share(&two, "bob", Rights::Read).await.unwrap();
    // Folders above can go too.
    rename(&alice, "/Calendars", "/Old").await.unwrap();
    assert_eq!(mount(&bob).await.unwrap().path, path("/Old/Two"));
    remove(&alice, "/Old").await.unwrap();
    assert!(mount(&bob).await.is_none(), "taken out with a folder above it");

    mkdir(&alice, "/Calendars").await.unwrap();
    let options = FolderOptions { kind: Kind::Calendar, ..FolderOptions::default() };
    alice.make_folder(&two, options, Precondition::default()).await.unwrap();
    alice.share(&two, "bob", Rights::Read).await.unwrap();
    let lent = mount(&bob).await.unwrap();
    bob.leave(&lent.at).await.unwrap();
    assert!(mount(&bob).await.is_none() && alice.shares(&two).await.unwrap().is_empty());
    alice.share(&two, "bob", Rights::Read).await.unwrap();
    alice.unshare(&two, "bob").await.unwrap();
    assert!(mount(&bob).await.is_none());
    assert_eq!(alice.unshare(&two, "bob").await.unwrap_err().kind, ErrorKind::NotFound);

    alice.share(&two, "bob", Rights::Read).await.unwrap();
    let open = mount(&bob).await.unwrap();
    bench.core.operator().remove_account("alice").await.unwrap();
    assert!(mount(&bob).await.is_none());
    let refused = open.session.stat(&two, Want::Any, false).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Unauthenticated);
}

#[tokio::test]
async fn what_cannot_be_lent_is_refused() {
    let (bench, alice, bob) = two().await;
    let calendar = path("/Calendars/Personal");
    let refused = |at: &str, with: &str, rights| {
        let (alice, at, with) = (alice.clone(), path(at), with.to_owned());
        async move { alice.share(&at, &with, rights).await.unwrap_err().kind }
    };
    assert_eq!(refused("/Mail", "bob", Rights::Read).await, ErrorKind::WrongKind);
    assert_eq!(refused("/Calendars/None", "bob", Rights::Read).await, ErrorKind::NotFound);
    assert_eq!(refused("/Calendars/Personal", "carol", Rights::Read).await, ErrorKind::NotFound);
    assert_eq!(refused("/Calendars/Personal", "alice", Rights::Read).await, ErrorKind::InvalidContent);
    assert_eq!(refused("/Calendars/Personal", "bob", Rights::Append).await, ErrorKind::InvalidContent);
    let reader = of(&bench, "alice", &["/Calendars:r"]).await.1;
    assert_eq!(reader.share(&calendar, "bob", Rights::Read).await.unwrap_err().kind, ErrorKind::Denied);
    assert_eq!(reader.unshare(&calendar, "bob").await.unwrap_err().kind, ErrorKind::Denied);

    // A borrower's credential opens of it only what it was given itself.
    alice.share(&calendar, "bob", Rights::Write).await.unwrap();
    let (new, files) = of(&bench, "bob", &["/Calendars:r"]).await;
    let lent = mount(&files).await.unwrap();
    assert_eq!(lent.node.rights, Some(Rights::Read));
    assert_eq!(
        put(&lent.session, "/Calendars/Personal/z.ics", &event("z")).await.unwrap_err().kind,
        ErrorKind::Denied
    );
    assert_eq!(files.leave(&lent.at).await.unwrap_err().kind, ErrorKind::Denied);
    let contacts = of(&bench, "bob", &["/Contacts:rw"]).await.1;
    assert!(mount(&contacts).await.is_none());
    bench.core.operator().revoke_credential(&new.id.0).await.unwrap();
    assert_eq!(
        get(&lent.session, "/Calendars/Personal/a.ics").await.unwrap_err().kind,
        ErrorKind::Unauthenticated
    );
    // A folder of the borrower's own under that name goes first.
    mkdir(&bob, "/Calendars/Personal (alice)").await.unwrap();
    assert!(mount(&bob).await.is_none() && bob.through(&lent.at).await.unwrap().is_none());
}

#[tokio::test]
async fn a_published_calendar_is_read_by_its_link_alone() {
    let (bench, alice, bob) = two().await;
    let calendar = path("/Calendars/Personal");
    let private = String::from_utf8(event("p")).unwrap().replace("END:VEVENT", "CLASS:PRIVATE\r\nEND:VEVENT");
    put(&alice, "/Calendars/Personal/p.ics", private.as_bytes()).await.unwrap();
    assert!(alice.published(&calendar).await.unwrap().is_none());
    let token = alice.publish(&calendar).await.unwrap();
    assert_eq!(alice.publish(&calendar).await.unwrap(), token, "the same each time");
    let read = |token: String| {
        let core = bench.core.clone();
        async move {
            let mut published = core.open_link(&token, door("caldav")).await?;
            let mut names = Vec::new();
            while let Some(page) = published.objects.next().await? {
                names.extend(page.into_iter().map(|found| found.node.name.to_string()));
            }
            Ok::<_, model::Error>(names)
        }
    };
    assert_eq!(read(token.to_string()).await.unwrap(), ["a.ics"], "what is private stays so");
    rename(&alice, "/Calendars/Personal", "/Calendars/Renamed").await.unwrap();
    assert_eq!(read(token.to_string()).await.unwrap(), ["a.ics"]);
    assert_eq!(read("x".repeat(40)).await.unwrap_err().kind, ErrorKind::NotFound);
    let renamed = path("/Calendars/Renamed");
    let reader = of(&bench, "alice", &["/Calendars:r"]).await.1;
    assert_eq!(reader.publish(&renamed).await.unwrap_err().kind, ErrorKind::Denied);
    assert_eq!(reader.published(&renamed).await.unwrap_err().kind, ErrorKind::Denied);
    alice.share(&renamed, "bob", Rights::Write).await.unwrap();
    let lent = mount(&bob).await.unwrap();
    assert_eq!(lent.session.publish(&lent.path).await.unwrap_err().kind, ErrorKind::Denied);
    assert_eq!(alice.publish(&path("/Contacts/Personal")).await.unwrap_err().kind, ErrorKind::WrongKind);

    alice.unpublish(&renamed).await.unwrap();
    assert_eq!(read(token.to_string()).await.unwrap_err().kind, ErrorKind::NotFound);
    let other = alice.publish(&renamed).await.unwrap();
    assert_ne!(other, token);
    remove(&alice, "/Calendars/Renamed").await.unwrap();
    assert_eq!(read(other.to_string()).await.unwrap_err().kind, ErrorKind::NotFound);
}
