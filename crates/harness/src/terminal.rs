//! A program whose stderr is a terminal, and the text that it draws there.

use std::{
    fs::File,
    io::Read,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread,
};

use rustix::{
    pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt},
    termios::{Winsize, tcsetwinsize},
};

use crate::until::until;

/// A program whose stderr is a terminal of 100 columns; killed when dropped
pub struct Terminal {
    child: Child,
    drawn: Arc<Mutex<Vec<u8>>>,
    reader: Option<thread::JoinHandle<()>>,
}

impl Terminal {
    /// Starts the program on a terminal with this number of rows, without colours unless the command has a `NO_COLOR` of its
    /// own.
    #[track_caller]
    pub fn start(command: &mut Command, rows: u16) -> Self {
        if !command.get_envs().any(|(name, _)| name == "NO_COLOR") {
            command.env("NO_COLOR", "1");
        }
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let peer = ioctl_tiocgptpeer(&master, flags).unwrap();
        tcsetwinsize(&master, Winsize { ws_row: rows, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        let child = command.stdout(Stdio::piped()).stderr(peer).spawn().unwrap();
        // The command would keep the terminal open after the program's end.
        command.stderr(Stdio::null());
        let drawn = Arc::<Mutex<Vec<u8>>>::default();
        let into = drawn.clone();
        let reader = thread::spawn(move || {
            let mut master = File::from(master);
            let mut bytes = [0; 4096];
            // An error means that no process has the other end open any more.
            while let Ok(length @ 1..) = master.read(&mut bytes) {
                into.lock().unwrap().extend_from_slice(&bytes[..length]);
            }
        });
        Self { child, drawn, reader: Some(reader) }
    }

    /// Its process ID
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Everything that the program has drawn so far.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.drawn.lock().unwrap()).into_owned()
    }

    /// Waits until the terminal shows this text.
    #[track_caller]
    pub fn wait_for(&self, words: &str) {
        until(&format!("{words:?} is on the terminal"), || self.text().contains(words).then_some(()));
    }

    /// Waits until the program ends; its status, everything that it drew, and its stdout.
    #[track_caller]
    pub fn end(mut self) -> (ExitStatus, String, String) {
        let status = until("the program ends", || self.child.try_wait().unwrap());
        self.reader.take().unwrap().join().unwrap();
        let mut stdout = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
        (status, self.text(), stdout)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
