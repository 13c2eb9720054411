//! What each format makes of the same runs.

mod common;
mod compare;
mod hostile;
mod json;
mod junit;
mod ktap;
mod summary;
mod terminal;
