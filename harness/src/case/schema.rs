//! What is generated from the table of operations: a JSON Schema of a case, for editors, and the
//! manual of operations. Both stand beside the cases, and a test keeps them fresh.
//!
//! The schema tells keys, kinds and bounds; what a step's line says is the grammar's to judge.

use std::fmt::Write;

use serde_json::{Value, json};

use super::load::{ACTOR_KEYS, KEYS, LARGEST_ID, NORMS, SESSIONS};
use super::step::RESERVED;
use super::{Prerequisite, limits};
use crate::ops::{Gives, Kind, Need, OPS, Spec};
use crate::value::{CAPABILITIES, CONSTANTS, FLAGS, SPECIAL_KEYS};

/// A name of an actor, a variable, a column or a started call.
const NAME: &str = "^[a-z][a-z0-9_]{0,31}$";

/// The JSON Schema of a case file.
pub fn schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A case of the session keyring conformance suite",
        "type": "object",
        "required": ["title", "covers", "actors", "steps"],
        "additionalProperties": false,
        "properties": object(KEYS, case_property),
        "$defs": {
            "step": step(),
            "steps": { "type": "array", "items": { "$ref": "#/$defs/step" } },
            "line": line(),
            "outcome": {
                "type": "string",
                "pattern": "^\\s*(->|=|!=)",
                "description": "-> $x | -> actor | = value | = ERRNO | = ok | != value"
            },
            "actor": {
                "type": "object",
                "additionalProperties": false,
                "properties": object(ACTOR_KEYS, actor_property)
            },
            "id": { "type": "integer", "minimum": 0, "maximum": LARGEST_ID }
        }
    })
}

fn object(keys: &[&str], property: impl Fn(&str) -> Value) -> Value {
    keys.iter().map(|key| ((*key).to_owned(), property(key))).collect::<serde_json::Map<_, _>>().into()
}

fn case_property(key: &str) -> Value {
    match key {
        "title" => json!({
            "type": "string",
            "minLength": 1,
            "maxLength": limits::TITLE,
            "pattern": "^[^\\n]*[^.]$",
            "description": "One sentence in the present tense, true or false of a kernel."
        }),
        "covers" => json!({
            "type": "array",
            "minItems": 1,
            "uniqueItems": true,
            "items": { "type": "string", "pattern": "^[A-Z][A-Z0-9-]*$" },
            "description": "Ids of requirements."
        }),
        "about" => json!({ "type": "string", "description": "What a reader has to know beyond the title." }),
        "norm" => json!({ "enum": names(NORMS), "description": "Whose claim the case states." }),
        "needs" => json!({
            "type": "array",
            "uniqueItems": true,
            "items": { "enum": names(Prerequisite::ALL) },
            "description": "Prerequisites that cannot be inferred from the steps."
        }),
        "programs" => json!({
            "type": "array",
            "uniqueItems": true,
            "maxItems": limits::PROGRAMS,
            "items": { "type": "string" },
            "description": "What of the machine the programs of the steps need besides: programs, PAM modules, files by path."
        }),
        "files" => json!({
            "type": "object",
            "maxProperties": limits::PROGRAMS,
            "propertyNames": { "pattern": "^/etc/" },
            "additionalProperties": { "type": "string" },
            "description": "What the case finds in /etc, and nothing else."
        }),
        "actors" => json!({
            "type": "object",
            "minProperties": 1,
            "maxProperties": limits::ACTORS,
            "propertyNames": { "pattern": NAME, "not": { "enum": RESERVED } },
            "additionalProperties": { "$ref": "#/$defs/actor" },
            "description": "The processes that exist before the first step."
        }),
        "table" => json!({
            "type": "object",
            "minProperties": 1,
            "maxProperties": limits::ROWS,
            "propertyNames": { "pattern": "^[a-z0-9._-]{1,64}$" },
            "additionalProperties": {
                "type": "object",
                "propertyNames": { "pattern": NAME },
                "additionalProperties": { "type": ["string", "number", "boolean"] }
            },
            "description": "Rows of texts; <column> in a step is replaced, and each row is a trial."
        }),
        _ => json!({
            "type": "array",
            "minItems": 1,
            "maxItems": limits::STEPS,
            "items": { "$ref": "#/$defs/step" },
            "description": "Played in order; the first one that fails ends the case."
        }),
    }
}

fn actor_property(key: &str) -> Value {
    match key {
        "uid" | "gid" => json!({ "$ref": "#/$defs/id" }),
        "groups" => json!({ "type": "array", "items": { "$ref": "#/$defs/id" } }),
        "caps" => json!({
            "type": "array",
            "uniqueItems": true,
            "items": { "enum": CAPABILITIES.iter().flat_map(|name| [(*name).to_owned(), format!("cap_{name}")]).collect::<Vec<_>>() }
        }),
        "userns" => json!({ "type": "string", "pattern": NAME }),
        "session" => json!({ "enum": names(SESSIONS) }),
        _ => json!({ "type": "string", "description": "The key type whose upcalls start this actor." }),
    }
}

fn step() -> Value {
    json!({
        "type": "object",
        "minProperties": 1,
        "properties": {
            "check": { "type": "string", "pattern": "^\\s*\\$", "description": "$x = value | $x != value" },
            "together": {
                "type": "array",
                "minItems": 2,
                "maxItems": 16,
                "items": { "$ref": "#/$defs/step" },
                "description": "Calls of different actors, released at the same instant; with `times`, again and again."
            },
            "ends": { "type": "string", "description": "NAME outcome, of a call that a step starts" },
            "within": {
                "type": "string",
                "pattern": "^[0-9]+(s|ms)$",
                "description": "Polls until the outcome is met, for this long at most."
            },
            "starts": {
                "type": "string",
                "pattern": NAME,
                "description": "The call goes on under this name until a step ends it."
            },
            "times": { "type": "integer", "minimum": 1, "maximum": limits::TIMES },
            "abi": { "enum": ["compat32"], "description": "The 32-bit entry for key calls." }
        },
        "patternProperties": {
            "^(before|since) [0-9]+\\.[0-9]+$": {
                "type": "string",
                "description": "What was, or is, right on that side of a kernel version."
            },
            "^(?!(check|together|ends|within|starts|times|abi|before|since|ok)$)[a-z][a-z0-9_]{0,31}$": { "$ref": "#/$defs/line" }
        },
        "additionalProperties": false
    })
}

fn line() -> Value {
    let operations: Vec<&str> = OPS.iter().map(|spec| spec.name).collect();
    json!({
        "type": "string",
        "maxLength": limits::STEP,
        "pattern": format!("^\\s*({}|<[a-z0-9_]+>)", operations.join("|")),
        "description": "operation(arguments) outcome"
    })
}

fn names<T>(table: &[(&str, T)]) -> Vec<String> {
    table.iter().map(|(name, _)| (*name).to_owned()).collect()
}

/// The manual of operations.
pub fn manual() -> String {
    let mut out = String::from(
        "# Operations\n\n\
         A step reads `actor: operation(arguments) outcome`. This page lists the operations and the names that\n\
         arguments may have. It is generated from the program's table.\n",
    );
    for spec in OPS {
        operation(&mut out, spec);
    }
    out.push_str("\n# Names\n\n");
    list(&mut out, "Special key ids", SPECIAL_KEYS);
    list(&mut out, "Flags, which `|` joins", FLAGS);
    list(&mut out, "Constants, which stand alone", CONSTANTS);
    let caps: Vec<String> = CAPABILITIES.iter().map(|name| format!("`{name}`")).collect();
    let _ = writeln!(out, "Capabilities: {}.", caps.join(", "));
    out
}

fn operation(out: &mut String, spec: &Spec) {
    let _ = write!(out, "\n## `{}`\n\n{}\n\n", spec.signature(), spec.doc);
    for param in spec.params.iter().chain(spec.optional).chain(&spec.rest) {
        let _ = writeln!(out, "- `{}`: {}", param.shown(), takes(param.kind));
    }
    let _ = writeln!(out, "- gives {}", gives(spec.gives));
    if !spec.needs.is_empty() {
        let needs: Vec<&str> = spec.needs.iter().map(|need| needs(*need)).collect();
        let _ = writeln!(out, "- needs {}", needs.join(", "));
    }
    let _ = writeln!(out, "- from {}", spec.from);
}

fn list(out: &mut String, what: &str, table: &[(&str, i64)]) {
    let names: Vec<String> = table.iter().map(|(name, _)| format!("`{name}`")).collect();
    let _ = write!(out, "{what}: {}.\n\n", names.join(", "));
}

fn takes(kind: Kind) -> &'static str {
    match kind {
        Kind::Key => "a key: `$x`, a special id such as `@s`, or a number",
        Kind::Int => "a number",
        Kind::Mask => "a permission mask: names joined by `|`, or a number",
        Kind::Flags => "flags: names joined by `|`, or a number",
        Kind::Text => "a text: `\"…\"`, `text(N)`, `NULL` or `BAD_POINTER`",
        Kind::Buffer => "a buffer: `buffer(N)`, `NULL` or `BAD_POINTER`",
        Kind::Actor => "the name of an actor",
        Kind::Errno => "the name of an error",
        Kind::Any => "anything that has a value",
    }
}

fn gives(gives: Gives) -> &'static str {
    match gives {
        Gives::Zero => "nothing but success: `= ok` or `= 0`",
        Gives::Serial => "the serial of a key",
        Gives::Number => "a number",
        Gives::Text => "a text",
        Gives::Content => "a text, or the set of a keyring's links: `{$a, $b}`",
        Gives::Description => "`\"type;uid;gid;perm;description\"`, where `*` matches a field",
        Gives::Line => "a line of words, where `*` matches a word; `\"\"` where there is none",
        Gives::Actor => "an actor: `-> name`",
    }
}

fn needs(need: Need) -> &'static str {
    match need {
        Need::Ids => "more than one user or group id",
        Need::Files => "a file system of the case's own",
        Need::Proc => "/proc",
        Need::Programs => "programs of the machine",
        Need::Vm => "a VM",
    }
}
