//! Kinds of values: what an operation takes, what it gives, and what its outcome can be compared with.
//!
//! Where a raw form makes sense (a number for a key, NULL for a text) it is let through: a case has to
//! be able to ask a kernel for the wrong thing. Names that must be alive or bound are not asked here.

use crate::case::{Alternative, Call, Expr, HOSTED, Outcome, limits};
use crate::ops::{Gives, Kind, Op};
use crate::value::Bytes;

/// The index of an argument or of an outcome's part, what is wrong with it, and what to do.
pub(super) type Finding = (usize, String, Option<String>);

/// What a value looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// An integer.
    Number,
    /// A byte string.
    Text,
    /// Bytes or a set, as the outcome asks.
    Any,
}

/// Checks number and kinds of a call's arguments.
pub(super) fn arguments(call: &Call, shape_of: impl Fn(&str) -> Shape) -> Vec<Finding> {
    let spec = call.op.spec();
    let (least, most) = spec.arity();
    let given = call.args.len();
    if given < least || most.is_some_and(|most| given > most) {
        let message = format!("`{}` is written {}", spec.name, spec.signature());
        let at = most.filter(|most| given > *most).unwrap_or(usize::MAX);
        return vec![(
            at,
            message,
            Some(format!("{given} {} given", if given == 1 { "argument is" } else { "arguments are" })),
        )];
    }
    let params = (0..given).filter_map(|at| spec.param(at));
    let mut findings: Vec<Finding> = call
        .args
        .iter()
        .zip(params)
        .enumerate()
        .filter(|(_, (arg, param))| !accepts(call.op, param.kind, arg, &shape_of))
        .map(|(at, (_, param))| {
            (at, format!("`{}` takes {} as its `{}`", spec.name, wanted(param.kind), param.shown()), None)
        })
        .collect();
    findings.extend(bounds(call));
    findings
}

fn accepts(op: Op, kind: Kind, arg: &Expr, shape_of: &impl Fn(&str) -> Shape) -> bool {
    let shape = match arg {
        Expr::Var(name) => shape_of(name),
        Expr::Number(_) => Shape::Number,
        _ => Shape::Text,
    };
    match kind {
        Kind::Key | Kind::Int | Kind::Mask | Kind::Flags => {
            matches!(arg, Expr::Number(_) | Expr::Var(_)) && shape != Shape::Text
        }
        Kind::Text => {
            matches!(
                arg,
                Expr::Text(_)
                    | Expr::Filled(_)
                    | Expr::Numbered(_)
                    | Expr::Null
                    | Expr::BadPointer
                    | Expr::Var(_)
            )
        }
        Kind::Buffer => matches!(arg, Expr::Buffer(_) | Expr::Null | Expr::BadPointer),
        Kind::Actor => matches!(arg, Expr::Name(_)),
        Kind::Errno => matches!(arg, Expr::Errno(_)),
        Kind::Any => match arg {
            Expr::Name(name) => op == Op::Run && name == HOSTED,
            Expr::Set(_) => false,
            _ => true,
        },
    }
}

fn wanted(kind: Kind) -> &'static str {
    match kind {
        Kind::Key => "a key (`$x`, `@s` or a number)",
        Kind::Int => "a number",
        Kind::Mask => "a mask (names joined by `|`, or a number)",
        Kind::Flags => "flags (names joined by `|`, or a number)",
        Kind::Text => "a text (`\"…\"`, `text(N)`, NULL or BAD_POINTER)",
        Kind::Buffer => "a buffer (`buffer(N)`, NULL or BAD_POINTER)",
        Kind::Actor => "the name of an actor",
        Kind::Errno => "the name of an error",
        Kind::Any => "a number, a text or a buffer",
    }
}

/// Bounds that keep a case from holding up a run.
fn bounds(call: &Call) -> Option<Finding> {
    let pauses = matches!(call.op, Op::Nanosleep | Op::Spin);
    match call.args.first() {
        Some(Expr::Number(pause)) if pauses && !(0..=limits::PAUSE).contains(pause) => {
            Some((0, format!("`{}` takes 0 to {} milliseconds", call.op.spec().name, limits::PAUSE), None))
        }
        Some(Expr::Var(_)) if pauses => {
            Some((0, "how long to pause is written as a number".to_owned(), None))
        }
        _ => None,
    }
}

/// The shape of what a call gives.
pub(super) fn shape(call: &Call) -> Shape {
    match call.gives() {
        Gives::Zero | Gives::Serial | Gives::Number => Shape::Number,
        Gives::Text | Gives::Description | Gives::Line => Shape::Text,
        Gives::Content | Gives::Actor => Shape::Any,
    }
}

/// Checks an outcome against what the call gives. An error always fits.
pub(super) fn outcome(call: &Call, outcome: &Outcome) -> Vec<(usize, String, &'static str)> {
    let gives = call.gives();
    let name = call.op.spec().name;
    match outcome {
        Outcome::Born(_) if gives == Gives::Actor => Vec::new(),
        Outcome::Born(actor) => {
            let help = if gives == Gives::Zero { "write `= ok`" } else { "a result is bound by `-> $name`" };
            vec![(0, format!("`{name}` gives no actor `{actor}`"), help)]
        }
        _ if gives == Gives::Actor && !outcome.fails() => {
            vec![(
                usize::MAX,
                format!("`{name}` gives an actor, and an actor needs a name"),
                "write `-> name`",
            )]
        }
        Outcome::Bind(_) if gives == Gives::Zero => {
            vec![(0, format!("`{name}` gives nothing but success"), "write `= ok`")]
        }
        Outcome::Bind(_) => Vec::new(),
        Outcome::Not(Expr::Errno(errno)) => {
            vec![(
                0,
                format!("`!=` means success with another value, and {errno} is none"),
                "name the errors that are right: `= ERRNO | …`",
            )]
        }
        Outcome::Not(_) if gives == Gives::Zero => {
            vec![(0, format!("`{name}` gives nothing but success"), "write `= ok` or the error")]
        }
        Outcome::Not(value) => misfit(gives, value).map(|(what, help)| (0, what, help)).into_iter().collect(),
        Outcome::OneOf(alternatives) => each(alternatives, |value| misfit(gives, value)),
    }
}

fn each(
    alternatives: &[Alternative],
    judge: impl Fn(&Expr) -> Option<(String, &'static str)>,
) -> Vec<(usize, String, &'static str)> {
    let wrong = |(at, one): (usize, &Alternative)| match one {
        Alternative::Is(value) => judge(value).map(|(what, help)| (at, what, help)),
        Alternative::Ok | Alternative::Fails(_) => None,
    };
    alternatives.iter().enumerate().filter_map(wrong).collect()
}

/// Why a value can never be what an operation gives.
fn misfit(gives: Gives, value: &Expr) -> Option<(String, &'static str)> {
    let text = matches!(value, Expr::Text(_) | Expr::Filled(_) | Expr::Var(_));
    match gives {
        Gives::Zero if *value == Expr::Number(0) => None,
        Gives::Zero => {
            Some(("the operation gives nothing but success".to_owned(), "write `= ok`, `= 0` or the error"))
        }
        Gives::Serial | Gives::Number if matches!(value, Expr::Number(_) | Expr::Var(_)) => None,
        Gives::Serial | Gives::Number => Some(("the operation gives a number".to_owned(), "")),
        Gives::Description if matches!(value, Expr::Text(text) if fields(text) < 5) => Some((
            "a description has five fields".to_owned(),
            "write \"type;uid;gid;perm;description\"; `*` matches a field",
        )),
        Gives::Line if matches!(value, Expr::Words(_)) => None,
        Gives::Text | Gives::Description | Gives::Line if text => None,
        Gives::Text | Gives::Description | Gives::Line => Some(("the operation gives a text".to_owned(), "")),
        Gives::Content if text || matches!(value, Expr::Set(_)) => None,
        Gives::Content => Some((
            "the operation gives a text or, of a keyring, a set".to_owned(),
            "a set is written {$a, $b}",
        )),
        Gives::Actor => None,
    }
}

/// The fields of a description; its name, the last one, may hold more semicolons.
fn fields(text: &Bytes) -> usize {
    text.0.split(|byte| *byte == b';').count()
}

/// Checks the comparison of a bound value.
pub(super) fn comparison(shape: Shape, outcome: &Outcome) -> Vec<(usize, String, &'static str)> {
    let judge = |value: &Expr| match (shape, value) {
        (Shape::Number, Expr::Number(_))
        | (Shape::Text, Expr::Text(_) | Expr::Filled(_) | Expr::Words(_)) => None,
        (_, Expr::Var(_)) => None,
        (Shape::Any, Expr::Number(_) | Expr::Text(_) | Expr::Filled(_) | Expr::Set(_)) => None,
        (Shape::Number, _) => Some(("the variable holds a number".to_owned(), "")),
        (Shape::Text, _) => Some(("the variable holds a text".to_owned(), "")),
        (Shape::Any, _) => Some(("this is no value to compare with".to_owned(), "")),
    };
    match outcome {
        Outcome::Bind(_) | Outcome::Born(_) => {
            vec![(
                usize::MAX,
                "a check compares, it names nothing".to_owned(),
                "write `$x = value` or `$x != value`",
            )]
        }
        Outcome::Not(value) => judge(value).map(|(what, help)| (0, what, help)).into_iter().collect(),
        Outcome::OneOf(alternatives) => {
            let mut findings = each(alternatives, judge);
            let bare = alternatives.iter().position(|one| !matches!(one, Alternative::Is(_)));
            findings.extend(bare.map(|at| {
                (
                    at,
                    "a check compares with values".to_owned(),
                    "a bound value is no error: the step that bound it succeeded",
                )
            }));
            findings
        }
    }
}
