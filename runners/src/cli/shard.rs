//! Parts of what there is to do, for several machines to share: which part this is, said on the command line or by
//! the engine that has started this one of its tasks.

use std::fmt;
use std::str::FromStr;

use harness::case::Case;
use harness::record::{Part, Whole};

use super::Trouble;

/// One of several parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shard {
    index: u32,
    count: u32,
}

impl Shard {
    /// If a case is in this part. It depends on the case's id alone, so that no part changes when other
    /// cases come or go.
    pub(super) fn has(self, case: &Case) -> bool {
        crc32fast::hash(case.id.as_bytes()) % self.count == self.index - 1
    }

    /// If the one at this place in a list is in this part. Kernels are few and long: they are dealt out, because
    /// leaving it to chance would leave one machine with most of them.
    pub(super) fn has_place(self, place: usize) -> bool {
        place % self.count as usize == self.index as usize - 1
    }

    /// What is recorded of it: the part, and what these cases are that were divided.
    pub(super) fn part(self, cases: &[&Case]) -> Part {
        let mut ids = crc32fast::Hasher::new();
        for case in cases {
            ids.update(case.id.as_bytes());
            ids.update(b"\n");
        }
        let whole = Whole { cases: cases.len(), ids: ids.finalize() };
        Part { index: self.index, count: self.count, whole }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

/// Which part is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// This one.
    Given(Shard),
    /// The one that the variables of an engine tell of. Only on demand: whoever just happens to run inside of a job
    /// would get a part, and take it for the whole.
    Auto,
}

impl FromStr for Wish {
    type Err = String;
    fn from_str(text: &str) -> Result<Wish, String> {
        if text == "auto" {
            return Ok(Wish::Auto);
        }
        let (index, count) = text.split_once('/').ok_or("a shard is written I/N, as in 2/8, or auto")?;
        match (index.parse(), count.parse()) {
            (Ok(index), Ok(count)) if (1..=count).contains(&index) => Ok(Wish::Given(Shard { index, count })),
            _ => Err("a shard is I/N with I from 1 to N, as in 2/8".into()),
        }
    }
}

impl Wish {
    /// The part, and where that is from if it was not given.
    pub(super) fn settled(self) -> Result<(Shard, Option<&'static str>), Trouble> {
        match self {
            Wish::Given(shard) => Ok((shard, None)),
            Wish::Auto => {
                let (shard, from) =
                    of_engine(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
                        .map_err(|why| Trouble::Usage(format!("--shard auto: {why}")))?;
                Ok((shard, Some(from)))
            }
        }
    }
}

/// An engine that starts numbered tasks.
struct Engine {
    name: &'static str,
    /// The variable with the task's number.
    index: &'static str,
    /// The one with how many tasks there are.
    count: &'static str,
    /// How somebody has the engine set both.
    how: &'static str,
}

const SLURM: Engine = Engine {
    name: "Slurm",
    index: "SLURM_ARRAY_TASK_ID",
    count: "SLURM_ARRAY_TASK_COUNT",
    how: "sbatch --array=1-8",
};
const KUBERNETES: Engine = Engine {
    name: "Kubernetes",
    index: "JOB_COMPLETION_INDEX",
    count: "JOB_COMPLETIONS",
    how: "completionMode: Indexed, and the job's `completions` in env: JOB_COMPLETIONS, which Kubernetes does not set",
};
const CI: Engine =
    Engine { name: "GitLab", index: "CI_NODE_INDEX", count: "CI_NODE_TOTAL", how: "parallel: 8" };

/// The part that an engine has chosen for this process, and the variable that said so.
fn of_engine(variable: impl Fn(&str) -> Option<String>) -> Result<(Shard, &'static str), String> {
    let here: Vec<&Engine> =
        [&SLURM, &KUBERNETES, &CI].into_iter().filter(|engine| variable(engine.index).is_some()).collect();
    let engine = match here.as_slice() {
        [engine] => *engine,
        [] => {
            let known =
                [&SLURM, &KUBERNETES, &CI].map(|it| format!("\n  {} ({}: {})", it.index, it.name, it.how));
            return Err(format!("none of these variables is set, so give I/N:{}", known.concat()));
        }
        several => {
            let names: Vec<&str> = several.iter().map(|engine| engine.index).collect();
            return Err(format!("{} are all set: give I/N", names.join(" and ")));
        }
    };
    let number = |name: &'static str| -> Result<i64, String> {
        let value = variable(name)
            .ok_or_else(|| format!("{} is set and {name} is not: {}", engine.index, engine.how))?;
        value.parse().map_err(|_| format!("{name} is `{value}`, and no number"))
    };
    let (index, count) = (number(engine.index)?, number(engine.count)?);
    // Slurm counts from anywhere in any steps, Kubernetes from 0, and the others from 1.
    let place = match engine.index {
        index_name if index_name == SLURM.index => {
            let (first, last) = (number("SLURM_ARRAY_TASK_MIN")?, number("SLURM_ARRAY_TASK_MAX")?);
            let step = match variable("SLURM_ARRAY_TASK_STEP") {
                Some(_) => number("SLURM_ARRAY_TASK_STEP")?.max(1),
                None => 1,
            };
            // Tasks that are submitted again would share everything among themselves.
            if first + (count - 1) * step != last || (index - first) % step != 0 || !(0..=1).contains(&first)
            {
                return Err(format!(
                    "the array has {count} tasks from SLURM_ARRAY_TASK_MIN={first} to SLURM_ARRAY_TASK_MAX={last}: it \
                     does not begin with 0 or 1, or some were left out, so give I/N"
                ));
            }
            (index - first) / step + 1
        }
        index_name if index_name == KUBERNETES.index => index + 1,
        _ => index,
    };
    match (u32::try_from(place), u32::try_from(count)) {
        (Ok(index), Ok(count)) if (1..=count).contains(&index) => Ok((Shard { index, count }, engine.index)),
        _ => Err(format!("{}={index} is none of {}={count} tasks", engine.index, engine.count)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn with(variables: &[(&str, &str)]) -> Result<(Shard, &'static str), String> {
        of_engine(|name| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    }

    fn slurm<'v>(id: &'v str, min: &'v str, max: &'v str, count: &'v str) -> Vec<(&'static str, &'v str)> {
        vec![
            ("SLURM_ARRAY_TASK_ID", id),
            ("SLURM_ARRAY_TASK_MIN", min),
            ("SLURM_ARRAY_TASK_MAX", max),
            ("SLURM_ARRAY_TASK_COUNT", count),
        ]
    }

    #[rstest]
    #[case::slurm_from_0(slurm("0", "0", "7", "8"), "1/8")]
    #[case::slurm_from_1(slurm("8", "1", "8", "8"), "8/8")]
    #[case::slurm_by_4([slurm("9", "1", "13", "4"), vec![("SLURM_ARRAY_TASK_STEP", "4")]].concat(), "3/4")]
    #[case::kubernetes(vec![("JOB_COMPLETION_INDEX", "0"), ("JOB_COMPLETIONS", "3")], "1/3")]
    #[case::kubernetes_last(vec![("JOB_COMPLETION_INDEX", "2"), ("JOB_COMPLETIONS", "3")], "3/3")]
    #[case::gitlab(vec![("CI_NODE_INDEX", "2"), ("CI_NODE_TOTAL", "3")], "2/3")]
    #[case::gitlab_within_slurm([slurm("1", "1", "2", "2"), vec![("CI_NODE_TOTAL", "1")]].concat(), "1/2")]
    fn an_engine_says_which_part_this_is(#[case] variables: Vec<(&str, &str)>, #[case] shard: &str) {
        assert_eq!(with(&variables).unwrap().0.to_string(), shard);
    }

    #[rstest]
    #[case::nothing(vec![], "SLURM_ARRAY_TASK_ID (Slurm: sbatch --array=1-8)")]
    #[case::gitlab_without_parallel(vec![("CI_NODE_TOTAL", "1")], "CI_NODE_INDEX (GitLab: parallel: 8)")]
    #[case::both([slurm("1", "1", "2", "2"), vec![("CI_NODE_INDEX", "1"), ("CI_NODE_TOTAL", "2")]].concat(), "SLURM_ARRAY_TASK_ID and CI_NODE_INDEX are all set")]
    #[case::no_count(vec![("JOB_COMPLETION_INDEX", "2")], "JOB_COMPLETION_INDEX is set and JOB_COMPLETIONS is not")]
    #[case::no_number(vec![("CI_NODE_INDEX", "two"), ("CI_NODE_TOTAL", "3")], "CI_NODE_INDEX is `two`")]
    #[case::beyond(vec![("CI_NODE_INDEX", "4"), ("CI_NODE_TOTAL", "3")], "CI_NODE_INDEX=4 is none of CI_NODE_TOTAL=3")]
    #[case::from_0(vec![("CI_NODE_INDEX", "0"), ("CI_NODE_TOTAL", "3")], "CI_NODE_INDEX=0")]
    #[case::nobody(vec![("CI_NODE_INDEX", "0"), ("CI_NODE_TOTAL", "0")], "CI_NODE_TOTAL=0")]
    #[case::submitted_again(slurm("3", "3", "3", "1"), "does not begin with 0 or 1")]
    #[case::gaps(slurm("5", "1", "9", "3"), "some were left out")]
    fn what_is_wrong_is_named(#[case] variables: Vec<(&str, &str)>, #[case] says: &str) {
        let why = with(&variables).unwrap_err();
        assert!(why.contains(says), "{why}");
    }

    #[rstest]
    #[case("2/8", true)]
    #[case("auto", true)]
    #[case("8/8", true)]
    #[case("0/8", false)]
    #[case("9/8", false)]
    #[case("1/0", false)]
    #[case("1", false)]
    #[case("/", false)]
    #[case("-1/2", false)]
    fn a_shard_is_one_of_so_many(#[case] text: &str, #[case] fine: bool) {
        assert_eq!(text.parse::<Wish>().is_ok(), fine);
    }

    #[test]
    fn every_kernel_is_in_one_part() {
        for count in 1..6 {
            for place in 0..11 {
                let with = (1..=count).filter(|index| Shard { index: *index, count }.has_place(place));
                assert_eq!(with.count(), 1);
            }
        }
    }
}
