//! What each format makes of the same runs.

mod common;
mod compare;
mod coverage;
mod deviations;
mod hostile;
mod job_summary;
mod json;
mod junit;
mod kcidb;
mod ktap;
mod lava;
mod matrix;
mod suite;
mod summary;
mod terminal;
mod tmt;
