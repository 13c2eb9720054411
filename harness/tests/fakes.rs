//! Stages that are wrong in one known way, and the verdict that each must get.
//!
//! An honest model of session keyrings passes the case below; every lie is one difference from it, at
//! the level of answers. A lie that passed would be a kernel bug, or a defect of the harness, that
//! nobody sees.

use std::collections::{BTreeMap, VecDeque};
use std::thread::sleep;
use std::time::{Duration, Instant};

use harness::case::load::load;
use harness::case::{Version, limits};
use harness::judge::Observed;
use harness::ops::Op;
use harness::plan::plan;
use harness::record::{CaseRecord, Verdict};
use harness::run::{Lost, Question, Reply, Stage, run};
use harness::target::{Feature, Ids, Target};
use harness::value::{Errno, Value};
use rstest::rstest;

/// Line numbers count from the first line of this text.
const CASE: &str = r#"title: A fork shares the session keyring until one of the two joins another
covers: [FAKE-1]
actors:
  alice: {uid: 1000}
  watcher: {uid: 1000}
steps:
  - alice: join_session_keyring(NULL) -> $old
  - alice: get_keyring_ID(@s, 0) = $old
  - alice: describe($old) = "keyring;1000;1000;3f030000;_ses"
  - alice: join_session_keyring("") = EINVAL
  - alice: get_keyring_ID(@s, 0) = $old
  - alice: setperm($old, POS_ALL | USR_VIEW) = 0
  - alice: describe($old) = "keyring;1000;1000;3f010000;_ses"
  - alice: fork() -> child
  - child: get_keyring_ID(@s, 0) = $old
  - child: join_session_keyring("mine") -> $new
  - check: $new != $old
  - child: get_keyring_ID(@s, 0) = $new
  - child: read(@s) = {}
  - alice: get_keyring_ID(@s, 0) = $old
  - alice: nanosleep(1)
    starts: nap
  - times: 2
    together:
      - child: get_keyring_ID(@s, 0) = $new
      - watcher: describe($new) = "keyring;1000;1000;3f130000;mine"
  - ends: nap = 0
  - child: revoke(@s) = 0
  - child: get_keyring_ID(@s, 0) = EKEYREVOKED
  - child: exit() = ok
  - watcher: describe($new) = ENOKEY
    within: 100ms
  - alice: get_keyring_ID(@s, 0) = $old
    times: 3
"#;

/// How long an answer may take in these tests.
const LIMIT: Duration = Duration::from_millis(60);

/// The one thing that a stage does wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Lie {
    Nothing,
    // What a kernel may do wrong.
    SwallowedErrno,
    WrongErrno,
    ErrnoForSuccess,
    WrongSerial,
    StaleSessionAfterJoin,
    JoinMovesTheParentToo,
    RefusedJoinTakesEffect,
    ChildDoesNotInherit,
    MaskOffByOneBit,
    MaskIgnored,
    WrongOwner,
    WrongName,
    RevocationIgnored,
    NeverCollected,
    CollectedTooEarly,
    MembersOutOfNowhere,
    SerialHandedOutTwice,
    ThirdTimeDiffers,
    SecondTimeTogetherDiffers,
    Overrun,
    EverythingSucceeds,
    // What a harness or an actor may do wrong.
    ReplyTooLate,
    NoReply,
    ReplyTwice,
    LastReplyTwice,
    ReplyByAnother,
    ReplyToNobody,
    ActorDies,
    StepSkipped,
    BackgroundNeverEnds,
    OneOfTwoTogetherIsSilent,
}

struct Keyring {
    name: &'static str,
    uid: i64,
    mask: i64,
    revoked: bool,
    gone: bool,
}

/// An honest model, but for its lie.
struct Model {
    lie: Lie,
    sessions: BTreeMap<String, i64>,
    keyrings: BTreeMap<i64, Keyring>,
    replies: VecDeque<Reply>,
    next: i64,
    asked: u32,
}

impl Model {
    fn new(lie: Lie) -> Model {
        let mut model = Model {
            lie,
            sessions: BTreeMap::new(),
            keyrings: BTreeMap::new(),
            replies: VecDeque::new(),
            next: 700_000_001,
            asked: 0,
        };
        for actor in ["alice", "watcher"] {
            let serial = model.keyring("_ses", 0x3f03_0000);
            model.sessions.insert(actor.into(), serial);
        }
        model
    }

    fn keyring(&mut self, name: &'static str, mask: i64) -> i64 {
        if self.lie != Lie::SerialHandedOutTwice {
            self.next += 17;
        }
        let uid = if self.lie == Lie::WrongOwner { 1001 } else { 1000 };
        let name = if self.lie == Lie::WrongName { "_sess" } else { name };
        self.keyrings.insert(self.next, Keyring { name, uid, mask, revoked: false, gone: false });
        self.next
    }

    fn observe(&mut self, question: &Question) -> Observed {
        let actor = question.actor.clone();
        let session = self.sessions.get(&actor).copied().unwrap_or(0);
        let id = match question.args.first() {
            Some(Value::Number(-3)) | None => session,
            Some(value) => value.number().unwrap_or(0),
        };
        let errno = |number| Observed::Fails(Errno(number));
        let number = |number| Observed::Value(Value::Number(number));
        match question.op {
            Op::JoinSessionKeyring => match &question.args[0] {
                Value::Text(name) if name.0.is_empty() => {
                    if self.lie == Lie::RefusedJoinTakesEffect {
                        let serial = self.keyring("_ses", 0x3f03_0000);
                        self.sessions.insert(actor, serial);
                    }
                    match self.lie {
                        Lie::SwallowedErrno => number(0),
                        Lie::WrongErrno => errno(libc::EPERM),
                        _ => errno(libc::EINVAL),
                    }
                }
                name => {
                    let (name, mask) =
                        if *name == Value::Null { ("_ses", 0x3f03_0000) } else { ("mine", 0x3f13_0000) };
                    let serial = self.keyring(name, mask);
                    match (self.lie, actor.as_str()) {
                        (Lie::StaleSessionAfterJoin, "child") => {}
                        (Lie::JoinMovesTheParentToo, "child") => {
                            self.sessions.values_mut().for_each(|session| *session = serial);
                        }
                        _ => drop(self.sessions.insert(actor, serial)),
                    }
                    number(if self.lie == Lie::WrongSerial { serial + 1 } else { serial })
                }
            },
            Op::GetKeyringId => match self.keyrings.get(&id) {
                _ if self.lie == Lie::ErrnoForSuccess => errno(libc::EACCES),
                Some(keyring) if keyring.revoked && self.lie != Lie::RevocationIgnored => {
                    errno(libc::EKEYREVOKED)
                }
                Some(_)
                    if self.lie == Lie::SecondTimeTogetherDiffers
                        && question.release.is_some()
                        && self.asked > 16 =>
                {
                    number(id + 1)
                }
                Some(_) if self.lie == Lie::ThirdTimeDiffers && self.asked > 24 => number(id + 1),
                Some(_) => number(id),
                None => errno(libc::ENOKEY),
            },
            Op::Describe => match self.keyrings.get(&id) {
                Some(keyring) if !keyring.gone => {
                    let mask = keyring.mask ^ i64::from(self.lie == Lie::MaskOffByOneBit);
                    let text = format!("keyring;{};1000;{mask:08x};{}", keyring.uid, keyring.name);
                    Observed::Value(Value::Text(text.as_str().into()))
                }
                _ => errno(libc::ENOKEY),
            },
            Op::Setperm => {
                if let (Some(keyring), Some(mask)) = (self.keyrings.get_mut(&id), question.args[1].number())
                    && self.lie != Lie::MaskIgnored
                {
                    keyring.mask = mask;
                }
                number(0)
            }
            Op::Read if self.lie == Lie::Overrun => {
                Observed::Wrong("8 bytes written into a buffer of 4".into())
            }
            Op::Read => {
                let members = if self.lie == Lie::MembersOutOfNowhere { vec![9, 0, 0, 0] } else { vec![] };
                Observed::Value(Value::Text(harness::value::Bytes(members)))
            }
            Op::Fork => {
                let child = question.born.clone().unwrap_or_default();
                let inherited = match self.lie {
                    Lie::ChildDoesNotInherit => self.keyring("_ses", 0x3f03_0000),
                    _ => session,
                };
                self.sessions.insert(child, inherited);
                if self.lie == Lie::CollectedTooEarly {
                    self.keyrings.remove(&session);
                }
                Observed::Born
            }
            Op::Revoke => {
                if let Some(keyring) = self.keyrings.get_mut(&id) {
                    keyring.revoked = true;
                }
                number(0)
            }
            Op::Exit => {
                self.sessions.remove(&actor);
                if let Some(keyring) = self.keyrings.get_mut(&session) {
                    keyring.gone = self.lie != Lie::NeverCollected;
                }
                number(0)
            }
            _ => number(0),
        }
    }
}

impl Stage for Model {
    fn ask(&mut self, question: &Question) -> Result<(), Lost> {
        self.asked += 1;
        let (id, actor) = (question.id, question.actor.clone());
        let reply = |actor: String, observed| Reply { id, actor, observed };
        let observed = match self.lie {
            Lie::EverythingSucceeds if question.op == Op::Fork => Observed::Born,
            Lie::EverythingSucceeds => Observed::Value(Value::Number(0)),
            // The answer of a step that was never performed: what was last known to be true.
            Lie::StepSkipped if question.op == Op::Setperm => Observed::Value(Value::Number(0)),
            _ => self.observe(question),
        };
        match (self.lie, question.op) {
            (Lie::NoReply, Op::Fork) => return Ok(()),
            (Lie::BackgroundNeverEnds, Op::Nanosleep) => return Ok(()),
            (Lie::OneOfTwoTogetherIsSilent, Op::Describe) if question.release.is_some() => return Ok(()),
            (Lie::ActorDies, Op::Fork) => return Err(Lost("alice died: killed by SIGSEGV".into())),
            (Lie::ReplyByAnother, Op::Fork) => {
                self.replies.push_back(reply("watcher".into(), observed));
                return Ok(());
            }
            (Lie::ReplyToNobody, Op::Fork) => {
                self.replies.push_back(Reply {
                    id: id + 40,
                    actor: actor.clone(),
                    observed: observed.clone(),
                });
            }
            (Lie::ReplyTwice, Op::Fork) => self.replies.push_back(reply(actor.clone(), observed.clone())),
            (Lie::LastReplyTwice, _) if self.asked == 25 => {
                self.replies.push_back(reply(actor.clone(), observed.clone()));
            }
            _ => {}
        }
        self.replies.push_back(reply(actor, observed));
        Ok(())
    }

    fn reply(&mut self, until: Instant) -> Result<Option<Reply>, Lost> {
        if self.lie == Lie::ReplyTooLate {
            sleep(until.saturating_duration_since(Instant::now()) + Duration::from_millis(1));
        }
        if self.replies.is_empty() {
            sleep(until.saturating_duration_since(Instant::now()));
        }
        Ok(self.replies.pop_front())
    }
}

fn play(lie: Lie) -> CaseRecord {
    let case = load("fake.yaml", "fake", CASE.as_bytes()).expect("the case is well formed").remove(0);
    let target = Target {
        implementation: "linux".into(),
        implementation_version: None,
        release: "6.1.0".into(),
        version: Version(6, 1),
        machine: "x86_64".into(),
        place: "a model".into(),
        ids: Ids::Block,
        features: [Feature::Keys].into(),
        programs: [].into(),
    };
    let plan = plan(&case, &target, LIMIT).expect("nothing is missing");
    assert!(plan.limit > LIMIT && plan.limit < limits::WITHIN);
    run(&plan, &mut Model::new(lie))
}

#[test]
fn the_honest_model_passes() {
    let record = play(Lie::Nothing);
    assert_eq!((record.verdict, record.reason), (Verdict::Pass, None));
    assert_eq!(record.steps.len(), 22);
}

#[rstest]
#[case(Lie::SwallowedErrno, 10)]
#[case(Lie::WrongErrno, 10)]
#[case(Lie::ErrnoForSuccess, 8)]
#[case(Lie::WrongSerial, 8)]
#[case(Lie::StaleSessionAfterJoin, 18)]
#[case(Lie::JoinMovesTheParentToo, 20)]
#[case(Lie::RefusedJoinTakesEffect, 11)]
#[case(Lie::ChildDoesNotInherit, 15)]
#[case(Lie::MaskOffByOneBit, 9)]
#[case(Lie::MaskIgnored, 13)]
#[case(Lie::StepSkipped, 13)]
#[case(Lie::WrongOwner, 9)]
#[case(Lie::WrongName, 9)]
#[case(Lie::RevocationIgnored, 29)]
#[case(Lie::NeverCollected, 31)]
#[case(Lie::CollectedTooEarly, 15)]
#[case(Lie::MembersOutOfNowhere, 19)]
#[case(Lie::SerialHandedOutTwice, 17)]
#[case(Lie::ThirdTimeDiffers, 33)]
#[case(Lie::SecondTimeTogetherDiffers, 25)]
#[case(Lie::Overrun, 19)]
#[case(Lie::EverythingSucceeds, 9)]
fn a_wrong_kernel_fails_where_it_is_wrong(#[case] lie: Lie, #[case] line: u32) {
    let record = play(lie);
    assert_eq!(record.verdict, Verdict::Fail, "{:?}", record.reason);
    let last = record.steps.last().expect("a failed case has a failed step");
    assert_eq!((last.line, last.met), (line, false), "{:?}", record.reason);
    assert!(record.steps.iter().rev().skip(1).all(|step| step.met));
}

#[rstest]
#[case(Lie::ReplyTooLate, Verdict::Timeout, "line 7: alice did not answer within 0.06 s")]
#[case(Lie::NoReply, Verdict::Timeout, "line 14: alice did not answer")]
#[case(Lie::BackgroundNeverEnds, Verdict::Timeout, "line 27: alice did not answer")]
#[case(Lie::OneOfTwoTogetherIsSilent, Verdict::Timeout, "line 26: watcher did not answer")]
#[case(Lie::ReplyTwice, Verdict::Broken, "alice answered question 8 twice")]
#[case(Lie::LastReplyTwice, Verdict::Broken, "answered question")]
#[case(Lie::ReplyByAnother, Verdict::Broken, "watcher answered question 8, which was put to alice")]
#[case(Lie::ReplyToNobody, Verdict::Broken, "alice answered question 48 twice, or unasked")]
#[case(Lie::ActorDies, Verdict::Broken, "alice died: killed by SIGSEGV")]
fn a_wrong_harness_is_no_wrong_kernel(#[case] lie: Lie, #[case] verdict: Verdict, #[case] reason: &str) {
    let record = play(lie);
    assert_eq!(record.verdict, verdict, "{:?}", record.reason);
    let shown = record.reason.unwrap_or_default();
    assert!(shown.contains(reason), "{shown}");
}
