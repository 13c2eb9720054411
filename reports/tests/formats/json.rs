use reports::json;

use crate::common::*;

#[test]
fn a_run_is_one_document() {
    let mut out = Vec::new();
    json::write(&mut out, &killed(vec![mask(), skip("c/d", "needs a VM"), deviation("a/b")], 1)).unwrap();
    insta::assert_snapshot!(String::from_utf8(out).unwrap());
}

/// `SKC_BLESS=1 cargo test -p reports --test formats` writes it anew.
#[test]
fn the_published_schema_is_fresh() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/report.schema.json");
    let wanted = format!("{}\n", serde_json::to_string_pretty(&json::schema()).unwrap());
    if std::env::var_os("SKC_BLESS").is_some() {
        std::fs::write(&path, &wanted).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == wanted, "{} is stale: SKC_BLESS=1 cargo test -p reports --test formats", path.display());
}
