//! QEMU's monitor: QMP, as much of it as saving and restoring a machine takes.

use std::io::{self, IoSlice, Read, Write};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use serde_json::{Value, json};

/// How long an answer may take: QEMU may have to read or write all of a machine before it gives one.
const PATIENCE: Duration = Duration::from_secs(30);

/// The near end of a monitor.
pub(super) struct Monitor {
    stream: UnixStream,
    buffer: Vec<u8>,
}

impl Monitor {
    /// A monitor on a stream that QEMU holds the other end of.
    pub(super) fn new(stream: UnixStream) -> Monitor {
        Monitor { stream, buffer: Vec::new() }
    }

    /// Takes the greeting, and leaves the mode in which nothing else is understood.
    pub(super) fn greet(&mut self) -> io::Result<()> {
        let greeting = self.message(Instant::now() + PATIENCE)?;
        if greeting.get("QMP").is_none() {
            return Err(io::Error::other(format!("QEMU's monitor greets with {greeting}")));
        }
        self.execute("qmp_capabilities", json!({})).map(drop)
    }

    /// Executes a command and gives what it returns.
    pub(super) fn execute(&mut self, command: &str, arguments: Value) -> io::Result<Value> {
        let line = format!("{}\n", json!({ "execute": command, "arguments": arguments }));
        self.stream.write_all(line.as_bytes())?;
        self.answer(command)
    }

    /// Executes a command that takes a descriptor, and gives what it returns.
    pub(super) fn give(&mut self, command: &str, arguments: Value, fd: BorrowedFd) -> io::Result<Value> {
        let line = format!("{}\n", json!({ "execute": command, "arguments": arguments }));
        let fds = [fd.as_raw_fd()];
        let sent = sendmsg::<()>(
            self.stream.as_raw_fd(),
            &[IoSlice::new(line.as_bytes())],
            &[ControlMessage::ScmRights(&fds)],
            MsgFlags::empty(),
            None,
        )?;
        self.stream.write_all(&line.as_bytes()[sent..])?;
        self.answer(command)
    }

    /// Asks again and again until the answer is what is waited for.
    pub(super) fn until(
        &mut self,
        command: &str,
        mut ready: impl FnMut(&Value) -> io::Result<bool>,
    ) -> io::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        let mut pause = Duration::from_micros(500);
        while !ready(&self.execute(command, json!({}))?)? {
            if Instant::now() > deadline {
                return Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    format!("QEMU's {command} takes too long"),
                ));
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(10));
        }
        Ok(())
    }

    fn answer(&mut self, command: &str) -> io::Result<Value> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut message = self.message(deadline)?;
            // Events come whenever they like.
            if let Some(value) = message.get_mut("return") {
                return Ok(value.take());
            }
            if let Some(error) = message.get("error") {
                let what = error["desc"].as_str().unwrap_or("no reason given");
                return Err(io::Error::other(format!("QEMU refuses {command}: {what}")));
            }
        }
    }

    /// The next line of the stream.
    fn message(&mut self, deadline: Instant) -> io::Result<Value> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                return serde_json::from_slice(&line)
                    .map_err(|error| io::Error::other(format!("QEMU's monitor sends no JSON: {error}")));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "QEMU's monitor is silent"));
            }
            self.stream.set_read_timeout(Some(left))?;
            let mut chunk = [0; 4096];
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "QEMU has ended")),
                Ok(count) => self.buffer.extend_from_slice(&chunk[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader};

    /// A monitor whose far end answers each line with one of these texts.
    fn answered(greeting: &'static str, answers: &'static [&'static str]) -> Monitor {
        let (near, far) = UnixStream::pair().unwrap();
        std::thread::spawn(move || {
            let mut out = far.try_clone().unwrap();
            out.write_all(greeting.as_bytes()).unwrap();
            for (line, answer) in BufReader::new(far).lines().zip(answers) {
                line.unwrap();
                out.write_all(answer.as_bytes()).unwrap();
            }
        });
        Monitor::new(near)
    }

    const GREETING: &str = "{\"QMP\": {\"version\": {}}}\r\n";

    #[test]
    fn an_answer_is_found_among_events() {
        let mut monitor = answered(
            GREETING,
            &["{\"return\": {}}\n", "{\"event\": \"STOP\"}\n{\"return\": {\"status\": \"paused\"}}\n"],
        );
        monitor.greet().unwrap();
        assert_eq!(monitor.execute("query-status", json!({})).unwrap(), json!({ "status": "paused" }));
    }

    #[test]
    fn an_error_says_what_was_refused() {
        let mut monitor =
            answered(GREETING, &["{\"error\": {\"class\": \"x\", \"desc\": \"no such thing\"}}\n"]);
        let error = monitor.greet().unwrap_err();
        assert_eq!(error.to_string(), "QEMU refuses qmp_capabilities: no such thing");
    }

    #[test]
    fn the_end_of_qemu_is_no_answer() {
        let mut monitor = answered(GREETING, &[]);
        let kind = monitor.greet().unwrap_err().kind();
        assert!(
            matches!(
                kind,
                io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
            ),
            "{kind:?}"
        );
    }

    #[test]
    fn something_else_is_no_monitor() {
        assert!(answered("{\"hello\": 1}\n", &[]).greet().is_err());
        assert!(answered("garbage\n", &[]).greet().is_err());
    }
}
