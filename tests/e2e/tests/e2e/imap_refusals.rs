//! Grants × commands: what a credential does not open, no command of IMAP opens.

use allod_tests::{App, Imap, Request, Server};

use crate::imap::{files, mail};

/// Commands on mail that is not granted, and what they may not change. `{literal}` stands for a message.
const COMMANDS: [&str; 24] = [
    "SELECT Secret",
    "EXAMINE Secret",
    "STATUS Secret (MESSAGES)",
    "CREATE Secret/New",
    "CREATE Secret",
    "CREATE Other",
    "DELETE Secret",
    "RENAME Secret Open/Stolen",
    "RENAME Open Secret/In",
    "APPEND Secret {literal}",
    "APPEND Secret/New {literal}",
    "COPY 1 Secret",
    "MOVE 1 Secret",
    "UID COPY 1 Secret",
    "UID MOVE 1 Secret",
    "REPLACE 1 Secret {literal}",
    "SETACL Secret anyone lrs",
    "GETACL Secret",
    "MYRIGHTS Secret",
    "LISTRIGHTS Secret anyone",
    "GETQUOTAROOT Secret",
    "GETMETADATA Secret /private/comment",
    "SETMETADATA Secret (/private/comment \"x\")",
    "SELECT Open/../Secret",
];

/// Commands that change what is granted for reading only.
const CHANGES: [&str; 14] = [
    "STORE 1 +FLAGS (\\Deleted)",
    "STORE 1 FLAGS (\\Seen)",
    "UID STORE 1 -FLAGS (\\Seen)",
    "MOVE 1 Open/In",
    "UID MOVE 1 Open/In",
    "COPY 1 Open",
    "APPEND Open {literal}",
    "REPLACE 1 Open {literal}",
    "CREATE Open/New",
    "DELETE Open/In",
    "RENAME Open/In Open/Out",
    "SETACL Open anyone lrs",
    "SETMETADATA Open (/private/comment \"x\")",
    "DELETE Open",
];

struct Scene {
    server: Server,
    owner: App,
}

impl Scene {
    fn new() -> Scene {
        let server = Server::start();
        let owner = server.app(&["all"]);
        let mut imap = Imap::login(&server, &owner);
        for mailbox in ["Open", "Open/In", "Secret"] {
            imap.want(&format!("CREATE {mailbox}"));
        }
        for mailbox in ["Open", "Secret"] {
            assert!(imap.append(mailbox, &mail(mailbox)).is_ok());
        }
        Scene { server, owner }
    }

    fn try_out(&self, imap: &mut Imap, command: &str) -> String {
        let message = String::from_utf8(mail("intruder")).expect("ASCII");
        let literal = format!("{{{}+}}\r\n{message}", message.len());
        let answer = imap.ask(&command.replace("{literal}", &literal));
        let told = format!("{:?}", answer.untagged);
        assert!(!told.contains("Secret@") && !told.contains("Subject"), "{command}: {told}");
        answer.completion
    }

    fn assert_untouched(&self, about: &str) {
        for (folder, count) in [("/Mail/Open/", 1), ("/Mail/Open/In/", 0), ("/Mail/Secret/", 1)] {
            let found = files(&self.server, &self.owner, folder);
            assert_eq!(found.len(), count, "{about}: {folder}");
            for path in found {
                let reply = self.server.send(&Request::dav("GET", &self.owner, &path));
                assert!(reply.text().contains("Subject: "), "{about}");
            }
        }
    }
}

#[test]
fn no_command_leads_out_of_a_corner() {
    let scene = Scene::new();
    for grants in [&["/Mail/Open:rw"][..], &["/Mail/Open:rw@imap", "/Mail/Secret:rw@webdav"]] {
        let app = scene.server.app(grants);
        let mut imap = Imap::select(&scene.server, &app, "Open");
        for command in COMMANDS {
            let completion = scene.try_out(&mut imap, command);
            assert!(
                completion.starts_with("NO ") || completion.starts_with("BAD "),
                "{command}: {completion}"
            );
        }
        let listed = imap.want("LIST \"\" \"*\"");
        assert!(listed.with("Secret").is_empty() && listed.with("INBOX").is_empty(), "{:?}", listed.untagged);
        assert!(!listed.with("Open").is_empty());
        scene.assert_untouched(grants[0]);
    }
}

#[test]
fn reading_is_not_writing() {
    let scene = Scene::new();
    let app = scene.server.app(&["/Mail/Open:r"]);
    let mut imap = Imap::login(&scene.server, &app);
    let selected = imap.want("SELECT Open");
    assert!(selected.completion.contains("[READ-ONLY]"), "{}", selected.completion);
    for command in CHANGES {
        let completion = scene.try_out(&mut imap, command);
        assert!(completion.starts_with("NO "), "{command}: {completion}");
    }
    // Reading marks nothing as read.
    assert!(!imap.want("FETCH 1 BODY[]").literal().is_empty());
    assert_eq!(imap.want("SEARCH UNSEEN").with("* SEARCH 1").len(), 1);
    scene.assert_untouched("r");
}

#[test]
fn other_protocols_do_not_let_in() {
    let scene = Scene::new();
    for grants in [&["files"][..], &["calendar", "contacts"], &["/Mail:rw@webdav"]] {
        let app = scene.server.app(grants);
        let mut imap = Imap::connect(&scene.server);
        let answer = imap.ask(&format!("LOGIN {} {}", app.user, app.password));
        assert!(
            answer.completion.starts_with("NO [AUTHORIZATIONFAILED]"),
            "{grants:?}: {}",
            answer.completion
        );
    }
}
