//! The page of runs in a real browser: what its filters leave, and what a cell opens.
//!
//! The browser shows a file and gives the document that came of it. Where it is not installed, these tests are
//! ignored with the reason.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use harness::case::Version;
use harness::record::{CaseRecord, FORMAT, Footer, Header, Run, Shown, Standing, StepRecord, Verdict};
use harness::requirement::{Level, Requirement, Tier};
use harness::target::{Ids, Target};
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use reports::html::{Page, write};

/// Names of the browser, in the order in which they are looked for.
const BROWSERS: [&str; 2] = ["chromium", "google-chrome"];
/// What the file of every case holds.
const SOURCE: &str = "title: <b>\"A\" & 'B'</b>\n# </script><script>document.title = 'broken out'</script>";

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // A browser is several processes already.
    arguments.test_threads.get_or_insert(1);
    let trials = vec![
        trial("everything_is_shown_at_first", || {
            let shown = Browsed::at("")?;
            shown.rows(&[
                "join/fails",
                "join/good",
                "parent/<odd> & \"named\"",
                "parent/crash",
                "parent/new",
            ])?;
            shown.has("5 of 5 cases")?;
            shown.has(">6.12.1<")?;
            // What is wrong stands before the table.
            shown.has("<a href=\"#cell=join%2Ffails%406.12.1-qemu-tcg\">join/fails</a>")
        }),
        trial("words_are_searched_in_ids_titles_and_requirements", || {
            Browsed::at("q=PARENT+crash")?.rows(&["parent/crash"])?;
            Browsed::at("q=x-02+join")?.rows(&["join/good"])
        }),
        trial("verdicts_are_chosen", || {
            Browsed::at("verdict=fail,crash")?.rows(&["join/fails", "parent/crash"])
        }),
        trial("only_differences_are_left", || {
            Browsed::at("differ=1")?.rows(&["join/fails", "parent/crash", "parent/new"])
        }),
        trial("a_chapter_of_one_target", || {
            let shown = Browsed::at("chapter=join&target=6.1.90-qemu-tcg&verdict=fail")?;
            shown.rows(&[])?;
            Browsed::at("chapter=join&target=6.12.1-qemu-tcg&verdict=fail")?.rows(&["join/fails"])
        }),
        trial("requirements_show_the_worst_of_their_cases", || {
            let shown = Browsed::at("view=requirements&verdict=crash")?;
            shown.rows(&["X-01"])?;
            shown.has("X-01, 6.12.1: crash")?;
            shown.has("X-01, 6.1.90: pass")
        }),
        trial("a_cell_says_what_broke_where_and_how_to_repeat_it", || {
            let shown = Browsed::at("cell=join/fails@6.12.1-qemu-tcg")?;
            for told in [
                "<dialog id=\"cell\" aria-labelledby=\"cell-title\" open=\"\">",
                "alice: get_keyring_ID(@s, 0) = $new",
                "$new = 17   bound at line 8",
                "$old = 16   bound at line 6",
                "It holds.",
                "session-keyring(7)",
                "skc run --kernel debian-6.12 'join/fails'",
                "skc export --for linux-6.12 'join/fails' &gt; case.c",
            ] {
                shown.has(told)?;
            }
            // What is good needs no program that shows it.
            match Browsed::at("cell=join/good@6.12.1-qemu-tcg")?.has("'join/good' &gt; case.c") {
                Ok(()) => Err("a good cell has a program".into()),
                Err(_) => Ok(()),
            }
        }),
        trial("a_crash_shows_the_console", || {
            Browsed::at("cell=parent/crash@6.12.1-qemu-tcg")?.has("BUG: &lt;NULL&gt; &amp; more")
        }),
        trial("odd_names_and_sources_are_text", || {
            let shown = Browsed::at("cell=parent/%3Codd%3E%20%26%20%22named%22@6.1.90-qemu-tcg")?;
            shown.has("&lt;/script&gt;&lt;script&gt;document.title")?;
            shown.has("<title>Session keyring conformance</title>")
        }),
        trial("a_thousand_cases_on_thirty_kernels", a_thousand_cases),
    ];
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trial(name: &str, test: fn() -> Result<(), Failed>) -> Trial {
    Trial::ignorable_test(name, move || match browser() {
        None => {
            Ok(Completion::ignored_with("no browser is installed (Debian's package chromium)".to_owned()))
        }
        Some(_) => test().map(|()| Completion::Completed),
    })
}

fn browser() -> Option<&'static str> {
    let installed = |name: &&&str| {
        Command::new(name)
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|it| it.success())
    };
    BROWSERS.iter().find(installed).copied()
}

/// A page as a browser shows it.
struct Browsed {
    document: String,
}

impl Browsed {
    /// The page of two small runs at a fragment.
    fn at(fragment: &str) -> Result<Browsed, Failed> {
        Browsed::of(&runs(), fragment)
    }

    fn of(runs: &[Run], fragment: &str) -> Result<Browsed, Failed> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("page.html");
        let mut page = Vec::new();
        let requirements = [requirement("X-01"), requirement("X-02")];
        write(&mut page, &Page { runs, requirements: &requirements, source: &|_| Some(SOURCE) })?;
        std::fs::write(&file, page)?;
        let document = browse(folder.path(), &format!("file://{}#{fragment}", file.display()))?;
        Ok(Browsed { document })
    }

    fn has(&self, told: &str) -> Result<(), Failed> {
        match self.document.contains(told) {
            true => Ok(()),
            false => Err(format!("`{told}` is not in the page:\n{}", self.document).into()),
        }
    }

    /// The rows that are not hidden.
    fn rows(&self, wanted: &[&str]) -> Result<(), Failed> {
        let rows: Vec<String> = self
            .document
            .split("<tr class=\"row\">")
            .skip(1)
            .filter_map(|row| row.split_once("<span class=\"id\">")?.1.split_once("</span>"))
            .map(|(id, _)| id.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
            .collect();
        match rows == wanted {
            true => Ok(()),
            false => Err(format!("shown are {rows:?}, and not {wanted:?}").into()),
        }
    }
}

fn browse(profile: &Path, address: &str) -> Result<String, Failed> {
    let mut command = Command::new(browser().ok_or("no browser")?);
    command.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]);
    command.args(["--disable-background-networking", "--disable-component-update", "--disable-sync"]);
    command.arg(format!("--user-data-dir={}", profile.join("profile").display()));
    let output = command.args(["--virtual-time-budget=20000", "--dump-dom", address]).output()?;
    let document = String::from_utf8_lossy(&output.stdout).into_owned();
    match document.contains("</html>") {
        true => Ok(document),
        false => Err(format!("no page: {}", String::from_utf8_lossy(&output.stderr)).into()),
    }
}

fn requirement(id: &str) -> Requirement {
    Requirement {
        id: id.into(),
        tier: Tier::Core,
        level: Level::Must,
        says: "It holds.".into(),
        from: vec!["session-keyring(7)".into()],
        needs: Vec::new(),
        since: None,
        changed: None,
    }
}

fn run(release: &str, cases: Vec<CaseRecord>) -> Run {
    let target = Target {
        programs: Default::default(),
        implementation: "linux".into(),
        implementation_version: None,
        release: release.into(),
        version: Version::parse(release).unwrap_or(Version(6, 1)),
        machine: "x86_64".into(),
        place: "qemu tcg".into(),
        ids: Ids::Block,
        features: BTreeSet::new(),
    };
    let count = cases.len();
    let command =
        Some(format!("skc run --kernel debian-{}", release.rsplit_once('.').unwrap_or((release, "")).0));
    Run {
        header: Header {
            format: FORMAT,
            program: "0.1.0".into(),
            id: String::new(),
            target,
            started: 1_700_000_000,
            cases: count,
            part: None,
            command,
        },
        cases,
        footer: Some(Footer { cases: count, milliseconds: 3_210, interrupted: false }),
    }
}

fn case(id: &str, covers: &str, verdict: Verdict) -> CaseRecord {
    CaseRecord {
        case: id.into(),
        file: format!("cases/{id}.yaml"),
        title: format!("What {id} says"),
        covers: vec![covers.into()],
        verdict,
        standing: Standing::Plain,
        reason: None,
        steps: Vec::new(),
        microseconds: 1_500,
        console: Vec::new(),
    }
}

fn runs() -> Vec<Run> {
    use Verdict::{Crash, Fail, Pass};
    let bound =
        |name: &str, line, text: &str| Shown { text: text.into(), variable: Some((name.into(), line)) };
    let step = StepRecord {
        line: 11,
        text: "alice: get_keyring_ID(@s, 0) = $new".into(),
        met: false,
        expected: bound("new", 8, "17"),
        observed: bound("old", 6, "16"),
        microseconds: 20,
    };
    let failed = CaseRecord { steps: vec![step], ..case("join/fails", "X-01", Fail) };
    let console = vec!["BUG: <NULL> & more".to_owned()];
    let crashed = CaseRecord { console, ..case("parent/crash", "X-01", Crash) };
    let odd = "parent/<odd> & \"named\"";
    vec![
        run(
            "6.1.90",
            vec![
                case("join/fails", "X-01", Pass),
                case("join/good", "X-02", Pass),
                case(odd, "X-02", Verdict::Skip),
                case("parent/crash", "X-01", Pass),
            ],
        ),
        run(
            "6.12.1",
            vec![
                failed,
                case("join/good", "X-02", Pass),
                case(odd, "X-02", Verdict::Skip),
                crashed,
                case("parent/new", "X-01", Pass),
            ],
        ),
    ]
}

/// All of them are there, and the filters still work.
fn a_thousand_cases() -> Result<(), Failed> {
    let runs: Vec<Run> = (0..30)
        .map(|kernel| {
            let verdict = |number| if number == 777 && kernel == 29 { Verdict::Fail } else { Verdict::Pass };
            let cases = (0..1000).map(|number| {
                case(&format!("chapter-{}/case-{number}", number / 50), "X-01", verdict(number))
            });
            run(&format!("6.{kernel}.0"), cases.collect())
        })
        .collect();
    let shown = Browsed::of(&runs, "verdict=fail")?;
    shown.rows(&["chapter-15/case-777"])?;
    shown.has("1 of 1000 cases")?;
    match shown.document.matches("data-column=\"29\"").count() {
        1000 => Ok(()),
        others => Err(format!("{others} cells of the last kernel").into()),
    }
}
