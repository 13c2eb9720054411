//! What the configuration of a kernel says of it as a target, before it is ever started: which options
//! the suite wants, what is lost without each, and the best [`Target`] that such a kernel can be. Which
//! cases that rules out is [`crate::plan`]'s to say. Pure; reading files is the caller's work.

use std::collections::{BTreeMap, BTreeSet};

use crate::case::Version;
use crate::target::{Feature, Ids, Target};

/// An option that the suite wants to be set.
#[derive(Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Its name without `CONFIG_`.
    pub option: &'static str,
    /// How it is wanted.
    pub wanted: Setting,
    /// What is lost otherwise.
    pub otherwise: Otherwise,
}

/// How an option is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// Built in or a module.
    On,
    /// Built in: nothing would load the module.
    BuiltIn,
    /// Not set.
    Off,
}

/// What is lost when an option is not as it is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Otherwise {
    /// No case can be played at all.
    Nothing,
    /// What this feature stands for.
    Lacks(Feature),
}

const fn on(option: &'static str, otherwise: Otherwise) -> Wanted {
    Wanted { option, wanted: Setting::On, otherwise }
}

const fn built_in(option: &'static str, otherwise: Otherwise) -> Wanted {
    Wanted { option, wanted: Setting::BuiltIn, otherwise }
}

/// Every option that decides which cases can be played.
pub const WANTED: &[Wanted] = &[
    on("KEYS", Otherwise::Lacks(Feature::Keys)),
    on("PERSISTENT_KEYRINGS", Otherwise::Lacks(Feature::PersistentKeyrings)),
    on("KEY_NOTIFICATIONS", Otherwise::Lacks(Feature::KeyNotifications)),
    on("KEY_DH_OPERATIONS", Otherwise::Lacks(Feature::DiffieHellman)),
    on("BIG_KEYS", Otherwise::Lacks(Feature::BigKeys)),
    on("IA32_EMULATION", Otherwise::Lacks(Feature::Compat32)),
    Wanted {
        option: "IA32_EMULATION_DEFAULT_DISABLED",
        wanted: Setting::Off,
        otherwise: Otherwise::Lacks(Feature::Compat32),
    },
    // What every stage is made of.
    on("MULTIUSER", Otherwise::Nothing),
    on("USER_NS", Otherwise::Nothing),
    on("PID_NS", Otherwise::Nothing),
    on("IPC_NS", Otherwise::Nothing),
    on("UTS_NS", Otherwise::Nothing),
    on("PROC_FS", Otherwise::Nothing),
    on("TMPFS", Otherwise::Nothing),
    on("UNIX", Otherwise::Nothing),
    on("BINFMT_ELF", Otherwise::Nothing),
    // How foreign programs are shut off.
    on("NET_NS", Otherwise::Lacks(Feature::Programs)),
    // How a virtual machine is started and spoken to.
    built_in("BLK_DEV_INITRD", Otherwise::Lacks(Feature::Vm)),
    built_in("TTY", Otherwise::Lacks(Feature::Vm)),
    built_in("SERIAL_8250", Otherwise::Lacks(Feature::Vm)),
];

/// The configuration of a kernel, as its build left it in `.config`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configuration {
    release: String,
    version: Version,
    architecture: String,
    /// What is set; options that are not are left out.
    options: BTreeMap<String, String>,
}

impl Configuration {
    /// Reads the text of a configuration, or says why it is none.
    pub fn parse(text: &str) -> Result<Configuration, String> {
        let mut head = None;
        let mut options = BTreeMap::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim_end();
            if let Some(comment) = line.strip_prefix('#') {
                head = head.or_else(|| title(comment));
            } else if let Some((name, value)) =
                line.strip_prefix("CONFIG_").and_then(|line| line.split_once('='))
            {
                options.insert(name.to_owned(), value.to_owned());
            } else if !line.is_empty() {
                return Err(format!(
                    "no kernel configuration: line {} is neither CONFIG_...= nor a comment",
                    number + 1
                ));
            }
        }
        let (architecture, release, version) = head.ok_or(
            "no whole kernel configuration: the comment `Linux/... Kernel Configuration` is missing, which every \
             build writes at its top. A fragment or defconfig leaves out what is on by default: take the .config \
             that `make olddefconfig` makes of it",
        )?;
        Ok(Configuration { release, version, architecture, options })
    }

    /// The version that the configuration was made for.
    pub fn release(&self) -> &str {
        &self.release
    }

    /// What the configuration says of an option: `y`, `m`, a value, or `None` if it is not set.
    pub fn value(&self, option: &str) -> Option<&str> {
        self.options.get(option).map(String::as_str).filter(|value| *value != "n")
    }

    /// If an option is as it is wanted.
    pub fn satisfies(&self, wanted: &Wanted) -> bool {
        match (wanted.wanted, self.value(wanted.option)) {
            (Setting::On, value) => value.is_some(),
            (Setting::BuiltIn, value) => value == Some("y"),
            (Setting::Off, value) => value.is_none(),
        }
    }

    /// The machine that uname(2) will give.
    pub fn machine(&self) -> &str {
        match (self.architecture.as_str(), self.value("64BIT").is_some()) {
            ("x86" | "x86_64", true) => "x86_64",
            ("x86" | "i386", false) => "i686",
            ("arm64", _) => "aarch64",
            (other, _) => other,
        }
    }

    /// The best target that such a kernel can be: in a VM, with root's ids and these programs. If no case
    /// can be played on it, the options that are to blame.
    pub fn target(&self, programs: &BTreeSet<String>) -> Result<Target, Vec<&'static Wanted>> {
        self.target_if(programs, |wanted| self.satisfies(wanted))
    }

    /// The target if every option was as it is wanted, but for this one.
    pub fn target_without(
        &self,
        option: Option<&Wanted>,
        programs: &BTreeSet<String>,
    ) -> Result<Target, Vec<&'static Wanted>> {
        self.target_if(programs, |wanted| Some(wanted) != option)
    }

    fn target_if(
        &self,
        programs: &BTreeSet<String>,
        satisfied: impl Fn(&Wanted) -> bool,
    ) -> Result<Target, Vec<&'static Wanted>> {
        let missing = || WANTED.iter().filter(|wanted| !satisfied(wanted));
        let to_blame: Vec<_> = missing().filter(|wanted| wanted.otherwise == Otherwise::Nothing).collect();
        if !to_blame.is_empty() {
            return Err(to_blame);
        }
        let lacks = |feature: Feature| missing().any(|wanted| wanted.otherwise == Otherwise::Lacks(feature));
        Ok(Target {
            implementation: "linux".into(),
            release: self.release.clone(),
            implementation_version: None,
            version: self.version,
            machine: self.machine().into(),
            place: "qemu".into(),
            ids: Ids::Block,
            features: Feature::ALL
                .iter()
                .copied()
                .filter(|feature| self.allows(*feature) && !lacks(*feature))
                .collect(),
            programs: programs.clone(),
        })
    }

    /// If a kernel of this version and architecture can have a feature, however it is configured.
    fn allows(&self, feature: Feature) -> bool {
        match feature {
            Feature::Programs => self.version >= Version(5, 12),
            Feature::Compat32 => self.machine() == "x86_64",
            Feature::Keys
            | Feature::NoSession
            | Feature::ExecByDescriptor
            | Feature::Proc
            | Feature::NewPrivileges
            | Feature::Vm
            | Feature::PersistentKeyrings
            | Feature::KeyNotifications
            | Feature::DiffieHellman
            | Feature::BigKeys
            | Feature::DefaultLimits
            | Feature::Files => true,
        }
    }
}

/// Architecture and version of the comment that every build writes: ` Linux/x86 6.12.1 Kernel Configuration`.
fn title(comment: &str) -> Option<(String, String, Version)> {
    let title = comment.trim().strip_prefix("Linux/")?.strip_suffix(" Kernel Configuration")?;
    let (architecture, release) = title.split_once(' ')?;
    Some((architecture.to_owned(), release.to_owned(), Version::parse(release)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Skip, plan};
    use rstest::rstest;
    use std::time::Duration;

    /// A configuration in which all is as it is wanted, but for one line.
    fn configuration(but: &str) -> Configuration {
        let changed = but.trim_start_matches("# ").trim_start_matches("CONFIG_");
        let changed = changed.split(['=', ' ']).next().unwrap();
        let mut text = "#\n# Automatically generated file; DO NOT EDIT.\n# Linux/x86 6.12.117 Kernel Configuration\n#\nCONFIG_64BIT=y\n".to_owned();
        for wanted in WANTED.iter().filter(|wanted| wanted.option != changed) {
            match wanted.wanted {
                Setting::Off => text += &format!("# CONFIG_{} is not set\n", wanted.option),
                Setting::On | Setting::BuiltIn => text += &format!("CONFIG_{}=y\n", wanted.option),
            }
        }
        Configuration::parse(&format!("{text}{but}\n")).unwrap()
    }

    fn features(but: &str) -> BTreeSet<Feature> {
        configuration(but).target(&BTreeSet::new()).unwrap().features
    }

    #[test]
    fn a_whole_configuration_has_every_feature() {
        assert_eq!(features(""), Feature::ALL.iter().copied().collect());
    }

    #[test]
    fn every_feature_is_listed_once() {
        let all: BTreeSet<Feature> = Feature::ALL.iter().copied().collect();
        assert_eq!(all.len(), Feature::ALL.len());
        // `allows` names every feature, or it would not compile: their count there is their count here.
        assert_eq!(all.len(), 14);
    }

    #[rstest]
    #[case("# CONFIG_KEYS is not set", &[Feature::Keys])]
    #[case("CONFIG_BIG_KEYS=n", &[Feature::BigKeys])]
    #[case("CONFIG_BIG_KEYS=m", &[])]
    #[case("CONFIG_IA32_EMULATION_DEFAULT_DISABLED=y", &[Feature::Compat32])]
    #[case("CONFIG_SERIAL_8250=m", &[Feature::Vm])]
    #[case("CONFIG_SERIAL_8250=y", &[])]
    #[case("# CONFIG_NET_NS is not set", &[Feature::Programs])]
    fn an_option_decides_a_feature(#[case] line: &str, #[case] lacks: &[Feature]) {
        let lacking: Vec<Feature> =
            Feature::ALL.iter().copied().filter(|feature| !features(line).contains(feature)).collect();
        assert_eq!(lacking, lacks);
    }

    #[test]
    fn what_every_stage_needs_is_to_blame_by_name() {
        let configuration =
            Configuration::parse("# Linux/x86 6.1.0 Kernel Configuration\nCONFIG_64BIT=y\n").unwrap();
        let blamed = configuration.target(&BTreeSet::new()).unwrap_err();
        let names: Vec<&str> = blamed.iter().map(|wanted| wanted.option).collect();
        assert!(names.contains(&"USER_NS") && names.contains(&"PROC_FS"), "{names:?}");
        assert!(!names.contains(&"KEYS"), "{names:?}");
    }

    #[test]
    fn a_missing_option_has_the_reason_that_a_run_would_give() {
        let text = "title: A case\ncovers: [A-1]\nneeds: [big-keys]\nactors: {a: {uid: 1}}\nsteps:\n  - a: getuid() = 1\n";
        let case = crate::case::load::load("a.yaml", "a", text.as_bytes()).unwrap().remove(0);
        let reason = |but: &str| {
            let target = configuration(but).target(&BTreeSet::new()).unwrap();
            plan(&case, &target, Duration::from_secs(1)).err()
        };
        assert_eq!(reason(""), None);
        let expected = Skip("needs a kernel with CONFIG_BIG_KEYS".into());
        assert_eq!(reason("# CONFIG_BIG_KEYS is not set"), Some(expected));
    }

    #[rstest]
    #[case("x86 6.12.1", "CONFIG_64BIT=y", "x86_64", true, true)]
    #[case("x86 5.11.9", "CONFIG_64BIT=y", "x86_64", false, true)]
    #[case("x86 6.12.1", "", "i686", true, false)]
    #[case("arm64 7.0.0-rc1", "CONFIG_64BIT=y", "aarch64", true, false)]
    fn version_and_architecture_count(
        #[case] head: &str,
        #[case] bits: &str,
        #[case] machine: &str,
        #[case] programs: bool,
        #[case] compat32: bool,
    ) {
        let text = format!("# Linux/{head} Kernel Configuration\n{bits}\n");
        let configuration = Configuration::parse(&text).unwrap();
        assert_eq!(configuration.machine(), machine);
        assert_eq!(configuration.allows(Feature::Programs), programs);
        assert_eq!(configuration.allows(Feature::Compat32), compat32);
        assert_eq!(configuration.release(), head.split_once(' ').unwrap().1);
    }

    #[rstest]
    #[case("", "is missing")]
    #[case("CONFIG_KEYS=y\n", "make olddefconfig")]
    #[case("# Linux/x86 6.1.0 Kernel Configuration\nKEYS=y\n", "line 2 is neither")]
    #[case("#!/bin/sh\necho\n", "line 2 is neither")]
    #[case("# Linux/x86 six Kernel Configuration\n", "is missing")]
    fn what_is_no_configuration_is_refused(#[case] text: &str, #[case] expected: &str) {
        let error = Configuration::parse(text).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
}
