//! The program as people and CI use it: exit codes, streams, files.

mod config;
mod coverage;
mod deviations;
mod export;
mod fixture;
mod files;
mod filters;
mod several;
mod shards;
mod stop;

use rstest::rstest;

use fixture::{Suite, skc};

#[rstest]
#[case::pass(&["good"], 0)]
#[case::fail(&["bad"], 1)]
#[case::fail_and_pass(&[], 1)]
#[case::as_recorded(&["known/deviates"], 0)]
#[case::unexpected_pass(&["known/passes"], 1)]
#[case::deviations_not_expected(&["known", "--deviations", "none"], 1)]
#[case::skipped(&["machine"], 4)]
#[case::nothing_covers_it(&["A-03"], 4)]
#[case::no_such_case(&["nonsense"], 2)]
#[case::no_such_option(&["--nonsense"], 2)]
#[case::wrong_shard(&["--shard", "3/2"], 2)]
#[case::wrong_order(&["--order", "random:x"], 2)]
#[case::wrong_time(&["--timeout", "10"], 2)]
#[case::no_jobs(&["--jobs", "0"], 2)]
#[case::no_baseline(&["--baseline", "/nonexistent"], 2)]
#[case::no_folder(&["good", "--report", "/dev/null/out"], 3)]
fn each_end_has_its_exit_code(#[case] args: &[&str], #[case] code: i32) {
    let suite = Suite::new();
    let output = suite.run(args);
    assert_eq!(output.code, code, "{}{}", output.out, output.err);
}

#[rstest]
#[case("child")]
#[case("sibling")]
fn an_exit_that_leaves_a_zombie_ends_all_threads(#[case] who: &str) {
    let suite = Suite::new();
    let steps = ["a: fork() -> child", "child: thread() -> sibling"];
    let end = format!("{who}: exit_unreaped() = ok");
    suite.case(
        "good/zombie",
        "A-01",
        "",
        &[&steps[..], &[&end, "a: wait(child) = 0"]].concat().join("\n  - "),
    );
    let output = suite.run(&["good/zombie", "--timeout", "2s"]);
    assert_eq!(output.code, 0, "{}{}", output.out, output.err);
}

#[test]
fn a_place_where_nothing_can_be_played_is_named() {
    let suite = Suite::new();
    // A user namespace without room for another one below it.
    let script = "echo 0 > /proc/sys/user/max_user_namespaces && exec \"$@\"";
    let skc = env!("CARGO_BIN_EXE_skc");
    let output = fixture::output(
        std::process::Command::new("unshare")
            .args(["-Ur", "sh", "-c", script, "sh", skc, "run", "good", "--cases"])
            .arg(suite.path()),
    );
    assert_eq!(output.code, 3, "{}{}", output.out, output.err);
    assert!(output.err.contains("the sysctl user.max_user_namespaces is 0"), "{}", output.err);
}

#[test]
fn a_malformed_case_stops_the_run_before_it_begins() {
    let suite = Suite::new();
    suite.write(
        "good/typo.yaml",
        "title: A\ncovers: [A-01]\nactors:\n  a: {uid: 0}\nsteps:\n  - a: getiud() = 0\n",
    );
    for command in [&["run"][..], &["check"], &["list"]] {
        let output = match command {
            ["check"] => skc(&["check", suite.path().to_str().unwrap()]),
            _ => skc(&[command, &["--cases", suite.path().to_str().unwrap()]].concat()),
        };
        assert_eq!(output.code, 2, "{}", output.err);
        assert!(output.out.is_empty(), "{}", output.out);
        for part in ["getiud", "typo.yaml:6:", "^^^^", "did you mean `getuid`?"] {
            assert!(output.err.contains(part), "{part}: {}", output.err);
        }
    }
}

#[test]
fn a_file_is_checked_as_part_of_its_folder() {
    let suite = Suite::new();
    let text = "title: Another\ncovers: [B-77]\nactors:\n  a: {uid: 0}\nsteps:\n  - a: getuid() = 0\n";
    suite.write("good/other.yaml", text);
    let check = |file: &str| skc(&["check", suite.path().join(file).to_str().unwrap()]);
    assert_eq!(check("good/nowhere.yaml").code, 2);
    assert_eq!(check("good/one.yaml").code, 0);
    let wrong = check("good/other.yaml");
    assert_eq!(wrong.code, 2);
    assert!(wrong.err.contains("no requirement `B-77`"), "{}", wrong.err);
    // So is a chapter.
    assert_eq!(check("bad").code, 0);
    assert_eq!(check("good").code, 2);
}

#[test]
fn the_cases_of_the_program_are_well_formed() {
    let output = skc(&["check"]);
    assert_eq!(output.code, 0, "{}", output.err);
    assert!(output.out.contains("no errors"), "{}", output.out);
}

#[rstest]
#[case::top(&["--help"], &["Examples:", "Exit codes:", "skc run --baseline", "130  interrupted"])]
#[case::run(&["run", "--help"], &["A FILTER is", "'join/*-denied'", "S2P-04", "Exit codes:", "[default: 10s]", "6 for each processor"])]
#[case::list(&["list", "--help"], &["A FILTER is", "--why"])]
#[case::compare(&["compare", "--help"], &["1  a regression"])]
#[case::bisect(&["bisect-run", "--help"], &["git bisect run sh -c 'make", "--mended", "125  untestable"])]
#[case::lava(&["lava-job", "--help"], &["lava-run --job-id 1", "--format ktap", "Exit codes:"])]
#[case::shard(&["run", "--help"], &["SLURM_ARRAY_TASK_ID", "JOB_COMPLETIONS", "CI_NODE_INDEX", "--shard-kernels"])]
#[case::coverage(&["coverage", "--help"], &["[RECORDS]... [FILTER]...", "'CVE-*'", "not played", "Exit codes:", "--summary"])]
#[case::report(&["report", "--help"], &["--format deviations", "Exit codes:", "--origin", "kcidb", "results.yaml"])]
#[case::schema(&["schema", "--help"], &["records.jsonl", "It changes when a reader has to"])]
fn the_help_teaches(#[case] args: &[&str], #[case] parts: &[&str]) {
    let output = skc(args);
    assert_eq!(output.code, 0);
    for part in parts {
        assert!(output.out.contains(part), "{part}: {}", output.out);
    }
    assert!(!output.out.contains("worker"), "a word of the machinery: {}", output.out);
}

#[rstest]
#[case::pipe(&[], None, false)]
#[case::always(&["--color", "always"], None, true)]
#[case::always_wins(&["--color", "always"], Some("1"), true)]
#[case::never(&["--color", "never"], None, false)]
#[case::no_color(&[], Some("1"), false)]
fn colours_come_where_they_are_wanted(
    #[case] args: &[&str],
    #[case] no_color: Option<&str>,
    #[case] coloured: bool,
) {
    let suite = Suite::new();
    for filter in ["bad", "nonsense"] {
        let mut command = suite.command(&[args, &[filter]].concat());
        match no_color {
            Some(value) => command.env("NO_COLOR", value),
            None => command.env_remove("NO_COLOR"),
        };
        let output = fixture::output(&mut command);
        let text = output.out + &output.err;
        assert_eq!(text.contains('\u{1b}'), coloured, "{text}");
    }
}

#[test]
fn a_failure_is_told_with_the_command_that_repeats_it() {
    let suite = Suite::new();
    let output = suite.run(&["bad"]);
    for part in ["FAIL bad/one", "expected  1", "observed  0", "repeat    skc run --cases"] {
        assert!(output.out.contains(part), "{part}: {}", output.out);
    }
}

#[test]
fn every_format_is_what_it_says() {
    let suite = Suite::new();
    let json = suite.run(&["--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(json["results"]["bad/one"], "fail");
    assert_eq!(json["results"]["known/deviates"], "deviation");
    assert_eq!(json["results"]["machine/one"], "skip");
    let ktap = suite.run(&["--format", "ktap"]);
    assert!(ktap.out.starts_with("KTAP version 1\n1..6\n"), "{}", ktap.out);
    assert_eq!(
        ktap.out.lines().filter(|line| line.starts_with("ok ") || line.starts_with("not ok ")).count(),
        6
    );
    let junit = suite.run(&["--format", "junit"]);
    assert!(junit.out.starts_with("<?xml"), "{}", junit.out);
    assert_eq!((json["summary"]["outcome"].as_str(), ktap.code, junit.code), (Some("failed"), 1, 1));
    let lava = suite.run(&["--format", "lava"]);
    assert_eq!(lava.out.matches("<LAVA_SIGNAL_TESTCASE ").count(), 6, "{}", lava.out);
    assert!(lava.out.contains("TEST_CASE_ID=known__deviates RESULT=pass>"), "{}", lava.out);
    assert!(lava.out.ends_with("<LAVA_SIGNAL_TESTSET STOP>\n"), "{}", lava.out);
    let kcidb: serde_json::Value = serde_json::from_str(&suite.run(&["--format", "kcidb"]).out).unwrap();
    assert_eq!(kcidb["tests"].as_array().unwrap().len(), 6);
    let tmt = suite.run(&["--format", "tmt"]).out;
    assert_eq!(tmt.lines().filter(|line| line.starts_with("- name: \"/")).count(), 6, "{tmt}");
    let markdown = suite.run(&["--format", "markdown"]).out;
    assert!(markdown.starts_with("## linux ") && markdown.contains("| failed | 1 |"), "{markdown}");
}

#[test]
fn a_reader_that_goes_away_is_no_error_of_ours() {
    let skc = env!("CARGO_BIN_EXE_skc");
    let output = fixture::output(std::process::Command::new("sh").args([
        "-c",
        "{ \"$0\" list; echo $? >&2; } | head -c 1",
        skc,
    ]));
    assert!(["0\n", "141\n"].contains(&output.err.as_str()), "{}", output.err);
}

#[test]
fn the_list_says_what_would_be_skipped() {
    let suite = Suite::new();
    let args = ["list", "--why", "--json", "--cases", suite.path().to_str().unwrap()];
    let entries: serde_json::Value = serde_json::from_str(&skc(&args).out).unwrap();
    let skip = |case: &str| {
        let entry = entries.as_array().unwrap().iter().find(|entry| entry["case"] == case);
        entry.unwrap()["skip"].clone()
    };
    assert_eq!(skip("good/one"), serde_json::Value::Null);
    assert_eq!(skip("machine/one"), "needs a VM");
}

#[test]
fn a_case_is_shown_with_what_it_stands_on() {
    let suite = Suite::new();
    let out = suite.beside("out");
    suite.run(&["known", "--report", &out]);
    let cases = suite.path().to_str().unwrap();
    let output = skc(&["show", "known/deviates", "--cases", cases, "--records", &out]);
    for part in ["getuid() = 1", "The second behaviour.", "it always was so", "deviation on linux"] {
        assert!(output.out.contains(part), "{part}: {}", output.out);
    }
    let near = skc(&["show", "known/deviate", "--cases", cases]);
    assert_eq!(near.code, 2);
    assert!(near.err.contains("did you mean `known/deviates`?"), "{}", near.err);
}
