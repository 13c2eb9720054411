//! An actor with a mailbox, as the stage sees it.

use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{Life, Player};
use crate::actor::life::{Arenas, begin_sharing};
use crate::actor::message::{Kind, Request};
use crate::actor::turn::reap;

/// A request with this number that does next to nothing.
fn request(id: u32) -> Vec<u8> {
    let mut request = Request::new(Kind::Calls);
    request.call(libc::SYS_getpid, &[]);
    request.encode(id, 0).unwrap()
}

/// A process that does not outlive the test, whatever comes of it.
struct Ended(i32);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(self.0), Signal::SIGKILL);
        reap(self.0);
    }
}

#[test]
fn requests_wait_for_the_answer_before_them_and_the_dead_do_not_answer() {
    let mut arenas = Arenas::default();
    let mut player = Player::new().unwrap();
    let actor = begin_sharing(player.remote, &mut arenas, &request(1)).unwrap();
    let process = Ended(actor.process);
    (player.life, player.mailbox) = (Life::Alive, Some(actor.mailbox));
    for id in [2, 3] {
        player.say(request(id)).unwrap();
    }
    let bell = arenas.bell();
    let await_answer = |player: &mut Player, id| {
        let answer = loop {
            match player.take().unwrap() {
                Some(answer) => break answer,
                None => bell.wait(Duration::from_secs(10)),
            }
        };
        assert_eq!((answer.id, answer.result), (id, process.0.into()));
    };
    await_answer(&mut player, 1);
    await_answer(&mut player, 2);
    // The third was asked when the second was taken, and is answered by and by.
    player.life = Life::Dead("it was killed".into());
    for _ in 0..50 {
        assert_eq!(player.take(), Ok(None));
        bell.wait(Duration::from_millis(1));
    }
    player.life = Life::Alive;
    await_answer(&mut player, 3);
}
