//! The files and directories of a simulated disk: each as the process sees it, as stable storage has it, and what lies
//! in between. Knows nothing of calls, errors or power.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Component, Path};

use protocol::id::Timestamp;
use rustix::io::Errno;
use storage::disk::{Entry, FileFacts};

/// The number of a file or directory.
pub(super) type Inode = usize;

const ROOT: Inode = 0;

/// All there is on the disk.
#[derive(Clone)]
pub(super) struct Tree {
    /// By number. What nobody can reach any more stays: trees live for one short life.
    pub(super) nodes: Vec<Node>,
    /// Names that have changed since the directories they stand in were synced, the oldest first.
    pub(super) names: Vec<NameChange>,
}

#[derive(Clone)]
pub(super) enum Node {
    File(Body),
    Directory(Names),
}

/// What a file holds.
#[derive(Clone, Default)]
pub(super) struct Body {
    pub(super) seen: Vec<u8>,
    pub(super) durable: Vec<u8>,
    /// What was done to it since it was synced.
    pub(super) pending: Vec<Change>,
    pub(super) modified: Timestamp,
}

#[derive(Clone)]
pub(super) enum Change {
    Write { position: usize, bytes: Vec<u8> },
    Length(usize),
}

/// The names in a directory, in the order they came.
#[derive(Clone, Default)]
pub(super) struct Names {
    pub(super) seen: Vec<(OsString, Inode)>,
    pub(super) durable: Vec<(OsString, Inode)>,
}

/// What one call did to names: all of it reaches stable storage or none.
#[derive(Clone)]
pub(super) struct NameChange {
    pub(super) parts: Vec<(Inode, OsString, Option<Inode>)>,
}

impl Change {
    pub(super) fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Length(length) => bytes.resize(*length, 0),
            Self::Write { position, bytes: written } => {
                let end = position + written.len();
                if bytes.len() < end {
                    bytes.resize(end, 0);
                }
                bytes[*position..end].copy_from_slice(written);
            }
        }
    }
}

impl NameChange {
    pub(super) fn touches(&self, directory: Inode) -> bool {
        self.parts.iter().any(|(inode, ..)| *inode == directory)
    }

    /// Whether it makes no sense without `earlier`, which changed the same name.
    pub(super) fn rests_on(&self, earlier: &Self) -> bool {
        let same = |(directory, name, _): &(Inode, OsString, Option<Inode>)| {
            earlier.parts.iter().any(|(other, known, _)| other == directory && known == name)
        };
        self.parts.iter().any(same)
    }
}

pub(super) fn set(names: &mut Vec<(OsString, Inode)>, name: &OsStr, inode: Option<Inode>) {
    names.retain(|(known, _)| known != name);
    names.extend(inode.map(|inode| (name.to_owned(), inode)));
}

impl Tree {
    pub(super) fn new() -> Self {
        Self { nodes: vec![Node::Directory(Names::default())], names: Vec::new() }
    }

    pub(super) fn find(&self, path: &Path) -> io::Result<Inode> {
        let mut inode = ROOT;
        for part in path.components() {
            if let Component::Normal(name) = part {
                inode = self.entry(inode, name)?.ok_or(Errno::NOENT)?;
            }
        }
        Ok(inode)
    }

    fn entry(&self, directory: Inode, name: &OsStr) -> io::Result<Option<Inode>> {
        let names = self.directory(directory)?;
        Ok(names.seen.iter().find(|(known, _)| known == name).map(|(_, inode)| *inode))
    }

    pub(super) fn directory(&self, inode: Inode) -> io::Result<&Names> {
        match &self.nodes[inode] {
            Node::Directory(names) => Ok(names),
            Node::File(_) => Err(Errno::NOTDIR.into()),
        }
    }

    pub(super) fn body(&self, inode: Inode) -> io::Result<&Body> {
        match &self.nodes[inode] {
            Node::File(body) => Ok(body),
            Node::Directory(_) => Err(Errno::ISDIR.into()),
        }
    }

    fn body_mut(&mut self, inode: Inode) -> io::Result<&mut Body> {
        match &mut self.nodes[inode] {
            Node::File(body) => Ok(body),
            Node::Directory(_) => Err(Errno::ISDIR.into()),
        }
    }

    fn place<'p>(&self, path: &'p Path) -> io::Result<(Inode, &'p OsStr)> {
        let parent = path.parent().unwrap_or(Path::new("/"));
        Ok((self.find(parent)?, path.file_name().ok_or(Errno::INVAL)?))
    }

    fn rename_entries(&mut self, parts: Vec<(Inode, OsString, Option<Inode>)>) {
        for (directory, name, inode) in &parts {
            if let Node::Directory(names) = &mut self.nodes[*directory] {
                set(&mut names.seen, name, *inode);
            }
        }
        self.names.push(NameChange { parts });
    }

    pub(super) fn create_file(&mut self, path: &Path, now: Timestamp) -> io::Result<Inode> {
        let (parent, name) = self.place(path)?;
        if let Some(inode) = self.entry(parent, name)? {
            self.body(inode)?;
            return Ok(inode);
        }
        let inode = self.nodes.len();
        self.nodes.push(Node::File(Body { modified: now, ..Body::default() }));
        self.rename_entries(vec![(parent, name.to_owned(), Some(inode))]);
        Ok(inode)
    }

    pub(super) fn create_directory(&mut self, path: &Path) -> io::Result<()> {
        let (parent, name) = self.place(path)?;
        if self.entry(parent, name)?.is_some() {
            return Err(Errno::EXIST.into());
        }
        let inode = self.nodes.len();
        self.nodes.push(Node::Directory(Names::default()));
        self.rename_entries(vec![(parent, name.to_owned(), Some(inode))]);
        Ok(())
    }

    pub(super) fn unlink(&mut self, path: &Path) -> io::Result<()> {
        let (parent, name) = self.place(path)?;
        let inode = self.entry(parent, name)?.ok_or(Errno::NOENT)?;
        self.body(inode)?;
        self.rename_entries(vec![(parent, name.to_owned(), None)]);
        Ok(())
    }

    pub(super) fn remove_directory(&mut self, path: &Path) -> io::Result<()> {
        let (parent, name) = self.place(path)?;
        let inode = self.entry(parent, name)?.ok_or(Errno::NOENT)?;
        if !self.directory(inode)?.seen.is_empty() {
            return Err(Errno::NOTEMPTY.into());
        }
        self.rename_entries(vec![(parent, name.to_owned(), None)]);
        Ok(())
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let (old_parent, old_name) = self.place(from)?;
        let (new_parent, new_name) = self.place(to)?;
        let inode = self.entry(old_parent, old_name)?.ok_or(Errno::NOENT)?;
        if let Some(there) = self.entry(new_parent, new_name)?
            && let Node::Directory(names) = &self.nodes[there]
            && !names.seen.is_empty()
        {
            return Err(Errno::NOTEMPTY.into());
        }
        let gone = (old_parent, old_name.to_owned(), None);
        self.rename_entries(vec![gone, (new_parent, new_name.to_owned(), Some(inode))]);
        Ok(())
    }

    pub(super) fn write(
        &mut self,
        inode: Inode,
        position: u64,
        bytes: &[u8],
        now: Timestamp,
    ) -> io::Result<()> {
        let position = usize::try_from(position).map_err(|_| Errno::FBIG)?;
        self.change(inode, Change::Write { position, bytes: bytes.to_owned() }, now)
    }

    pub(super) fn set_length(&mut self, inode: Inode, length: u64, now: Timestamp) -> io::Result<()> {
        let length = usize::try_from(length).map_err(|_| Errno::FBIG)?;
        self.change(inode, Change::Length(length), now)
    }

    fn change(&mut self, inode: Inode, change: Change, now: Timestamp) -> io::Result<()> {
        let body = self.body_mut(inode)?;
        change.apply(&mut body.seen);
        body.pending.push(change);
        body.modified = now;
        Ok(())
    }

    pub(super) fn sync_file(&mut self, inode: Inode) -> io::Result<()> {
        let body = self.body_mut(inode)?;
        for change in std::mem::take(&mut body.pending) {
            change.apply(&mut body.durable);
        }
        Ok(())
    }

    /// What was not synced never will be, though the process still sees it: what a failed fsync leaves.
    pub(super) fn lose_pending(&mut self, inode: Inode) -> io::Result<()> {
        self.body_mut(inode)?.pending.clear();
        Ok(())
    }

    /// Makes the names of a directory durable, with all that they rest on.
    pub(super) fn sync_directory(&mut self, directory: Inode) {
        let names = std::mem::take(&mut self.names);
        let mut keep: Vec<bool> = names.iter().map(|change| change.touches(directory)).collect();
        for later in (0..names.len()).rev().filter(|later| keep[*later]).collect::<Vec<_>>() {
            for earlier in 0..later {
                keep[earlier] |= names[later].rests_on(&names[earlier]);
            }
        }
        for (change, keep) in names.into_iter().zip(keep) {
            if keep {
                self.make_durable(&change);
            } else {
                self.names.push(change);
            }
        }
    }

    pub(super) fn sync_all(&mut self) {
        for change in std::mem::take(&mut self.names) {
            self.make_durable(&change);
        }
        for node in &mut self.nodes {
            if let Node::File(body) = node {
                for change in std::mem::take(&mut body.pending) {
                    change.apply(&mut body.durable);
                }
            }
        }
    }

    pub(super) fn make_durable(&mut self, change: &NameChange) {
        for (directory, name, inode) in &change.parts {
            if let Node::Directory(names) = &mut self.nodes[*directory] {
                set(&mut names.durable, name, *inode);
            }
        }
    }

    pub(super) fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        let names = self.directory(self.find(path)?)?;
        let entry = |(name, inode): &(OsString, Inode)| Entry {
            name: name.clone(),
            directory: matches!(self.nodes[*inode], Node::Directory(_)),
        };
        Ok(names.seen.iter().map(entry).collect())
    }

    pub(super) fn facts(&self, path: &Path) -> io::Result<FileFacts> {
        let body = self.body(self.find(path)?)?;
        Ok(FileFacts { length: body.seen.len() as u64, modified: body.modified })
    }

    pub(super) fn set_modified(&mut self, path: &Path, modified: Timestamp) -> io::Result<()> {
        let inode = self.find(path)?;
        self.body_mut(inode)?.modified = modified;
        Ok(())
    }

    /// The bytes of all files that have a name.
    pub(super) fn used(&self) -> u64 {
        self.used_below(ROOT)
    }

    fn used_below(&self, inode: Inode) -> u64 {
        match &self.nodes[inode] {
            Node::File(body) => body.seen.len() as u64,
            Node::Directory(names) => names.seen.iter().map(|(_, inode)| self.used_below(*inode)).sum(),
        }
    }
}
