//! A case as plain values: what a file says, after loading and before a target is known.
//!
//! No reading of files ([`load`]), no judging and no system call lives here.

pub mod call;
pub mod check;
pub mod diagnostic;
pub mod fields;
pub mod load;
pub mod step;
pub mod schema;
pub mod table;
pub mod yaml;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ops::{Gives, Kind, Op};
use crate::value::{Bytes, Errno};

/// One trial: a case file, or one row of its table.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// The path below `cases/` without `.yaml`; with a table, `[row]` follows.
    pub id: String,
    /// The file as a person would name it, for messages.
    pub file: String,
    /// One sentence in the present tense, true or false of a kernel.
    pub title: String,
    /// Requirement ids.
    pub covers: Vec<String>,
    /// What a reader has to know beyond the title.
    pub about: Option<String>,
    /// Whose claim the case states.
    pub norm: Norm,
    /// Prerequisites that cannot be inferred from the steps.
    pub needs: Vec<Prerequisite>,
    /// What of the machine the programs of the steps need besides: programs, PAM modules, files.
    pub programs: Vec<String>,
    /// What the case finds in /etc.
    pub files: Vec<File>,
    /// The actors that exist before the first step, in the order of the file.
    pub actors: Vec<Actor>,
    /// The steps.
    pub steps: Vec<Step>,
}

/// Whose claim a case states.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Norm {
    /// What kernels do.
    #[default]
    Kernel,
    /// What a manual page claims and no kernel does; stands beside a deviation.
    Documentation,
}

/// What `needs:` may list: what a case takes for granted and no step shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Prerequisite {
    /// Root in the initial user namespace, which only a VM gives without harm.
    InitUserNamespaceRoot,
    /// Actors in the initial pid namespace, so that orphans become children of the system's own init; and
    /// root in the initial user namespace.
    InitPidNamespace,
    /// That /sbin/request-key is not there.
    NoRequestKey,
    /// That /sbin/request-key is the one of keyutils, for which the case's files are the machine's own.
    RequestKeyProgram,
    /// A VM for another reason.
    Vm,
    /// CONFIG_PERSISTENT_KEYRINGS.
    PersistentKeyrings,
    /// CONFIG_KEY_NOTIFICATIONS.
    KeyNotifications,
    /// CONFIG_KEY_DH_OPERATIONS.
    DiffieHellman,
    /// CONFIG_BIG_KEYS.
    BigKeys,
    /// The kernel's own limits: 200 keys and 20000 bytes for each user but root.
    DefaultLimits,
}

impl Prerequisite {
    /// Every prerequisite with its name in a case file.
    pub const ALL: &[(&str, Prerequisite)] = &[
        ("init-user-namespace-root", Prerequisite::InitUserNamespaceRoot),
        ("init-pid-namespace", Prerequisite::InitPidNamespace),
        ("no-request-key", Prerequisite::NoRequestKey),
        ("request-key-program", Prerequisite::RequestKeyProgram),
        ("vm", Prerequisite::Vm),
        ("persistent-keyrings", Prerequisite::PersistentKeyrings),
        ("key-notifications", Prerequisite::KeyNotifications),
        ("diffie-hellman", Prerequisite::DiffieHellman),
        ("big-keys", Prerequisite::BigKeys),
        ("default-limits", Prerequisite::DefaultLimits),
    ];
}

/// A file that a case brings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Where, below /etc.
    pub path: String,
    /// What is in it.
    pub text: String,
}

/// A process that exists before the first step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// Its name.
    pub name: String,
    /// All four user ids, as the case's user namespace numbers them.
    pub uid: u32,
    /// All four group ids; the uid's number unless the case says otherwise.
    pub gid: u32,
    /// Supplementary groups.
    pub groups: Vec<u32>,
    /// Capabilities as bits of capabilities(7); all for uid 0 and none for others by default.
    pub caps: u64,
    /// A user namespace of its own, shared by the actors that name it.
    pub userns: Option<String>,
    /// The session keyring that it starts with.
    pub session: Session,
    /// The key type whose upcalls start this actor.
    pub upcall: Option<String>,
}

/// All capabilities that [`crate::value::CAPABILITIES`] names.
pub const ALL_CAPS: u64 = (1 << crate::value::CAPABILITIES.len()) - 1;

/// The session keyring that an actor starts with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Session {
    /// An anonymous one of its own.
    #[default]
    Fresh,
    /// None: no ancestor ever had one.
    None,
    /// The one that all actors with this word inherit from their common parent.
    Inherited,
}

/// A step and what qualifies it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Line in the file, from 1.
    pub line: u32,
    /// The step as the file has it, a table's substitutions made.
    pub text: String,
    /// What happens.
    pub act: Act,
    /// Poll until the outcome is met, for this long at most.
    pub within: Option<Duration>,
    /// The call goes on in the background under this name until a step `ends` it; the outcome stands
    /// there, and here only `ok`.
    pub starts: Option<String>,
    /// How often the call is made, or the calls together; each time the outcome has to be met.
    pub times: u32,
    /// The entry by which key calls reach the kernel.
    pub abi: Abi,
    /// Outcomes that held before or hold since a kernel version; a plan has none. Of several `before`
    /// the smallest version above the kernel's holds, of several `since` the largest up to it; a
    /// `before` and a `since` never hold together.
    pub variants: Vec<Variant>,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Act {
    /// An actor performs an operation.
    Call {
        /// Who.
        actor: String,
        /// What.
        call: Call,
        /// With which outcome.
        outcome: Outcome,
    },
    /// Two values are compared: `outcome` is about the variable.
    Check {
        /// The variable.
        var: String,
        /// What its value has to be.
        outcome: Outcome,
    },
    /// Calls of different actors, released at the same instant.
    Together(Vec<Step>),
    /// The end of a call in the background.
    Ends {
        /// The name that the call was started under.
        name: String,
        /// The call's outcome.
        outcome: Outcome,
    },
}

/// An operation and its arguments.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// The operation.
    pub op: Op,
    /// Its arguments.
    pub args: Vec<Expr>,
}

/// The word among the arguments of `run` that stands for an actor's program.
pub const HOSTED: &str = "ACTOR";

impl Call {
    /// What the call gives when it succeeds, in the light of its arguments.
    pub fn gives(&self) -> Gives {
        let spec = self.op.spec();
        let brings_buffer = (spec.params.len()..self.args.len())
            .any(|at| spec.param(at).is_some_and(|param| param.kind == Kind::Buffer));
        match spec.gives {
            _ if self.hosts_actor() => Gives::Actor,
            // What is in the buffer of a case is the kernel's and the case's: the call gives the number
            // that the kernel returned.
            _ if brings_buffer => Gives::Number,
            gives => gives,
        }
    }

    /// If the call runs a foreign program that hosts an actor.
    pub fn hosts_actor(&self) -> bool {
        let hosted = |arg: &Expr| matches!(arg, Expr::Name(name) if name == HOSTED);
        self.op == Op::Run && self.args.iter().any(hosted)
    }
}

/// A value as a case writes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expr {
    /// `NULL`
    Null,
    /// `BAD_POINTER`
    BadPointer,
    /// A number, a special key id, names of flags joined by `|`, a named constant.
    Number(i64),
    /// `"…"`
    Text(Bytes),
    /// `text(N)`: N times the letter a.
    Filled(u32),
    /// `numbered("…")`: the text and the number of the repetition that `times:` makes, from 1.
    Numbered(Bytes),
    /// `words("…", $x)`: the values with a blank between them, numbers in decimal.
    Words(Vec<Expr>),
    /// `buffer(N)`
    Buffer(u32),
    /// `$name`
    Var(String),
    /// `{…, …}`
    Set(Vec<Expr>),
    /// A bare word: an actor.
    Name(String),
    /// An error name in the place of a value.
    Errno(Errno),
}

/// What a call has to come to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// `-> $x`: succeeds; the result gets this name.
    Bind(String),
    /// `-> child`: succeeds; an actor of this name is born.
    Born(String),
    /// `= a | b`: comes to one of these.
    OneOf(Vec<Alternative>),
    /// `!= a`: succeeds with another value.
    Not(Expr),
}

impl Outcome {
    /// If the call has to succeed.
    pub fn succeeds(&self) -> bool {
        match self {
            Outcome::OneOf(alternatives) => {
                !alternatives.iter().any(|one| matches!(one, Alternative::Fails(_)))
            }
            _ => true,
        }
    }

    /// If the call has to fail.
    pub fn fails(&self) -> bool {
        match self {
            Outcome::OneOf(alternatives) => {
                alternatives.iter().all(|one| matches!(one, Alternative::Fails(_)))
            }
            _ => false,
        }
    }
}

/// One way in which a call may come out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Alternative {
    /// `ok`: succeeds, whatever the value.
    Ok,
    /// Fails with this error.
    Fails(Errno),
    /// Succeeds with this value.
    Is(Expr),
}

/// The entry into the kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Abi {
    /// The architecture's own.
    #[default]
    Native,
    /// The 32-bit one of x86-64: int 0x80.
    Compat32,
}

/// An outcome that depends on the kernel's version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Variant {
    /// `before` or `since`.
    pub bound: Bound,
    /// The version.
    pub version: Version,
    /// The outcome on that side of it.
    pub outcome: Outcome,
}

/// On which side of a version an outcome holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bound {
    /// In all earlier versions.
    Before,
    /// In that version and all later ones.
    Since,
}

/// A kernel version `X.Y`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Version(pub u32, pub u32);

impl Version {
    /// Reads `X.Y`, or the front of a release such as `6.12.95-cloud-amd64`.
    pub fn parse(text: &str) -> Option<Version> {
        let mut parts = text.split(|char: char| !char.is_ascii_digit());
        Some(Version(parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

impl From<Version> for String {
    fn from(version: Version) -> String {
        version.to_string()
    }
}

impl TryFrom<String> for Version {
    type Error = String;
    fn try_from(text: String) -> Result<Version, String> {
        Version::parse(&text).ok_or_else(|| format!("`{text}` is no version X.Y"))
    }
}

/// Bounds on a case file: a case is data that anyone may send, and is run as root.
pub mod limits {
    use std::time::Duration;

    /// Bytes of a case file.
    pub const FILE: u64 = 128 * 1024;
    /// Bytes of one text of a step, a table's substitutions made.
    pub const STEP: usize = 8 * 1024;
    /// Bytes of all texts of all steps in all rows of a table.
    pub const EXPANDED: usize = 4 * 1024 * 1024;
    /// Characters of a title.
    pub const TITLE: usize = 120;
    /// Steps of a case, those inside `together` counted.
    pub const STEPS: usize = 500;
    /// Actors of a case, born ones counted.
    pub const ACTORS: usize = 64;
    /// Rows of a table.
    pub const ROWS: usize = 200;
    /// `times:` of a step, and of all steps of a case together.
    pub const TIMES: u32 = 10_000;
    /// `within:` of a step.
    pub const WITHIN: Duration = Duration::from_secs(60);
    /// Bytes of `text(N)`: one more than the largest payload that a key can have, 1 MiB.
    pub const TEXT: u32 = 1024 * 1024 + 1;
    /// `programs` of a case, and `files`.
    pub const PROGRAMS: usize = 32;
    /// Bytes of `buffer(N)`.
    pub const BUFFER: u32 = 1024 * 1024;
    /// Milliseconds of a sleeping or computing operation.
    pub const PAUSE: i64 = 8000;
}
