//! The command line of QEMU, as a value.
//!
//! `-M pc` and serial ports are what every kernel has: microvm does not start under load, because it
//! has no clock that a kernel could calibrate by, and virtio ports are no faster than serial ones.

use std::ffi::OsString;
use std::path::PathBuf;

use super::accelerator::Accelerator;

/// Descriptors that QEMU inherits, by the numbers that its command line uses: its first serial port is the
/// console, its second the port.
pub(super) mod fd {
    use crate::machine::fd::FREE;
    pub(crate) use crate::machine::fd::{CONSOLE, INITRAMFS, PORT};

    /// QEMU's monitor (QMP): a socket.
    pub(crate) const MONITOR: i32 = FREE;
    /// The guest's memory: a file.
    pub(crate) const MEMORY: i32 = FREE + 1;
    /// The kernel where it was unpacked: a file.
    pub(crate) const KERNEL: i32 = FREE + 2;
    /// The memory that guest and coordinator share: a file.
    pub(crate) const SHARED: i32 = FREE + 3;
}

/// The arguments of a kernel whose copies count what they execute: QEMU then has the processor's clock (TSC) go by that, at 1
/// GHz. So the kernel takes it to do so from the start, when it goes as fast as the host's: one that had measured it would find time
/// three times as slow later. And it does not compare it with other clocks (Linux 4.20; others go on without).
const CLOCK_OF_COPIES: &str = "tsc_early_khz=1000000 tsc=reliable";
/// How long an instruction takes where a guest's time is what it executes, as a power of two in ns: the least that QEMU
/// knows. With longer ones the kernel's ticks come after fewer of them, and at each tick QEMU has its threads meet.
const INSTRUCTION: u32 = 0;
/// The device by which machines share memory.
pub const SHARING: &str = "ivshmem-plain";
/// Its place on the PCI bus.
pub(super) const SHARING_SLOT: u32 = 16;

/// Where a guest's memory lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// In the file `fd::MEMORY`, where every write ends up.
    Shared,
    /// A private copy of that file, made page by page on the first write.
    Copied,
}

/// A machine that can be started any number of times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// The kernel's image.
    pub kernel: PathBuf,
    /// If the file `fd::KERNEL` is what is in that image.
    pub unpacked: bool,
    /// Arguments for the kernel after our own.
    pub append: String,
    /// Memory in MiB.
    pub memory: u32,
    /// How many processors.
    pub processors: u16,
    /// What executes it.
    pub accelerator: Accelerator,
    /// If it has memory that it shares with its coordinator, by a device that not every QEMU has.
    pub shares: bool,
}

impl Machine {
    /// If the time of a copy is what it executes, and leaps to the next timer where it has nothing to execute: then what
    /// waits takes no time, no guest waits beside another, and a busy host makes none late. QEMU's translator can
    /// do that. Several processors it would execute in turns, and nothing would ever race. A boot goes by the host's time,
    /// because to count takes half as much again.
    pub fn leaps(&self) -> bool {
        self.accelerator == Accelerator::Tcg && self.processors == 1
    }

    /// QEMU's arguments. With `incoming` it waits for a state instead of starting.
    pub fn arguments(&self, memory: Memory, incoming: bool) -> Vec<OsString> {
        let mut words: Vec<OsString> = Vec::new();
        let mut add = |text: String| words.push(text.into());
        // Nothing that is not asked for: no display, no disks, no network.
        for word in ["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"] {
            add(word.into());
        }
        let share = if memory == Memory::Shared { "on" } else { "off" };
        let file = fd::MEMORY;
        for word in [
            "-M".into(),
            "pc,memory-backend=memory".into(),
            "-object".into(),
            format!(
                "memory-backend-file,id=memory,size={}M,mem-path=/dev/fd/{file},share={share}",
                self.memory
            ),
        ] {
            add(word);
        }
        for (name, value) in [
            ("-accel", self.accelerator.name().to_owned()),
            ("-m", self.memory.to_string()),
            ("-smp", self.processors.to_string()),
            ("-chardev", format!("file,id=console,path=/dev/fd/{},append=on", fd::CONSOLE)),
            ("-chardev", format!("socket,id=port,fd={}", fd::PORT)),
            ("-chardev", format!("socket,id=monitor,fd={}", fd::MONITOR)),
            ("-serial", "chardev:console".into()),
            ("-serial", "chardev:port".into()),
            ("-mon", "chardev=monitor,mode=control".into()),
            ("-initrd", format!("/dev/fd/{}", fd::INITRAMFS)),
            ("-append", self.kernel_arguments()),
        ] {
            add(name.into());
            add(value);
        }
        if self.leaps() && incoming {
            add("-icount".into());
            add(format!("shift={INSTRUCTION},sleep=off"));
        }
        if self.shares {
            let file = fd::SHARED;
            add("-object".into());
            add(format!(
                "memory-backend-file,id=shared,size={},mem-path=/dev/fd/{file},share=on",
                harness::wire::shared::SIZE
            ));
            add("-device".into());
            add(format!("{SHARING},memdev=shared,master=on,id={SHARING},addr={SHARING_SLOT:x}"));
        }
        add("-cpu".into());
        add(match self.accelerator {
            Accelerator::Kvm => "max".into(),
            // QEMU 7.2 leaves garbage in EFLAGS when an exception comes in a cmpxchg16b that it translates:
            // kernels that allocate memory by it die of double faults and stray traps now and then.
            // And the processor gives random numbers: a kernel without any spends a second of computing on them for the
            // first program that asks, and does more for each process until then. It has instructions for the bases of FS and
            // GS: without them the kernel writes model-specific registers at each switch between processes.
            Accelerator::Tcg => "qemu64,-cx16,+rdrand,+fsgsbase".into(),
        });
        if incoming {
            add("-incoming".into());
            add("defer".into());
        }
        words.push("-kernel".into());
        words.push(match self.accelerator {
            Accelerator::Tcg if self.unpacked => format!("/dev/fd/{}", fd::KERNEL).into(),
            // Its own code takes no time worth mentioning, and it starts as it does elsewhere.
            _ => self.kernel.clone().into(),
        });
        words
    }

    /// The kernel prints warnings and worse. Whatever it stumbles over ends the machine at once: the
    /// reset that follows a panic makes QEMU end. It does not try out its ciphers, which no case is about and
    /// which takes a seventh of an emulated boot. Programs lie at the same addresses each time: where QEMU translates,
    /// it knows code by its address, and would translate keyctl(1) with all its libraries anew for each start. Nobody
    /// reads what it knows of pressure. A processor that is emulated runs nothing ahead of time that could be spied on, and
    /// detours around that take a twentieth of a case.
    fn kernel_arguments(&self) -> String {
        let own = "console=ttyS0 loglevel=5 panic=-1 oops=panic cryptomgr.notests norandmaps psi=0";
        let clock = if self.leaps() { CLOCK_OF_COPIES } else { "" };
        let detours = if self.accelerator == Accelerator::Tcg { "mitigations=off" } else { "" };
        [own, detours, clock, &self.append]
            .into_iter()
            .filter(|words| !words.is_empty())
            .collect::<Vec<_>>()
            .join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine() -> Machine {
        Machine {
            kernel: "/boot/vmlinuz,1".into(),
            unpacked: false,
            append: "keys.debug=1".into(),
            memory: 192,
            processors: 2,
            accelerator: Accelerator::Tcg,
            shares: true,
        }
    }

    fn line(memory: Memory, incoming: bool) -> String {
        let words = machine().arguments(memory, incoming);
        words.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_machine_has_just_what_is_asked_for() {
        let line = line(Memory::Shared, false);
        assert!(line.contains("-nodefaults") && line.contains("-m 192 -smp 2"), "{line}");
        assert!(!line.contains("-incoming"), "{line}");
        let own = "-append console=ttyS0 loglevel=5 panic=-1 oops=panic cryptomgr.notests norandmaps psi=0";
        assert!(
            line.contains(&format!("{own} mitigations=off keys.debug=1 "))
                && line.ends_with(" -kernel /boot/vmlinuz,1"),
            "{line}"
        );
    }

    #[test]
    fn time_leaps_where_one_processor_is_translated() {
        let one = Machine { processors: 1, ..machine() };
        for (machine, leaps) in [
            (one.clone(), true),
            (machine(), false),
            (Machine { accelerator: Accelerator::Kvm, ..one }, false),
        ] {
            let clock = |incoming| {
                let words = machine.arguments(Memory::Copied, incoming);
                let at = words.iter().position(|word| word == "-icount")?;
                words[at + 1].to_str().map(str::to_owned)
            };
            assert_eq!(clock(true).as_deref(), leaps.then_some("shift=0,sleep=off"), "{machine:?}");
            assert_eq!(clock(false), None, "{machine:?}");
            assert_eq!(machine.kernel_arguments().contains("tsc_early_khz="), leaps, "{machine:?}");
            assert_eq!(machine.leaps(), leaps);
        }
    }

    #[test]
    fn a_kernel_that_was_unpacked_is_started_where_unpacking_takes_time() {
        let kernel = |accelerator| {
            let machine = Machine { unpacked: true, accelerator, ..machine() };
            machine.arguments(Memory::Shared, false).pop()
        };
        assert_eq!(kernel(Accelerator::Tcg), Some(format!("/dev/fd/{}", fd::KERNEL).into()));
        assert_eq!(kernel(Accelerator::Kvm), Some("/boot/vmlinuz,1".into()));
    }

    #[test]
    fn saved_and_restored_machines_differ_in_their_memory_alone() {
        let saved = line(Memory::Shared, false);
        let restored = line(Memory::Copied, true);
        assert_eq!(
            restored.replace("share=off", "share=on").replace(" -incoming defer", ""),
            saved,
            "QEMU restores a machine only into the same one"
        );
    }
}
