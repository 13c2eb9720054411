//! Programs and suite, both with an expectation that is wrong on purpose: both have to fail, at that line.

use std::io::{self, Write};

use harness::case::{Act, Alternative, Expr, Outcome, Step};
use harness::export;
use harness::plan::{self, Plan};
use harness::record::Verdict;
use harness::value::{Bytes, Errno};

use super::compiled;
use super::{Stand, TIMEOUT, agree};

pub(crate) fn bites(stand: &Stand) -> Result<(), String> {
    let (suite, pool) = (stand.suite(), stand.pool()?);
    let version = pool.target().version;
    let cases = suite.cases();
    let spoil_one = |at: usize| {
        let case = &cases[at];
        let plan = plan::plan(case, pool.target(), TIMEOUT).ok()?;
        export::settled(case, version).ok()?;
        // What fails anyway has shown that it can.
        pool.play(&plan).filter(|record| record.verdict == Verdict::Pass)?;
        let (plan, line) = spoil(&plan, at)?;
        let program = export::program(suite, case, &plan, version).ok()?;
        Some((case, line, plan, program))
    };
    let spoiled: Vec<_> =
        compiled::each(cases.len(), compiled::RUNNING, spoil_one).into_iter().flatten().collect();
    let programs: Vec<export::Program> = spoiled.iter().map(|(.., program)| program.clone()).collect();
    if programs.len() < 1000 {
        return Err(format!("only {} cases could be spoiled", programs.len()));
    }
    let told = compiled::run_bundled(&programs)?;
    let records = compiled::each(spoiled.len(), compiled::RUNNING, |at| pool.play(&spoiled[at].2));
    let mut wrong = Vec::new();
    for (((case, line, ..), told), record) in spoiled.iter().zip(told).zip(records) {
        let record = record.ok_or("stopped")?;
        let failed = record.steps.last().filter(|_| record.verdict == Verdict::Fail).map(|step| step.line);
        let why = match agree(&record, &told) {
            Err(why) => why,
            Ok(()) if failed == Some(*line) => continue,
            Ok(()) => format!("{:?} at {failed:?}", record.verdict),
        };
        wrong.push(format!("{} with line {line} spoiled: {why}\n{}", case.id, told.output));
    }
    let count = programs.len();
    let _ = writeln!(io::stdout(), "{count} spoiled, {} not told alike", wrong.len());
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(wrong.join("\n")),
    }
}

/// The plan with one outcome that is wrong, and its line.
pub(crate) fn spoil(plan: &Plan, seed: usize) -> Option<(Plan, u32)> {
    let mut plan = plan.clone();
    let count = plan.steps.len();
    // From somewhere on, the first step that has an outcome to be spoiled.
    let at = (0..count).map(|offset| (seed + offset) % count).find(|at| can_be(&plan.steps[*at]))?;
    let step = &mut plan.steps[at];
    // What is waited for would be waited for in vain.
    step.within = None;
    if let Act::Call { outcome, .. } | Act::Check { outcome, .. } = &mut step.act {
        *outcome = spoiled(outcome);
    }
    let line = step.line;
    // The case ends there; what comes later may want a variable that is not bound any more.
    plan.steps.truncate(at + 1);
    Some((plan, line))
}

fn can_be(step: &Step) -> bool {
    let born = matches!(&step.act, Act::Call { outcome: Outcome::Born(_), .. });
    !born
        && step.starts.is_none()
        && step.within.is_none()
        && matches!(step.act, Act::Call { .. } | Act::Check { .. })
}

fn spoiled(outcome: &Outcome) -> Outcome {
    // No call of the suite fails with that.
    let fails = Outcome::OneOf(vec![Alternative::Fails(Errno(libc_exdev()))]);
    let Outcome::OneOf(alternatives) = outcome else { return fails };
    match alternatives.as_slice() {
        [Alternative::Fails(_)] => Outcome::OneOf(vec![Alternative::Ok]),
        [Alternative::Is(Expr::Number(number))] => is(Expr::Number(number + 1)),
        [Alternative::Is(Expr::Text(text))] => is(Expr::Text(Bytes([text.0.as_slice(), b"x"].concat()))),
        [Alternative::Is(Expr::Set(members))] => {
            is(Expr::Set(members.iter().cloned().chain([Expr::Number(12_345)]).collect()))
        }
        [Alternative::Is(Expr::Var(_))] => is(Expr::Number(12_345)),
        _ => fails,
    }
}

fn is(expr: Expr) -> Outcome {
    Outcome::OneOf(vec![Alternative::Is(expr)])
}

/// EXDEV, everywhere.
fn libc_exdev() -> i32 {
    nix::errno::Errno::EXDEV as i32
}
