//! The command line's contract: the same while the server runs and while it is stopped.

use allod_tests::{Request, Server, run};

fn stderr_line(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stderr).trim().to_owned()
}

#[test]
fn commands_work_running_and_stopped() {
    let mut server = Server::start();
    for running in [true, false] {
        if !running {
            server.stop();
        }
        let name = if running { "bob" } else { "carol" };
        let made = server.cli(&[
            "account",
            "add",
            name,
            "--email",
            &format!("{name}@example.org"),
            "--quota",
            "1G",
            "--json",
        ]);
        assert_eq!((made["name"].as_str(), made["quota"].as_u64()), (Some(name), Some(1 << 30)));
        let app = server.cli(&[
            "app",
            "add",
            name,
            "Laptop",
            "--grant",
            "/docs:rw@webdav",
            "--expires",
            "90d",
            "--json",
        ]);
        for field in ["id", "account", "label", "username", "password", "grants", "s3", "bearer"] {
            assert!(!app[field].is_null(), "{field} in {app}");
        }
        for field in ["endpoint", "region", "access_key", "secret_key"] {
            assert!(app["s3"][field].is_string(), "s3.{field} in {app}");
        }
        let id = app["id"].as_str().unwrap();
        let listed = server.cli(&["app", "list", name, "--json"]);
        assert_eq!(listed[0]["id"], app["id"]);
        assert!(!listed.to_string().contains(app["password"].as_str().unwrap()));
        assert_eq!(server.cli(&["app", "show", id, "--json"])["label"], "Laptop");
        server.cli(&["account", "set", name, "--quota", "0", "--json"]);
        assert!(server.cli(&["account", "show", name, "--json"])["quota"].is_null());
        let status = server.cli(&["status", "--json"]);
        assert_eq!(status["running"], running);
        assert_eq!(server.cli(&["check", "--json"])["clean"], true);
        server.cli(&["app", "revoke", id, "--json"]);
        server.cli(&["account", "remove", name, "--yes", "--json"]);
        assert_eq!(server.cli(&["account", "list", "--json"]).as_array().unwrap().len(), 1);
    }
}

#[test]
fn failures_say_what_to_do_and_exit_with_1_and_2() {
    let server = Server::start();
    let data = server.data();
    for (args, code, says) in [
        (&["account", "show", "nobody"][..], 1, "account list"),
        (&["account", "add", "alice"], 1, "exists"),
        (&["account", "add", "Not A Name"], 1, "lower-case"),
        (&["account", "remove", "alice"], 1, "--yes"),
        (&["app", "add", "alice", "x", "--grant", "everything"], 1, "backup=/PATH"),
        (&["app", "revoke", "none"], 1, "app list"),
        (&["restore", "alice", "/x", "--at", "soon"], 1, "2h"),
        (&["app", "add", "alice", "x"], 2, "--grant"),
        (&["frobnicate"], 2, "frobnicate"),
        (&["account", "add", "x", "--quota", "lots"], 2, "500M"),
    ] {
        let output = run(&data, args);
        assert_eq!(output.status.code(), Some(code), "{args:?}");
        let line = stderr_line(&output);
        assert!(line.contains(says), "{args:?}: {line}");
        assert!(code == 2 || line.lines().count() == 1, "one line: {line}");
    }
    let nowhere = tempfile::tempdir().unwrap();
    let output = run(&nowhere.path().join("none"), &["status"]);
    assert!(output.status.code() == Some(1) && stderr_line(&output).contains("quickstart"));
}

#[test]
fn a_second_server_on_the_same_store_is_refused() {
    let server = Server::start();
    let output = run(&server.data(), &["serve", "--http", "127.0.0.1:0"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr_line(&output).contains("another allod process"), "{}", stderr_line(&output));
    assert_eq!(server.send(&Request::new("GET", "/healthz")).status, 200);
}

#[test]
fn plain_text_for_the_world_must_be_asked_for() {
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let output = run(&folder.path().join("d"), &["serve", "--http", "0.0.0.0:0"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr_line(&output).contains("--insecure"), "{}", stderr_line(&output));
    drop(server);
}

#[test]
fn a_data_directory_may_lie_deep() {
    let folder = tempfile::tempdir().unwrap();
    let deep = folder.path().join("a-folder-with-a-long-name".repeat(4)).join("and-another-one".repeat(4));
    let made = run(&deep, &["account", "add", "alice", "--json"]);
    assert!(made.status.success(), "{}", stderr_line(&made));
    let mut server = Server::on(deep.clone());
    let status = run(&deep, &["status", "--json"]);
    assert!(String::from_utf8_lossy(&status.stdout).contains("\"running\":true"), "asked through the socket");
    server.stop();
}

#[test]
fn history_is_undone_from_the_command_line() {
    let server = Server::start();
    let (owner, app) = (server.app(&["all"]), server.app(&["all"]));
    assert_eq!(server.send(&Request::dav("PUT", &owner, "/doc").body("mine")).status, 201);
    std::thread::sleep(std::time::Duration::from_millis(1100));
    assert_eq!(server.send(&Request::dav("PUT", &app, "/doc").body("spoilt")).status, 204);
    assert_eq!(server.send(&Request::dav("PUT", &app, "/junk").body("x")).status, 201);
    let args = ["undo", "alice", "--app", &app.id, "--since", "1s", "--json"];
    let dry = server.cli(&[&args[..], &["--dry-run"]].concat());
    assert_eq!(server.send(&Request::dav("GET", &owner, "/doc")).text(), "spoilt");
    assert_eq!(server.cli(&args), dry);
    assert_eq!(server.send(&Request::dav("GET", &owner, "/doc")).text(), "mine");
    assert_eq!(server.send(&Request::dav("GET", &owner, "/junk")).status, 404);
    let trash = server.cli(&["trash", "alice", "--json"]);
    assert_eq!(trash[0]["path"], "/junk");
    let versions = server.cli(&["versions", "alice", "/doc", "--json"]);
    assert_eq!(versions.as_array().unwrap().len(), 2);
}

#[test]
fn rules_and_absence_are_set_running_and_stopped() {
    let mut server = Server::start();
    for running in [true, false] {
        if !running {
            server.stop();
        }
        let rust = ["--header", "List-Id:rust-lang", "--file", "Lists/rust", "--stop"];
        let made = server.cli(&[&["filing", "add", "alice", "rust"], &rust[..], &["--json"]].concat());
        assert_eq!(made["when"], "List-Id contains 'rust-lang'");
        assert_eq!(
            (made["position"].as_u64(), made["then"].as_str()),
            (Some(1), Some("file in Lists/rust, stop"))
        );
        let first = ["filing", "add", "alice", "big", "--from", "a@x", "--larger", "5M", "--any", "--seen"];
        server.cli(&[&first[..], &["--position", "1", "--json"]].concat());
        let listed = server.cli(&["filing", "list", "alice", "--json"]);
        let names: Vec<&str> =
            listed.as_array().unwrap().iter().filter_map(|row| row["name"].as_str()).collect();
        assert_eq!(names, ["big", "rust"]);
        assert_eq!(listed[0]["when"], "From contains 'a@x' or larger than 5242880 bytes");
        for (wrong, code) in [
            (&["filing", "add", "alice", "rust", "--discard"][..], 1),
            (&["filing", "add", "alice", "idle"], 1),
            (&["filing", "add", "alice", "odd", "--header", "nothing", "--seen"], 1),
            (&["filing", "add", "alice", "odd", "--forward", "nobody"], 1),
            (&["filing", "remove", "alice", "none"], 1),
            (&["filing", "list", "nobody"], 1),
            (&["vacation", "set", "alice"], 2),
            (&["vacation", "set", "alice", "--text", "x", "--until", "2020-01-01"], 1),
            (&["vacation", "set", "alice", "--text", "x", "--days", "0"], 2),
        ] {
            let output = run(&server.data(), wrong);
            assert_eq!(output.status.code(), Some(code), "{wrong:?}: {}", stderr_line(&output));
            assert!(!stderr_line(&output).is_empty());
        }
        assert_eq!(server.cli(&["vacation", "show", "alice", "--json"])["state"], "off");
        let away =
            ["vacation", "set", "alice", "--text", "Back in January.", "--until", "2999-01-04", "--json"];
        assert_eq!(server.cli(&away)["state"], "on");
        let shown = server.cli(&["vacation", "show", "alice", "--json"]);
        assert_eq!((shown["text"].as_str(), shown["days"].as_u64()), (Some("Back in January."), Some(7)));
        // Neither takes the other away.
        assert_eq!(server.cli(&["filing", "list", "alice", "--json"]).as_array().unwrap().len(), 2);
        for name in ["rust", "big"] {
            server.cli(&["filing", "remove", "alice", name, "--json"]);
        }
        assert_eq!(server.cli(&["vacation", "show", "alice", "--json"])["state"], "on");
        server.cli(&["vacation", "off", "alice", "--json"]);
        assert!(server.cli(&["filing", "list", "alice", "--json"]).as_array().unwrap().is_empty());
    }
}
