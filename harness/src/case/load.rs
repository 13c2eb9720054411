//! A case file becomes cases: one, or one for each row of its table.
//!
//! Everything that is wrong with the file is gathered, so that a person sees all of it at once. Files
//! and folders are not read here (`suite` does that), and what steps mean together is `check`'s.

use std::collections::BTreeSet;
use std::ops::Range;

use super::call::{NAME_RULE, is_name};
use super::diagnostic::{Diagnostic, Problems, Source, shown};
use super::fields::Fields;
use super::step::{Places, Reader, can_name_actor};
use super::table::{self, Row, Substitution};
use super::yaml::{self, Data, Key, Node};
use super::{ALL_CAPS, Actor, Case, File, Norm, Prerequisite, Session, Step, check, limits};
use crate::value;

/// The keys of a case, in the order in which people write them.
pub const KEYS: &[&str] =
    &["title", "covers", "about", "norm", "needs", "programs", "files", "actors", "table", "steps"];

/// The keys of an actor.
pub const ACTOR_KEYS: &[&str] = &["uid", "gid", "groups", "caps", "userns", "session", "upcall"];

/// The words of `norm`.
pub const NORMS: &[(&str, Norm)] = &[("kernel", Norm::Kernel), ("documentation", Norm::Documentation)];

/// The words of `session`.
pub const SESSIONS: &[(&str, Session)] =
    &[("fresh", Session::Fresh), ("none", Session::None), ("inherited", Session::Inherited)];

/// The largest user or group id: a case has a block of 65,536 of them.
pub const LARGEST_ID: u32 = 65_535;

/// Reads and checks a case file. `file` is its name for messages, `id` its path below `cases/` without
/// `.yaml`. If requirement ids resolve is asked by the suite, which knows them.
pub fn load(file: &str, id: &str, bytes: &[u8]) -> Result<Vec<Case>, Vec<Diagnostic>> {
    let source = read(file, bytes).map_err(|diagnostic| vec![*diagnostic])?;
    load_source(&source, id)
}

/// Decodes a case file, if it is not too large to be one.
pub fn read(file: &str, bytes: &[u8]) -> Result<Source, Box<Diagnostic>> {
    if bytes.len() as u64 > limits::FILE {
        let message = format!("the file has {} bytes; a case has {} at most", bytes.len(), limits::FILE);
        return Err(Box::new(Diagnostic::file(file, message)));
    }
    yaml::decode(file, bytes)
}

/// Reads and checks the text of a case file.
pub fn load_source(source: &Source, id: &str) -> Result<Vec<Case>, Vec<Diagnostic>> {
    let mut problems = Problems::default();
    let cases = match yaml::parse(source, &mut problems) {
        Some(root) => Loader { fields: Fields { source, problems: &mut problems } }.cases(id, &root),
        None => Vec::new(),
    };
    if problems.is_empty() { Ok(cases) } else { Err(problems.finish()) }
}

struct Loader<'s, 'p> {
    fields: Fields<'s, 'p>,
}

/// What the rows of a file make use of together; a file without a table is one row.
#[derive(Default)]
struct Usage {
    /// The columns that some row has put into a step.
    columns: BTreeSet<String>,
    /// The bytes of all steps.
    bytes: usize,
    /// What no row so far makes use of.
    unused: Option<Vec<Diagnostic>>,
    /// If there is a row of which that is not known.
    uncertain: bool,
}

impl Usage {
    /// Adds what one row makes no use of.
    fn add(&mut self, row: Option<Vec<Diagnostic>>) {
        let Some(row) = row else {
            self.uncertain = true;
            return;
        };
        let place = |unused: &Diagnostic| (unused.line, unused.column);
        match &mut self.unused {
            None => self.unused = Some(row),
            Some(unused) => unused.retain(|one| row.iter().any(|other| place(one) == place(other))),
        }
    }
}

impl Loader<'_, '_> {
    fn cases(&mut self, id: &str, root: &Node) -> Vec<Case> {
        let Data::Map(entries) = &root.data else {
            self.fields.error(root.place.clone(), format!("a case is a map, and here is {}", root.kind()));
            return Vec::new();
        };
        self.fields.unknown_keys(entries, KEYS, "a case");
        let frame = Case {
            id: id.to_owned(),
            file: self.fields.source.file.clone(),
            title: self.fields.required(root, "title").and_then(|node| self.title(node)).unwrap_or_default(),
            covers: self.fields.required(root, "covers").map(|node| self.covers(node)).unwrap_or_default(),
            about: root.get("about").and_then(|node| self.about(node)),
            norm: root.get("norm").and_then(|node| self.fields.one_of(node, NORMS)).unwrap_or_default(),
            needs: root.get("needs").map(|node| self.needs(node)).unwrap_or_default(),
            programs: root.get("programs").map(|node| self.programs(node)).unwrap_or_default(),
            files: root.get("files").map(|node| self.files(node)).unwrap_or_default(),
            actors: self.fields.required(root, "actors").map(|node| self.actors(node)).unwrap_or_default(),
            steps: Vec::new(),
        };
        let rows = root.get("table").map(|node| table::read(self.fields.source, node, self.fields.problems));
        let Some(steps) = self.fields.required(root, "steps").and_then(|node| self.step_list(node)) else {
            return Vec::new();
        };
        let mut usage = Usage::default();
        match rows {
            None => {
                let case = self.trial(frame, root, steps, None, &mut usage);
                usage.unused.into_iter().flatten().for_each(|unused| self.fields.push(unused));
                vec![case]
            }
            Some(rows) => self.trials(&frame, root, steps, &rows, usage),
        }
    }

    /// A case for each row.
    fn trials(
        &mut self,
        frame: &Case,
        root: &Node,
        steps: &[Node],
        rows: &[Row],
        mut usage: Usage,
    ) -> Vec<Case> {
        let mut cases = Vec::new();
        for row in rows {
            let case = Case { id: format!("{}[{}]", frame.id, row.name), ..frame.clone() };
            cases.push(self.trial(case, root, steps, Some(row), &mut usage));
            if usage.bytes > limits::EXPANDED {
                let message = format!("the steps of all rows have more than {} bytes", limits::EXPANDED);
                self.fields.error(self.place_of(root, "table"), message);
                return Vec::new();
            }
            if self.fields.problems.is_full() {
                return Vec::new();
            }
        }
        // A step that could not be read may use anything.
        if usage.uncertain {
            return Vec::new();
        }
        usage.unused.into_iter().flatten().for_each(|unused| self.fields.push(unused));
        let columns = rows.first().map(|row| row.columns.keys().cloned().collect()).unwrap_or_default();
        for unused in BTreeSet::difference(&columns, &usage.columns) {
            let place = self.place_of(root, "table");
            let message = format!("no step uses the column `{unused}`");
            self.fields.push(
                self.fields
                    .source
                    .error(place, message)
                    .help(format!("write `<{unused}>` in a step, or take it out")),
            );
        }
        cases
    }

    fn trial(
        &mut self,
        mut case: Case,
        root: &Node,
        nodes: &[Node],
        row: Option<&Row>,
        usage: &mut Usage,
    ) -> Case {
        let mut reader = Reader {
            source: self.fields.source,
            substitution: Substitution::new(row),
            row: row.map(|row| row.name.as_str()),
            problems: self.fields.problems,
        };
        let steps: Vec<Option<(Step, Places)>> = nodes.iter().map(|node| reader.step(node)).collect();
        usage.columns.extend(reader.substitution.used().iter().cloned());
        usage.bytes += reader.substitution.bytes();

        let places = self.actor_places(root);
        let all_declared = !places.is_empty() && places.len() == case.actors.len();
        let problems = &mut *self.fields.problems;
        let unused = check::check(self.fields.source, &case.actors, &places, all_declared, &steps, problems);
        usage.add(unused);
        case.steps = steps.into_iter().flatten().map(|(step, _)| step).collect();
        self.count_steps(root, &case.steps);
        case
    }

    fn count_steps(&mut self, root: &Node, steps: &[Step]) {
        let inner = |step: &Step| match &step.act {
            super::Act::Together(inner) => inner.len(),
            _ => 0,
        };
        let count: usize = steps.iter().map(|step| 1 + inner(step)).sum();
        let calls = |step: &Step| u64::from(step.times) * inner(step).max(1) as u64;
        let times: u64 = steps.iter().filter(|step| step.times > 1).map(calls).sum();
        if count > limits::STEPS {
            let message = format!("a case has up to {} steps, and this one {count}", limits::STEPS);
            self.fields.error(self.place_of(root, "steps"), message);
        }
        if times > u64::from(limits::TIMES) {
            let message =
                format!("the `times` of a case come to {} at most, and here to {times}", limits::TIMES);
            self.fields.error(self.place_of(root, "steps"), message);
        }
    }

    fn step_list<'n>(&mut self, node: &'n Node) -> Option<&'n [Node]> {
        let items = self.fields.list(node, "steps")?;
        if items.is_empty() {
            self.fields.error(node.place.clone(), "a case has at least one step");
            return None;
        }
        if items.len() > limits::STEPS {
            let message = format!("a case has up to {} steps, and this one {}", limits::STEPS, items.len());
            self.fields.error(node.place.clone(), message);
            return None;
        }
        Some(items)
    }

    fn title(&mut self, node: &Node) -> Option<String> {
        let title = self.fields.text(node, "title")?.text.clone();
        let length = title.chars().count();
        let wrong = if title.trim().is_empty() {
            Some("the title is empty".to_owned())
        } else if title.chars().any(char::is_control) {
            Some("the title stands on one line, without control characters".to_owned())
        } else if length > limits::TITLE {
            Some(format!("the title has {length} characters; {} are the most", limits::TITLE))
        } else if title.trim() != title {
            Some("the title begins or ends with a blank".to_owned())
        } else if title.ends_with('.') {
            Some("the title ends with a period".to_owned())
        } else if title.starts_with(char::is_lowercase) {
            Some("the title begins with a small letter".to_owned())
        } else {
            None
        };
        if let Some(wrong) = wrong {
            let error = self.fields.source.error(node.place.clone(), wrong);
            self.fields
                .push(error.help("a title is one sentence in the present tense, true or false of a kernel"));
        }
        Some(title)
    }

    fn about(&mut self, node: &Node) -> Option<String> {
        let about = self.fields.text(node, "about")?.text.trim().to_owned();
        if about.chars().any(|char| char.is_control() && char != '\n' && char != '\t') {
            self.fields.error(node.place.clone(), "`about` holds a control character");
        }
        Some(about)
    }

    fn covers(&mut self, node: &Node) -> Vec<String> {
        let words = self.fields.words(node, "covers");
        if words.is_empty() && matches!(&node.data, Data::List(items) if items.is_empty()) {
            let error = self.fields.source.error(node.place.clone(), "the case covers no requirement");
            self.fields.push(error.help("list the ids of the requirements that it decides"));
        }
        self.fields.twice(&words);
        words.into_iter().map(|(word, _)| word).collect()
    }

    fn needs(&mut self, node: &Node) -> Vec<Prerequisite> {
        let words = self.fields.words(node, "needs");
        self.fields.twice(&words);
        words.iter().filter_map(|(word, place)| self.fields.known(word, place, Prerequisite::ALL)).collect()
    }

    fn programs(&mut self, node: &Node) -> Vec<String> {
        let words = self.fields.words(node, "programs");
        self.fields.twice(&words);
        if words.len() > limits::PROGRAMS {
            let message = format!("a case has up to {} `programs`", limits::PROGRAMS);
            self.fields.error(node.place.clone(), message);
        }
        for (word, place) in &words {
            if !is_path(word) && (word.contains('/') || !is_path(&format!("/{word}"))) {
                let message = format!("`{}` is neither a program's name nor a path", shown(word));
                let error = self.fields.source.error(place.clone(), message);
                self.fields.push(error.help("write `keyctl`, `pam_keyinit.so` or `/etc/request-key.conf`"));
            }
        }
        words.into_iter().map(|(word, _)| word).collect()
    }

    fn files(&mut self, node: &Node) -> Vec<File> {
        let Some(entries) = self.fields.map(node, "files") else { return Vec::new() };
        if entries.len() > limits::PROGRAMS {
            self.fields.error(node.place.clone(), format!("a case has up to {} `files`", limits::PROGRAMS));
            return Vec::new();
        }
        let mut files: Vec<File> = Vec::new();
        for (key, value) in entries {
            let path = key.name.clone();
            let below = |one: &str, other: &str| one.starts_with(&format!("{other}/"));
            if !is_path(&path) || !path.starts_with("/etc/") {
                let message = format!("`{}` is no file below /etc", shown(&path));
                let error = self.fields.source.error(key.place.clone(), message);
                self.fields.push(error.help("write a path such as `/etc/pam.d/skc`"));
            } else if let Some(other) =
                files.iter().find(|file| below(&file.path, &path) || below(&path, &file.path))
            {
                let message = format!("`{path}` cannot be there beside `{}`", other.path);
                self.fields.error(key.place.clone(), message);
            } else if let Some(scalar) = self.fields.text(value, &path) {
                files.push(File { path, text: scalar.text.clone() });
            }
        }
        files
    }

    fn actors(&mut self, node: &Node) -> Vec<Actor> {
        let Some(entries) = self.fields.map(node, "actors") else { return Vec::new() };
        if entries.is_empty() {
            self.fields.error(node.place.clone(), "a case has at least one actor");
        }
        if entries.len() > limits::ACTORS {
            let message =
                format!("a case has up to {} actors, and this one {}", limits::ACTORS, entries.len());
            self.fields.error(node.place.clone(), message);
            return Vec::new();
        }
        let actors: Vec<Actor> = entries.iter().filter_map(|(key, value)| self.actor(key, value)).collect();
        let sessions = |session| actors.iter().find(|actor| actor.session == session);
        if let (Some(none), Some(inherited)) = (sessions(Session::None), sessions(Session::Inherited)) {
            let message =
                format!("`{}` has no session keyring and `{}` inherits one", none.name, inherited.name);
            let error = self.fields.source.error(node.place.clone(), message);
            self.fields.push(
                error.help("both come from one parent: use only one of `none` and `inherited` in a case"),
            );
        }
        actors
    }

    fn actor(&mut self, key: &Key, value: &Node) -> Option<Actor> {
        if let Err(rule) = can_name_actor(&key.name) {
            let message = format!("`{}` cannot name an actor", shown(&key.name));
            let error = self.fields.source.error(key.place.clone(), message);
            self.fields.push(error.help(rule));
            return None;
        }
        let entries = self.fields.map(value, &key.name)?;
        self.fields.unknown_keys(entries, ACTOR_KEYS, "an actor");
        if let Some(upcall) = value.get("upcall") {
            return self.upcall_actor(key, entries, upcall);
        }
        let Some(uid) = value.get("uid") else {
            let error =
                self.fields.source.error(key.place.clone(), format!("actor `{}` has no `uid`", key.name));
            self.fields.push(error.help(format!("write `{}: {{uid: 1000}}`", key.name)));
            return None;
        };
        let uid = self.id(uid);
        let gid = value.get("gid").map_or(uid, |node| self.id(node));
        let groups = value.get("groups").map(|node| self.groups(node)).unwrap_or_default();
        let caps = value.get("caps").map(|node| self.caps(node));
        let userns = value.get("userns").and_then(|node| self.name(node));
        let session = value.get("session").and_then(|node| self.fields.one_of(node, SESSIONS));
        let (name, uid, gid) = (key.name.clone(), uid?, gid?);
        let caps = caps.unwrap_or(if uid == 0 { ALL_CAPS } else { 0 });
        let session = session.unwrap_or_default();
        Some(Actor { name, uid, gid, groups, caps, userns, session, upcall: None })
    }

    /// An actor that the kernel starts: as root, in the first namespaces, whatever a case would like.
    fn upcall_actor(&mut self, key: &Key, entries: &[(Key, Node)], upcall: &Node) -> Option<Actor> {
        for (other, _) in entries.iter().filter(|(other, _)| other.name != "upcall") {
            let message = format!("an actor that an upcall starts has no `{}`", shown(&other.name));
            self.fields.push(
                self.fields.source.error(other.place.clone(), message).help("the kernel starts it, as root"),
            );
        }
        Some(Actor {
            name: key.name.clone(),
            uid: 0,
            gid: 0,
            groups: Vec::new(),
            caps: ALL_CAPS,
            userns: None,
            session: Session::Fresh,
            upcall: Some(self.fields.text(upcall, "upcall")?.text.clone()),
        })
    }

    fn groups(&mut self, node: &Node) -> Vec<u32> {
        self.fields.list(node, "groups").unwrap_or_default().iter().filter_map(|item| self.id(item)).collect()
    }

    fn caps(&mut self, node: &Node) -> u64 {
        let mut caps = 0;
        for (word, place) in self.fields.words(node, "caps") {
            match value::capability(&word) {
                Some(number) => caps |= 1 << number,
                None => {
                    let error = self.fields.source.error(place, format!("no capability `{}`", shown(&word)));
                    self.fields.push(error.suggest(&word, value::CAPABILITIES.iter().copied()));
                }
            }
        }
        caps
    }

    fn id(&mut self, node: &Node) -> Option<u32> {
        let parsed = match &node.data {
            Data::Scalar(scalar) if scalar.is_plain() => scalar.text.parse().ok(),
            _ => None,
        };
        let id = parsed.filter(|id| *id <= LARGEST_ID);
        if id.is_none() {
            self.fields.error(node.place.clone(), format!("an id is a number from 0 to {LARGEST_ID}"));
        }
        id
    }

    fn name(&mut self, node: &Node) -> Option<String> {
        let name = self.fields.text(node, "userns")?.text.clone();
        if !is_name(&name) {
            let error =
                self.fields.source.error(node.place.clone(), format!("`{}` is no name", shown(&name)));
            self.fields.push(error.help(NAME_RULE));
            return None;
        }
        Some(name)
    }

    /// Where a key's value begins; the key is there.
    fn place_of(&self, root: &Node, key: &str) -> Range<usize> {
        root.get(key).map_or(0..0, |node| node.place.clone())
    }

    fn actor_places(&self, root: &Node) -> Vec<Range<usize>> {
        match root.get("actors").map(|node| &node.data) {
            Some(Data::Map(entries)) => entries.iter().map(|(key, _)| key.place.clone()).collect(),
            _ => Vec::new(),
        }
    }
}

/// If a text is an absolute path of ordinary parts.
fn is_path(text: &str) -> bool {
    let ordinary = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.chars().all(|char| char.is_ascii_alphanumeric() || "-_.+".contains(char))
    };
    text.len() <= 200 && text.strip_prefix('/').is_some_and(|rest| rest.split('/').all(ordinary))
}

#[cfg(test)]
mod tests;
