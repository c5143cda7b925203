//! What a process has done to the files below a directory, as `strace` has seen it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// The system calls that change files, and those that are needed to understand them.
pub(crate) const CALLS: &str = "openat,open,creat,close,read,lseek,write,writev,pwrite64,pwritev,pwritev2,\
    ftruncate,fallocate,fsync,fdatasync,rename,renameat,renameat2,link,linkat,unlink,unlinkat,rmdir,mkdir,mkdirat";

/// A file by the order of its creation; a name may change, this does not.
pub(crate) type FileId = usize;

/// Something that happened, in the order of completion.
#[derive(Debug)]
pub(crate) enum Event {
    Create {
        file: FileId,
        path: PathBuf,
    },
    MakeDir {
        path: PathBuf,
    },
    Rename {
        from: PathBuf,
        to: PathBuf,
    },
    Remove {
        path: PathBuf,
    },
    Write {
        file: FileId,
        offset: u64,
        data: Vec<u8>,
    },
    Resize {
        file: FileId,
        len: u64,
    },
    /// Makes sure of what happened to the file before `since`.
    SyncFile {
        file: FileId,
        since: usize,
    },
    /// Makes sure of the names in the directory, likewise.
    SyncDir {
        path: PathBuf,
        since: usize,
    },
    /// The process has said something.
    Output(String),
}

enum Open {
    File { file: FileId, position: u64, append: bool },
    Dir(PathBuf),
}

struct Reader<'r> {
    root: &'r Path,
    events: Vec<Event>,
    /// By name, as the process sees it.
    names: HashMap<PathBuf, FileId>,
    lens: Vec<u64>,
    open: HashMap<i64, Open>,
}

/// One finished call.
struct Call<'c> {
    name: &'c str,
    /// Arguments that are no strings.
    plain: Vec<&'c str>,
    strings: Vec<Vec<u8>>,
    result: i64,
    /// How many events there were when it began.
    since: usize,
}

/// Reads the output of `strace -f -xx -s …` and keeps what concerns files below `root`.
pub(crate) fn read(trace: &str, root: &Path) -> Vec<Event> {
    let mut reader =
        Reader { root, events: Vec::new(), names: HashMap::new(), lens: Vec::new(), open: HashMap::new() };
    // By process: the beginning of a call, and how many events there were then.
    let mut begun: HashMap<&str, (String, usize)> = HashMap::new();
    for line in trace.lines() {
        let Some((pid, text)) = line.split_once(' ') else { continue };
        let text = text.trim_start();
        let since = reader.events.len();
        if let Some(beginning) = text.strip_suffix("<unfinished ...>") {
            begun.insert(pid, (beginning.to_owned(), since));
        } else if let Some(rest) = text.strip_prefix("<... ") {
            let Some((_, end)) = rest.split_once("resumed>") else { continue };
            if let Some((beginning, since)) = begun.remove(pid) {
                reader.line(&(beginning + end), since);
            }
        } else {
            reader.line(text, since);
        }
    }
    reader.events
}

fn parse(text: &str, since: usize) -> Option<Call<'_>> {
    let (name, rest) = text.split_once('(')?;
    // The result stands behind the last equals sign, for strings are written in hexadecimal.
    let (arguments, result) = rest.rsplit_once(" = ")?;
    let result = result.split_whitespace().next()?.parse().ok()?;
    let (mut plain, mut strings) = (Vec::new(), Vec::new());
    for (i, piece) in arguments.split('"').enumerate() {
        if i % 2 == 1 {
            strings.push(unescape(piece));
        } else {
            let words = piece.split([',', ')', ' ']).map(str::trim);
            plain.extend(words.filter(|word| !word.is_empty()));
        }
    }
    Some(Call { name, plain, strings, result, since })
}

fn unescape(hex: &str) -> Vec<u8> {
    hex.split("\\x").skip(1).map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
}

impl Reader<'_> {
    fn line(&mut self, text: &str, since: usize) {
        if let Some(call) = parse(text, since)
            && call.result >= 0
        {
            self.call(&call);
        }
    }

    fn call(&mut self, call: &Call<'_>) {
        match call.name {
            "open" | "openat" | "creat" => self.opened(call),
            "close" => {
                self.open.remove(&number(&call.plain, 0));
            }
            "read" | "lseek" => self.moved(call),
            "write" | "writev" | "pwrite64" | "pwritev" | "pwritev2" => self.written(call),
            "ftruncate" | "fallocate" => self.resized(call),
            "fsync" | "fdatasync" => self.synced(call),
            "mkdir" | "mkdirat" => {
                if let Some(path) = self.path(call, 0) {
                    self.events.push(Event::MakeDir { path });
                }
            }
            "unlink" | "unlinkat" | "rmdir" => {
                if let Some(path) = self.path(call, 0) {
                    self.names.remove(&path);
                    self.events.push(Event::Remove { path });
                }
            }
            "rename" | "renameat" | "renameat2" => self.renamed(call),
            "link" | "linkat" => panic!("links are not understood: {:?}", call.strings),
            _ => {}
        }
    }

    /// The path in the given string argument, if it lies below the root.
    fn path(&self, call: &Call<'_>, string: usize) -> Option<PathBuf> {
        let bytes = call.strings.get(string)?;
        let mut path = PathBuf::from(String::from_utf8_lossy(bytes).into_owned());
        if path.is_relative()
            && let Some(Open::Dir(dir)) = self.open.get(&number(&call.plain, 0))
        {
            path = dir.join(path);
        }
        path.starts_with(self.root).then_some(path)
    }

    fn opened(&mut self, call: &Call<'_>) {
        self.open.remove(&call.result);
        let Some(path) = self.path(call, 0) else { return };
        let has = |flag: &str| call.plain.iter().any(|word| word.split('|').any(|one| one == flag));
        if let Some(&file) = self.names.get(&path) {
            if has("O_TRUNC") {
                self.lens[file] = 0;
                self.events.push(Event::Resize { file, len: 0 });
            }
            self.open.insert(call.result, Open::File { file, position: 0, append: has("O_APPEND") });
        } else if has("O_CREAT") || call.name == "creat" {
            let file = self.lens.len();
            self.lens.push(0);
            self.names.insert(path.clone(), file);
            self.events.push(Event::Create { file, path });
            self.open.insert(call.result, Open::File { file, position: 0, append: has("O_APPEND") });
        } else {
            self.open.insert(call.result, Open::Dir(path));
        }
    }

    fn moved(&mut self, call: &Call<'_>) {
        if let Some(Open::File { position, .. }) = self.open.get_mut(&number(&call.plain, 0)) {
            let moved = call.result as u64;
            *position = if call.name == "read" { *position + moved } else { moved };
        }
    }

    fn written(&mut self, call: &Call<'_>) {
        let mut data = call.strings.concat();
        data.truncate(call.result as usize);
        let fd = number(&call.plain, 0);
        match self.open.get_mut(&fd) {
            Some(Open::File { file, position, append }) => {
                let len = &mut self.lens[*file];
                let offset = match call.name {
                    "pwrite64" => number(&call.plain, 2) as u64,
                    "pwritev" | "pwritev2" => panic!("not understood: {}", call.name),
                    _ if *append => *len,
                    _ => *position,
                };
                let end = offset + data.len() as u64;
                if call.name != "pwrite64" {
                    *position = end;
                }
                *len = end.max(*len);
                self.events.push(Event::Write { file: *file, offset, data });
            }
            Some(Open::Dir(_)) => {}
            None if fd == 1 => {
                self.events.push(Event::Output(String::from_utf8_lossy(&data).into_owned()));
            }
            None => {}
        }
    }

    fn resized(&mut self, call: &Call<'_>) {
        if let Some(Open::File { file, .. }) = self.open.get(&number(&call.plain, 0)) {
            let len = match call.name {
                "ftruncate" => number(&call.plain, 1) as u64,
                _ => (number(&call.plain, 2) + number(&call.plain, 3)) as u64,
            };
            let len = if call.name == "ftruncate" { len } else { len.max(self.lens[*file]) };
            self.lens[*file] = len;
            self.events.push(Event::Resize { file: *file, len });
        }
    }

    fn synced(&mut self, call: &Call<'_>) {
        let since = call.since;
        match self.open.get(&number(&call.plain, 0)) {
            Some(Open::File { file, .. }) => self.events.push(Event::SyncFile { file: *file, since }),
            Some(Open::Dir(path)) => self.events.push(Event::SyncDir { path: path.clone(), since }),
            None => {}
        }
    }

    fn renamed(&mut self, call: &Call<'_>) {
        let (Some(from), Some(to)) = (self.path(call, 0), self.path(call, 1)) else { return };
        let moved: Vec<PathBuf> = self.names.keys().filter(|name| name.starts_with(&from)).cloned().collect();
        for name in moved {
            let file = self.names.remove(&name).unwrap();
            self.names.insert(moved_name(&name, &from, &to), file);
        }
        for open in self.open.values_mut() {
            if let Open::Dir(dir) = open
                && dir.starts_with(&from)
            {
                *dir = moved_name(dir, &from, &to);
            }
        }
        self.events.push(Event::Rename { from, to });
    }
}

/// The name of something in or at `from` after that has become `to`.
pub(crate) fn moved_name(name: &Path, from: &Path, to: &Path) -> PathBuf {
    match name.strip_prefix(from) {
        Ok(rest) if rest.as_os_str().is_empty() => to.to_owned(),
        Ok(rest) => to.join(rest),
        Err(_) => name.to_owned(),
    }
}

fn number(plain: &[&str], at: usize) -> i64 {
    plain.get(at).and_then(|word| word.parse().ok()).unwrap_or(-1)
}
