//! What a lie is made of: when it is told, and what is told then. Pure; the calls are made elsewhere.

use super::scene::Scene;
use crate::case::Abi;
use crate::judge::Observed;
use crate::ops::Op;
use crate::run::Question;
use crate::value::{Bytes, Errno, Value};

/// What has to hold for a lie to be told.
#[derive(Debug)]
pub(super) enum When {
    /// An argument of the call.
    Arg(usize, Is),
    /// The call succeeds, and with such a value.
    Gives(Is),
    /// It succeeds.
    Works,
    /// It fails with this error.
    Fails(i32),
    /// The caller has made such a call before, with such an argument, and it succeeded.
    Did(Op, usize, Is),
    /// The caller has made such a call before, and it succeeded.
    Past(Op),
    /// Somebody has.
    Ever(Op),
    /// It holds for the caller's parent.
    Parent(&'static When),
    /// What the caller is.
    By(Who),
    /// The call goes through the 32-bit entry.
    Compat,
    /// The call is made at the same time as others.
    Together,
    /// So many times all else has held before.
    From(u32),
    /// A keyring is known that has the name in the first argument.
    Namesake(Whose),
    /// The permission mask that anybody has set last.
    Mask(Is),
    Not(&'static When),
}

/// What a value is.
#[derive(Debug)]
pub(super) enum Is {
    Num(i64),
    /// A serial, not a special id.
    Serial,
    /// A number that does not fit in 32 bits.
    Wide,
    /// A number with all of these bits.
    Bits(i64),
    /// A number with none of these bits.
    Lacks(i64),
    Null,
    Bad,
    Text(&'static str),
    Starts(&'static str),
    Has(&'static str),
    /// A text of just so many bytes.
    Long(usize),
    /// A text of more than so many bytes.
    Longer(usize),
    /// A text that is no UTF-8.
    Raw,
    /// The caller's session keyring, by its serial.
    Session,
    /// A key that the caller has made.
    Mine,
    /// A key that somebody else has made.
    Theirs,
    /// A key whose maker has gone.
    Orphaned,
    /// A key of this type.
    Kind(&'static str),
    /// A description of which this field is so.
    Field(usize, &'static str),
    /// A line of which this word is so.
    Word(usize, &'static str),
    AnyOf(&'static [Is]),
}

/// What a caller is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Who {
    Root,
    Child,
    /// A child of a child.
    Grandchild,
    /// A thread that is not the first of its process.
    Thread,
    /// A thread of a process that has others.
    Threaded,
    /// Somebody without a session keryring of its own.
    Bare,
    /// Born by this operation.
    Born(Op),
    /// Born with these flags.
    BornWith(i64),
    /// Somebody whose parent has gone.
    Orphan,
    /// Somebody who was given a session keyring by a child.
    Given,
    /// A child whose parent has several threads.
    OfThreaded,
    /// A child whose parent is at work.
    OfBusy,
    /// A child whose parent was given a keyring, and has done nothing since.
    OfPending,
    /// A child with the session keyring of its parent.
    Sharing,
}

/// Whose a keyring of the wanted name is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Whose {
    Anybodys,
    SameUsers,
    AnotherUsers,
    /// It is the caller's session keyring.
    Current,
    /// It was made by add_key.
    Added,
}

/// What is done about a call.
#[derive(Debug)]
pub(super) enum Then {
    /// The call is made, and something else is told.
    Tells(Told),
    /// The call is not made, and this is told.
    Skips(Told),
    /// The call is made with another argument.
    Asks(usize, Arg),
    /// Another call is made in its place.
    Does(Op, &'static [Arg]),
    /// Somebody else makes the call.
    DoneBy(Whom),
    /// Other calls are made before it.
    First(Whom, &'static [Extra]),
    /// Other calls are made after it.
    Also(Whom, &'static [Extra]),
}

/// A call that nobody has asked for.
pub(super) type Extra = (Op, &'static [Arg]);

/// Who makes it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Whom {
    Asker,
    Newborn,
    TheParent,
    Siblings,
    Children,
    /// The other threads of the process.
    Threads,
    /// The first thread of the process.
    Leader,
    Everybody,
    /// Who has made the key in this argument.
    Maker(usize),
    /// Who has made such a call.
    Doer(Op),
    /// The parent of somebody whom clone made a child of another.
    Bearer,
}

/// An argument of a call.
#[derive(Debug)]
pub(super) enum Arg {
    Put(i64),
    PutText(&'static str),
    PutNull,
    /// The caller's parent.
    ParentsName,
    /// The argument of the call that was asked for.
    Same(usize),
    /// What the call gave.
    Result,
    /// The caller's session keyring, by its serial.
    TheSession,
    /// A number made from an argument.
    Made(usize, fn(i64) -> i64),
    /// A text made from an argument.
    Turned(usize, fn(&[u8]) -> Vec<u8>),
}

/// What is told in the place of the truth.
#[derive(Debug)]
pub(super) enum Told {
    Error(i32),
    Number(i64),
    Says(&'static str),
    /// The value of an argument.
    Equals(usize),
    OwnSession,
    FormerSession,
    /// The oldest keyring that has the name in the first argument.
    TheNamesake,
    YoungestNamesake,
    /// The oldest keyring of this name.
    KeyringNamed(&'static str),
    /// The oldest key whose type and name are so beside the name in the first argument.
    Like(fn(kind: &[u8], name: &[u8], wanted: &[u8]) -> bool),
    /// The serial that the same operation gave last.
    LastGiven,
    /// The one that it gave first.
    FirstGiven,
    /// What the same call gave when it last succeeded.
    Stale,
    Plus(i64),
    /// A description with these bits of the mask turned over.
    Flip(i64),
    /// A description with another field.
    Shows(usize, &'static str),
    /// A description of which a field is an id that the caller has set last.
    ShowsFrom(usize, Op, usize),
    /// A line with another word.
    Prints(usize, &'static str),
    /// A value made from the true one.
    Becomes(fn(Vec<u8>) -> Vec<u8>),
}

impl When {
    /// If it holds, as far as `From` is not concerned.
    pub(super) fn holds(&self, scene: &Scene, question: &Question, seen: Option<&Observed>) -> bool {
        let asker = question.actor.as_str();
        match self {
            When::Arg(at, is) => question.args.get(*at).is_some_and(|value| is.holds(scene, asker, value)),
            When::Gives(is) => {
                matches!(seen, Some(Observed::Value(value)) if is.holds(scene, asker, value))
            }
            When::Works => matches!(seen, Some(Observed::Value(_) | Observed::Born)),
            When::Fails(errno) => seen == Some(&Observed::Fails(Errno(*errno))),
            When::Did(op, at, is) => scene.done(asker).any(|(done, args)| {
                done == op && args.get(*at).is_some_and(|value| is.holds(scene, asker, value))
            }),
            When::Past(op) => scene.done(asker).any(|(done, _)| done == op),
            When::Ever(op) => scene.names().any(|name| scene.done(name).any(|(done, _)| done == op)),
            When::Parent(when) => scene.parent(asker).is_some_and(|parent| {
                when.holds(scene, &Question { actor: parent.to_owned(), ..question.clone() }, seen)
            }),
            When::By(who) => scene.is(asker, *who),
            When::Compat => question.abi == Abi::Compat32,
            When::Together => question.release.is_some(),
            When::From(_) => true,
            When::Namesake(whose) => scene.namesake(asker, &question.args, *whose).is_some(),
            When::Mask(is) => scene.mask.is_some_and(|mask| is.holds(scene, asker, &Value::Number(mask))),
            When::Not(when) => !when.holds(scene, question, seen),
        }
    }
}

impl Is {
    fn holds(&self, scene: &Scene, asker: &str, value: &Value) -> bool {
        let number = value.number();
        let text = match value {
            Value::Text(bytes) => Some(bytes.0.as_slice()),
            _ => None,
        };
        let maker = number.and_then(|serial| scene.maker(serial));
        match self {
            Is::Num(wanted) => number == Some(*wanted),
            Is::Serial => number.is_some_and(|number| number > 2),
            Is::Wide => number.is_some_and(|number| i32::try_from(number).is_err()),
            Is::Bits(bits) => number.is_some_and(|number| number & bits == *bits),
            Is::Lacks(bits) => number.is_some_and(|number| number & bits == 0),
            Is::Null => *value == Value::Null,
            Is::Bad => *value == Value::BadPointer,
            Is::Text(wanted) => text == Some(wanted.as_bytes()),
            Is::Starts(wanted) => text.is_some_and(|text| text.starts_with(wanted.as_bytes())),
            Is::Has(wanted) => {
                text.is_some_and(|text| text.windows(wanted.len()).any(|part| part == wanted.as_bytes()))
            }
            Is::Long(length) => text.is_some_and(|text| text.len() == *length),
            Is::Longer(length) => text.is_some_and(|text| text.len() > *length),
            Is::Raw => text.is_some_and(|text| std::str::from_utf8(text).is_err()),
            Is::Session => number.is_some_and(|number| number > 2 && scene.session(asker) == Some(number)),
            Is::Mine => maker == Some(asker),
            Is::Theirs => maker.is_some_and(|maker| maker != asker),
            Is::Orphaned => maker.is_some_and(|maker| scene.has_gone(maker)),
            Is::Kind(kind) => {
                number.is_some_and(|serial| scene.kind(serial).is_some_and(|known| known == kind.as_bytes()))
            }
            Is::Field(at, wanted) => {
                text.is_some_and(|text| fields(text).get(*at) == Some(&wanted.as_bytes()))
            }
            Is::Word(at, wanted) => text.is_some_and(|text| words(text).get(*at) == Some(&wanted.as_bytes())),
            Is::AnyOf(several) => several.iter().any(|is| is.holds(scene, asker, value)),
        }
    }
}

impl Arg {
    /// The argument, if there is what it is made of.
    pub(super) fn value(&self, scene: &Scene, question: &Question, seen: Option<&Observed>) -> Option<Value> {
        let args = &question.args;
        match self {
            Arg::Put(number) => Some(Value::Number(*number)),
            Arg::PutText(text) => Some(Value::Text((*text).into())),
            Arg::PutNull => Some(Value::Null),
            Arg::ParentsName => scene.parent(&question.actor).map(|name| Value::Name(name.to_owned())),
            Arg::Same(at) => args.get(*at).cloned(),
            Arg::Result => match seen {
                Some(Observed::Value(value)) => Some(value.clone()),
                _ => None,
            },
            Arg::TheSession => scene.session(&question.actor).map(Value::Number),
            Arg::Made(at, made) => args.get(*at)?.number().map(|number| Value::Number(made(number))),
            Arg::Turned(at, turned) => match args.get(*at)? {
                Value::Text(bytes) => Some(Value::Text(Bytes(turned(&bytes.0)))),
                _ => None,
            },
        }
    }
}

impl Told {
    /// What is told, if there is what it is made of and it is not the truth.
    pub(super) fn observed(
        &self,
        scene: &Scene,
        question: &Question,
        seen: Option<&Observed>,
        stale: Option<&Observed>,
    ) -> Option<Observed> {
        let asker = question.actor.as_str();
        let number = |number| Observed::Value(Value::Number(number));
        let truth = match seen {
            Some(Observed::Value(value)) => Some(value),
            _ => None,
        };
        let bytes = match truth {
            Some(Value::Text(bytes)) => Some(bytes.0.as_slice()),
            _ => None,
        };
        let text = |bytes| Observed::Value(Value::Text(Bytes(bytes)));
        let told = match self {
            Told::Error(errno) => Observed::Fails(Errno(*errno)),
            Told::Number(told) => number(*told),
            Told::Says(told) => Observed::Value(Value::Text((*told).into())),
            Told::Equals(at) => Observed::Value(question.args.get(*at)?.clone()),
            Told::OwnSession => number(scene.session(asker)?),
            Told::FormerSession => number(scene.former(asker)?),
            Told::TheNamesake => number(scene.namesake(asker, &question.args, Whose::Anybodys)?),
            Told::YoungestNamesake => number(scene.youngest(&question.args)?),
            Told::KeyringNamed(name) => number(scene.named(name)?),
            Told::Like(like) => number(scene.like(&question.args, *like)?),
            Told::LastGiven => number(scene.last_given?),
            Told::FirstGiven => number(scene.first_given?),
            Told::Stale => stale?.clone(),
            Told::Plus(more) => number(truth?.number()? + more),
            Told::Flip(bits) => {
                let mut parts: Vec<Vec<u8>> = fields(bytes?).into_iter().map(<[u8]>::to_vec).collect();
                let mask = i64::from_str_radix(std::str::from_utf8(parts.get(3)?).ok()?, 16).ok()?;
                *parts.get_mut(3)? = format!("{:08x}", mask ^ bits).into_bytes();
                text(parts.join(&b';'))
            }
            Told::Shows(at, told) => {
                let mut parts = fields(bytes?);
                *parts.get_mut(*at)? = told.as_bytes();
                text(parts.join(&b';'))
            }
            Told::ShowsFrom(at, op, argument) => {
                let set = |(done, args): (&Op, &[Value])| {
                    (done == op).then(|| args.get(*argument)?.number().filter(|id| *id >= 0)).flatten()
                };
                let id = scene.done(asker).filter_map(set).last()?.to_string();
                let mut parts = fields(bytes?);
                *parts.get_mut(*at)? = id.as_bytes();
                text(parts.join(&b';'))
            }
            Told::Prints(at, told) => {
                let mut parts = words(bytes?);
                *parts.get_mut(*at)? = told.as_bytes();
                text(parts.join(&b' '))
            }
            Told::Becomes(becomes) => text(becomes(bytes?.to_vec())),
        };
        (Some(&told) != seen).then_some(told)
    }
}

/// The fields of a description; the last is the name, which may hold semicolons.
fn fields(text: &[u8]) -> Vec<&[u8]> {
    text.splitn(5, |byte| *byte == b';').collect()
}

fn words(text: &[u8]) -> Vec<&[u8]> {
    text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).collect()
}
