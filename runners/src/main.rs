//! skc.
fn main() {}
