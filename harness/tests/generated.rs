//! The files that are made from the program are those that stand beside the cases, and the schema of records.
//!
//! `SKC_BLESS=1 cargo test -p harness --test generated` writes them anew.

use std::path::{Path, PathBuf};

use harness::case::schema::{manual, schema};
use rstest::rstest;

fn pretty(schema: &serde_json::Value) -> String {
    format!("{}\n", serde_json::to_string_pretty(schema).unwrap())
}

#[rstest]
#[case("cases/case.schema.json", pretty(&schema()))]
#[case("cases/operations.md", manual())]
#[case("reports/schema/records.schema.json", pretty(&harness::record::schema()))]
fn a_generated_file_is_fresh(#[case] name: &str, #[case] wanted: String) {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name);
    if std::env::var_os("SKC_BLESS").is_some() {
        std::fs::write(&path, &wanted).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == wanted, "{name} is stale: SKC_BLESS=1 cargo test -p harness --test generated");
}
