//! The cases come with the program, and the malformed ones make up a test's list: a new or changed one
//! has to be built in.

fn main() {
    println!("cargo::rerun-if-changed=../cases");
    println!("cargo::rerun-if-changed=tests/malformed");
}
