//! The options that say what is to be tested and how to get there. What is done about them is in `targets`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use runners::qemu::Wish;
use runners::{Implementation, Runner};

use super::{Trouble, environment, timeout};

/// What to test.
#[derive(Args, Clone)]
#[command(next_help_heading = "What to test")]
pub(super) struct Targets {
    /// A kernel to boot in virtual machines (QEMU): a name of the catalogue as in debian-6.12 (see `skc
    /// kernels`), `all` of it, a bzImage, a kernel's build tree, or a package (.deb) that holds one; `uml`
    /// is User Mode Linux, a kernel that is a process; `host` is the running kernel. May be repeated: one report for each, and a table at the end
    #[arg(long, value_name = "KERNEL")]
    pub(super) kernel: Vec<String>,
    /// Give every case a virtual machine of its own
    #[arg(long, requires = "kernel")]
    pub(super) fresh_vm: bool,
    /// Arguments for the kernel, after those that it needs
    #[arg(long, value_name = "ARGUMENTS", requires = "kernel", allow_hyphen_values = true)]
    pub(super) append: Option<String>,
    /// Memory of a virtual machine in MiB
    #[arg(long, value_name = "MIB", default_value_t = 256, value_parser = clap::value_parser!(u32).range(16..=65536))]
    pub(super) memory: u32,
    /// Processors of a virtual machine of QEMU
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(super) smp: u16,
    /// How long a boot may take; emulated, beside other work, it takes ten times as long as alone
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = timeout)]
    pub(super) boot_timeout: Duration,
    /// Boot each kernel, instead of going on where a boot of an earlier run ended, and keep nothing for later ones
    #[arg(long, requires = "kernel")]
    pub(super) cold_boot: bool,
    /// What executes the guest's instructions
    #[arg(long, value_enum, default_value_t = Wish::Auto)]
    pub(super) accel: Wish,
    /// Lead the worker that is this machine's init
    #[arg(long, hide = true, conflicts_with_all = ["kernel", "command"])]
    pub(super) alone: bool,
    #[command(flatten)]
    pub(super) reach: Reach,
}

/// How to get to a target that is not this kernel.
#[derive(Args, Clone)]
#[command(next_help_heading = "Another implementation")]
pub(super) struct Reach {
    /// Play the cases at the other end of a command, as in 'runsc --network=none do': it is started
    /// without a shell, gets the words that start this program as its last ones, or in place of {}, and
    /// leads its input and output there
    #[arg(long, value_name = "COMMAND")]
    pub(super) command: Option<String>,
    /// Where this program is on the far side of the command [default: where it is here]
    #[arg(long, value_name = "PATH", requires = "command")]
    pub(super) program: Option<PathBuf>,
    /// What is tested, where it cannot tell by itself: its recorded deviations are expected
    #[arg(long, value_name = "NAME[=VERSION]", requires = "command")]
    pub(super) implementation: Option<Implementation>,
}

impl Reach {
    /// These options, for a shell.
    pub(super) fn options(&self) -> String {
        let program = self.program.as_ref().map(|path| path.display().to_string());
        let implementation = self.implementation.as_ref().map(ToString::to_string);
        let named = [("command", &self.command), ("program", &program), ("implementation", &implementation)];
        let given = named.iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
        given.map(|(name, value)| format!(" --{name} {}", shell_words::quote(value))).collect()
    }

    pub(super) fn runner(&self, command: &str) -> Result<Box<dyn Runner>, Trouble> {
        let skc = std::env::current_exe().map_err(|error| {
            environment(format_args!("this program's own file is not found: is /proc mounted? ({error})"))
        })?;
        let command = runners::command::Command::new(
            command,
            &skc,
            self.program.as_deref(),
            self.implementation.clone(),
        );
        Ok(Box::new(command.map_err(|why| Trouble::Usage(format!("--command: {why}")))?))
    }
}
