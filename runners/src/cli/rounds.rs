//! Several rounds of the same cases: one record for each, and the cases that did not come out the same.

use std::collections::BTreeMap;

use harness::record::CaseRecord;
use reports::status::Status;

/// Takes a case's records round by round.
pub(super) struct Rounds {
    count: u32,
    seen: BTreeMap<String, Seen>,
}

struct Seen {
    statuses: BTreeMap<Status, u32>,
    record: Box<CaseRecord>,
}

impl Rounds {
    /// So many rounds.
    pub(super) fn new(count: u32) -> Rounds {
        Rounds { count, seen: BTreeMap::new() }
    }

    /// Takes a record; after the last round gives the one that stands for all: the first one with the
    /// status that was met the least, because what happens once in a hundred times is the news.
    pub(super) fn take(&mut self, record: Box<CaseRecord>) -> Option<CaseRecord> {
        let status = Status::of(&record);
        let seen = self
            .seen
            .entry(record.case.clone())
            .or_insert_with(|| Seen { statuses: BTreeMap::new(), record: record.clone() });
        if seen.statuses.keys().any(|other| *other != status) && Status::of(&seen.record) == Status::Pass {
            seen.record = record;
        }
        *seen.statuses.entry(status).or_default() += 1;
        if seen.statuses.values().sum::<u32>() < self.count {
            return None;
        }
        let mut told = (*seen.record).clone();
        if let Some(counts) = seen.changes() {
            let reason = told.reason.take().unwrap_or_default();
            told.reason = Some(format!("{counts}: {reason}"));
        }
        Some(told)
    }

    /// The cases that came out differently, with how often each way.
    pub(super) fn changes(&self) -> impl Iterator<Item = (&str, String)> {
        self.seen.iter().filter_map(|(case, seen)| Some((case.as_str(), seen.changes()?)))
    }
}

impl Seen {
    fn changes(&self) -> Option<String> {
        if self.statuses.len() < 2 {
            return None;
        }
        let counts: Vec<String> = self
            .statuses
            .iter()
            .map(|(status, count)| format!("{count} × {}", status.words().word))
            .collect();
        Some(counts.join(", "))
    }
}
