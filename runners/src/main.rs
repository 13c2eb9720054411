//! The `skc` program.
fn main() {
    harness::actor::invoked(std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()));
}
