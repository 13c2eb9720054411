//! Who plays, in C: the actors that are there before the first step, and the names of actors and variables.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::c::{Writer, is_bytes, literal};
use super::script::Script;
use super::{Refusal, runtime};
use crate::case::Session;
use crate::plan::Plan;

/// Names of actors and variables that mean something to C or to the runtime get an underscore.
pub(super) fn identifiers(plan: &Plan, script: &Script) -> BTreeMap<String, String> {
    const C: &[&str] = &[
        "auto",
        "break",
        "case",
        "char",
        "const",
        "continue",
        "default",
        "do",
        "double",
        "else",
        "enum",
        "extern",
        "float",
        "for",
        "goto",
        "if",
        "inline",
        "int",
        "long",
        "register",
        "restrict",
        "return",
        "short",
        "signed",
        "sizeof",
        "static",
        "struct",
        "switch",
        "typedef",
        "typeof",
        "union",
        "unsigned",
        "void",
        "volatile",
        "while",
        "asm",
        "linux",
        "unix",
        "bool",
        "true",
        "false",
        "nullptr",
        "thread_local",
        "constexpr",
        "static_assert",
        "alignas",
        "alignof",
        "errno",
        "stdin",
        "stdout",
        "stderr",
        "environ",
    ];
    let mut taken: BTreeSet<String> = runtime::reserved().iter().chain(C).map(ToString::to_string).collect();
    let mut found = BTreeMap::new();
    let actors = plan.actors.iter().map(|actor| &actor.name).chain(&script.born);
    let variables = script.variables.iter().map(|(name, _)| format!("${name}"));
    for name in actors.cloned().chain(variables) {
        let mut identifier = name.trim_start_matches('$').to_owned();
        while taken.contains(&identifier) {
            identifier.push('_');
        }
        taken.insert(identifier.clone());
        found.insert(name, identifier);
    }
    found
}

impl Writer<'_> {
    pub(super) fn cast(&self, plan: &Plan) -> Result<String, Refusal> {
        let mut text = String::from("static const struct cast cast[CAST] = {\n");
        let mut namespaces: Vec<&str> = Vec::new();
        for actor in &plan.actors {
            let namespace = actor.userns.as_deref().map_or(0, |name| {
                let at = namespaces.iter().position(|known| *known == name).unwrap_or_else(|| {
                    namespaces.push(name);
                    namespaces.len() - 1
                });
                at + 1
            });
            let session = match actor.session {
                Session::Fresh => 1,
                Session::Inherited => 0,
                Session::None => -1,
            };
            write!(text, "\t{{ .name = \"{}\", .uid = {}, .gid = {}", actor.name, actor.uid, actor.gid)?;
            write!(text, ", .capabilities = {:#x}, .session = {session}", actor.caps)?;
            if namespace > 0 {
                write!(text, ", .user_namespace = {namespace}")?;
            }
            if let Some(key_type) = &actor.upcall {
                write!(text, ", .upcall = {}", literal(key_type.as_bytes()))?;
            }
            if !actor.groups.is_empty() {
                let groups: Vec<String> = actor.groups.iter().map(u32::to_string).collect();
                write!(text, ", .groups = {{ {} }}, .group_count = {}", groups.join(", "), groups.len())?;
            }
            text += " },\n";
        }
        text += "};\n\n";
        let groups = plan.actors.iter().map(|actor| actor.groups.len()).max().unwrap_or(0);
        if groups > 8 || namespaces.len() > 8 {
            return Err(Refusal(
                "an actor has more than 8 groups, or there are more than 8 user namespaces".into(),
            ));
        }
        Ok(text)
    }

    pub(super) fn declarations(&self, plan: &Plan) -> Result<String, Refusal> {
        let names: Vec<String> = plan
            .actors
            .iter()
            .map(|actor| &actor.name)
            .chain(&self.script.born)
            .map(|name| self.actor(name))
            .collect();
        let mut text = format!("\tenum {{ {} }};\n", names.join(", "));
        let list = |is_text| {
            let chosen = self.script.variables.iter().filter(|(_, gives)| is_bytes(*gives) == is_text);
            chosen.map(|(name, _)| self.variable(name)).collect::<Vec<_>>().join(", ")
        };
        let (numbers, texts) = (list(false), list(true));
        if !numbers.is_empty() {
            writeln!(text, "\tlong {numbers};")?;
        }
        if !texts.is_empty() {
            writeln!(text, "\tstruct text {texts};")?;
        }
        Ok(text)
    }
}
