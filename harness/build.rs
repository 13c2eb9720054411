//! The cases come with the program: a new or changed one has to be built in.

fn main() {
    println!("cargo::rerun-if-changed=../cases");
}
