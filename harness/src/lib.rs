//! The conformance suite's core: from a case file to a record of what a kernel did.
//!
//! Load, check, plan, play, judge, record. A module uses only those that stand before it. Nothing
//! here prints, starts a thread or runs a shell; runners place workers, and reports read records.

pub mod value;
pub mod ops;
pub mod case;
pub mod requirement;
pub mod target;
pub mod record;
pub mod deviation;
pub mod suite;
pub mod plan;
pub mod kconfig;
pub mod judge;
pub mod run;
pub mod lie;
pub mod actor;
pub mod stage;
pub mod wire;
pub mod worker;
pub mod export;
