//! The suite catches every lie that can be told on this kernel: `skc selfcheck`, whole.

use std::process::{Command, Stdio};

use serde_json::Value;

/// Fewer lies than that, told by root, would mean that the kernel lacks much, or the check is broken.
const AS_ROOT: u64 = 900;

#[test]
fn every_lie_is_caught() {
    let output = Command::new(env!("CARGO_BIN_EXE_skc"))
        .args(["selfcheck", "--format", "json"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}{err}"));
    let of = |word: &str| -> Vec<&Value> {
        report["lies"].as_array().unwrap().iter().filter(|lie| lie["came_to"] == word).collect()
    };
    assert_eq!(of("missed"), Vec::<&Value>::new());
    assert_eq!(output.status.code(), Some(0), "{err}");
    if nix::unistd::geteuid().is_root() {
        assert!(report["caught"].as_u64() >= Some(AS_ROOT), "{} caught", report["caught"]);
        // What was not asked is what this kernel cannot be asked, and not what nobody has thought of.
        for lie in of("not-asked") {
            let because = lie["because"].as_str().unwrap();
            assert!(["VM", "CONFIG_", "needs the "].iter().any(|word| because.contains(word)), "{lie}");
        }
    }
}

#[test]
fn what_the_lies_are_can_be_asked() {
    let list = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_skc"))
            .args(["selfcheck", "--list"])
            .args(args)
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, text) = list(&["S2P-01"]);
    assert_eq!(code, Some(0));
    assert!(text.contains("hand-over-does-nothing  ") && text.contains("[S2P-01]"), "{text}");
    assert!(list(&["S2P"]).1.lines().count() > text.lines().count());
    assert_eq!(list(&["hand-over-*"]).0, Some(0));
    assert_eq!(list(&["nonsense"]), (Some(2), String::new()));
    let (_, json) = list(&["S2P-01", "--format", "json"]);
    let entries: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(entries[0]["breaks"][0], "S2P-01");
}
