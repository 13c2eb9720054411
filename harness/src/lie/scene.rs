//! What a liar knows of the case that is played: who is whose child, which session keyring each has as far
//! as answers have told, and what was made by whom. It knows nothing that a case cannot know.

use std::collections::BTreeMap;

use super::rule::{Who, Whom, Whose};
use crate::case::{Actor, Session};
use crate::judge::Observed;
use crate::ops::Op;
use crate::run::Question;
use crate::value::Value;

const SESSION: i64 = -3;

/// The state of a case.
#[derive(Default)]
pub(super) struct Scene {
    people: BTreeMap<String, Person>,
    keys: Vec<Key>,
    /// The mask that was set last.
    pub(super) mask: Option<i64>,
    /// The serial that an operation of the lie gave last.
    pub(super) last_given: Option<i64>,
    /// The one that it gave first.
    pub(super) first_given: Option<i64>,
}

#[derive(Clone, Default)]
struct Person {
    uid: u32,
    parent: Option<String>,
    /// Who called clone, if that is not the parent.
    bearer: Option<String>,
    /// The first thread of the process.
    leader: String,
    birth: Option<(Op, i64)>,
    bare: bool,
    session: Option<i64>,
    former: Option<i64>,
    given: bool,
    pending: bool,
    /// An upcall is not there before it answers.
    is_there: bool,
    is_suspended: bool,
    is_busy: bool,
    done: Vec<(Op, Vec<Value>)>,
}

/// A key that the case has made or met.
struct Key {
    serial: i64,
    kind: Vec<u8>,
    name: Vec<u8>,
    maker: String,
    by: Op,
}

impl Scene {
    pub(super) fn new(actors: &[Actor]) -> Scene {
        let person = |actor: &Actor| Person {
            uid: actor.uid,
            leader: actor.name.clone(),
            bare: actor.session == Session::None,
            is_there: actor.upcall.is_none(),
            ..Person::default()
        };
        let people = actors.iter().map(|actor| (actor.name.clone(), person(actor))).collect();
        Scene { people, ..Scene::default() }
    }

    fn person(&self, name: &str) -> Option<&Person> {
        self.people.get(name)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.people.keys().map(String::as_str)
    }

    /// What somebody has done, oldest first.
    pub(super) fn done(&self, name: &str) -> impl Iterator<Item = (&Op, &[Value])> {
        self.person(name)
            .into_iter()
            .flat_map(|person| person.done.iter())
            .map(|(op, args)| (op, args.as_slice()))
    }

    pub(super) fn parent(&self, name: &str) -> Option<&str> {
        let person = self.person(name)?;
        let leader = self.person(&person.leader).unwrap_or(person);
        leader.parent.as_deref()
    }

    pub(super) fn session(&self, name: &str) -> Option<i64> {
        self.person(name)?.session
    }

    pub(super) fn former(&self, name: &str) -> Option<i64> {
        self.person(name)?.former
    }

    pub(super) fn has_gone(&self, name: &str) -> bool {
        self.person(name).is_none_or(|person| !person.is_there)
    }

    /// If somebody can be asked just now.
    pub(super) fn is_idle(&self, name: &str) -> bool {
        self.person(name).is_some_and(|person| person.is_there && !person.is_busy && !person.is_suspended)
    }

    fn key(&self, serial: i64) -> Option<&Key> {
        self.keys.iter().find(|key| key.serial == serial)
    }

    pub(super) fn maker(&self, serial: i64) -> Option<&str> {
        self.key(serial).map(|key| key.maker.as_str())
    }

    pub(super) fn kind(&self, serial: i64) -> Option<&[u8]> {
        self.key(serial).map(|key| key.kind.as_slice())
    }

    /// The oldest keyring with the name in the first argument.
    pub(super) fn namesake(&self, asker: &str, args: &[Value], whose: Whose) -> Option<i64> {
        let uid = |name: &str| self.person(name).map(|person| person.uid);
        self.namesakes(args)
            .find(|key| match whose {
                Whose::Anybodys => true,
                Whose::SameUsers => uid(&key.maker) == uid(asker),
                Whose::AnotherUsers => uid(&key.maker) != uid(asker),
                Whose::Current => self.session(asker) == Some(key.serial),
                Whose::Added => key.by == Op::AddKey,
            })
            .map(|key| key.serial)
    }

    pub(super) fn youngest(&self, args: &[Value]) -> Option<i64> {
        self.namesakes(args).last().map(|key| key.serial)
    }

    /// The oldest keyring of this name.
    pub(super) fn named(&self, name: &str) -> Option<i64> {
        self.keys
            .iter()
            .find(|key| key.kind == b"keyring" && key.name == name.as_bytes())
            .map(|key| key.serial)
    }

    fn namesakes(&self, args: &[Value]) -> impl Iterator<Item = &Key> {
        let wanted = match args.first() {
            Some(Value::Text(name)) => Some(name.0.clone()),
            _ => None,
        };
        self.keys.iter().filter(move |key| key.kind == b"keyring" && wanted.as_ref() == Some(&key.name))
    }

    pub(super) fn like(&self, args: &[Value], like: fn(&[u8], &[u8], &[u8]) -> bool) -> Option<i64> {
        let Some(Value::Text(wanted)) = args.first() else { return None };
        self.keys.iter().find(|key| like(&key.kind, &key.name, &wanted.0)).map(|key| key.serial)
    }

    pub(super) fn is(&self, name: &str, who: Who) -> bool {
        let Some(person) = self.person(name) else { return false };
        let parent = self.parent(name);
        let threads = |name: &str| self.threads(name).count();
        let of = |test: fn(&Person) -> bool| parent.and_then(|parent| self.person(parent)).is_some_and(test);
        match who {
            Who::Root => person.uid == 0,
            Who::Child => parent.is_some(),
            Who::Grandchild => parent.is_some_and(|parent| self.parent(parent).is_some()),
            Who::Thread => person.leader != name,
            Who::Threaded => threads(name) > 1,
            Who::Bare => person.bare,
            Who::Born(op) => person.birth.is_some_and(|(birth, _)| birth == op),
            Who::BornWith(flags) => person.birth.is_some_and(|(_, with)| with & flags == flags),
            Who::Orphan => of(|parent| !parent.is_there),
            Who::Given => person.given,
            Who::OfThreaded => parent.is_some_and(|parent| threads(parent) > 1),
            Who::OfBusy => of(|parent| parent.is_busy),
            Who::OfPending => of(|parent| parent.pending),
            Who::Sharing => parent.is_some_and(|parent| self.session(parent) == person.session),
        }
    }

    /// The living threads of somebody's process.
    fn threads(&self, name: &str) -> impl Iterator<Item = &str> {
        let leader = self.person(name).map(|person| person.leader.clone());
        self.people
            .iter()
            .filter(move |(_, person)| person.is_there && Some(&person.leader) == leader.as_ref())
            .map(|(name, _)| name.as_str())
    }

    /// Those who are meant beside somebody who asks a question.
    pub(super) fn those(&self, whom: Whom, question: &Question) -> Vec<String> {
        let asker = question.actor.as_str();
        let others = |test: &dyn Fn(&str, &Person) -> bool| -> Vec<String> {
            self.people
                .iter()
                .filter(|(name, person)| *name != asker && test(name, person))
                .map(|(name, _)| name.clone())
                .collect()
        };
        let one = |name: Option<&str>| name.into_iter().map(str::to_owned).collect();
        let parent = self.parent(asker);
        let leader = self.person(asker).map(|person| person.leader.as_str());
        match whom {
            Whom::Asker => vec![asker.to_owned()],
            Whom::Newborn => question.born.clone().into_iter().collect(),
            Whom::TheParent => one(parent),
            Whom::Siblings => others(&|_, person| parent.is_some() && person.parent.as_deref() == parent),
            Whom::Children => others(&|_, person| person.parent.as_deref() == Some(asker)),
            Whom::Threads => others(&|_, person| Some(person.leader.as_str()) == leader),
            Whom::Leader => one(leader),
            Whom::Everybody => others(&|_, _| true),
            Whom::Maker(at) => {
                one(question.args.get(at).and_then(Value::number).and_then(|serial| self.maker(serial)))
            }
            Whom::Doer(op) => others(&|name, _| self.done(name).any(|(done, _)| *done == op)),
            Whom::Bearer => one(self.person(asker).and_then(|person| person.bearer.as_deref())),
        }
    }

    /// Somebody is asked.
    pub(super) fn asked(&mut self, question: &Question) {
        if let Some(person) = self.people.get_mut(&question.actor) {
            person.is_busy = true;
            person.pending = false;
        }
    }

    /// Somebody has answered, and this is the truth.
    pub(super) fn answered(&mut self, question: &Question, seen: &Observed) {
        let name = question.actor.as_str();
        let Some(person) = self.people.get_mut(name) else { return };
        (person.is_busy, person.is_there) = (false, true);
        match seen {
            Observed::Born => self.born(question),
            Observed::Value(value) => self.succeeded(question, value),
            Observed::Fails(_) | Observed::Wrong(_) => return,
        }
        if let Some(person) = self.people.get_mut(name) {
            person.done.push((question.op, question.args.clone()));
        }
    }

    fn born(&mut self, question: &Question) {
        let (Some(child), Some(maker)) = (&question.born, self.people.get_mut(&question.actor)) else {
            return;
        };
        let flags = match question.op {
            Op::Clone | Op::Clone3 => question.args.first().and_then(Value::number).unwrap_or(0),
            Op::Vfork => i64::from(libc::CLONE_VFORK | libc::CLONE_VM),
            _ => 0,
        };
        maker.is_suspended = flags & i64::from(libc::CLONE_VFORK) != 0;
        let adopted = flags & i64::from(libc::CLONE_PARENT) != 0;
        let newborn = Person {
            parent: if adopted { maker.parent.clone() } else { Some(question.actor.clone()) },
            bearer: adopted.then(|| question.actor.clone()),
            leader: if question.op == Op::Thread { maker.leader.clone() } else { child.clone() },
            birth: Some((question.op, flags)),
            given: false,
            pending: false,
            is_there: true,
            is_suspended: false,
            is_busy: false,
            done: Vec::new(),
            ..maker.clone()
        };
        self.people.insert(child.clone(), newborn);
    }

    fn succeeded(&mut self, question: &Question, value: &Value) {
        let name = question.actor.clone();
        let first = question.args.first();
        let number = value.number().unwrap_or(0);
        let text = |at: usize| match question.args.get(at) {
            Some(Value::Text(bytes)) => bytes.0.clone(),
            _ => Vec::new(),
        };
        match question.op {
            Op::JoinSessionKeyring if number > 0 => {
                self.moves(&name, number);
                let wanted = if first == Some(&Value::Null) { b"_ses".to_vec() } else { text(0) };
                self.meets(number, b"keyring", &wanted, question);
            }
            Op::AddKey => self.meets(number, &text(0), &text(1), question),
            Op::GetKeyringId => {
                let uid = self.person(&name).map_or(0, |person| person.uid);
                match first.and_then(Value::number) {
                    Some(-1) => self.meets(number, b"keyring", b"_tid", question),
                    Some(-2) => self.meets(number, b"keyring", b"_pid", question),
                    // Its name is not known, and no name is like this.
                    Some(SESSION) => {
                        self.meets(number, b"keyring", b"\0", question);
                        self.moves(&name, number);
                    }
                    Some(-4) => self.meets(number, b"keyring", format!("_uid.{uid}").as_bytes(), question),
                    Some(-5) => {
                        self.meets(number, b"keyring", format!("_uid_ses.{uid}").as_bytes(), question)
                    }
                    _ => {}
                }
            }
            Op::GetPersistent => {
                let uid = self.person(&name).map_or(0, |person| person.uid);
                self.meets(number, b"keyring", format!("_persistent.{uid}").as_bytes(), question);
            }
            Op::Setperm => self.mask = question.args.get(1).and_then(Value::number),
            Op::SessionToParent => {
                let session = self.session(&name);
                let parent = self.parent(&name).map(str::to_owned);
                if let Some(parent) = parent.and_then(|parent| self.people.get_mut(&parent))
                    && parent.session != session
                {
                    (parent.given, parent.pending) = (true, true);
                    (parent.former, parent.session) = (parent.session, session);
                }
            }
            Op::Exec | Op::ExecSetuid | Op::ExecSetgid | Op::ExecFilecaps | Op::ExecScript => {
                self.resume_parent(&name);
                self.executes(&name);
            }
            Op::Exit | Op::ExitUnreaped => self.goes(&name),
            Op::Kill => {
                let deadly = question.args.get(1).and_then(Value::number) == Some(libc::SIGKILL.into());
                if let (true, Some(Value::Name(target))) = (deadly, first) {
                    self.goes(&target.clone());
                }
            }
            _ => {}
        }
    }

    fn moves(&mut self, name: &str, session: i64) {
        if let Some(person) = self.people.get_mut(name) {
            person.bare = false;
            if person.session != Some(session) {
                person.former = person.session.replace(session).or(person.former);
            }
        }
    }

    fn meets(&mut self, serial: i64, kind: &[u8], name: &[u8], question: &Question) {
        if self.key(serial).is_none() {
            let maker = question.actor.clone();
            self.keys.push(Key { serial, kind: kind.to_vec(), name: name.to_vec(), maker, by: question.op });
        }
    }

    fn goes(&mut self, name: &str) {
        self.resume_parent(name);
        if let Some(person) = self.people.get_mut(name) {
            person.is_there = false;
        }
    }

    /// A program that is executed ends all other threads, and its thread takes over the process.
    fn executes(&mut self, name: &str) {
        let Some(leader) = self.person(name).map(|person| person.leader.clone()) else { return };
        let parent = self.parent(name).map(str::to_owned);
        for (other, person) in &mut self.people {
            if other == name {
                (person.leader, person.parent) = (name.to_owned(), parent.clone());
            } else if person.leader == leader {
                person.is_there = false;
            }
        }
    }

    fn resume_parent(&mut self, name: &str) {
        let Some(person) = self.person(name) else { return };
        let maker = person.bearer.clone().or_else(|| person.parent.clone());
        let suspended = person.birth.is_some_and(|(_, flags)| flags & i64::from(libc::CLONE_VFORK) != 0);
        if let (true, Some(parent)) = (suspended, maker.and_then(|maker| self.people.get_mut(&maker))) {
            parent.is_suspended = false;
        }
    }
}
