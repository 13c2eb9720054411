//! What each format makes of the same runs.

mod common;
mod compare;
mod coverage;
mod deviations;
mod hostile;
mod json;
mod junit;
mod ktap;
mod lava;
mod suite;
mod summary;
mod terminal;
