//! Writes a file and a set for as long as its standard input goes on: one number a line, which all their content repeats.

use std::{
    io::{self, BufRead},
    path::Path,
};

use files::{Directory, Member, Permissions, Set};

const PERMISSIONS: Permissions = Permissions::mode(0o640);

#[expect(clippy::unwrap_used, reason = "the test sees the end")]
fn main() {
    let directory = std::env::args_os().nth(1).unwrap();
    let volume = Directory::open(Path::new(&directory)).unwrap();
    volume.remove_leftovers("token").unwrap();
    volume.remove_leftovers("pair").unwrap();
    for line in io::stdin().lock().lines() {
        let line = line.unwrap();
        // A kill may also fall between these.
        let pair = volume.create_child("pair", 0o755).unwrap();
        let (short, long) = (format!("{line} ").repeat(10), format!("{line} ").repeat(1000));
        let member = |name, content| Member { name, content, permissions: PERMISSIONS };
        Set::new(&pair).write(&[member("user", short.as_bytes()), member("password", long.as_bytes())]).unwrap();
        volume.write_changed("token", long.as_bytes(), PERMISSIONS).unwrap();
    }
}
