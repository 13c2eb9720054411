//! What is expected of an answer, in C: how it is read, and the ways in which it may come out.

use std::fmt::Write;

use super::Refusal;
use super::c::{WIDTH, Writer, is_bytes, literal};
use super::deed::{Part, Word};
use super::paper::Symbol;
use super::script::{self, Answer, Asked, Read};
use crate::actor::reading::Reading;
use crate::case::{Alternative, Expr, Outcome};
use crate::ops::Gives;
use crate::value::Errno;

impl Writer<'_> {
    pub(super) fn answer(&mut self, text: &mut String, indent: &str, part: &Asked) -> Result<(), Refusal> {
        let Some(Answer { read, gives, outcome }) = &part.answer else { return Ok(()) };
        let serial = *gives == Gives::Serial;
        let (who, how) = match read {
            Read::Variable(name) => {
                let variable = self.variable(name);
                let note = if is_bytes(*gives) { "note_text" } else { "note" };
                writeln!(text, "{indent}{note}(\"${name}\", {variable});")?;
                ("0".to_owned(), if serial { "KNOWN_SERIAL".into() } else { "KNOWN".into() })
            }
            Read::Known => ("0".to_owned(), "KNOWN".into()),
            Read::Born => (self.actor(&part.actor), "BORN".to_owned()),
            Read::As(reading) => (self.actor(&part.actor), self.reading(reading, serial)?),
        };
        let wants = self.wants(outcome, *gives)?;
        let line = format!("{indent}expect({}, {who}, {how}, {});", part.line, wants.join(", "));
        match line.len() > WIDTH {
            true => writeln!(
                text,
                "{indent}expect({}, {who}, {how},\n{indent}       {});",
                part.line,
                wants.join(&format!(",\n{indent}       "))
            )?,
            false => writeln!(text, "{line}")?,
        }
        Ok(())
    }

    fn reading(&mut self, reading: &Reading, serial: bool) -> Result<String, Refusal> {
        let mut looked_for = |word: &str| {
            let parts = super::deed::parts(word.as_bytes(), &self.script.paper);
            self.word(&Word::Text(parts))
        };
        Ok(match reading {
            Reading::Number if serial => "SERIAL".into(),
            Reading::Number => "NUMBER".into(),
            Reading::Zero => "ZERO".into(),
            Reading::Text => "STRING".into(),
            Reading::Bytes => "BYTES".into(),
            Reading::Line(word) => format!("LINE({})", looked_for(word)?),
            Reading::Field(word) => format!("FIELD({})", looked_for(word)?),
            Reading::Ascending => "ASCENDING".into(),
            Reading::Spelled => "SPELLED".into(),
            Reading::Words => "WORDS".into(),
            Reading::Word(at) => format!("WORD({at})"),
            Reading::Bit(bit) => format!("BIT({bit})"),
            Reading::Mode => "MODE".into(),
            Reading::Effective(capability) => format!("EFFECTIVE({capability})"),
            Reading::Output | Reading::Status | Reading::Ended => {
                return Err(Refusal("it is about a program of the machine's".into()));
            }
        })
    }

    fn wants(&mut self, outcome: &Outcome, gives: Gives) -> Result<Vec<String>, Refusal> {
        Ok(match outcome {
            Outcome::Born(_) => vec!["OK".into()],
            Outcome::Bind(name) if is_bytes(gives) => vec![format!("BIND_TEXT({})", self.variable(name))],
            Outcome::Bind(name) => vec![format!("BIND({})", self.variable(name))],
            Outcome::Not(expr) => vec![self.want(expr, gives, true)?],
            Outcome::OneOf(alternatives) => alternatives
                .iter()
                .map(|alternative| match alternative {
                    Alternative::Ok => Ok("OK".into()),
                    Alternative::Fails(errno) => Ok(format!("FAILS({})", errno_name(*errno))),
                    Alternative::Is(expr) => self.want(expr, gives, false),
                })
                .collect::<Result<_, Refusal>>()?,
        })
    }

    fn want(&mut self, expr: &Expr, gives: Gives, not: bool) -> Result<String, Refusal> {
        let is_text_variable =
            |name: &str| self.script.variables.iter().any(|(known, gives)| known == name && is_bytes(*gives));
        let text = match expr {
            Expr::Text(bytes) => Some(format!("T({})", literal(&bytes.0))),
            Expr::Filled(size) => Some(format!("T({})", literal(&vec![b'a'; *size as usize]))),
            Expr::Var(name) if is_text_variable(name) => Some(self.variable(name)),
            Expr::Words(parts) => {
                let mut all = Vec::new();
                for (at, part) in parts.iter().enumerate() {
                    if at > 0 {
                        all.push(Part::Bytes(b" ".to_vec()));
                    }
                    all.push(match part {
                        Expr::Text(bytes) => Part::Bytes(bytes.0.clone()),
                        Expr::Number(number) => Part::Bytes(number.to_string().into_bytes()),
                        Expr::Var(name) if !is_text_variable(name) => {
                            Part::Decimal(Symbol::Variable(name.clone()))
                        }
                        _ => return Err(Refusal("words of which one is a text that is bound".into())),
                    });
                }
                Some(format!("FT({})", self.format(&all)))
            }
            _ => None,
        };
        if let Some(text) = text {
            return Ok(match (gives, not) {
                (Gives::Description, false) => format!("FIELDS({text})"),
                (Gives::Line, false) => format!("LIKE({text})"),
                (Gives::Description, true) => format!("NOT_FIELDS({text})"),
                (Gives::Line, true) => format!("NOT_LIKE({text})"),
                (_, false) => format!("TEXT({text})"),
                (_, true) => format!("NOT_TEXT({text})"),
            });
        }
        if let Expr::Set(members) = expr {
            let mut words = Vec::new();
            for member in members {
                let word = script::word(member, &self.script.paper)
                    .ok_or_else(|| Refusal("a member of a set".into()))?;
                words.push(self.word(&word)?);
            }
            return Ok(format!("{}({})", if not { "NOT_SET" } else { "SET" }, words.join(", ")));
        }
        let word = script::word(expr, &self.script.paper)
            .ok_or_else(|| Refusal(format!("{expr:?} cannot be expected in C")))?;
        Ok(format!("{}({})", if not { "NOT" } else { "IS" }, self.word(&word)?))
    }
}

fn errno_name(errno: Errno) -> String {
    errno.name().unwrap_or_else(|| errno.0.to_string())
}
