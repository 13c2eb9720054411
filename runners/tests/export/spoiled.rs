//! Programs and suite, both with an expectation that is wrong on purpose: both have to fail, at that line.

use harness::case::{Act, Alternative, Expr, Outcome, Step};
use harness::export;
use harness::plan::{self, Plan};
use harness::record::Verdict;
use harness::value::{Bytes, Errno};

use super::compiled::{self, Program};
use super::{Stand, TIMEOUT, agree};

/// Every so many cases.
const EVERY: usize = 6;

pub(crate) fn bites(stand: &Stand) -> Result<(), String> {
    let (suite, pool) = (stand.suite(), stand.pool()?);
    let version = pool.target().version;
    let mut spoiled = Vec::new();
    for (at, case) in suite.cases().iter().enumerate().step_by(EVERY) {
        let Ok(plan) = plan::plan(case, pool.target(), TIMEOUT) else { continue };
        if export::settled(case, version).is_err() || pool.play(&plan).ok_or("stopped")?.verdict != Verdict::Pass {
            continue;
        }
        let Some((plan, line)) = spoil(&plan, at) else { continue };
        let Ok(program) = export::program(suite, case, &plan, version) else { continue };
        spoiled.push((plan, line, Program { name: case.id.clone(), text: program.to_string() }));
    }
    let programs: Vec<&Program> = spoiled.iter().map(|(_, _, program)| program).collect();
    if programs.len() < 100 {
        return Err(format!("only {} cases could be spoiled", programs.len()));
    }
    let told = compiled::run(&programs, &["-O0", "-w"])?;
    let mut wrong = Vec::new();
    for ((plan, line, program), told) in spoiled.iter().zip(told) {
        let record = pool.play(plan).ok_or("stopped")?;
        let failed = record.steps.last().filter(|_| record.verdict == Verdict::Fail).map(|step| step.line);
        let why = match agree(&record, &told) {
            Err(why) => why,
            Ok(()) if failed == Some(*line) => continue,
            Ok(()) => format!("{:?} at {failed:?}", record.verdict),
        };
        wrong.push(format!("{} with line {line} spoiled: {why}\n{}", program.name, told.output));
    }
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(wrong.join("\n")),
    }
}

/// The plan with one outcome that is wrong, and its line.
fn spoil(plan: &Plan, seed: usize) -> Option<(Plan, u32)> {
    let mut plan = plan.clone();
    let count = plan.steps.len();
    // From somewhere on, the first step that has an outcome to be spoiled.
    let at = (0..count).map(|offset| (seed / EVERY + offset) % count).find(|at| can_be(&plan.steps[*at]))?;
    let step = &mut plan.steps[at];
    // What is waited for would be waited for in vain.
    step.within = None;
    if let Act::Call { outcome, .. } | Act::Check { outcome, .. } = &mut step.act {
        *outcome = spoiled(outcome);
    }
    let line = step.line;
    Some((plan, line))
}

fn can_be(step: &Step) -> bool {
    let born = matches!(&step.act, Act::Call { outcome: Outcome::Born(_), .. });
    !born && step.starts.is_none() && step.within.is_none() && matches!(step.act, Act::Call { .. } | Act::Check { .. })
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
