//! Any command that ends up in `skc worker`, and leads its input and output there: another
//! implementation's sandbox, another root, another machine.
//!
//! What the command does is its own affair. It is started once for each worker, under guard, and what it
//! prints beside the worker's frames is console text.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::unistd::pipe2;

use crate::guard::{Guarded, Streams};
use crate::local::{CONSOLE, WORKER, describe};
use crate::{Implementation, Life, Link, Runner};

/// What stands for the words that start a worker.
const HERE: &str = "{}";

/// Workers at the other end of a command.
pub struct Command {
    text: String,
    words: Vec<OsString>,
    skc: PathBuf,
    implementation: Option<Implementation>,
}

impl Command {
    /// The command as a shell would read it, without being one: quotes group, and nothing is expanded. The
    /// words that start a worker stand where it has `{}`, quoted where `{}` is part of a word, or else at
    /// its end. `program` is the path of `skc` where the worker is to run; without it, that of `skc` itself,
    /// which is the file that guards the command.
    pub fn new(
        text: &str,
        skc: &Path,
        program: Option<&Path>,
        implementation: Option<Implementation>,
    ) -> Result<Command, String> {
        let words = shell_words::split(text)
            .map_err(|_| format!("the command `{text}` has a quote without its end"))?;
        if words.is_empty() {
            return Err("the command is empty".into());
        }
        let path = program.unwrap_or(skc);
        let path = path.to_str().ok_or_else(|| format!("{} is no text", path.display()))?;
        let words = with_worker(&words, &[path.to_owned(), WORKER.to_owned()]);
        let text = text.trim().to_owned();
        Ok(Command {
            text,
            words: words.into_iter().map(OsString::from).collect(),
            skc: skc.to_owned(),
            implementation,
        })
    }
}

/// The words of a command with those that start a worker.
fn with_worker(words: &[String], worker: &[String]) -> Vec<String> {
    let mut found = false;
    let mut all = Vec::new();
    for word in words {
        found |= word.contains(HERE);
        match word.as_str() {
            HERE => all.extend_from_slice(worker),
            // Another shell is to take this word apart.
            word => all.push(word.replace(HERE, &shell_words::join(worker))),
        }
    }
    if !found {
        all.extend_from_slice(worker);
    }
    all
}

impl Runner for Command {
    fn start(&self) -> io::Result<Link> {
        let (input, orders) = pipe2(OFlag::O_CLOEXEC)?;
        let (words, output) = pipe2(OFlag::O_CLOEXEC)?;
        // A file takes whatever is written. Some sandboxes write each at a position of their own: so always
        // to the end.
        let console = File::from(memfd_create(c"console", MFdFlags::MFD_CLOEXEC)?);
        fcntl(&console, FcntlArg::F_SETFL(OFlag::O_APPEND))?;
        let streams =
            Streams { input: input.into(), output: output.into(), errors: console.try_clone()?.into() };
        let guarded = Guarded::start(&self.skc, &self.words, streams, Vec::new())?;
        Ok(Link { orders, words, shared: None, life: Box::new(Started { guarded, console, read: 0 }) })
    }

    fn place(&self) -> String {
        self.text.clone()
    }

    fn jobs(&self) -> usize {
        // Each worker may cost as much as a small machine does.
        const FOR_EACH_PROCESSOR: usize = 2;
        const MOST: usize = 16;
        let processors = thread::available_parallelism().map_or(1, usize::from);
        (FOR_EACH_PROCESSOR * processors).min(MOST)
    }

    fn implementation(&self) -> Option<&Implementation> {
        self.implementation.as_ref()
    }
}

struct Started {
    guarded: Guarded,
    console: File,
    read: u64,
}

impl Life for Started {
    fn kill(&mut self) {
        self.guarded.kill();
    }

    fn ended(&mut self, limit: Duration) -> Option<String> {
        match self.guarded.ended(limit) {
            Ok(status) => status.map(describe),
            Err(error) => Some(format!("is lost: {error}")),
        }
    }

    fn console(&mut self) -> Vec<String> {
        let mut text = vec![0; CONSOLE];
        let size = self.console.metadata().map_or(self.read, |facts| facts.len());
        // Of too much, the end says most.
        let from = self.read.max(size.saturating_sub(CONSOLE as u64));
        let count = self.console.read_at(&mut text, from).unwrap_or(0);
        self.read = from + count as u64;
        String::from_utf8_lossy(&text[..count]).lines().map(str::to_owned).collect()
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("runsc --network=none do", &["runsc", "--network=none", "do", "/a b/skc", "worker"])]
    #[case("ssh host {} 2", &["ssh", "host", "/a b/skc", "worker", "2"])]
    #[case("sh -c 'echo x; exec {}'", &["sh", "-c", "echo x; exec '/a b/skc' worker"])]
    #[case(r#"a "b  c" d\ e {}"#, &["a", "b  c", "d e", "/a b/skc", "worker"])]
    fn the_worker_stands_where_it_is_wanted(#[case] text: &str, #[case] words: &[&str]) {
        let command = Command::new(text, Path::new("/a b/skc"), None, None).unwrap();
        assert_eq!(command.words, words);
    }

    #[test]
    fn the_program_may_be_elsewhere() {
        let command =
            Command::new("chroot /x", Path::new("/skc"), Some(Path::new("/far/skc")), None).unwrap();
        assert_eq!(command.words, ["chroot", "/x", "/far/skc", "worker"]);
    }

    #[rstest]
    #[case("", "the command is empty")]
    #[case("sh -c 'x", "the command `sh -c 'x` has a quote without its end")]
    fn what_is_no_command_is_told(#[case] text: &str, #[case] why: &str) {
        assert_eq!(Command::new(text, Path::new("/skc"), None, None).err().as_deref(), Some(why));
    }
}
