//! Several rounds of the same cases: one record for each, and the cases that did not come out the same.

use std::collections::BTreeMap;

use harness::record::CaseRecord;
use reports::status::{Merit, Status};

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

    /// Takes a record; after the last round gives the one that stands for all: the first one that is
    /// not as expected, because what happens once in a hundred times is the news.
    pub(super) fn take(&mut self, record: Box<CaseRecord>) -> Option<CaseRecord> {
        let status = Status::of(&record);
        let is_good = |status: Status| status.words().merit == Merit::Good;
        let seen = self
            .seen
            .entry(record.case.clone())
            .or_insert_with(|| Seen { statuses: BTreeMap::new(), record: record.clone() });
        if is_good(Status::of(&seen.record)) && !is_good(status) {
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

#[cfg(test)]
mod tests {
    use harness::record::{Standing, Verdict};

    use super::*;

    fn record(verdict: Verdict, reason: Option<&str>) -> Box<CaseRecord> {
        Box::new(CaseRecord {
            case: "a/b".into(),
            file: "cases/a/b.yaml".into(),
            title: "A title".into(),
            covers: Vec::new(),
            verdict,
            standing: Standing::Plain,
            reason: reason.map(str::to_owned),
            steps: Vec::new(),
            microseconds: 1,
            console: Vec::new(),
        })
    }

    #[test]
    fn one_round_passes_its_records_on() {
        let mut rounds = Rounds::new(1);
        let told = rounds.take(record(Verdict::Fail, Some("why"))).unwrap();
        assert_eq!(told.reason.as_deref(), Some("why"));
        assert_eq!(rounds.changes().count(), 0);
    }

    #[test]
    fn what_comes_out_the_same_is_told_once() {
        let mut rounds = Rounds::new(3);
        assert!(rounds.take(record(Verdict::Pass, None)).is_none());
        assert!(rounds.take(record(Verdict::Pass, None)).is_none());
        assert_eq!(rounds.take(record(Verdict::Pass, None)).unwrap().verdict, Verdict::Pass);
        assert_eq!(rounds.changes().count(), 0);
    }

    #[test]
    fn a_known_deviation_does_not_hide_another_fail() {
        let mut rounds = Rounds::new(2);
        let mut known = record(Verdict::Fail, Some("as ever"));
        known.standing = Standing::Deviates { because: "known".into() };
        assert!(rounds.take(known).is_none());
        let told = rounds.take(record(Verdict::Fail, Some("news"))).unwrap();
        assert_eq!(Status::of(&told), Status::Fail);
    }

    #[test]
    fn whenever_it_happens_what_is_no_pass_is_told() {
        for at in 0..3 {
            let mut rounds = Rounds::new(3);
            let mut told = None;
            for round in 0..3 {
                let played = match round == at {
                    true => record(Verdict::Timeout, Some("why")),
                    false => record(Verdict::Pass, None),
                };
                told = rounds.take(played);
            }
            let told = told.unwrap();
            assert_eq!(told.verdict, Verdict::Timeout);
            assert_eq!(told.reason.as_deref(), Some("2 × pass, 1 × timeout: why"));
            assert_eq!(rounds.changes().collect::<Vec<_>>(), [("a/b", "2 × pass, 1 × timeout".to_owned())]);
        }
    }
}
