//! All cases together, with their requirements and deviations, cross-checked.
//!
//! Files and folders are read here, or come with the program; what is in them is the readers'
//! knowledge. Ids are paths: no file is looked for by a name that a case gives.

mod files;

use std::collections::BTreeMap;
use std::path::Path;

use crate::case::diagnostic::{Diagnostic, Problems, Source, shown};
use crate::case::{Case, Norm, load, yaml};
use crate::deviation::{self, At, Deviation};
use crate::record::{CaseRecord, Standing};
use crate::requirement::{self, Requirement};
use crate::target::Target;
use files::Files;

/// The file of the requirements.
pub const REQUIREMENTS: &str = "requirements.yaml";
/// The file of the deviations.
pub const DEVIATIONS: &str = "deviations.yaml";
/// Files beside the cases that are no cases.
pub const BESIDE: &[&str] = &[REQUIREMENTS, DEVIATIONS, "README.md", "operations.md", "case.schema.json"];

/// A folder of cases that holds together.
#[derive(Clone, Debug)]
pub struct Suite {
    cases: Vec<Case>,
    requirements: Vec<Requirement>,
    deviations: Vec<Deviation>,
    /// The texts of the case files by name.
    sources: BTreeMap<String, Source>,
}

impl Suite {
    /// Loads a folder; all that is wrong with all its files comes back at once. Without requirements
    /// of its own, its cases cover those that come with the program.
    pub fn load(folder: &Path) -> Result<Suite, Vec<Diagnostic>> {
        let mut found = Vec::new();
        let mut files = files::read(folder, &mut found);
        files.beside.entry(REQUIREMENTS.to_owned()).or_insert_with(|| files::requirements().to_vec());
        Suite::assemble(files, found)
    }

    /// The cases that come with the program.
    pub fn embedded() -> Result<Suite, Vec<Diagnostic>> {
        let mut found = Vec::new();
        let files = files::embedded(&mut found);
        Suite::assemble(files, found)
    }

    /// Every case, in the order of the ids of the files and of the rows in them.
    pub fn cases(&self) -> &[Case] {
        &self.cases
    }

    /// The case with this id.
    pub fn case(&self, id: &str) -> Option<&Case> {
        self.cases.iter().find(|case| case.id == id)
    }

    /// Every requirement, in the order of the file.
    pub fn requirements(&self) -> &[Requirement] {
        &self.requirements
    }

    /// The requirement with this id.
    pub fn requirement(&self, id: &str) -> Option<&Requirement> {
        self.requirements.iter().find(|requirement| requirement.id == id)
    }

    /// Every deviation.
    pub fn deviations(&self) -> &[Deviation] {
        &self.deviations
    }

    /// The text of a case's file.
    pub fn source(&self, case: &Case) -> Option<&Source> {
        self.sources.get(&case.file)
    }

    /// How a record stands to the deviations.
    pub fn standing(&self, record: &CaseRecord, target: &Target) -> Standing {
        match self.case(&record.case) {
            Some(case) => deviation::standing(&self.deviations, case, record, target),
            None => Standing::Plain,
        }
    }

    fn assemble(files: Files, mut found: Vec<Diagnostic>) -> Result<Suite, Vec<Diagnostic>> {
        let before = found.len();
        let requirements = beside(&files, REQUIREMENTS, requirement::read, &mut found);
        let resolvable = found.len() == before;
        let deviations = beside(&files, DEVIATIONS, deviation::read, &mut found);
        let mut suite = Suite { cases: Vec::new(), requirements, deviations, sources: BTreeMap::new() };
        for (id, bytes) in &files.cases {
            suite.add(&files.name(&format!("{id}.yaml")), id, bytes, &mut found);
        }
        // A case that could not be read is missed by what is about it: that is not another fault.
        let complete = found.is_empty();
        suite.titles(&mut found);
        if resolvable {
            suite.coverage(&mut found);
        }
        if complete {
            suite.deviations_match(&files, &mut found);
            suite.claims_deviate(&mut found);
        }
        if found.is_empty() { Ok(suite) } else { Err(found) }
    }

    fn add(&mut self, file: &str, id: &str, bytes: &[u8], found: &mut Vec<Diagnostic>) {
        let source = match load::read(file, bytes) {
            Ok(source) => source,
            Err(diagnostic) => return found.push(*diagnostic),
        };
        match load::load_source(&source, id) {
            Ok(cases) => self.cases.extend(cases),
            Err(diagnostics) => found.extend(diagnostics),
        }
        self.sources.insert(file.to_owned(), source);
    }

    /// A title tells its case from all others.
    fn titles(&self, found: &mut Vec<Diagnostic>) {
        let mut titles: BTreeMap<&str, &Case> = BTreeMap::new();
        for case in self.first_rows() {
            if let Some(first) = titles.insert(&case.title, case) {
                let error = self.at(case, "title", "two cases have this title");
                found.push(error.label(format!("as {}", first.file)));
            }
        }
    }

    fn coverage(&self, found: &mut Vec<Diagnostic>) {
        let known = || self.requirements.iter().map(|requirement| requirement.id.as_str());
        for case in self.first_rows() {
            for (at, id) in case.covers.iter().enumerate() {
                if self.requirement(id).is_none() {
                    let message = format!("no requirement `{}`", shown(id));
                    found.push(self.item_at(case, "covers", at, message).suggest(id, known()));
                }
            }
        }
    }

    fn deviations_match(&self, files: &Files, found: &mut Vec<Diagnostic>) {
        let Some(text) = files.beside.get(DEVIATIONS) else { return };
        let source = Source::new(files.name(DEVIATIONS), String::from_utf8_lossy(text));
        for entry in &self.deviations {
            let mut meant = self.cases.iter().filter(|case| entry.is_about(case));
            let error = |message: String| source.error(entry.place.clone(), message);
            let missing =
                entry.cases.iter().find(|id| !self.cases.iter().any(|case| deviation::matches(id, &case.id)));
            let unmade = entry.calls().iter().find(|call| {
                let alone = Deviation { at: At::Calls(vec![(*call).clone()]), ..entry.clone() };
                !self.cases.iter().any(|case| alone.is_about(case))
            });
            if let Some(missing) = missing {
                let ids = self.cases.iter().map(|case| case.id.as_str());
                found.push(error(format!("no case `{}`", shown(missing))).suggest(missing, ids));
            } else if let Some(call) = unmade {
                found.push(error(format!("no case that is meant makes the call `{}`", shown(call))));
            } else if let At::Step(number) = entry.at
                && let Some(case) = meant.find(|case| case.steps.len() < number)
            {
                let steps = case.steps.len();
                found.push(
                    error(format!("{} has no step {number}", case.id)).label(format!("it has {steps}")),
                );
            }
        }
    }

    /// A claim that no kernel honours stands in the suite only with the reason why it fails there; what
    /// another implementation does with it is no such reason.
    fn claims_deviate(&self, found: &mut Vec<Diagnostic>) {
        for case in self.cases.iter().filter(|case| case.norm == Norm::Documentation) {
            let explains = |entry: &Deviation| entry.on.implementation == "linux" && entry.is_about(case);
            if !self.deviations.iter().any(explains) {
                let error = self.at(case, "norm", "a claim that no kernel honours has no deviation");
                found.push(error.help(format!("add an entry for {} to {DEVIATIONS}", case.id)));
            }
        }
    }

    /// One case of each file: rows share all but their steps.
    fn first_rows(&self) -> impl Iterator<Item = &Case> {
        let mut last = None;
        self.cases.iter().filter(move |case| last.replace(case.file.as_str()) != Some(&case.file))
    }

    /// A diagnostic at a key of a case's file. The file is read again: this is the way of errors alone.
    fn at(&self, case: &Case, key: &str, message: &str) -> Diagnostic {
        self.locate(case, message, |root| root.get(key))
    }

    fn item_at(&self, case: &Case, key: &str, at: usize, message: String) -> Diagnostic {
        self.locate(case, &message, |root| match &root.get(key)?.data {
            yaml::Data::List(items) => items.get(at),
            _ => None,
        })
    }

    fn locate(
        &self,
        case: &Case,
        message: &str,
        find: impl Fn(&yaml::Node) -> Option<&yaml::Node>,
    ) -> Diagnostic {
        let place = self.source(case).and_then(|source| {
            let root = yaml::parse(source, &mut Problems::default())?;
            Some(source.error(find(&root)?.place.clone(), message))
        });
        place.unwrap_or_else(|| Diagnostic::file(&case.file, message))
    }
}

/// Reads one of the files beside the cases.
fn beside<T>(
    files: &Files,
    name: &str,
    read: impl Fn(&Source, &mut Problems) -> Vec<T>,
    found: &mut Vec<Diagnostic>,
) -> Vec<T> {
    let Some(bytes) = files.beside.get(name) else { return Vec::new() };
    match yaml::decode(&files.name(name), bytes) {
        Ok(source) => {
            let mut problems = Problems::default();
            let entries = read(&source, &mut problems);
            found.extend(problems.finish());
            entries
        }
        Err(diagnostic) => {
            found.push(*diagnostic);
            Vec::new()
        }
    }
}

#[cfg(test)]
mod tests;
