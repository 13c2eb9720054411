//! Faults of our own: kernels that differ from the one that is there by one lie, and what shows that the
//! suite would catch them.
//!
//! A lie is told where questions and answers pass ([`Liar`]): an answer is altered, a call is not made
//! or made with something changed, or more calls are made than were asked for. What the lies are is data
//! ([`all`]); a plan names the one that is told while it is played. A lie that no case notices is a case
//! that is missing.

mod liar;
mod rule;
mod scene;
mod table;

use crate::case::{Act, Step};
use crate::ops::Op;

pub use liar::Liar;
use rule::{Then, When};

/// One wrong behaviour of a kernel.
#[derive(Debug)]
pub struct Lie {
    /// Its name.
    pub name: &'static str,
    /// What a kernel with it does wrong, in one sentence.
    pub says: &'static str,
    /// The requirements that such a kernel does not meet.
    pub breaks: &'static [&'static str],
    /// The operations that it is about.
    on: &'static [Op],
    /// What has to hold besides.
    when: &'static [When],
    then: Then,
}

/// The lie that is none: everything passes through, and beside each answer another call is made
/// for which nobody has asked and of which nobody is told.
pub const HONEST: Lie = Lie {
    name: "honest",
    says: "Nothing.",
    breaks: &[],
    on: &[],
    when: &[],
    then: Then::Also(rule::Whom::Asker, &[]),
};

/// Every lie.
pub fn all() -> impl Iterator<Item = &'static Lie> {
    table::TABLES.iter().flat_map(|lies| lies.iter())
}

/// The lie of this name.
pub fn find(name: &str) -> Option<&'static Lie> {
    std::iter::once(&HONEST).chain(all()).find(|lie| lie.name == name)
}

impl Lie {
    /// If there is one among some steps that the lie may be told about.
    pub fn concerns(&self, steps: &[Step]) -> bool {
        steps.iter().any(|step| match &step.act {
            Act::Call { call, .. } => self.on.contains(&call.op),
            Act::Together(steps) => self.concerns(steps),
            Act::Check { .. } | Act::Ends { .. } => false,
        })
    }

    /// If one of these requirements is broken by the lie.
    pub fn is_against(&self, covers: &[String]) -> bool {
        self.breaks.iter().any(|id| covers.iter().any(|covered| covered == id))
    }
}

#[cfg(test)]
mod tests;
