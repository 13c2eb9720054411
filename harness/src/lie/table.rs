//! The table of lies, by what they are about. A row reads: name, what it breaks, what is wrong; the
//! operations it is about, what has to hold, and what is done.

mod births;
mod counts;
mod ids;
mod joins;
mod lifetimes;
mod links;
mod parents;
mod races;
mod requests;
mod rights;

use super::Lie;

/// All of them.
pub(super) const TABLES: &[&[Lie]] = &[
    ids::LIES,
    joins::LIES,
    parents::LIES,
    births::LIES,
    lifetimes::LIES,
    rights::LIES,
    links::LIES,
    counts::LIES,
    requests::LIES,
    races::LIES,
];

/// The session keyring's id.
const SESSION: i64 = -3;

/// `"name" [requirements] "what is wrong": Operation | Operation, condition, condition => what is done;`
macro_rules! lies {
    ($($name:literal [$($breaks:literal),+] $says:literal: $($on:ident)|+ $(, $when:expr)* => $then:expr;)+) => {
        pub(super) const LIES: &[Lie] = &[$(Lie {
            name: $name,
            says: $says,
            breaks: &[$($breaks),+],
            on: &[$(Op::$on),+],
            when: &[$($when),*],
            then: $then,
        }),+];
    };
}
use lies;
