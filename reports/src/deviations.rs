//! The recorded deviations as a document in Markdown, fit to be sent to those who keep a target or its
//! pages.
//!
//! Each part has one target, and each entry stands for itself: what is claimed or asked, what is seen, where
//! the behaviour is written down, the case that shows it, and the command that repeats it.

use std::io::{self, Write};

use harness::case::{Case, Norm};
use harness::deviation::{self, At, Deviation, On};
use harness::record::{Run, Standing};
use harness::requirement::Requirement;
use harness::suite::Suite;
use harness::target::Target;

use crate::markdown::{block, code, item, paragraph, prose};
use crate::target_line;
use crate::text::{counted, words};

/// How many calls, cases or requirements are told with all that is known of them.
const FEW: usize = 6;

/// The document before it is written.
pub struct Document<'a> {
    suite: &'a Suite,
    /// The targets of the records, if there are any.
    targets: Option<Vec<&'a Target>>,
    parts: Vec<Part<'a>>,
    /// How many cases deviate in the records as no entry says: the records are of another suite.
    pub unexplained: usize,
}

/// What one target does.
struct Part<'a> {
    kind: Kind,
    entries: Vec<Entry<'a>>,
}

/// Whom a part is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// Those who keep pages about Linux.
    Documentation,
    /// Those who keep Linux.
    Kernels,
    /// Those who keep another implementation, or an unusual machine.
    Other(String),
}

struct Entry<'a> {
    deviation: &'a Deviation,
    /// The cases that it means or, with records, those that showed it.
    cases: Vec<&'a Case>,
    /// Where it was seen.
    seen: Vec<&'a Target>,
}

/// What the document is told besides.
pub struct Options<'o> {
    /// The version of the program.
    pub program: &'o str,
    /// The command that shows again what is recorded for a target, by some cases.
    pub repeat: &'o dyn Fn(&On, &[&Case]) -> String,
}

impl<'a> Document<'a> {
    /// Everything that is recorded.
    pub fn whole(suite: &'a Suite) -> Document<'a> {
        let entries = suite.deviations().iter().map(|deviation| Entry {
            deviation,
            cases: suite.meant_by(deviation),
            seen: Vec::new(),
        });
        Document { suite, targets: None, parts: parts(entries), unexplained: 0 }
    }

    /// What of it some runs showed, and on which targets.
    pub fn seen(suite: &'a Suite, runs: &'a [Run]) -> Document<'a> {
        let mut entries: Vec<Entry<'_>> = Vec::new();
        let mut unexplained = 0;
        for run in runs {
            let target = &run.header.target;
            let deviates = run.cases.iter().filter(|it| matches!(it.standing, Standing::Deviates { .. }));
            for record in deviates {
                let case = suite.case(&record.case);
                let shown = case.and_then(|case| {
                    Some((case, deviation::seen(suite.deviations(), case, record, target)?))
                });
                let Some((case, deviation)) = shown else {
                    unexplained += 1;
                    continue;
                };
                let at = entries.iter().position(|entry| std::ptr::eq(entry.deviation, deviation));
                let at = at.unwrap_or_else(|| {
                    entries.push(Entry { deviation, cases: Vec::new(), seen: Vec::new() });
                    entries.len() - 1
                });
                let entry = &mut entries[at];
                if !entry.cases.iter().any(|known| known.id == case.id) {
                    entry.cases.push(case);
                }
                if !entry.seen.contains(&target) {
                    entry.seen.push(target);
                }
            }
        }
        // In the order of the file, whatever came first.
        entries.sort_by_key(|entry| entry.deviation.place.start);
        entries.iter_mut().for_each(|entry| entry.cases.sort_by(|one, other| one.id.cmp(&other.id)));
        let targets = Some(runs.iter().map(|run| &run.header.target).collect());
        Document { suite, targets, parts: parts(entries.into_iter()), unexplained }
    }

    /// Writes it.
    pub fn write(&self, out: &mut impl Write, options: &Options<'_>) -> io::Result<()> {
        writeln!(out, "# Deviations\n\n{}\n", paragraph(&about(options.program)))?;
        if let Some(targets) = &self.targets {
            writeln!(out, "Told here is what was seen on\n")?;
            targets.iter().try_for_each(|target| writeln!(out, "{}", item(&prose(&target_line(target)))))?;
            writeln!(out)?;
        }
        match (self.parts.is_empty(), &self.targets) {
            (true, None) => writeln!(out, "Nothing is recorded."),
            (true, Some(_)) => writeln!(out, "Nothing of what is recorded was seen."),
            (false, _) => self.parts.iter().try_for_each(|part| self.part(out, part, options)),
        }
    }

    fn part(&self, out: &mut impl Write, part: &Part<'_>, options: &Options<'_>) -> io::Result<()> {
        let (title, says) = match &part.kind {
            Kind::Documentation => (
                "Documentation of Linux".to_owned(),
                "Claims of manual pages and of the kernel's own documentation that no kernel honours."
                    .to_owned(),
            ),
            Kind::Kernels => {
                ("Linux kernels".to_owned(), "Kernels that do not do what is asked of them.".to_owned())
            }
            Kind::Other(name) => (prose(name), format!("What {} does otherwise than Linux.", prose(name))),
        };
        writeln!(out, "## {title}\n\n{}\n", paragraph(&says))?;
        for (at, entry) in part.entries.iter().enumerate() {
            writeln!(out, "### {}. {}\n", at + 1, heading(entry))?;
            self.entry(out, entry, &part.kind, options)?;
        }
        Ok(())
    }

    fn entry(
        &self,
        out: &mut impl Write,
        entry: &Entry<'_>,
        kind: &Kind,
        options: &Options<'_>,
    ) -> io::Result<()> {
        let deviation = entry.deviation;
        let files = files(&entry.cases);
        // The title is the heading already.
        if let ([_], Some(about)) =
            (files.as_slice(), entry.cases.first().and_then(|case| case.about.as_ref()))
        {
            let of_what = if *kind == Kind::Documentation { "The claim" } else { "What is asked" };
            writeln!(out, "{}\n", paragraph(&format!("{of_what}: {}", prose(about))))?;
        }
        writeln!(out, "{}\n", paragraph(&prose(&deviation.because)))?;
        self.places(out, entry, kind)?;
        self.requirements(out, &self.suite.covered_by(&entry.cases), kind)?;
        self.cases(out, entry, &files)?;
        let shown = self.shown_by(entry);
        let command = (options.repeat)(&deviation.on, &shown);
        writeln!(out, "To repeat it:\n\n    {}\n", words(&command))?;
        match &deviation.link {
            Some(link) => writeln!(out, "{}\n", paragraph(&format!("Reported: {}", address(link)))),
            None => Ok(()),
        }
    }

    /// Where it is recorded, unless that is what the part is about, and where it was seen.
    fn places(&self, out: &mut impl Write, entry: &Entry<'_>, kind: &Kind) -> io::Result<()> {
        let on = &entry.deviation.on;
        let said = match kind {
            Kind::Documentation | Kind::Kernels => on.is_every_kernel(),
            Kind::Other(_) => on.to_string() == on.implementation || on.place.is_some(),
        };
        if !said {
            writeln!(out, "Where: {}\n", code(&on.to_string()))?;
        }
        if !entry.seen.is_empty() {
            let seen: Vec<String> = entry.seen.iter().map(|target| target_line(target)).collect();
            writeln!(out, "{}\n", paragraph(&format!("Seen on: {}", prose(&seen.join("; ")))))?;
        }
        Ok(())
    }

    /// The requirements that are concerned; where they are many, their ids alone.
    fn requirements(&self, out: &mut impl Write, all: &[&Requirement], kind: &Kind) -> io::Result<()> {
        if all.len() > FEW {
            writeln!(out, "It concerns {}:\n", counted(all.len(), "requirement"))?;
            let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
            for requirement in all {
                let number = requirement.id.rsplit('-').next().unwrap_or_default();
                match groups.iter_mut().find(|(group, _)| *group == requirement.group()) {
                    Some((_, numbers)) => numbers.push(number),
                    None => groups.push((requirement.group(), vec![number])),
                }
            }
            for (group, numbers) in groups {
                writeln!(out, "{}", item(&format!("{group}: {}", numbers.join(" "))))?;
            }
            return writeln!(out);
        }
        let says = match kind {
            Kind::Documentation => "What kernels do, and where it is written:",
            _ => "What is not met, and where it is written:",
        };
        writeln!(out, "{says}\n")?;
        for requirement in all {
            let Requirement { id, says, from, .. } = requirement;
            let (says, from) = (prose(says), from.iter().map(|from| prose(from)).collect::<Vec<_>>());
            writeln!(out, "{}", item(&format!("{id}: {says} ({})", from.join("; "))))?;
        }
        writeln!(out)
    }

    /// The case, if it is one, or the cases.
    fn cases(&self, out: &mut impl Write, entry: &Entry<'_>, files: &[&str]) -> io::Result<()> {
        let deviation = entry.deviation;
        if let ([file], Some(case)) = (files, entry.cases.first()) {
            let source = self.suite.source(case).map(|source| source.text.as_str()).unwrap_or_default();
            writeln!(out, "The case {}:\n\n{}\n", code(file), block("yaml", source))?;
            return writeln!(out, "{}\n", paragraph(&what_fails(entry, case)));
        }
        if let At::Calls(calls) = &deviation.at {
            let star = if calls.iter().any(|call| call.contains('*')) { STAR } else { "" };
            let each = if calls.len() > 1 { "Each of " } else { "" };
            let calls: Vec<String> = calls.iter().map(|call| code(call)).collect();
            let calls = format!("{each}{}{star} comes to {}.", calls.join(", "), observed(deviation));
            writeln!(out, "{}\n", paragraph(&calls))?;
        }
        let mut count = counted(files.len(), "case");
        if files.len() < entry.cases.len() {
            count += &format!(", {} with the rows of their tables", entry.cases.len());
        }
        if files.len() > FEW {
            let mut chapters: Vec<&str> =
                files.iter().map(|file| file.split('/').next().unwrap_or(file)).collect();
            chapters.dedup();
            let says = format!("It concerns {count}; they are of the chapters {}.", chapters.join(", "));
            return writeln!(out, "{}\n", paragraph(&says));
        }
        writeln!(out, "It concerns {count}:\n")?;
        for file in files {
            let title = entry.cases.iter().find(|case| path(case) == *file).map(|case| case.title.as_str());
            writeln!(out, "{}", item(&format!("{}: {}", code(file), prose(title.unwrap_or_default()))))?;
        }
        writeln!(out)
    }

    /// The cases that show an entry: not those that another one ends before.
    fn shown_by(&self, entry: &Entry<'_>) -> Vec<&'a Case> {
        let first = |deviation: &Deviation, case: &Case| {
            deviation.steps(case).iter().map(|step| step.line).min().unwrap_or(u32::MAX)
        };
        let others = || self.suite.deviations().iter().filter(|other| other.on == entry.deviation.on);
        let is_first = |case: &&&Case| {
            let own = first(entry.deviation, case);
            others().all(|other| !other.is_about(case) || first(other, case) >= own)
        };
        let shown: Vec<&Case> = self
            .suite
            .cases()
            .iter()
            .filter(|case| entry.cases.iter().any(|meant| meant.id == case.id))
            .filter(|case| is_first(&case))
            .collect();
        shown
    }
}

fn about(program: &str) -> String {
    format!(
        "What is known to differ from what is written, or from what Linux does, about session keyrings. \
         Each entry is recorded in skc {program}, a conformance suite, and is tried in every run of it: as soon \
         as a target no longer differs, the run fails until the entry goes. What a case asks is one system call \
         a line with its outcome, made by a real process that has the user id given for it."
    )
}

/// Puts entries into parts, in the order in which these are read.
fn parts<'a>(entries: impl Iterator<Item = Entry<'a>>) -> Vec<Part<'a>> {
    let mut parts: Vec<Part<'_>> = Vec::new();
    for entry in entries {
        let kind = kind(&entry);
        match parts.iter_mut().find(|part| part.kind == kind) {
            Some(part) => part.entries.push(entry),
            None => parts.push(Part { kind, entries: vec![entry] }),
        }
    }
    // Stable: what is no Linux kernel stays in the order of the file.
    parts.sort_by_key(|part| match part.kind {
        Kind::Documentation => 0,
        Kind::Kernels => 1,
        Kind::Other(_) => 2,
    });
    parts
}

/// Names that are written otherwise than entries have them.
const NAMES: [(&str, &str); 2] = [("gvisor", "gVisor"), ("uml", "User Mode Linux")];

fn kind(entry: &Entry<'_>) -> Kind {
    let On { implementation, place, .. } = &entry.deviation.on;
    let other = match (implementation.as_str(), place) {
        ("linux", None) if entry.cases.iter().all(|case| case.norm == Norm::Documentation) => {
            return Kind::Documentation;
        }
        ("linux", None) => return Kind::Kernels,
        ("linux", Some(place)) => place,
        _ => implementation,
    };
    let name = NAMES.iter().find(|(name, _)| name == other).map(|(_, written)| *written);
    Kind::Other(name.unwrap_or(other).to_owned())
}

fn heading(entry: &Entry<'_>) -> String {
    let calls = match &entry.deviation.at {
        At::Calls(calls) if files(&entry.cases).len() != 1 => calls,
        _ => {
            let title = entry.cases.first().map(|case| case.title.as_str()).unwrap_or_default();
            return prose(title);
        }
    };
    let mut named: Vec<String> = calls.iter().take(FEW).map(|call| code(call)).collect();
    if calls.len() > FEW {
        named.push(format!("{} more", calls.len() - FEW));
    }
    format!("{}: {}", named.join(", "), observed(entry.deviation))
}

/// What a star means in calls and in what is observed.
const STAR: &str = " (`*` stands for any characters)";

/// Which step of a case fails, and how; rows differ in the text of their steps.
fn what_fails(entry: &Entry<'_>, case: &Case) -> String {
    let seen = observed(entry.deviation);
    let said = match entry.deviation.steps(case).as_slice() {
        [] => format!("{} comes to {seen}", entry.deviation.at),
        [step] if entry.cases.len() == 1 => {
            format!("{} at line {} comes to {seen}", code(&step.text), step.line)
        }
        [step] => format!("The step at line {} comes to {seen}", step.line),
        steps => {
            let lines: Vec<String> = steps.iter().map(|step| step.line.to_string()).collect();
            format!("One of the steps at the lines {} comes to {seen}", lines.join(", "))
        }
    };
    match entry.cases.as_slice() {
        [one] if one.id == path(one) => format!("{said}."),
        several => format!("{said}, in {}: {}.", counted(several.len(), "row"), rows(several)),
    }
}

/// What is observed, in words where the entry has a word of its own.
fn observed(deviation: &Deviation) -> String {
    let observed = match deviation.observed.as_str() {
        "serial" => "the serial of a key".to_owned(),
        pattern if pattern.contains('*') => code(pattern) + STAR,
        text => code(text),
    };
    format!("{observed}{}", if deviation.sometimes { " in some runs" } else { "" })
}

/// An address, which a renderer makes a link of; what is none is prose.
fn address(link: &str) -> String {
    let plain = |char: char| char.is_ascii_graphic() && !"<>`\\".contains(char);
    match link.starts_with("https://") && link.chars().all(plain) {
        true => format!("<{link}>"),
        false => prose(link),
    }
}

/// The id of a case without its row.
fn path(case: &Case) -> &str {
    case.id.split('[').next().unwrap_or(&case.id)
}

/// The files of some cases.
fn files<'c>(cases: &[&'c Case]) -> Vec<&'c str> {
    let mut files: Vec<&str> = cases.iter().map(|case| path(case)).collect();
    files.dedup();
    files
}

/// The rows of some cases of one file.
fn rows(cases: &[&Case]) -> String {
    let row = |case: &&Case| code(case.id[path(case).len()..].trim_matches(['[', ']']));
    cases.iter().map(row).collect::<Vec<_>>().join(", ")
}
