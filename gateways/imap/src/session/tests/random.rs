//! Several sessions at random against a plain model: each one's message numbers, flags, and when EXPUNGE may be told.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

/// The mailboxes of the model.
const MAILBOXES: [&str; 2] = ["INBOX", "Archive"];
const SESSIONS: usize = 3;
const FLAGS: [&str; 4] = ["\\Seen", "\\Flagged", "\\Deleted", "word"];

#[derive(Clone, Debug)]
enum Step {
    Select { mailbox: usize, examine: bool },
    Append { mailbox: usize, flags: u8 },
    Store { numbers: Numbers, uid: bool, how: u8, flags: u8, silent: bool },
    Copy { numbers: Numbers, uid: bool, mailbox: usize },
    Move { numbers: Numbers, uid: bool, mailbox: usize },
    Expunge,
    UidExpunge { numbers: Numbers },
    Fetch { numbers: Numbers, uid: bool, body: bool },
    Search { uid: bool },
    Noop,
    Idle,
    Close,
}

/// A stretch of what the session counts, in hundredths.
#[derive(Clone, Copy, Debug)]
struct Numbers(u8, u8);

fn numbers() -> impl Strategy<Value = Numbers> {
    (0u8..100, 0u8..100).prop_map(|(a, b)| Numbers(a, b))
}

fn step() -> impl Strategy<Value = Step> {
    let mailbox = 0..MAILBOXES.len();
    prop_oneof![
        2 => (mailbox.clone(), any::<bool>()).prop_map(|(mailbox, examine)| Step::Select { mailbox, examine: examine && mailbox == 1 }),
        6 => (mailbox.clone(), 0u8..16).prop_map(|(mailbox, flags)| Step::Append { mailbox, flags }),
        5 => (numbers(), any::<bool>(), 0u8..3, 0u8..16, any::<bool>())
            .prop_map(|(numbers, uid, how, flags, silent)| Step::Store { numbers, uid, how, flags, silent }),
        2 => (numbers(), any::<bool>(), mailbox.clone()).prop_map(|(numbers, uid, mailbox)| Step::Copy { numbers, uid, mailbox }),
        2 => (numbers(), any::<bool>(), mailbox).prop_map(|(numbers, uid, mailbox)| Step::Move { numbers, uid, mailbox }),
        3 => Just(Step::Expunge),
        1 => numbers().prop_map(|numbers| Step::UidExpunge { numbers }),
        4 => (numbers(), any::<bool>(), any::<bool>()).prop_map(|(numbers, uid, body)| Step::Fetch { numbers, uid, body }),
        2 => any::<bool>().prop_map(|uid| Step::Search { uid }),
        4 => Just(Step::Noop),
        2 => Just(Step::Idle),
        1 => Just(Step::Close),
    ]
}

/// What is truly in a mailbox.
#[derive(Default)]
struct Box_ {
    messages: BTreeMap<u32, BTreeSet<String>>,
    last_uid: u32,
}

impl Box_ {
    fn put(&mut self, flags: BTreeSet<String>) -> u32 {
        self.last_uid += 1;
        self.messages.insert(self.last_uid, flags);
        self.last_uid
    }
}

/// What a client believes, from what it was told.
#[derive(Default)]
struct Belief {
    mailbox: Option<usize>,
    read_only: bool,
    /// UIDs in the order of their numbers, as the truth had them when EXISTS was told.
    uids: Vec<u32>,
    /// No message up to this UID is to come.
    horizon: u32,
    flags: BTreeMap<u32, BTreeSet<String>>,
    qresync: bool,
}

struct World {
    clients: Vec<(Client, Belief)>,
    boxes: Vec<Box_>,
}

fn names(bits: u8) -> BTreeSet<String> {
    let set = FLAGS.iter().enumerate().filter(|(nth, _)| bits & (1 << nth) != 0);
    set.map(|(_, name)| (*name).to_owned()).collect()
}

fn listed(flags: &BTreeSet<String>) -> String {
    flags.iter().cloned().collect::<Vec<_>>().join(" ")
}

impl World {
    /// The numbers that a step means, as a set in the command, and the UIDs behind it.
    fn meant(&self, who: usize, numbers: Numbers, uid: bool) -> Option<(String, Vec<u32>)> {
        let uids = &self.clients[who].1.uids;
        if uids.is_empty() {
            return None;
        }
        let place = |part: u8| usize::from(part) * uids.len() / 100;
        let (from, to) = (place(numbers.0.min(numbers.1)), place(numbers.0.max(numbers.1)));
        let meant = uids[from..=to].to_vec();
        let set = match uid {
            true => format!("{}:{}", meant[0], meant[meant.len() - 1]),
            false => format!("{}:{}", from + 1, to + 1),
        };
        Some((set, meant))
    }

    async fn take(&mut self, who: usize, step: &Step) {
        let selected = self.clients[who].1.mailbox;
        let read_only = self.clients[who].1.read_only;
        let needs = !matches!(step, Step::Select { .. } | Step::Append { .. } | Step::Noop | Step::Idle);
        if needs && selected.is_none() {
            return;
        }
        let here = selected.unwrap_or(0);
        match step {
            Step::Select { mailbox, examine } => self.select(who, *mailbox, *examine).await,
            Step::Append { mailbox, flags } => {
                let flags = names(*flags);
                self.boxes[*mailbox].put(flags.clone());
                let command = format!("({})", listed(&flags));
                let told = self.clients[who].0.append(MAILBOXES[*mailbox], &command, "a: b\r\n\r\n").await;
                self.hear(who, &told, true, true);
            }
            Step::Expunge => self.expunge(who, "EXPUNGE", None).await,
            Step::Store { .. } | Step::Copy { .. } | Step::Move { .. } | Step::Fetch { .. } => {
                self.on_messages(who, step).await;
            }
            Step::UidExpunge { numbers } => {
                let Some((set, uids)) = self.meant(who, *numbers, true) else { return };
                self.expunge(who, &format!("UID EXPUNGE {set}"), Some(uids)).await;
            }
            Step::Search { uid } => {
                let command = if *uid { "UID SEARCH ALL" } else { "SEARCH ALL" };
                let told = self.clients[who].0.ask(command).await;
                self.check_found(who, *uid, &told);
                self.hear(who, &told, *uid, true);
            }
            Step::Noop => {
                let told = self.clients[who].0.ask("NOOP").await;
                self.hear(who, &told, true, true);
                self.check_synced(who).await;
            }
            Step::Idle => {
                let mut told = self.clients[who].0.report(Moment::Idle).await;
                told.push("OK".into());
                self.hear(who, &told, true, true);
                self.check_synced(who).await;
            }
            Step::Close => {
                if !read_only {
                    let known = self.clients[who].1.uids.clone();
                    self.remove_deleted(here, |uid| known.contains(&uid));
                }
                let told = self.clients[who].0.ask("CLOSE").await;
                assert!(told[0].starts_with("OK") && told.len() == 1, "{told:?}");
                self.clients[who].1 = Belief { qresync: self.clients[who].1.qresync, ..Belief::default() };
            }
        }
    }

    /// STORE, COPY, MOVE, FETCH.
    async fn on_messages(&mut self, who: usize, step: &Step) {
        let (here, read_only) = (self.clients[who].1.mailbox.unwrap(), self.clients[who].1.read_only);
        match step {
            Step::Store { numbers, uid, how, flags, silent } => {
                let Some((set, uids)) = self.meant(who, *numbers, *uid) else { return };
                let flags = names(*flags);
                if !read_only {
                    self.store(here, &uids, *how, &flags);
                }
                let sign = ["", "+", "-"][usize::from(*how)];
                let word = if *silent { "FLAGS.SILENT" } else { "FLAGS" };
                let prefix = if *uid { "UID " } else { "" };
                let command = format!("{prefix}STORE {set} {sign}{word} ({})", listed(&flags));
                let told = self.clients[who].0.ask(&command).await;
                if *silent && !read_only {
                    self.assume(who, &uids, *how, &flags);
                }
                self.hear(who, &told, *uid, !read_only);
            }
            Step::Copy { numbers, uid, mailbox } => {
                let Some((set, uids)) = self.meant(who, *numbers, *uid) else { return };
                self.carry(here, &uids, *mailbox, false);
                let prefix = if *uid { "UID " } else { "" };
                let command = format!("{prefix}COPY {set} {}", MAILBOXES[*mailbox]);
                let told = self.clients[who].0.ask(&command).await;
                self.hear(who, &told, *uid, true);
            }
            Step::Move { numbers, uid, mailbox } => {
                let Some((set, uids)) = self.meant(who, *numbers, *uid) else { return };
                if !read_only {
                    self.carry(here, &uids, *mailbox, true);
                }
                let prefix = if *uid { "UID " } else { "" };
                let command = format!("{prefix}MOVE {set} {}", MAILBOXES[*mailbox]);
                let told = self.clients[who].0.ask(&command).await;
                self.hear(who, &told, true, !read_only);
            }
            Step::Fetch { numbers, uid, body } => {
                let Some((set, uids)) = self.meant(who, *numbers, *uid) else { return };
                let prefix = if *uid { "UID " } else { "" };
                let items = if *body { "(UID BODY[])" } else { "(UID FLAGS)" };
                if *body && !read_only {
                    self.store(here, &uids, 1, &names(1));
                }
                let told = self.clients[who].0.ask(&format!("{prefix}FETCH {set} {items}")).await;
                self.check_fetched(who, &uids, &told);
                self.hear(who, &told, *uid, true);
            }
            _ => {}
        }
    }

    async fn select(&mut self, who: usize, mailbox: usize, examine: bool) {
        let word = if examine { "EXAMINE" } else { "SELECT" };
        let told = self.clients[who].0.ask(&format!("{word} {}", MAILBOXES[mailbox])).await;
        assert!(told.last().unwrap().starts_with("OK"), "{told:?}");
        let exists = told.iter().find_map(|line| line.strip_prefix("* ")?.strip_suffix(" EXISTS"));
        let exists: usize = exists.unwrap().parse().unwrap();
        let uids: Vec<u32> = self.boxes[mailbox].messages.keys().copied().collect();
        assert_eq!(exists, uids.len(), "EXISTS at SELECT");
        let (qresync, horizon) = (self.clients[who].1.qresync, self.boxes[mailbox].last_uid);
        let (mailbox, flags) = (Some(mailbox), BTreeMap::new());
        self.clients[who].1 = Belief { mailbox, read_only: examine, uids, horizon, flags, qresync };
    }

    fn store(&mut self, mailbox: usize, uids: &[u32], how: u8, flags: &BTreeSet<String>) {
        for uid in uids {
            if let Some(known) = self.boxes[mailbox].messages.get_mut(uid) {
                change(known, how, flags);
            }
        }
    }

    /// What a client makes of its own .SILENT.
    fn assume(&mut self, who: usize, uids: &[u32], how: u8, flags: &BTreeSet<String>) {
        let belief = &mut self.clients[who].1;
        for uid in uids {
            change(belief.flags.entry(*uid).or_default(), how, flags);
        }
    }

    fn carry(&mut self, from: usize, uids: &[u32], to: usize, moving: bool) {
        for uid in uids {
            let flags = self.boxes[from].messages.get(uid).cloned();
            if let Some(flags) = flags {
                if moving {
                    self.boxes[from].messages.remove(uid);
                }
                self.boxes[to].put(flags);
            }
        }
    }

    async fn expunge(&mut self, who: usize, command: &str, within: Option<Vec<u32>>) {
        let belief = &self.clients[who].1;
        let (here, read_only, known) = (belief.mailbox.unwrap(), belief.read_only, belief.uids.clone());
        let within = within.unwrap_or(known);
        if !read_only {
            self.remove_deleted(here, |uid| within.contains(&uid));
        }
        let told = self.clients[who].0.ask(command).await;
        self.hear(who, &told, true, !read_only);
        self.check_synced(who).await;
    }

    fn remove_deleted(&mut self, mailbox: usize, within: impl Fn(u32) -> bool) {
        self.boxes[mailbox].messages.retain(|uid, flags| !(within(*uid) && flags.contains("\\Deleted")));
    }

    /// Believes what was told; checks that it may be told now.
    fn hear(&mut self, who: usize, told: &[String], expunge_allowed: bool, succeeds: bool) {
        let belief = &mut self.clients[who].1;
        let last = told.last().unwrap();
        assert_eq!(last.starts_with("OK"), succeeds, "{told:#?}");
        for line in &told[..told.len() - 1] {
            let mut words = line.splitn(4, ' ');
            let (_, first, second) = (words.next(), words.next().unwrap(), words.next().unwrap_or_default());
            if first == "VANISHED" {
                assert!(expunge_allowed && belief.qresync, "{told:#?}");
                let gone = parse_set(second);
                let before = belief.uids.len();
                belief.uids.retain(|uid| !gone.contains(uid));
                assert_eq!(before - belief.uids.len(), gone.len(), "{told:#?}");
                continue;
            }
            let Ok(number) = first.parse::<usize>() else { continue };
            match second {
                "EXISTS" => {
                    let there = &self.boxes[belief.mailbox.unwrap()];
                    belief.uids.extend(there.messages.keys().filter(|uid| **uid > belief.horizon));
                    belief.horizon = there.last_uid;
                    assert_eq!(number, belief.uids.len(), "{told:#?}");
                }
                "EXPUNGE" => {
                    assert!(expunge_allowed && !belief.qresync, "EXPUNGE now: {told:#?}");
                    let uid = belief.uids.remove(number - 1);
                    belief.flags.remove(&uid);
                }
                "FETCH" => note_fetch(belief, number, line),
                other => panic!("{other}: {told:#?}"),
            }
        }
    }

    /// After a command that tells everything, the client believes what is so.
    async fn check_synced(&mut self, who: usize) {
        let Some(mailbox) = self.clients[who].1.mailbox else { return };
        if !self.clients[who].1.uids.is_empty() {
            let told = self.clients[who].0.ask("FETCH 1:* (UID FLAGS)").await;
            self.hear(who, &told, false, true);
        }
        let belief = &self.clients[who].1;
        let truth: Vec<u32> = self.boxes[mailbox].messages.keys().copied().collect();
        assert_eq!(belief.uids, truth, "the messages of session {who}");
        for (uid, flags) in &belief.flags {
            if let Some(truth) = self.boxes[mailbox].messages.get(uid) {
                assert_eq!(flags, truth, "flags of {uid} in session {who}");
            }
        }
    }

    /// Every message that is there was told, and no other.
    fn check_fetched(&self, who: usize, uids: &[u32], told: &[String]) {
        let mailbox = &self.boxes[self.clients[who].1.mailbox.unwrap()];
        let there = uids.iter().filter(|uid| mailbox.messages.contains_key(uid)).count();
        let content = told.iter().filter(|line| line.contains("BODY[]") || line.contains("(UID ")).count();
        assert!(content >= there, "{there} of {uids:?}: {told:#?}");
        assert_eq!(told.last().unwrap().contains("EXPUNGEISSUED"), there < uids.len(), "{told:#?}");
    }

    fn check_found(&self, who: usize, uid: bool, told: &[String]) {
        let belief = &self.clients[who].1;
        let mailbox = &self.boxes[belief.mailbox.unwrap()];
        let is_there = |(_, uid): &(usize, &u32)| mailbox.messages.contains_key(*uid);
        let wanted = belief.uids.iter().enumerate().filter(is_there);
        let wanted = wanted.map(|(at, known)| if uid { *known } else { at as u32 + 1 });
        let found = told.iter().find_map(|line| line.strip_prefix("* SEARCH"));
        let found = found.unwrap_or_else(|| panic!("{told:#?}"));
        let found: Vec<u32> = found.split_whitespace().map(|word| word.parse().unwrap()).collect();
        assert_eq!(found, wanted.collect::<Vec<_>>());
    }
}

fn change(known: &mut BTreeSet<String>, how: u8, flags: &BTreeSet<String>) {
    match how {
        0 => *known = flags.clone(),
        1 => known.extend(flags.iter().cloned()),
        _ => known.retain(|flag| !flags.contains(flag)),
    }
}

fn note_fetch(belief: &mut Belief, number: usize, line: &str) {
    let place = number - 1;
    if let Some((_, rest)) = line.split_once("UID ") {
        let uid: u32 = rest.split([' ', ')']).next().unwrap().parse().unwrap();
        assert!(
            belief.uids[place] == 0 || belief.uids[place] == uid,
            "{number} is {}: {line}",
            belief.uids[place]
        );
        belief.uids[place] = uid;
    }
    let uid = belief.uids[place];
    if let Some((_, rest)) = line.split_once("FLAGS (") {
        let flags = rest.split_once(')').unwrap().0.split_whitespace().map(str::to_owned);
        belief.flags.insert(uid, flags.collect());
    }
}

fn parse_set(text: &str) -> BTreeSet<u32> {
    let ranges = text.split(',').flat_map(|range| {
        let (from, to) = range.split_once(':').unwrap_or((range, range));
        from.parse::<u32>().unwrap()..=to.parse::<u32>().unwrap()
    });
    ranges.collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, max_shrink_iters: 2000, ..ProptestConfig::default() })]

    #[test]
    fn sessions_believe_what_is_so(steps in proptest::collection::vec((0..SESSIONS, step()), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let bench = Bench::new().await;
            let mut world = World { clients: Vec::new(), boxes: vec![Box_::default(), Box_::default()] };
            for nth in 0..SESSIONS {
                let mut client = bench.client().await;
                let qresync = nth == 2;
                if qresync {
                    client.ask("ENABLE QRESYNC").await;
                }
                world.clients.push((client, Belief { qresync, ..Belief::default() }));
                world.select(nth, 0, false).await;
            }
            for (who, step) in &steps {
                world.take(*who, step).await;
            }
            for who in 0..SESSIONS {
                world.take(who, &Step::Noop).await;
            }
        });
    }
}
