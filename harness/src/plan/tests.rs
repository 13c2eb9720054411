//! What a case becomes on a target, and why it is skipped.

use super::*;
use crate::case::load::load;
use rstest::rstest;

const LIMIT: Duration = Duration::from_secs(10);

fn case(actors: &str, steps: &str) -> Case {
    let text = format!("title: A case\ncovers: [A-1]\nactors: {actors}\nsteps:\n{steps}\n");
    load("a.yaml", "a", text.as_bytes()).unwrap_or_else(|errors| panic!("{text}\n{errors:?}")).remove(0)
}

fn target(ids: Ids, lacking: &[Feature]) -> Target {
    use Feature::{
        Compat32, DiffieHellman, ExecByDescriptor, Files, Keys, NewPrivileges, NoSession, PersistentKeyrings,
        Proc, Programs,
    };
    let features = [
        ExecByDescriptor,
        Files,
        Keys,
        Programs,
        NewPrivileges,
        NoSession,
        Compat32,
        Proc,
        PersistentKeyrings,
        DiffieHellman,
    ];
    Target {
        implementation: "linux".into(),
        implementation_version: None,
        release: "6.1.0".into(),
        version: Version(6, 1),
        machine: "x86_64".into(),
        place: "this kernel".into(),
        ids,
        features: features.into_iter().filter(|feature| !lacking.contains(feature)).collect(),
        programs: ["keyctl".to_owned(), REQUEST_KEY.to_owned()].into(),
    }
}

#[test]
fn what_a_case_brings_and_names_is_asked_for() {
    let loaded = |more: &str| {
        let steps = "  - alice: run_status(\"keyctl\") = 1";
        let text = format!("title: A case\ncovers: [A-1]\n{more}\nactors: {ALICE}\nsteps:\n{steps}\n");
        load("a.yaml", "a", text.as_bytes()).unwrap().remove(0)
    };
    assert_eq!(
        programs(&loaded("programs: [pam_x.so]\nneeds: [request-key-program]")),
        ["keyctl".to_owned(), "pam_x.so".into(), REQUEST_KEY.into()].into()
    );
    let missing = reason(&loaded("programs: [/etc/x.conf]"), &target(Ids::Block, &[]));
    assert!(missing.contains("the file /etc/x.conf: install it"), "{missing}");
    let brings = loaded("files: {/etc/passwd: 'root:x:0:0::/:/bin/sh'}");
    let planned = plan(&brings, &target(Ids::Block, &[]), LIMIT).unwrap();
    assert!(planned.stage.files);
    assert_eq!(planned.files[0].path, "/etc/passwd");
    // Users of its own are users that programs become.
    assert!(reason(&brings, &target(Ids::One, &[])).contains("run it as root"));
}

fn reason(case: &Case, target: &Target) -> String {
    plan(case, target, LIMIT).map_or_else(|Skip(reason)| reason, |_| "planned".into())
}

const ALICE: &str = "{alice: {uid: 1000}}";
const GETUID: &str = "  - alice: getuid() = 1000";

#[rstest]
#[case::plain(ALICE, GETUID, &[], "planned")]
#[case::keys(ALICE, GETUID, &[Feature::Keys], "CONFIG_KEYS")]
#[case::session("{alice: {uid: 1000, session: none}}", GETUID, &[Feature::NoSession], "never had a session keyring")]
#[case::session_is_there("{alice: {uid: 1000, session: none}}", GETUID, &[], "planned")]
#[case::upcall("{alice: {uid: 1000}, helper: {upcall: user}}", "  - alice: getuid() = 1000\n  - helper: getuid() = 0", &[], "/sbin/request-key")]
#[case::limits("{alice: {uid: 0}}", "  - alice: set_proc_sys_keys(\"maxkeys\", 3) = 0", &[], "in a VM")]
#[case::files(ALICE, "  - alice: exec_script() = ok", &[Feature::Files], "no tmpfs can be mounted")]
#[case::proc(ALICE, "  - alice: proc_key_users(1000) = \"* * * * *\"", &[Feature::Proc], "/proc")]
#[case::namespaces("{alice: {uid: 1000, userns: left}}", GETUID, &[Feature::Proc], "/proc")]
#[case::callout(ALICE, "  - alice: request_key(\"user\", \"k\", \"\", 0) = ENOKEY", &[], "request-key as the machine's root")]
#[case::callout_long(ALICE, "  - alice: request_key(\"user\", \"k\", text(4000), 0) = ENOKEY", &[], "request-key as the machine's root")]
#[case::callout_refused(ALICE, "  - alice: request_key(\"user\", \"k\", BAD_POINTER, 0) = EFAULT", &[], "planned")]
#[case::callout_none(ALICE, "  - alice: request_key(\"user\", \"k\", NULL, 0) = ENOKEY", &[], "planned")]
#[case::callout_keyring(ALICE, "  - alice: request_key(\"keyring\", \"k\", \"x\", 0) = EPERM", &[], "planned")]
#[case::no_new_privileges(ALICE, "  - alice: exec_setuid(0) = ok", &[Feature::NewPrivileges], "no_new_privs")]
#[case::program(ALICE, "  - alice: run(\"keyctl\", \"id\", \"@s\") = ok", &[], "planned")]
#[case::open_files(ALICE, "  - alice: run(\"keyctl\", \"id\", \"@s\") = ok", &[Feature::Programs], "mount_setattr(2)")]
#[case::no_helper(ALICE, "  - alice: run_status(\"skc-pam\") = 1", &[], "`make helpers`, which takes libpam0g-dev")]
#[case::no_program(ALICE, "  - alice: run_status(\"nonesuch\") = 1", &[], "the program `nonesuch`: install it")]
fn what_is_missing_is_named(
    #[case] actors: &str,
    #[case] steps: &str,
    #[case] lacking: &[Feature],
    #[case] expected: &str,
) {
    let reason = reason(&case(actors, steps), &target(Ids::Block, lacking));
    assert!(reason.contains(expected), "{reason}");
}

#[rstest]
#[case("5.2", Ids::One, "share the user keyrings of the machine")]
#[case("5.3", Ids::One, "planned")]
#[case("5.2", Ids::Block, "planned")]
fn an_old_kernel_keeps_no_user_apart(#[case] version: &str, #[case] ids: Ids, #[case] expected: &str) {
    let mut target = target(ids, &[]);
    target.version = Version::parse(version).unwrap();
    let reason = reason(&case(ALICE, GETUID), &target);
    assert!(reason.contains(expected), "{reason}");
}

#[test]
fn the_32_bit_entry_is_asked_for_within_together_too() {
    let steps = "  - together:\n      - alice: describe(@s) = ok\n        abi: compat32\n      - bob: describe(@s) = ok";
    let case = case("{alice: {uid: 1000}, bob: {uid: 1000}}", steps);
    assert_eq!(reason(&case, &target(Ids::Block, &[])), "planned");
    assert!(reason(&case, &target(Ids::Block, &[Feature::Compat32])).contains("CONFIG_IA32_EMULATION"));
}

#[rstest]
#[case(ALICE, GETUID, Some((1000, 1000)))]
#[case("{alice: {uid: 0}}", "  - alice: getuid() = 0", Some((0, 0)))]
#[case("{alice: {uid: 5, gid: 6}}", GETUID, Some((5, 6)))]
#[case("{alice: {uid: 5, gid: 6, groups: [7]}}", GETUID, None)]
#[case("{alice: {uid: 5, gid: 6, groups: [6]}}", GETUID, None)]
#[case(
    "{alice: {uid: 1000}, bob: {uid: 1001}}",
    "  - alice: getuid() = 1000\n  - bob: getuid() = 1001",
    None
)]
#[case(
    "{alice: {uid: 1000, gid: 5}, bob: {uid: 1000, gid: 6}}",
    "  - alice: getuid() = 1000\n  - bob: getuid() = 1000",
    None
)]
#[case(ALICE, "  - alice: get_persistent(-1, @s) = ok", Some((1000, 1000)))]
#[case(ALICE, "  - alice: get_persistent(1001, @s) = EPERM", None)]
#[case(ALICE, "  - alice: chown(@s, -1, 0) = EACCES", None)]
#[case(ALICE, "  - alice: chown(@s, 70000, -1) = EINVAL", Some((1000, 1000)))]
#[case(ALICE, "  - alice: setfsuid(-1) = 1000", None)]
#[case(ALICE, "  - alice: exec_setuid(0) = ok", None)]
fn one_id_is_enough_only_for_cases_that_have_one(
    #[case] actors: &str,
    #[case] steps: &str,
    #[case] one: Option<(u32, u32)>,
) {
    let case = case(actors, steps);
    let planned = plan(&case, &target(Ids::One, &[]), LIMIT);
    assert_eq!(planned.as_ref().ok().and_then(|plan| plan.stage.one), one);
    assert!(planned.is_ok() || planned.unwrap_err().0.contains("run it as root"));
    assert_eq!(plan(&case, &target(Ids::Block, &[]), LIMIT).unwrap().stage.one, None);
}

#[rstest]
#[case("", "5.10.0", "ENOKEY")]
#[case("    before 5.3: = EPERM", "5.2.99", "EPERM")]
#[case("    before 5.3: = EPERM", "5.3.0", "ENOKEY")]
#[case("    since 5.3: = EPERM", "5.3.0-rc1", "EPERM")]
#[case("    since 5.3: = EPERM", "5.2.0", "ENOKEY")]
#[case("    since 5.3: = EPERM\n    since 6.1: = EACCES", "6.1.0", "EACCES")]
#[case("    since 5.3: = EPERM\n    since 6.1: = EACCES", "5.10.0", "EPERM")]
#[case("    before 5.3: = EPERM\n    before 4.4: = EACCES", "4.3.0", "EACCES")]
#[case("    before 5.3: = EPERM\n    before 4.4: = EACCES", "4.4.0", "EPERM")]
#[case("    before 4.4: = EPERM\n    since 6.1: = EACCES", "5.10.0", "ENOKEY")]
fn one_outcome_is_left_of_several(#[case] variants: &str, #[case] release: &str, #[case] expected: &str) {
    let case = case(ALICE, &format!("  - alice: describe(1) = ENOKEY\n{variants}"));
    let mut target = target(Ids::Block, &[]);
    target.version = Version::parse(release).unwrap();
    let plan = plan(&case, &target, LIMIT).unwrap();
    let Act::Call { outcome, .. } = &plan.steps[0].act else { panic!("a call") };
    assert_eq!(crate::judge::show_outcome(outcome, &Default::default()).text, expected);
    assert!(plan.steps[0].variants.is_empty());
}

#[test]
fn other_implementations_are_held_to_the_newest_kernel() {
    let case = case(ALICE, "  - alice: describe(1) = ENOKEY\n    since 7.3: = EPERM");
    let target =
        Target { implementation: "gvisor".into(), version: Version(4, 4), ..target(Ids::Block, &[]) };
    let plan = plan(&case, &target, LIMIT).unwrap();
    let Act::Call { outcome, .. } = &plan.steps[0].act else { panic!("a call") };
    assert_eq!(crate::judge::show_outcome(outcome, &Default::default()).text, "EPERM");
}

#[rstest]
#[case(ALICE, GETUID, Resources::default())]
#[case(ALICE, "  - alice: exec_script() = ok", Resources { files: true, ..Resources::default() })]
#[case(ALICE, "  - alice: run(\"keyctl\", ACTOR) -> bob\n  - bob: getuid() = 1000", Resources { files: true, proc: true, programs: true, ..Resources::default() })]
#[case(ALICE, "  - alice: exec(\"/bin/sh\") = EACCES", Resources { proc: true, programs: true, ..Resources::default() })]
#[case(ALICE, "  - alice: exec(\"/proc/self/root/bin/sh\") = EACCES", Resources { proc: true, programs: true, ..Resources::default() })]
#[case(ALICE, "  - alice: exec(\"/proc/self/status\") = EACCES", Resources::default())]
#[case("{alice: {uid: 1000, userns: left}}", GETUID, Resources { proc: true, ..Resources::default() })]
fn a_stage_provides_what_its_case_uses(#[case] actors: &str, #[case] steps: &str, #[case] stage: Resources) {
    assert_eq!(plan(&case(actors, steps), &target(Ids::Block, &[]), LIMIT).unwrap().stage, stage);
}

#[rstest]
#[case("[]", ALICE, GETUID, Resources::default())]
#[case("[vm]", ALICE, GETUID, Resources::default())]
#[case("[init-user-namespace-root]", ALICE, GETUID, Resources { initial_user: true, marks: true, ..Resources::default() })]
#[case("[init-pid-namespace]", ALICE, GETUID, Resources { initial_user: true, initial_pid: true, apart: true, marks: true, ..Resources::default() })]
#[case("[request-key-program]", ALICE, "  - alice: run(\"keyctl\", \"id\", \"@s\") = ok", Resources { programs: true, proc: true, answers: true, request_key_program: true, initial_user: true, marks: true, ..Resources::default() })]
#[case("[no-request-key]", ALICE, GETUID, Resources { no_request_key: true, marks: true, ..Resources::default() })]
#[case("[]", "{root: {uid: 0}}", "  - root: set_proc_sys_keys(\"maxkeys\", 3) = 0", Resources { proc: true, initial_user: true, marks: true, ..Resources::default() })]
#[case("[]", ALICE, "  - alice: request_key(\"user\", \"k\", \"\", 0) = ENOKEY", Resources { answers: true, ..Resources::default() })]
#[case("[]", ALICE, "  - alice: request_key(\"user\", \"k\", NULL, 0) = ENOKEY", Resources::default())]
#[case("[]", "{alice: {uid: 1000}, helper: {upcall: user}}", "  - alice: getuid() = 1000\n  - helper: getuid() = 0", Resources { answers: true, ..Resources::default() })]
#[case("[]", ALICE, "  - alice: run(\"keyctl\", \"id\", \"@s\") = ok", Resources { programs: true, proc: true, answers: true, ..Resources::default() })]
fn a_machine_of_its_own_gives_a_case_what_it_needs(
    #[case] needs: &str,
    #[case] actors: &str,
    #[case] steps: &str,
    #[case] stage: Resources,
) {
    let text = format!("title: A case\ncovers: [A-1]\nneeds: {needs}\nactors: {actors}\nsteps:\n{steps}\n");
    let case = load("a.yaml", "a", text.as_bytes()).unwrap().remove(0);
    let shared = plan(&case, &target(Ids::Block, &[]), LIMIT);
    let mut machine = target(Ids::Block, &[]);
    machine.features.insert(Feature::Vm);
    let planned = plan(&case, &machine, LIMIT).unwrap().stage;
    assert_eq!(planned, Resources { own_machine: true, ..stage });
    // Elsewhere it is skipped, or does with what every case gets there.
    if let Ok(shared) = shared {
        assert_eq!(
            shared.stage,
            Resources { programs: stage.programs, proc: stage.proc, ..Resources::default() }
        );
    } else {
        assert!(shared.unwrap_err().0.contains("run it in a VM") || needs == "[vm]");
    }
}

#[test]
fn a_case_may_take_as_long_as_it_says() {
    let limit = |steps: &str| plan(&case(ALICE, steps), &target(Ids::Block, &[]), LIMIT).unwrap().limit;
    let plain = limit(GETUID);
    assert!(plain > LIMIT);
    assert_eq!(limit(&format!("{GETUID}\n    within: 7s")), plain + Duration::from_secs(7));
    assert_eq!(limit("  - alice: nanosleep(1500) = 0"), plain + Duration::from_millis(1500));
}

#[rstest]
#[case::at_once(GETUID, 0)]
#[case::pauses("  - alice: nanosleep(1500) = 0\n  - alice: nanosleep(200) = 0", 1700)]
#[case::awaits("  - alice: getuid() = 1000\n    within: 7s", 1000)]
fn a_case_tells_for_how_long_it_waits(#[case] steps: &str, #[case] milliseconds: u64) {
    let plan = plan(&case(ALICE, steps), &target(Ids::Block, &[]), LIMIT).unwrap();
    assert_eq!(plan.waits(), Duration::from_millis(milliseconds));
}

#[rstest]
#[case::most("alice: getuid() = 1000", false, false)]
#[case::leaves_its_namespace("alice: unshare(CLONE_NEWUSER) = 0", true, true)]
#[case::ends("alice: kill(bob, SIGKILL) = 0", false, false)]
#[case::dumps_core("alice: kill(bob, 3) = 0", true, true)]
#[case::may_dump_core("alice: getuid() -> $signal\n  - alice: kill(bob, $signal) = 0", true, true)]
#[case::bears_a_process("alice: fork() -> child", false, false)]
#[case::bears_a_thread("alice: thread() -> child", false, true)]
#[case::bears_by_vfork("alice: vfork() -> child\n  - child: exit() = ok", false, true)]
fn stage_and_actors_have_memory_of_their_own_where_it_matters(
    #[case] step: &str,
    #[case] actors: bool,
    #[case] stage: bool,
) {
    let two = "{alice: {uid: 1000}, bob: {uid: 1001}}";
    let steps = format!("  - bob: getuid() = 1001\n  - {step}");
    let plan = plan(&case(two, &steps), &target(Ids::Block, &[]), LIMIT).unwrap();
    assert_eq!((plan.stage.own_memory, plan.stage.apart), (actors, stage));
}
