//! What executes guests: found out by letting one boot.
//!
//! /dev/kvm may open, and QEMU may start with it, and the guest may still hang: nested virtualization
//! that does not work looks like that. So a guest is booted both ways at once. One that the processor
//! executes is ready long before one that is translated; if it is not, it never will be.

use std::fs::File;
use std::io;
use std::thread;
use std::time::Duration;

use crate::interrupt::Stop;
use crate::machine::Unready;

/// What executes the guest's instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accelerator {
    /// The machine's own processor.
    Kvm,
    /// QEMU's translator.
    Tcg,
}

impl Accelerator {
    /// Its name, as QEMU has it.
    pub fn name(self) -> &'static str {
        match self {
            Accelerator::Kvm => "kvm",
            Accelerator::Tcg => "tcg",
        }
    }
}

/// How long a guest may take that the processor executes.
const DEADLINE: Duration = Duration::from_secs(5);

/// Why KVM cannot be tried, if it cannot.
pub(super) fn why_not_kvm() -> Option<String> {
    let error = File::options().read(true).write(true).open("/dev/kvm").err()?;
    Some(match error.kind() {
        io::ErrorKind::NotFound => "there is no /dev/kvm".into(),
        _ => format!("/dev/kvm: {error}"),
    })
}

/// Boots a guest in two ways at once. What `boot` gets is how, how long it may take at most if it is not
/// to take its own time, and what ends it early. With KVM wins whoever can; what did not win is dropped.
pub(super) fn race<T: Send>(
    boot: impl Fn(Accelerator, Option<Duration>, &Stop) -> Result<T, Unready> + Sync,
) -> (Accelerator, Result<T, Unready>) {
    let (Ok(won), Ok(lost)) = (Stop::new(), Stop::new()) else {
        return (Accelerator::Tcg, Err(Unready::Hopeless("no pipe to be had".into())));
    };
    thread::scope(|scope| {
        let kvm = scope.spawn(|| {
            let booted = boot(Accelerator::Kvm, Some(DEADLINE), &lost);
            if booted.is_ok() {
                won.stop();
            }
            booted
        });
        let tcg = boot(Accelerator::Tcg, None, &won);
        lost.stop();
        match kvm.join() {
            Ok(Ok(booted)) => (Accelerator::Kvm, Ok(booted)),
            _ => (Accelerator::Tcg, tcg),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use std::time::Instant;

    /// A boot that takes so long unless it is ended, and then comes to this.
    fn boot(time: u64, end: &Stop, ready: bool) -> Result<&'static str, Unready> {
        let mut fds = [PollFd::new(end.watched(), PollFlags::empty())];
        let timeout = PollTimeout::try_from(Duration::from_millis(time)).unwrap();
        match (poll(&mut fds, timeout), ready) {
            (Ok(0), true) => Ok("ready"),
            (Ok(0), false) => Err(Unready::Failed("hung".into())),
            _ => Err(Unready::Stopped),
        }
    }

    #[test]
    fn kvm_wins_where_it_works() {
        let began = Instant::now();
        let (accelerator, booted) = race(|accelerator, _, end| match accelerator {
            Accelerator::Kvm => boot(20, end, true),
            Accelerator::Tcg => boot(20_000, end, true),
        });
        assert_eq!((accelerator, booted.ok()), (Accelerator::Kvm, Some("ready")));
        assert!(began.elapsed() < Duration::from_secs(10), "the loser is not waited for");
    }

    #[test]
    fn a_guest_that_hangs_under_kvm_is_given_up_when_the_other_is_ready() {
        let (accelerator, booted) = race(|accelerator, limit, end| match accelerator {
            Accelerator::Kvm => boot(limit.unwrap().as_millis() as u64, end, false),
            Accelerator::Tcg => boot(20, end, true),
        });
        assert_eq!((accelerator, booted.ok()), (Accelerator::Tcg, Some("ready")));
    }

    #[test]
    fn what_fails_both_ways_has_failed() {
        let (_, booted) = race(|_, _, end| boot(1, end, false));
        assert!(matches!(booted, Err(Unready::Failed(_))));
    }
}
