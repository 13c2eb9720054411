use reports::json;

use crate::common::*;

#[test]
fn a_run_is_one_document() {
    let mut out = Vec::new();
    json::write(&mut out, &killed(vec![mask(), skip("c/d", "needs a VM"), deviation("a/b")], 1)).unwrap();
    insta::assert_snapshot!(String::from_utf8(out).unwrap());
}
