//! Reports: what people and other programs read of a run.
//!
//! Everything here is made from [`harness::record`], and of a suite where its requirements or deviations
//! are what is told: nothing runs a case, opens a file or ends the process. Each format has a module; [`status`] is the one place where a verdict gets its word
//! in each of them.

pub mod status;
pub mod summary;
mod text;
mod difference;
mod explanation;
pub mod terminal;
pub mod ktap;
pub mod junit;
pub mod lava;
pub mod kcidb;
pub mod tmt;
pub mod json;
pub mod html;
mod markdown;
pub mod job_summary;
pub mod matrix;
pub mod coverage;
pub mod deviations;
pub mod compare;
pub mod targets;

use harness::target::Target;

/// A target in one line, fit to print: `linux 6.1.90 x86_64, qemu`.
pub fn target_line(target: &Target) -> String {
    let Target { implementation, release, machine, place, .. } = target;
    text::escape(&format!("{implementation} {release} {machine}, {place}"))
}
