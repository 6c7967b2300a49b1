//! The command that a helper becomes: the same process and environment, with fewer privileges where
//! the job asks for it.

use std::{ffi::OsString, io, os::unix::process::CommandExt, process::Command};

use rustix::{
    process::{Gid, Uid, getgroups},
    thread::{
        CapabilitySet, CapabilitySets, clear_ambient_capability_set, remove_capability_from_bounding_set,
        set_capabilities, set_no_new_privs, set_thread_groups, set_thread_res_gid, set_thread_res_uid,
    },
};

use crate::{
    exit::{End, Exit, User},
    io_text::io_text,
};

/// Replaces this process with the command, and returns only when that failed. The kernel resets the
/// signals that have a handler to their defaults (execve(2)); the standard library resets PIPE and
/// empties the signal mask. Ignored signals stay ignored.
pub(crate) fn become_command(words: &[OsString], user: Option<User>) -> End {
    let [program, arguments @ ..] = words else { return Exit::Bug.into() };
    if let Some(user) = user
        && let Err(error) = drop_privileges(user)
    {
        let User { user, group } = user;
        let last =
            format!("cannot become {user}:{group}: {error}; add SETUID and SETGID to the container's capabilities");
        return End { what: Some(program.display().to_string()), last: Some(last), ..Exit::Denied.into() };
    }
    let error = Command::new(program).args(arguments).exec();
    let exit = if error.kind() == io::ErrorKind::NotFound { Exit::NotFound } else { Exit::CannotRun };
    End { what: Some(program.display().to_string()), last: Some(io_text(&error)), ..exit.into() }
}

/// Gives this thread this user and group, and takes away every other group and all capabilities. It
/// also closes the way back to them, which programs with set-ID bits or file capabilities would
/// open.
///
/// Only this thread changes (capabilities(7), "C library/kernel differences"), and execve(2) ends
/// all the others.
fn drop_privileges(User { user, group }: User) -> io::Result<()> {
    let (user, group) = (Uid::from_raw(user), Gid::from_raw(group));
    for capability in CapabilitySet::all().iter() {
        // Few processes may do this. Without it, "no new privileges" prevents the same.
        let _ = remove_capability_from_bounding_set(capability);
    }
    if let Err(error) = set_thread_groups(&[]) {
        // A process without other groups has nothing to drop, and needs no permission for it.
        if getgroups()?.iter().any(|other| *other != group) {
            return Err(error.into());
        }
    }
    set_thread_res_gid(group, group, group)?;
    set_thread_res_uid(user, user, user)?;
    clear_ambient_capability_set()?;
    let none = CapabilitySet::empty();
    set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })?;
    Ok(set_no_new_privs(true)?)
}
