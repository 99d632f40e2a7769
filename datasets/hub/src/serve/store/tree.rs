//! All files of one state of a repository.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::hash;
use super::record::{Commit, Entry};

/// The files by their paths.
#[derive(Clone, Debug, Default)]
pub struct Tree(BTreeMap<String, Leaf>);

/// A file, and the commit (by its place in the record) that made it what it is.
#[derive(Clone, Debug)]
pub struct Leaf {
    /// The contents.
    pub entry: Entry,
    /// The commit.
    pub commit: usize,
}

/// What stands in a listing.
#[derive(Clone, Copy, Debug)]
pub enum Item<'a> {
    /// A file.
    File(&'a str, &'a Leaf),
    /// A folder, by its path.
    Folder(&'a str),
}

impl Tree {
    /// Goes from one commit to the next.
    pub fn apply(&mut self, commit: &Commit, place: usize) {
        for path in &commit.gone {
            self.0.remove(path);
        }
        for (path, entry) in &commit.put {
            // Who writes the same again has not changed it.
            match self.0.get(path) {
                Some(leaf) if leaf.entry == *entry => {}
                _ => {
                    self.0.insert(path.clone(), Leaf { entry: entry.clone(), commit: place });
                }
            }
        }
    }

    /// A file.
    pub fn file(&self, path: &str) -> Option<&Leaf> {
        self.0.get(path)
    }

    /// Whether there is such a folder.
    pub fn has_folder(&self, path: &str) -> bool {
        path.is_empty() || self.below(path).next().is_some()
    }

    /// All files, in the order of their paths.
    pub fn files(&self) -> impl Iterator<Item = (&str, &Leaf)> {
        self.0.iter().map(|(path, leaf)| (path.as_str(), leaf))
    }

    /// All files in a folder and the folders in it.
    pub fn below<'a>(&'a self, folder: &str) -> impl Iterator<Item = (&'a str, &'a Leaf)> {
        let prefix = prefix(folder);
        let from = (Bound::Included(prefix.clone()), Bound::Unbounded);
        self.0
            .range::<String, _>(from)
            .take_while(move |(path, _)| path.starts_with(&prefix))
            .map(|(path, leaf)| (path.as_str(), leaf))
    }

    /// What is in a folder, and, if wanted, in the folders in it; each folder before what is in it.
    pub fn list<'a>(&'a self, folder: &str, recursive: bool) -> Vec<Item<'a>> {
        let skipped = prefix(folder).len();
        let (mut items, mut last) = (Vec::new(), "");
        for (path, leaf) in self.below(folder) {
            let mut nested = false;
            for (at, _) in path.match_indices('/').filter(|(at, _)| *at >= skipped) {
                let above = path.get(..at).unwrap_or_default();
                let seen = last.strip_prefix(above).is_some_and(|rest| rest.starts_with('/'));
                if !seen {
                    items.push(Item::Folder(above));
                }
                nested = true;
                if !recursive {
                    break;
                }
            }
            if recursive || !nested {
                items.push(Item::File(path, leaf));
            }
            last = path;
        }
        items
    }

    /// The newest commit among the files of a folder.
    pub fn newest(&self, folder: &str) -> Option<usize> {
        self.below(folder).map(|(_, leaf)| leaf.commit).max()
    }

    /// What git calls a folder.
    pub fn folder_hash(&self, folder: &str) -> String {
        // Git orders folders as if their names ended with a slash.
        let mut rows: Vec<(String, &str, &str, String)> = Vec::new();
        for item in self.list(folder, false) {
            let (path, mode, end, id) = match item {
                Item::File(path, leaf) => (path, "100644", "", leaf.entry.git.clone()),
                Item::Folder(path) => (path, "40000", "/", self.folder_hash(path)),
            };
            let name = path.get(prefix(folder).len()..).unwrap_or_default();
            rows.push((format!("{name}{end}"), name, mode, id));
        }
        rows.sort();
        let mut content = Vec::new();
        for (_, name, mode, id) in rows {
            content.extend_from_slice(format!("{mode} {name}\0").as_bytes());
            let digit = |at| id.get(at..at + 2).and_then(|two| u8::from_str_radix(two, 16).ok());
            content.extend((0..id.len()).step_by(2).filter_map(digit));
        }
        hash::git("tree", &content)
    }

    /// The file or folder that stands in the way of a file with this path.
    pub fn obstacle(&self, path: &str) -> Option<&str> {
        let above = path.match_indices('/').filter_map(|(at, _)| path.get(..at));
        let file = above.filter_map(|above| self.0.get_key_value(above)).map(|(path, _)| path);
        let file = file.map(String::as_str).next();
        file.or_else(|| self.below(path).next().map(|(path, _)| path))
    }
}

fn prefix(folder: &str) -> String {
    if folder.is_empty() { String::new() } else { format!("{folder}/") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::store::hash::Hash;

    fn tree(paths: &[&str]) -> Tree {
        let leaf = |content: &[u8]| Leaf {
            entry: Entry {
                sha256: Hash::of(&[0; 32]),
                size: content.len() as u64,
                git: hash::git("blob", content),
                large: false,
            },
            commit: 0,
        };
        Tree(paths.iter().map(|path| ((*path).to_owned(), leaf(path.as_bytes()))).collect())
    }

    fn names(items: &[Item<'_>]) -> Vec<String> {
        let name = |item: &Item<'_>| match item {
            Item::File(path, _) => (*path).to_owned(),
            Item::Folder(path) => format!("{path}/"),
        };
        items.iter().map(name).collect()
    }

    #[test]
    fn a_folder_is_listed_once_and_before_what_is_in_it() {
        let tree = tree(&["a", "b.txt", "b/c", "b/d/e", "b/d/f", "b0"]);
        assert_eq!(names(&tree.list("", false)), ["a", "b.txt", "b/", "b0"]);
        let all = ["a", "b.txt", "b/", "b/c", "b/d/", "b/d/e", "b/d/f", "b0"];
        assert_eq!(names(&tree.list("", true)), all);
        assert_eq!(names(&tree.list("b", false)), ["b/c", "b/d/"]);
        assert_eq!(names(&tree.list("b/d", true)), ["b/d/e", "b/d/f"]);
        assert!(tree.list("a", true).is_empty() && !tree.has_folder("a") && tree.has_folder("b"));
        assert_eq!(tree.obstacle("a/x"), Some("a"));
        assert_eq!(tree.obstacle("b/d"), Some("b/d/e"));
        assert_eq!(tree.obstacle("b/x"), None);
    }

    #[test]
    fn folders_have_gits_names() {
        // Made with `git write-tree`, of files whose content is their path.
        let tree = tree(&["a", "b.txt", "b/c", "b/d/e", "b/d/f", "b0"]);
        assert_eq!(tree.folder_hash(""), GIT_TREE);
    }

    const GIT_TREE: &str = "a6f54f16b664450cabf0738b5d412390bb5ad148";
}
