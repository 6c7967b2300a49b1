//! Files that change together: all of them are new, or all of them are old.
//!
//! The layout is that of the kubelet's volumes (`pkg/volume/util/atomic_writer.go`): the files lie in a directory of their own,
//! a *generation*; the link `..data` names it, and each file has a link `NAME -> ..data/NAME`. One rename of `..data` changes
//! all files.

mod generation;
mod links;

use std::io;

use self::generation::Generation;
use crate::{
    directory::{Directory, refuse_path},
    permissions::Permissions,
};

/// A file of a set
#[derive(Clone, Copy)]
pub struct Member<'a> {
    /// One component, which does not begin with `..`
    pub name: &'a str,
    /// All bytes
    pub content: &'a [u8],
    /// The file's own; the directories around it can be read by all
    pub permissions: Permissions,
}

/// The set of files in a directory that holds nothing else, and that only this process's user can write to
///
/// Only one process at a time may write it.
#[derive(Clone, Copy, Debug)]
pub struct Set<'a>(&'a Directory);

impl<'a> Set<'a> {
    /// The set in this directory
    pub fn new(directory: &'a Directory) -> Self {
        Self(directory)
    }

    /// Puts these files in place of all files of the set, and returns whether that was a change. An equal set stays as it
    /// is. The files are on the disk on return.
    ///
    /// On failure the former set stays. A kill at any moment leaves the former set or this one, and perhaps directories and
    /// links that the next write removes. The former generation stays for some seconds, and then until the next write, so
    /// that a reader that is on its way into it finds its files.
    pub fn write(&self, members: &[Member]) -> io::Result<bool> {
        refuse_names(members)?;
        let directory = self.0.descriptor();
        let current = links::current(directory)?;
        let is_changed = !current.as_deref().is_some_and(|name| generation::holds(directory, name, members));
        let name = if is_changed {
            let generation = Generation::write(directory, members)?;
            links::publish(directory, generation.name())?;
            let name = generation.keep();
            self.0.sync()?;
            if let Some(former) = &current {
                generation::mark_replaced(directory, former);
            }
            name
        } else {
            current.unwrap_or_default()
        };
        // After the swap, so that no link of a new name leads nowhere.
        let mut is_relinked = false;
        for member in members {
            is_relinked |= links::lead_to_current(directory, member.name)?;
        }
        is_relinked |= links::remove_others(directory, members)?;
        if is_relinked {
            self.0.sync()?;
        }
        generation::remove_old(directory, &name)?;
        Ok(is_changed || is_relinked)
    }

    /// Reads a file of the set, of at most `limit` bytes; `None` when there is no set or no such file in it. Links that lead
    /// elsewhere are not followed.
    pub fn read(&self, name: &str, limit: u64) -> io::Result<Option<Vec<u8>>> {
        refuse_path(name)?;
        match links::current(self.0.descriptor())? {
            Some(generation) => self.0.child(&generation)?.read(name, limit),
            None => Ok(None),
        }
    }

    /// Removes all files of the set with their links and generations, and leaves other files alone.
    pub fn remove(&self) -> io::Result<()> {
        let directory = self.0.descriptor();
        links::remove_others(directory, &[])?;
        links::unpublish(directory)?;
        generation::remove_all(directory)?;
        self.0.sync()
    }
}

/// Names that begin with `..` are those of the layout.
fn refuse_names(members: &[Member]) -> io::Result<()> {
    let wrong = |reason: &str| Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
    for (number, member) in members.iter().enumerate() {
        refuse_path(member.name)?;
        if member.name.starts_with("..") {
            return wrong("the name of a file in a set does not begin with two dots");
        }
        if members[..number].iter().any(|other| other.name == member.name) {
            return wrong("each file of a set has a name of its own");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
