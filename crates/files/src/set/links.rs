//! The links of a set: `..data`, which names the current generation, and one for each file.

use std::{fs::File, io};

use rustix::{
    fs::{AtFlags, readlinkat, renameat, symlinkat, unlinkat},
    io::Errno,
};

use super::{Member, generation};

const CURRENT: &str = "..data";
/// Becomes `..data` by a rename; the kubelet's name for it
const NEXT: &str = "..data_tmp";

/// The generation that `..data` names. A link that leads anywhere else counts as none: it is replaced, never followed.
pub(super) fn current(directory: &File) -> io::Result<Option<String>> {
    Ok(target(directory, CURRENT)?.filter(|name| generation::is_name(name)))
}

/// Makes `..data` name this generation, in one step.
pub(super) fn publish(directory: &File, generation: &str) -> io::Result<()> {
    replace(directory, generation, CURRENT)
}

/// Removes `..data`, and the link that a killed writer left.
pub(super) fn unpublish(directory: &File) -> io::Result<()> {
    remove(directory, NEXT)?;
    remove(directory, CURRENT)
}

/// Makes the name of a file lead into `..data`, and returns whether it did not.
pub(super) fn lead_to_current(directory: &File, name: &str) -> io::Result<bool> {
    let wanted = path_in_current(name);
    if target(directory, name)?.as_deref() == Some(&*wanted) {
        return Ok(false);
    }
    replace(directory, &wanted, name).map(|()| true)
}

/// Removes the links of files that the set no longer has, and returns whether there were any.
pub(super) fn remove_others(directory: &File, members: &[Member]) -> io::Result<bool> {
    let mut is_changed = false;
    for name in generation::names(directory)? {
        let is_member = members.iter().any(|member| member.name == name);
        if !is_member && target(directory, &name)?.as_deref() == Some(&*path_in_current(&name)) {
            remove(directory, &name)?;
            is_changed = true;
        }
    }
    Ok(is_changed)
}

fn path_in_current(name: &str) -> String {
    format!("{CURRENT}/{name}")
}

/// The text of a link; `None` for whatever is not a link.
fn target(directory: &File, name: &str) -> io::Result<Option<String>> {
    match readlinkat(directory, name, Vec::new()) {
        Ok(text) => Ok(text.into_string().ok()),
        // EINVAL is what is not a link.
        Err(Errno::NOENT | Errno::INVAL) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Gives `name` a link with this text, in place of the file or link that is there.
fn replace(directory: &File, text: &str, name: &str) -> io::Result<()> {
    match symlinkat(text, directory, NEXT) {
        // A killed writer left it.
        Err(Errno::EXIST) => {
            remove(directory, NEXT)?;
            symlinkat(text, directory, NEXT)?;
        }
        made => made?,
    }
    let renamed = renameat(directory, NEXT, directory, name);
    if renamed.is_err() {
        let _ = unlinkat(directory, NEXT, AtFlags::empty());
    }
    Ok(renamed?)
}

fn remove(directory: &File, name: &str) -> io::Result<()> {
    match unlinkat(directory, name, AtFlags::empty()) {
        Err(Errno::NOENT) | Ok(()) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
