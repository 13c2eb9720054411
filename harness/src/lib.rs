//! The conformance suite's core: from a case file to a record of what a kernel did.
//!
//! The modules stand in the order in which data flows. Nothing here prints, starts a thread or runs
//! a shell; runners place workers, and reports read records.

pub mod value;
pub mod ops;
pub mod case;
pub mod requirement;
pub mod deviation;
pub mod suite;
pub mod target;
pub mod plan;
pub mod wire;
pub mod worker;
pub mod stage;
pub mod actor;
pub mod run;
pub mod judge;
pub mod record;
