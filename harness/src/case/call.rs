//! The grammar of one line: `operation(arguments) outcome`, and its relatives in `check` and `ends`.
//!
//! Every part carries the bytes that it takes up, so that an error can mark it. What the words mean
//! to a kernel, and if a case as a whole makes sense, is not asked here but in `check`.

use std::ops::Range;

use super::diagnostic::{did_you_mean, shown};
use super::{Alternative, Expr, Outcome, limits};
use crate::ops::{OPS, Op};
use crate::value::{self, Bytes, Errno, SPECIAL_KEYS};

/// A part of a line and the bytes that it takes up.
#[derive(Clone, Debug, PartialEq)]
pub struct Spanned<T> {
    /// The part.
    pub value: T,
    /// Its bytes in the line.
    pub span: Range<usize>,
}

/// `operation(arguments) outcome`
#[derive(Clone, Debug, PartialEq)]
pub struct CallLine {
    /// The operation.
    pub op: Spanned<Op>,
    /// Its arguments.
    pub args: Vec<Spanned<Expr>>,
    /// The bytes from the operation's name to the closing parenthesis.
    pub span: Range<usize>,
    /// Its outcome, if one is written.
    pub outcome: Option<OutcomePart>,
}

/// `name outcome`, as `check` (a variable) and `ends` (a started call) have it.
#[derive(Clone, Debug, PartialEq)]
pub struct NameLine {
    /// The name, without `$`.
    pub name: Spanned<String>,
    /// The outcome.
    pub outcome: OutcomePart,
}

/// An outcome with the places of its parts.
#[derive(Clone, Debug, PartialEq)]
pub struct OutcomePart {
    /// The outcome.
    pub value: Outcome,
    /// The bytes of the whole, its sign included.
    pub span: Range<usize>,
    /// The bytes of each alternative, or of the one name or value.
    pub parts: Vec<Range<usize>>,
}

/// What keeps a line from being read.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// The bytes to mark.
    pub span: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What to say beside the mark.
    pub label: String,
    /// What to do about it.
    pub help: Option<String>,
}

type Parsed<T> = Result<T, Fault>;

/// Reads `operation(arguments) outcome`.
pub fn call(text: &str) -> Parsed<CallLine> {
    let mut line = Line::new(text);
    let op = line.operation()?;
    let args = line.arguments(op.value)?;
    let span = op.span.start..line.at;
    let outcome = if line.is_done() { None } else { Some(line.outcome()?) };
    line.done()?;
    Ok(CallLine { op, args, span, outcome })
}

/// Reads an outcome alone, as `before` and `since` have it.
pub fn outcome(text: &str) -> Parsed<OutcomePart> {
    let mut line = Line::new(text);
    let outcome = line.outcome()?;
    line.done()?;
    Ok(outcome)
}

/// Reads `$variable outcome`.
pub fn check(text: &str) -> Parsed<NameLine> {
    let mut line = Line::new(text);
    let name = line.variable("a check begins with the `$variable` that it is about")?;
    let outcome = line.outcome()?;
    line.done()?;
    Ok(NameLine { name, outcome })
}

/// Reads `name outcome`.
pub fn ends(text: &str) -> Parsed<NameLine> {
    let mut line = Line::new(text);
    let name = line.word();
    if name.value.is_empty() {
        return Err(line.fault_here("the name of a started call belongs here"));
    }
    let outcome = line.outcome()?;
    line.done()?;
    Ok(NameLine { name: Spanned { value: name.value.to_owned(), span: name.span }, outcome })
}

/// If a word can name an actor, a variable, a column, a started call.
pub fn is_name(word: &str) -> bool {
    word.len() <= 32
        && word.starts_with(|first: char| first.is_ascii_lowercase())
        && word.chars().all(|char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '_')
}

/// What [`is_name`] asks for, in words.
pub const NAME_RULE: &str = "a name has up to 32 of a-z, 0-9 and _, a letter first";

impl Fault {
    fn new(span: Range<usize>, message: impl Into<String>) -> Fault {
        Fault { span, message: message.into(), label: String::new(), help: None }
    }

    fn label(mut self, label: impl Into<String>) -> Fault {
        self.label = label.into();
        self
    }

    fn help(mut self, help: impl Into<String>) -> Fault {
        self.help = Some(help.into());
        self
    }

    fn suggest<'w>(self, word: &str, known: impl IntoIterator<Item = &'w str>) -> Fault {
        match did_you_mean(word, known) {
            Some(near) => self.help(format!("did you mean `{near}`?")),
            None => self,
        }
    }
}

/// The line and how far it is read. Blanks before a token are skipped by whoever reads the token.
struct Line<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Line<'t> {
    fn new(text: &'t str) -> Line<'t> {
        Line { text, at: 0 }
    }

    fn rest(&mut self) -> &'t str {
        let rest = &self.text[self.at..];
        let trimmed = rest.trim_start();
        self.at += rest.len() - trimmed.len();
        trimmed
    }

    fn is_done(&mut self) -> bool {
        self.rest().is_empty()
    }

    fn done(&mut self) -> Parsed<()> {
        if self.is_done() {
            return Ok(());
        }
        let fault = Fault::new(self.at..self.text.trim_end().len(), "the line goes on after its end");
        Err(match self.rest().chars().next() {
            Some('-' | '=' | '!') => fault.help("a step has one outcome: `-> …`, `= …` or `!= …`"),
            Some('|') => fault.help("alternatives belong to `=` alone"),
            _ => fault.label("nothing belongs here"),
        })
    }

    /// Takes the token if it comes next.
    fn take(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    /// Takes a word: letters, digits and `_`; an empty one if none is here.
    fn word(&mut self) -> Spanned<&'t str> {
        let rest = self.rest();
        let length =
            rest.find(|char: char| !char.is_ascii_alphanumeric() && char != '_').unwrap_or(rest.len());
        let span = self.at..self.at + length;
        self.at = span.end;
        Spanned { value: &rest[..length], span }
    }

    /// A fault at the next character, or at the end.
    fn fault_here(&mut self, message: impl Into<String>) -> Fault {
        let length = self.rest().chars().next().map_or(0, char::len_utf8);
        Fault::new(self.at..self.at + length, message)
    }

    fn operation(&mut self) -> Parsed<Spanned<Op>> {
        let name = self.word();
        if name.value.is_empty() {
            return Err(self
                .fault_here("an operation belongs here")
                .help("a step reads `actor: operation(arguments) outcome`"));
        }
        let names = OPS.iter().map(|spec| spec.name);
        match Op::from_name(name.value) {
            Some(op) => Ok(Spanned { value: op, span: name.span }),
            None => Err(Fault::new(name.span, format!("no operation `{}`", shown(name.value)))
                .suggest(name.value, names)),
        }
    }

    fn arguments(&mut self, op: Op) -> Parsed<Vec<Spanned<Expr>>> {
        if !self.take("(") {
            return Err(self
                .fault_here("`(` belongs here")
                .label(format!("after `{}`", op.spec().name))
                .help(format!("it is written {}", op.spec().signature())));
        }
        let mut args = Vec::new();
        if self.take(")") {
            return Ok(args);
        }
        loop {
            args.push(self.argument()?);
            if self.take(")") {
                return Ok(args);
            }
            if !self.take(",") {
                return Err(self.fault_here("`,` or `)` belongs here"));
            }
        }
    }

    /// A value, or numbers joined by `|`.
    fn argument(&mut self) -> Parsed<Spanned<Expr>> {
        let mut first = self.value()?;
        while self.take("|") {
            let next = self.value()?;
            let mask = self.joinable(&first)? | self.joinable(&next)?;
            first = Spanned { value: Expr::Number(mask), span: first.span.start..next.span.end };
        }
        Ok(first)
    }

    fn joinable(&self, part: &Spanned<Expr>) -> Parsed<i64> {
        match part.value {
            Expr::Number(number) if !self.is_lone_constant(part) => Ok(number),
            _ => Err(Fault::new(part.span.clone(), "only flags and numbers can be joined by `|`")),
        }
    }

    fn is_lone_constant(&self, part: &Spanned<Expr>) -> bool {
        let word = &self.text[part.span.clone()];
        word.starts_with('@') || value::constant(word).is_some_and(|(_, joinable)| !joinable)
    }

    fn is_flag(&self, part: &Spanned<Expr>) -> bool {
        value::constant(&self.text[part.span.clone()]).is_some_and(|(_, joinable)| joinable)
    }

    /// `-> name`, `= alternatives` or `!= value`.
    fn outcome(&mut self) -> Parsed<OutcomePart> {
        self.rest();
        let start = self.at;
        let (value, parts) = if self.take("->") {
            self.bound()?
        } else if self.take("!=") {
            let value = self.value()?;
            (Outcome::Not(value.value), vec![value.span])
        } else if self.take("=") {
            self.alternatives()?
        } else {
            return Err(self
                .fault_here("an outcome belongs here")
                .label("`-> $x`, `-> actor`, `= value`, `= ERRNO`, `= ok` or `!= value`"));
        };
        let end = parts.last().map_or(self.at, |last: &Range<usize>| last.end);
        Ok(OutcomePart { value, span: start..end, parts })
    }

    fn bound(&mut self) -> Parsed<(Outcome, Vec<Range<usize>>)> {
        if self.rest().starts_with('$') {
            let var = self.variable("")?;
            return Ok((Outcome::Bind(var.value), vec![var.span]));
        }
        let word = self.word();
        if word.value.is_empty() {
            return Err(self.fault_here("`->` needs a name: `-> $x` for a value, `-> name` for an actor"));
        }
        self.named(&word)?;
        Ok((Outcome::Born(word.value.to_owned()), vec![word.span]))
    }

    fn alternatives(&mut self) -> Parsed<(Outcome, Vec<Range<usize>>)> {
        let mut alternatives = Vec::new();
        let mut parts: Vec<Range<usize>> = Vec::new();
        let mut after_flag = false;
        loop {
            let part = self.value()?;
            let flag = self.is_flag(&part);
            let alternative = match part.value {
                Expr::Name(word) if word == "ok" => Alternative::Ok,
                Expr::Errno(errno) => Alternative::Fails(errno),
                value => Alternative::Is(value),
            };
            match (alternatives.last_mut(), &alternative) {
                // Flags that follow each other are one mask; anything else is another alternative.
                (Some(Alternative::Is(Expr::Number(mask))), Alternative::Is(Expr::Number(more)))
                    if flag && after_flag =>
                {
                    *mask |= more;
                    if let Some(last) = parts.last_mut() {
                        *last = last.start..part.span.end;
                    }
                }
                _ => {
                    alternatives.push(alternative);
                    parts.push(part.span);
                }
            }
            after_flag = flag;
            if !self.take("|") {
                return Ok((Outcome::OneOf(alternatives), parts));
            }
        }
    }

    fn value(&mut self) -> Parsed<Spanned<Expr>> {
        let rest = self.rest();
        let start = self.at;
        let value = match rest.chars().next() {
            Some('"') => self.text_literal()?,
            Some('$') => Expr::Var(self.variable("")?.value),
            Some('@') => self.special()?,
            Some('{') => self.set()?,
            Some('-' | '0'..='9') => self.number()?,
            Some(first) if first.is_ascii_alphabetic() => self.named_value()?,
            _ => return Err(self.fault_here("a value belongs here")),
        };
        Ok(Spanned { value, span: start..self.at })
    }

    fn text_literal(&mut self) -> Parsed<Expr> {
        let body = self.at + 1;
        let mut escaped = false;
        let end = self.text[body..].char_indices().find(|(_, char)| {
            let ends = *char == '"' && !escaped;
            escaped = *char == '\\' && !escaped;
            ends
        });
        let Some((length, _)) = end else {
            return Err(Fault::new(self.at..self.text.len(), "a text has no closing quote"));
        };
        let bytes = Bytes::unescape(&self.text[body..body + length]).map_err(|(at, what)| {
            let escape = self.text[body + at..].chars().take(2).map(char::len_utf8).sum::<usize>();
            Fault::new(body + at..body + at + escape, what).label("this escape")
        })?;
        self.at = body + length + 1;
        Ok(Expr::Text(bytes))
    }

    fn variable(&mut self, missing: &str) -> Parsed<Spanned<String>> {
        let start = {
            self.rest();
            self.at
        };
        if !self.take("$") {
            return Err(self.fault_here(missing));
        }
        let rest = &self.text[self.at..];
        let word = if rest.starts_with(char::is_whitespace) {
            Spanned { value: "", span: self.at..self.at }
        } else {
            self.word()
        };
        let span = start..word.span.end;
        if !is_name(word.value) {
            return Err(Fault::new(span, format!("`${}` is no variable", shown(word.value))).help(NAME_RULE));
        }
        Ok(Spanned { value: word.value.to_owned(), span })
    }

    fn special(&mut self) -> Parsed<Expr> {
        let start = self.at;
        self.at += 1;
        let word = self.word();
        let name = &self.text[start..word.span.end];
        match SPECIAL_KEYS.iter().find(|(known, _)| *known == name) {
            Some((_, number)) => Ok(Expr::Number(*number)),
            None => {
                let known: Vec<&str> = SPECIAL_KEYS.iter().map(|(known, _)| *known).collect();
                Err(Fault::new(start..word.span.end, format!("no special key id `{}`", shown(name)))
                    .label(format!("there are {}", known.join(" "))))
            }
        }
    }

    fn set(&mut self) -> Parsed<Expr> {
        self.take("{");
        let mut members = Vec::new();
        if self.take("}") {
            return Ok(Expr::Set(members));
        }
        loop {
            self.rest();
            if self.text[self.at..].starts_with('{') {
                return Err(self.fault_here("a set holds no sets"));
            }
            let member = self.value()?;
            if !matches!(member.value, Expr::Number(_) | Expr::Var(_)) {
                return Err(Fault::new(member.span, "a set holds serials: `$variables` and numbers"));
            }
            members.push(member.value);
            if self.take("}") {
                return Ok(Expr::Set(members));
            }
            if !self.take(",") {
                return Err(self.fault_here("`,` or `}` belongs here"));
            }
        }
    }

    fn number(&mut self) -> Parsed<Expr> {
        let start = self.at;
        let negative = self.text[self.at..].starts_with('-');
        self.at += usize::from(negative);
        let digits = if self.text[self.at..].starts_with(|first: char| first.is_ascii_digit()) {
            self.word().value
        } else {
            ""
        };
        parse_number(negative, digits).map(Expr::Number).map_err(|what| {
            let end = self.at;
            Fault::new(start..end, what).help("a number is written 10, -1, 0x3f010000 or 0o600")
        })
    }

    fn named_value(&mut self) -> Parsed<Expr> {
        let word = self.word();
        if let Some((number, _)) = value::constant(word.value) {
            return Ok(Expr::Number(number));
        }
        if let Some(errno) = Errno::from_name(word.value) {
            return Ok(Expr::Errno(errno));
        }
        match word.value {
            "NULL" => Ok(Expr::Null),
            "BAD_POINTER" => Ok(Expr::BadPointer),
            "text" => self.size(&word, limits::TEXT).map(Expr::Filled),
            "buffer" => self.size(&word, limits::BUFFER).map(Expr::Buffer),
            "numbered" => self.numbered(&word),
            "words" => self.words(&word),
            "ACTOR" | "ok" => Ok(Expr::Name(word.value.to_owned())),
            _ => {
                self.named(&word)?;
                Ok(Expr::Name(word.value.to_owned()))
            }
        }
    }

    /// Refuses a word that can name nothing of the case, with the known word that may be meant.
    fn named(&self, word: &Spanned<&str>) -> Parsed<()> {
        if is_name(word.value) {
            return Ok(());
        }
        let fault = Fault::new(word.span.clone(), format!("no name `{}`", shown(word.value)));
        if !word.value.starts_with(|first: char| first.is_ascii_uppercase()) {
            return Err(fault.help(NAME_RULE));
        }
        let errnos = Errno::names();
        let tables = value::FLAGS.iter().chain(value::CONSTANTS).map(|(name, _)| *name);
        let known = tables.chain(["NULL", "BAD_POINTER", "ACTOR"]).chain(errnos.iter().map(String::as_str));
        Err(fault.suggest(word.value, known))
    }

    /// The `("…")` of `numbered("…")`.
    fn numbered(&mut self, word: &Spanned<&str>) -> Parsed<Expr> {
        let text = if self.take("(") { Some(self.value()?.value) } else { None };
        match text {
            Some(Expr::Text(text)) if self.take(")") => Ok(Expr::Numbered(text)),
            _ => Err(Fault::new(word.span.start..self.at, "`numbered` needs a text")
                .help("write numbered(\"key\") for key1, key2 and so on in a step with `times`")),
        }
    }

    /// The `("…", $x)` of `words("…", $x)`.
    fn words(&mut self, word: &Spanned<&str>) -> Parsed<Expr> {
        let mut parts = Vec::new();
        let mut goes_on = self.take("(");
        while goes_on {
            let part = self.value()?;
            if !matches!(part.value, Expr::Text(_) | Expr::Number(_) | Expr::Var(_)) {
                return Err(Fault::new(part.span, "`words` joins texts, numbers and `$variables`"));
            }
            parts.push(part.value);
            goes_on = self.take(",");
        }
        if parts.is_empty() || !self.take(")") {
            return Err(Fault::new(word.span.start..self.at, "`words` needs values")
                .help("write words(\"Joined session keyring:\", $ring)"));
        }
        Ok(Expr::Words(parts))
    }

    /// The `(N)` of `text(N)` and `buffer(N)`.
    fn size(&mut self, word: &Spanned<&str>, most: u32) -> Parsed<u32> {
        let size = if self.take("(") { Some(self.value()?.value) } else { None };
        match size {
            Some(Expr::Number(size)) if (0..=i64::from(most)).contains(&size) && self.take(")") => {
                Ok(size as u32)
            }
            _ => {
                Err(Fault::new(word.span.start..self.at, format!("`{}` needs a length in bytes", word.value))
                    .help(format!("write {}(N) with N from 0 to {most}", word.value)))
            }
        }
    }
}

fn parse_number(negative: bool, digits: &str) -> Result<i64, &'static str> {
    let (radix, digits) = match digits.get(..2) {
        Some("0x") => (16, &digits[2..]),
        Some("0o") => (8, &digits[2..]),
        _ => (10, digits),
    };
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return Err("this is no number");
    }
    // Hexadecimal shows bits: all 64 may be set.
    if radix == 16 && !negative {
        return u64::from_str_radix(digits, radix).map(|bits| bits as i64).map_err(|_| TOO_LARGE);
    }
    let sign = if negative { "-" } else { "" };
    i64::from_str_radix(&format!("{sign}{digits}"), radix).map_err(|_| TOO_LARGE)
}

const TOO_LARGE: &str = "this number does not fit into 64 bits";

#[cfg(test)]
mod tests;
