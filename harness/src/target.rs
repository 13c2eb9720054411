//! The facts of a target that planning reads. Finding them out is [`crate::stage::probe`]'s work.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::case::Version;

/// What is tested, with which privileges.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Target {
    /// `linux`, or the name of another implementation, such as `gvisor`.
    pub implementation: String,
    /// The version of an implementation that is not Linux, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub implementation_version: Option<String>,
    /// The release that uname(2) gives.
    pub release: String,
    /// Its first two numbers.
    #[schemars(with = "String", regex(pattern = r"^[0-9]+\.[0-9]+$"))]
    pub version: Version,
    /// The machine that uname(2) gives.
    pub machine: String,
    /// How it is reached: `this kernel`, `qemu`, `command`.
    pub place: String,
    /// The ids that a case can have.
    pub ids: Ids,
    /// What is there.
    pub features: BTreeSet<Feature>,
    /// Foreign programs that were asked for and are there.
    pub programs: BTreeSet<String>,
}

/// The suite's own programs that call foreign libraries, each with the package of Debian that it takes to
/// build it: they stand in a folder `helpers` beside the program or above it.
pub const HELPERS: &[(&str, &str)] = &[("skc-libkeyutils", "libkeyutils-dev"), ("skc-pam", "libpam0g-dev")];

/// The ids that a case can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Ids {
    /// A block of 65,536.
    Block,
    /// One user and one group id.
    One,
}

/// Something that a target may have or lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Feature {
    /// The key facility: CONFIG_KEYS.
    Keys,
    /// A process that has no session keyring: no ancestor of the worker ever had one.
    NoSession,
    /// The 32-bit system call entry: CONFIG_IA32_EMULATION.
    Compat32,
    /// execveat(2) of an open file with an empty path. TOMOYO in kernels before 5.11 or so wants to look
    /// the file up below /dev/fd, which leads nowhere in a new pid namespace.
    ExecByDescriptor,
    /// Foreign programs can be kept from the machine's files and network: mount_setattr(2), Linux 5.12.
    Programs,
    /// A tmpfs can be mounted by the root of a new user namespace.
    Files,
    /// /proc can be mounted for a new pid namespace.
    Proc,
    /// An execution may gain privileges: no_new_privs is not set.
    NewPrivileges,
    /// A VM of the run's own.
    Vm,
    /// CONFIG_PERSISTENT_KEYRINGS.
    PersistentKeyrings,
    /// CONFIG_KEY_NOTIFICATIONS.
    KeyNotifications,
    /// CONFIG_KEY_DH_OPERATIONS.
    DiffieHellman,
    /// CONFIG_BIG_KEYS.
    BigKeys,
    /// kernel.keys.maxkeys is 200 and kernel.keys.maxbytes is 20000.
    DefaultLimits,
}

impl Feature {
    /// All of them.
    pub const ALL: &[Feature] = &[
        Feature::Keys,
        Feature::NoSession,
        Feature::Compat32,
        Feature::ExecByDescriptor,
        Feature::Programs,
        Feature::Proc,
        Feature::NewPrivileges,
        Feature::Vm,
        Feature::PersistentKeyrings,
        Feature::KeyNotifications,
        Feature::DiffieHellman,
        Feature::BigKeys,
        Feature::DefaultLimits,
        Feature::Files,
    ];
}
