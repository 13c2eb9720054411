//! Many cases in one program: to compile a whole suite takes minutes otherwise, and nobody would do it. As process 1 of
//! a machine it plays them all.
//!
//! The cases' own parts are what they are in programs of their own. The runtime is that of all of them together.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::c::Sizes;
use super::{CAST, Program, head, runtime};

/// Programs that each play several cases: the one whose place among `programs` is their first argument. Gives each with
/// these places.
pub fn bundles(programs: &[Program], most: usize) -> Vec<(Vec<usize>, String)> {
    // What the stage mounts for a case has to be what it mounts for the others.
    let mut groups: BTreeMap<&[&str], Vec<usize>> = BTreeMap::new();
    for (at, program) in programs.iter().enumerate() {
        groups.entry(&program.own.hints).or_default().push(at);
    }
    let parts = groups.values().flat_map(|group| group.chunks(most.max(1)));
    parts.map(|part| (part.to_vec(), bundle(programs, part))).collect()
}

fn bundle(programs: &[Program], chosen: &[usize]) -> String {
    let mut text = String::new();
    let mut sizes = Sizes { cast: 0, actors: 0, variables: 0, arena: 0, call: 0, case: 0 };
    let mut constants = BTreeMap::new();
    let mut words = String::new();
    let mut own = String::new();
    let mut choice = String::from("static void choose(int at)\n{\n");
    for at in chosen {
        let Program { own: part, needs, .. } = &programs[*at];
        sizes = Sizes {
            cast: 0,
            actors: sizes.actors.max(part.sizes.actors),
            variables: sizes.variables.max(part.sizes.variables),
            arena: sizes.arena.max(part.sizes.arena),
            call: sizes.call.max(part.sizes.call),
            case: sizes.case.max(part.sizes.case),
        };
        constants.extend(part.constants.clone());
        let part_text = part
            .text
            .replacen("struct cast cast[CAST]", &format!("struct cast cast_{at}[]"), 1)
            .replacen("static void play(void)", &format!("static void play_{at}(void)"), 1);
        let needs = needs.replacen("check_needs(void)", &format!("check_needs_{at}(void)"), 1);
        let _ = writeln!(words, "{} {needs} {}", part.text, part.hints.join(" "));
        let _ = writeln!(own, "{needs}\n{part_text}");
        let _ = writeln!(
            choice,
            "\tif (at == {at})\n\t\tcast = cast_{at}, cast_size = {}, play = play_{at}, check_needs = check_needs_{at};",
            part.sizes.cast
        );
    }
    choice += "}\n";
    let runtime = runtime::chosen(&words);
    let (first, last) = runtime.split_once(CAST).unwrap_or((&runtime, ""));
    let includes = first.find("/* Exit statuses;").unwrap_or(0);
    text += &first[..includes];
    let _ = head::constants(&mut text, "\"one of many\"", &sizes, &constants);
    text += &first[includes..];
    let places: Vec<String> = chosen.iter().map(usize::to_string).collect();
    text += "static int cast_size;\nstatic void (*check_needs)(void);\nstatic void choose(int at);\n#undef CAST\n#define CAST cast_size\n";
    text += CAST;
    text += &last
        .replacen("struct cast cast[CAST];", "struct cast *cast;", 1)
        .replacen("static void play(void);", "static void (*play)(void);", 1)
        .replacen(
            "\tplay_in_child();",
            &format!(
                "\tfor (int at = 0, all[] = {{ {} }}; at < {}; at++)\n\t\tchoose(all[at]), play_in_child();",
                places.join(", "),
                places.len()
            ),
            1,
        )
        .replacen("\tsetvbuf(", "\tchoose(argc > 1 ? atoi(argv[1]) : 0);\n\tsetvbuf(", 1);
    text + &own + &choice
}
