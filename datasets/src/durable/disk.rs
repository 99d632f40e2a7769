//! For tests: a disk that keeps no more than it must. Bytes that were not waited for are lost, torn or
//! kept, names that were not waited for are there or not, in any order.

use std::collections::{BTreeMap, HashMap};
use std::path::{Component, Path};

use fastrand::Rng;

use super::watch::Step;

/// What a power cut takes whole or not at all.
const SECTOR: usize = 512;
const ROOT: usize = 0;

/// A disk, as it is and as it would be found.
pub struct Disk {
    nodes: Vec<Node>,
    open: HashMap<u64, usize>,
    renames: usize,
}

enum Node {
    File { now: Vec<u8>, kept: Vec<u8>, waiting: Vec<Change> },
    Folder { now: BTreeMap<String, usize>, kept: BTreeMap<String, usize>, waiting: Vec<Entry> },
}

enum Change {
    Bytes(usize, Vec<u8>),
    Length(usize),
}

#[derive(Clone)]
struct Entry {
    name: String,
    /// What has the name from now on; none where it is taken away.
    to: Option<usize>,
    /// The rename that it is half of, and the folder with the other half.
    rename: Option<(usize, usize)>,
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Length(length) => bytes.resize(*length, 0),
            Self::Bytes(at, new) => {
                bytes.resize(bytes.len().max(at + new.len()), 0);
                bytes[*at..at + new.len()].copy_from_slice(new);
            }
        }
    }
}

fn enter(names: &mut BTreeMap<String, usize>, entry: &Entry) {
    match entry.to {
        Some(node) => names.insert(entry.name.clone(), node),
        None => names.remove(&entry.name),
    };
}

impl Disk {
    /// A disk that holds a folder, durably.
    pub fn of(folder: &Path) -> Self {
        let mut disk = Self { nodes: Vec::new(), open: HashMap::new(), renames: 0 };
        disk.load(folder);
        disk
    }

    fn load(&mut self, path: &Path) -> usize {
        let at = self.nodes.len();
        if path.is_file() {
            let bytes = std::fs::read(path).unwrap();
            self.nodes.push(Node::File { now: bytes.clone(), kept: bytes, waiting: Vec::new() });
            return at;
        }
        self.nodes.push(folder());
        let mut names = BTreeMap::new();
        for path in super::sorted(path).unwrap() {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            names.insert(name, self.load(&path));
        }
        self.nodes[at] = Node::Folder { now: names.clone(), kept: names, waiting: Vec::new() };
        at
    }

    fn find(&self, path: &Path) -> Option<usize> {
        path.components().try_fold(ROOT, |at, part| match (&self.nodes[at], part) {
            (Node::Folder { now, .. }, Component::Normal(name)) => now.get(name.to_str()?).copied(),
            _ => None,
        })
    }

    fn name(&mut self, path: &Path, to: Option<usize>, rename: Option<(usize, usize)>) {
        let folder = self.find(path.parent().unwrap()).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let entry = Entry { name, to, rename };
        let Node::Folder { now, waiting, .. } = &mut self.nodes[folder] else { panic!() };
        enter(now, &entry);
        waiting.push(entry);
    }

    fn change(&mut self, file: u64, change: Change) {
        let Some(Node::File { now, waiting, .. }) =
            self.open.get(&file).map(|at| &mut self.nodes[*at])
        else {
            panic!("file {file} is not open")
        };
        change.apply(now);
        waiting.push(change);
    }

    fn add(&mut self, node: Node) -> usize {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    /// Takes a step; paths begin with `root`.
    pub fn take(&mut self, root: &Path, step: &Step) {
        let below = |path: &Path| path.strip_prefix(root).unwrap().to_owned();
        match step {
            Step::Kept(_) => {}
            Step::Folder(path) => {
                let new = self.add(folder());
                self.name(&below(path), Some(new), None);
            }
            Step::Open { file, path, fresh } => {
                let path = below(path);
                let at = match self.find(&path) {
                    Some(at) => at,
                    None => {
                        let empty = (Vec::new(), Vec::new(), Vec::new());
                        let (now, kept, waiting) = empty;
                        let new = self.add(Node::File { now, kept, waiting });
                        self.name(&path, Some(new), None);
                        new
                    }
                };
                self.open.insert(*file, at);
                if *fresh {
                    self.change(*file, Change::Length(0));
                }
            }
            Step::Write { file, at, bytes } => {
                self.change(*file, Change::Bytes(*at as usize, bytes.clone()));
            }
            Step::SetLen { file, length } => self.change(*file, Change::Length(*length as usize)),
            Step::Sync { file } => self.sync(self.open[file]),
            Step::SyncPath(path) => self.sync(self.find(&below(path)).unwrap()),
            Step::Rename(from, to) => {
                let (from, to) = (below(from), below(to));
                let node = self.find(&from).unwrap();
                let folder = |path: &Path| self.find(path.parent().unwrap()).unwrap();
                let (source, target) = (folder(&from), folder(&to));
                self.renames += 1;
                self.name(&to, Some(node), Some((self.renames, source)));
                self.name(&from, None, Some((self.renames, target)));
            }
            Step::Remove(path) => self.remove(&below(path)),
        }
    }

    fn remove(&mut self, path: &Path) {
        let Some(at) = self.find(path) else { return };
        if let Node::Folder { now, .. } = &self.nodes[at] {
            for name in now.keys().cloned().collect::<Vec<_>>() {
                self.remove(&path.join(name));
            }
        }
        self.name(path, None, None);
    }

    fn sync(&mut self, at: usize) {
        match &mut self.nodes[at] {
            Node::File { now, kept, waiting } => {
                kept.clone_from(now);
                waiting.clear();
            }
            Node::Folder { now, kept, waiting } => {
                kept.clone_from(now);
                let entries = std::mem::take(waiting);
                // Neither half of a folder's move is kept without the other; and no file is taken
                // from its old place before it is in its new one.
                for (rename, other) in entries.iter().filter_map(|entry| entry.rename) {
                    let theirs = |entry: &Entry| entry.rename.is_some_and(|(id, _)| id == rename);
                    let moved = entries.iter().find(|entry| theirs(entry)).and_then(|e| e.to);
                    let is_folder =
                        moved.is_some_and(|at| matches!(self.nodes[at], Node::Folder { .. }));
                    if moved.is_some() && !is_folder {
                        continue;
                    }
                    let Node::Folder { kept, waiting, .. } = &mut self.nodes[other] else {
                        panic!()
                    };
                    if let Some(place) = waiting.iter().position(theirs) {
                        let entry = waiting.remove(place);
                        enter(kept, &entry);
                    }
                }
            }
        }
    }

    /// Writes what a power cut leaves into a folder that is empty.
    pub fn crash(&self, random: &mut Rng, to: &Path) {
        let mut found =
            Found { files: HashMap::new(), renames: HashMap::new(), bias: random.f64() };
        // One time in four nothing that may be lost is kept, one in four everything is.
        found.bias = [0.0, found.bias, found.bias, 1.0][random.usize(..4)];
        self.write(ROOT, random, &mut found, to);
    }

    fn write(&self, at: usize, random: &mut Rng, found: &mut Found, to: &Path) {
        match &self.nodes[at] {
            Node::File { kept, waiting, .. } => {
                let bias = found.bias;
                let bytes =
                    found.files.entry(at).or_insert_with(|| torn(kept, waiting, bias, random));
                std::fs::write(to, bytes).unwrap();
            }
            Node::Folder { kept, waiting, .. } => {
                let mut names = kept.clone();
                for entry in waiting {
                    if self.persists(entry, random, found) {
                        enter(&mut names, entry);
                    }
                }
                std::fs::create_dir_all(to).unwrap();
                for (name, node) in names {
                    self.write(node, random, found, &to.join(name));
                }
            }
        }
    }

    fn persists(&self, entry: &Entry, random: &mut Rng, found: &mut Found) -> bool {
        let kept = random.f64() < found.bias;
        let Some((rename, other)) = entry.rename else { return kept };
        let (in_place, gone) = *found.renames.entry(rename).or_insert_with(|| {
            let theirs = |entry: &&Entry| entry.rename.is_some_and(|(id, _)| id == rename);
            let Node::Folder { waiting, .. } = &self.nodes[other] else { panic!() };
            let half = waiting.iter().find(theirs);
            let in_place = kept || (entry.to.is_none() && half.is_none());
            let node = entry.to.or(half.and_then(|half| half.to));
            let whole = node.is_some_and(|at| matches!(self.nodes[at], Node::Folder { .. }));
            (in_place, in_place && (whole || random.f64() < found.bias))
        });
        if entry.to.is_some() { in_place } else { gone }
    }
}

/// What was decided about a power cut.
struct Found {
    files: HashMap<usize, Vec<u8>>,
    renames: HashMap<usize, (bool, bool)>,
    /// How likely something that may be lost is kept.
    bias: f64,
}

fn folder() -> Node {
    Node::Folder { now: BTreeMap::new(), kept: BTreeMap::new(), waiting: Vec::new() }
}

/// A file of whose last changes any may be missing, sector by sector.
fn torn(kept: &[u8], waiting: &[Change], bias: f64, random: &mut Rng) -> Vec<u8> {
    let mut bytes = kept.to_vec();
    for change in waiting {
        match change {
            Change::Length(_) if random.f64() < bias => change.apply(&mut bytes),
            Change::Length(_) => {}
            Change::Bytes(at, new) => {
                let mut from = 0;
                while from < new.len() {
                    let to = ((at + from) / SECTOR + 1) * SECTOR - at;
                    let part = &new[from..to.min(new.len())];
                    match random.f64() {
                        dice if dice < bias => {
                            Change::Bytes(at + from, part.to_vec()).apply(&mut bytes);
                        }
                        // The file has grown, but what it grew by was never written.
                        dice if dice < bias * 1.2 => {
                            let end = bytes.len().max(at + from + part.len());
                            Change::Length(end).apply(&mut bytes);
                        }
                        _ => {}
                    }
                    from += part.len();
                }
            }
        }
    }
    bytes
}
