//! The memory that a guest shares with whoever runs its machine: that of QEMU's device ivshmem-plain.
//!
//! It needs no driver: the kernel lets root map what a PCI device has, through sysfs. One of the few files with
//! `unsafe`.
#![expect(unsafe_code, reason = "maps memory that another side may change at any time")]

use std::fs::{self, File};
use std::io;
use std::num::NonZeroUsize;
use std::path::Path;
use std::ptr;

use harness::wire::shared::{Memory, SIZE};
use nix::mount::{MntFlags, umount2};
use nix::sys::mman::{MapFlags, MmapAdvise, ProtFlags, madvise, mmap};

/// Vendor and device of ivshmem on the PCI bus, as sysfs spells them.
const IVSHMEM: (&str, &str) = ("0x1af4", "0x1110");
const SYSFS: &str = "/sys";

/// Finds the memory. `None` where the machine has no such device, and where the kernel does not show it: without
/// CONFIG_PCI, CONFIG_SYSFS or, on a kernel that is locked down, the right to map it.
pub(super) fn find() -> Option<Mapped> {
    fs::create_dir_all(SYSFS).ok()?;
    super::mount_new("sysfs", SYSFS).ok()?;
    let found = devices().find_map(|device| map(&device).ok());
    // Cases find the machine as it was; what is mapped stays so.
    let _ = umount2(SYSFS, MntFlags::MNT_DETACH);
    found
}

fn devices() -> impl Iterator<Item = std::path::PathBuf> {
    let is = |path: &Path, name: &str, value: &str| {
        fs::read_to_string(path.join(name)).is_ok_and(|text| text.trim() == value)
    };
    let all = fs::read_dir(Path::new(SYSFS).join("bus/pci/devices")).into_iter().flatten().flatten();
    all.map(|entry| entry.path())
        .filter(move |path| is(path, "vendor", IVSHMEM.0) && is(path, "device", IVSHMEM.1))
}

/// Maps the memory of the device with this folder.
fn map(device: &Path) -> io::Result<Mapped> {
    fs::write(device.join("enable"), "1")?;
    let open = |name| File::options().read(true).write(true).open(device.join(name));
    // With write-combining where that is offered: it is ordinary memory.
    let file = open("resource2_wc").or_else(|_| open("resource2"))?;
    if file.metadata()?.len() != SIZE as u64 {
        return Err(io::Error::other("another size"));
    }
    let size = NonZeroUsize::new(SIZE).ok_or(io::ErrorKind::InvalidInput)?;
    let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
    // SAFETY: a new mapping, at an address that the kernel chooses.
    let start = unsafe { mmap(None, size, access, MapFlags::MAP_SHARED, &file, 0) }?.cast::<u8>();
    // No case is to see it.
    // SAFETY: the range is that of the mapping.
    unsafe { madvise(start.cast(), SIZE, MmapAdvise::MADV_DONTFORK) }?;
    Ok(Mapped { start: start.as_ptr() })
}

/// The memory, mapped for as long as the process lives.
pub(super) struct Mapped {
    start: *mut u8,
}

// SAFETY: the mapping stays where it is, and nobody has references into it.
unsafe impl Send for Mapped {}
// SAFETY: copies to and from it may mix, as they may with those of the other side; its users expect that.
unsafe impl Sync for Mapped {}

impl Mapped {
    fn place(&self, at: usize, size: usize) -> io::Result<*mut u8> {
        match at.checked_add(size) {
            // SAFETY: the place lies in the mapping, which has that size.
            Some(end) if end <= SIZE => Ok(unsafe { self.start.add(at) }),
            _ => Err(io::ErrorKind::InvalidInput.into()),
        }
    }
}

impl Memory for Mapped {
    fn read(&self, at: usize, to: &mut [u8]) -> io::Result<()> {
        let from = self.place(at, to.len())?;
        // SAFETY: so many bytes lie in the mapping, and the buffer lies elsewhere.
        unsafe { ptr::copy_nonoverlapping(from, to.as_mut_ptr(), to.len()) };
        Ok(())
    }

    fn write(&self, at: usize, from: &[u8]) -> io::Result<()> {
        let to = self.place(at, from.len())?;
        // SAFETY: as above.
        unsafe { ptr::copy_nonoverlapping(from.as_ptr(), to, from.len()) };
        Ok(())
    }
}
