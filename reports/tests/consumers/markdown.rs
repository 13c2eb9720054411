//! The summary of a CI job, rendered by the program that GitHub's is made of.

use std::collections::BTreeSet;
use std::fs;
use std::process::{Command, Stdio};

use harness::record::Run;
use libtest_mimic::{Completion, Failed, Trial};
use reports::job_summary;
use reports::status::Status;
use reports::summary::Summary;

use crate::{runs, written};

/// The tags that may come of our text; a text of a case adds none.
const TAGS: [&str; 16] = [
    "b", "code", "details", "h2", "h3", "li", "p", "pre", "summary", "table", "tbody", "td", "th", "thead",
    "tr", "ul",
];

/// The tests of this file.
pub(crate) fn trials() -> Vec<Trial> {
    let trial = |(name, run): (&str, Run)| {
        Trial::ignorable_test(format!("cmark_gfm_reads_{name}"), move || {
            let version = Command::new("cmark-gfm").arg("--version").stdout(Stdio::null()).status();
            match version.is_ok_and(|status| status.success()) {
                false => {
                    Ok(Completion::ignored_with("cmark-gfm is not installed (Debian's package cmark-gfm)"))
                }
                true => read(&run).map(|()| Completion::Completed),
            }
        })
    };
    runs().into_iter().map(trial).collect()
}

fn read(run: &Run) -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("summary.md");
    fs::write(&path, written(|out| job_summary::write(out, std::slice::from_ref(run)))?)?;
    let output = Command::new("cmark-gfm")
        .args(["--unsafe", "--extension", "table"])
        .arg(path)
        .stdin(Stdio::null())
        .output()?;
    let html = String::from_utf8(output.stdout)?;
    let odd = tags(&html).into_iter().filter(|tag| !TAGS.contains(tag)).collect::<Vec<_>>();
    if !odd.is_empty() || html.contains("<!") {
        return Err(format!("a text is more than text: {odd:?}\n{html}").into());
    }
    let summary = Summary::of(run);
    let row = |name: &str, count: usize| {
        let row = format!("<td align=\"left\">{name}</td>\n<td align=\"right\">{count}</td>");
        html.contains(&row) || (count == 0 && !html.contains(&format!(">{name}</td>")))
    };
    for status in Status::ALL {
        if !row(status.words().counted, summary.count(status)) {
            return Err(format!("{status:?} is not counted as it is\n{html}").into());
        }
    }
    if !row("never ran", summary.missing) {
        return Err(format!("what never ran is not counted\n{html}").into());
    }
    // Each case that is to be looked at can be opened, with its explanation as it is.
    let concerns = summary.concerns.len();
    let groups = summary.skips.len() + summary.deviations.len();
    for (tag, count) in [
        ("<details>", concerns),
        ("</summary>", concerns),
        ("<pre><code class=\"language-text\">", concerns),
        ("</details>", concerns),
        ("<li>", groups),
    ] {
        if html.matches(tag).count() != count {
            return Err(format!("{} of {count} {tag}\n{html}", html.matches(tag).count()).into());
        }
    }
    Ok(())
}

/// The names of all tags.
fn tags(html: &str) -> BTreeSet<&str> {
    let names = html.split('<').skip(1).map(|rest| rest.trim_start_matches('/'));
    names
        .map(|rest| rest.split(|char: char| !char.is_ascii_alphanumeric()).next().unwrap_or_default())
        .collect()
}
