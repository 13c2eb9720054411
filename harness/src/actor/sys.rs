//! The bare system calls, and the memory that they read and write.
//!
//! With [`super::life`], [`super::mailbox`] and [`super::turn`] the only place of `unsafe`. Nothing here knows what a call is for.
#![expect(unsafe_code, reason = "bare system calls and mapped memory")]

use std::arch::asm;
use std::ptr;

use nix::errno::Errno;

/// The most negative result that is an error number.
const MAX_ERRNO: isize = -4095;

/// If a result is an error; its number then is the negated result.
pub fn is_error(result: isize) -> bool {
    (MAX_ERRNO..0).contains(&result)
}

/// A result as libc would give it.
pub fn checked(result: isize) -> Result<i64, Errno> {
    match is_error(result) {
        true => Err(Errno::from_raw(-result as i32)),
        false => Ok(result as i64),
    }
}

/// One system call by the architecture's own entry. Gives what the kernel gives, errors negated:
/// libc's `errno` lives in thread-local storage, which actors cannot count on.
///
/// # Safety
///
/// As the call itself: pointers among the arguments have to be valid for what the kernel does with them.
#[cfg(target_arch = "x86_64")]
pub unsafe fn syscall(number: usize, args: [usize; 6]) -> isize {
    let result;
    // SAFETY: the kernel keeps all registers but rax, rcx and r11; memory is the caller's promise.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number as isize => result,
            in("rdi") args[0],
            in("rsi") args[1],
            in("rdx") args[2],
            in("r10") args[3],
            in("r8") args[4],
            in("r9") args[5],
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    result
}

/// One system call by the architecture's own entry. Gives what the kernel gives, errors negated:
/// libc's `errno` lives in thread-local storage, which actors cannot count on.
///
/// # Safety
///
/// As the call itself: pointers among the arguments have to be valid for what the kernel does with them.
#[cfg(target_arch = "aarch64")]
pub unsafe fn syscall(number: usize, args: [usize; 6]) -> isize {
    let result;
    // SAFETY: the kernel keeps all registers but x0; memory is the caller's promise.
    unsafe {
        asm!(
            "svc 0",
            in("x8") number,
            inlateout("x0") args[0] as isize => result,
            in("x1") args[1],
            in("x2") args[2],
            in("x3") args[3],
            in("x4") args[4],
            in("x5") args[5],
            options(nostack),
        );
    }
    result
}

/// One system call by the 32-bit entry of x86-64, with 32-bit numbers and arguments.
///
/// # Safety
///
/// As [`syscall`]; pointers have to lie below 4 GiB. Without CONFIG_IA32_EMULATION the process gets SIGSEGV.
#[cfg(target_arch = "x86_64")]
pub unsafe fn syscall32(number: u32, args: [u32; 6]) -> isize {
    let result: u64;
    // SAFETY: int 0x80 takes its arguments in ebx, ecx, edx, esi, edi and ebp. LLVM keeps rbx and rbp to
    // itself, so they are swapped in and out around it; old kernels clear r8 to r11.
    unsafe {
        asm!(
            "push rbp",
            "push rbx",
            "mov ebx, {first:e}",
            "mov ebp, r9d",
            "int 0x80",
            "pop rbx",
            "pop rbp",
            first = in(reg) args[0],
            inlateout("rax") u64::from(number) => result,
            in("rcx") u64::from(args[1]),
            in("rdx") u64::from(args[2]),
            in("rsi") u64::from(args[3]),
            in("rdi") u64::from(args[4]),
            inlateout("r9") u64::from(args[5]) => _,
            lateout("r8") _,
            lateout("r10") _,
            lateout("r11") _,
        );
    }
    result as i32 as isize
}

/// The 32-bit entry of x86-64, which this architecture lacks.
///
/// # Safety
///
/// None is needed: it makes no call.
#[cfg(not(target_arch = "x86_64"))]
pub unsafe fn syscall32(_number: u32, _args: [u32; 6]) -> isize {
    -(libc::ENOSYS as isize)
}

/// clone(2) of a task that shares memory with the caller: it starts in `entry` on a stack of its own.
/// Returns in the caller alone.
///
/// # Safety
///
/// `stack` is the 16-byte aligned upper end of a mapping that nothing else uses while the task lives.
#[cfg(target_arch = "x86_64")]
pub unsafe fn clone_on_stack(
    flags: usize,
    stack: *mut u8,
    entry: extern "C" fn(usize) -> !,
    argument: usize,
) -> isize {
    let result;
    // SAFETY: the caller gives the stack, and the child uses no other: it takes both words off, which
    // leaves the stack aligned for the call, and never returns. In the caller this is one system call.
    unsafe {
        let top = stack.cast::<usize>().sub(2);
        top.write(argument);
        top.add(1).write(entry as usize);
        asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "pop rdi",
            "pop rax",
            "call rax",
            "ud2",
            "2:",
            inlateout("rax") libc::SYS_clone as isize => result,
            in("rdi") flags,
            in("rsi") top,
            in("rdx") 0usize,
            in("r10") 0usize,
            in("r8") 0usize,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    result
}

/// clone(2) of a task that shares memory with the caller: it starts in `entry` on a stack of its own.
/// Returns in the caller alone.
///
/// # Safety
///
/// `stack` is the 16-byte aligned upper end of a mapping that nothing else uses while the task lives.
#[cfg(target_arch = "aarch64")]
pub unsafe fn clone_on_stack(
    flags: usize,
    stack: *mut u8,
    entry: extern "C" fn(usize) -> !,
    argument: usize,
) -> isize {
    let result;
    // SAFETY: the caller gives the stack, and the child uses no other: it takes both words off, which
    // leaves the stack aligned for the call, and never returns. In the caller this is one system call.
    unsafe {
        let top = stack.cast::<usize>().sub(2);
        top.write(argument);
        top.add(1).write(entry as usize);
        asm!(
            "svc 0",
            "cbnz x0, 2f",
            "mov x29, xzr",
            "ldp x0, x1, [sp], #16",
            "blr x1",
            "brk 1",
            "2:",
            in("x8") libc::SYS_clone,
            inlateout("x0") flags as isize => result,
            in("x1") top,
            in("x2") 0usize,
            in("x3") 0usize,
            in("x4") 0usize,
            options(nostack),
        );
    }
    result
}

/// A system call whose arguments are numbers alone.
pub fn plain(number: i64, args: &[i64]) -> Result<i64, Errno> {
    let mut words = [0; 6];
    for (word, arg) in words.iter_mut().zip(args) {
        *word = *arg as usize;
    }
    // SAFETY: the callers in this crate pass no pointers here, so no memory is touched.
    let result = unsafe { syscall(number as usize, words) };
    checked(result)
}

/// Gives the caller an anonymous session keyring of its own.
pub fn join_anonymous_session() -> Result<i64, Errno> {
    plain(libc::SYS_keyctl, &[libc::KEYCTL_JOIN_SESSION_KEYRING as i64, 0])
}

/// Sets the permitted and effective capabilities to just these bits; inheritable ones to none.
pub fn set_capabilities(bits: u64) -> Result<(), Errno> {
    let data = capability_words(bits, 0);
    // SAFETY: both structures live until the call is over and have the layout of capset(2), version 3.
    let result = unsafe {
        syscall(
            libc::SYS_capset as usize,
            [&raw const data as usize, &raw const data as usize + CAPABILITY_HEADER, 0, 0, 0, 0],
        )
    };
    checked(result).map(drop)
}

/// Bytes of the header in [`capability_words`].
pub const CAPABILITY_HEADER: usize = 8;

/// Header and data of capset(2): version 3, own process, the bits both effective and permitted, and others
/// inheritable.
pub fn capability_words(bits: u64, inheritable: u64) -> [u32; 8] {
    const VERSION_3: u32 = 0x2008_0522;
    let (low, high) = (bits as u32, (bits >> 32) as u32);
    [VERSION_3, 0, low, low, inheritable as u32, high, high, (inheritable >> 32) as u32]
}

/// Maps fresh zeroed memory, below 2 GiB where the 32-bit entry has to reach it.
pub fn map(size: usize) -> Option<*mut u8> {
    #[cfg(target_arch = "x86_64")]
    const LOW: i32 = libc::MAP_32BIT;
    #[cfg(not(target_arch = "x86_64"))]
    const LOW: i32 = 0;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | LOW;
    // SAFETY: a new anonymous mapping disturbs nothing.
    let result = unsafe {
        syscall(
            libc::SYS_mmap as usize,
            [0, size, (libc::PROT_READ | libc::PROT_WRITE) as usize, flags as usize, usize::MAX, 0],
        )
    };
    (!is_error(result)).then(|| ptr::with_exposed_provenance_mut(result as usize))
}

/// Lets nobody touch the first bytes of what [`map`] gave: whole pages.
pub fn forbid(start: *mut u8, size: usize) -> Result<(), Errno> {
    plain(libc::SYS_mprotect, &[start.expose_provenance() as i64, size as i64, libc::PROT_NONE.into()])
        .map(drop)
}

/// Gives back what [`map`] gave, and what nobody uses any more.
pub fn unmap(start: *mut u8, size: usize) {
    let _ = plain(libc::SYS_munmap, &[start.expose_provenance() as i64, size as i64]);
}

/// Changes the attributes of all mounts of the caller's mount namespace, from the root on: mount_setattr(2).
pub fn mount_setattr_recursively(attributes: &libc::mount_attr) -> Result<(), Errno> {
    // SAFETY: path and structure outlive the call.
    let result = unsafe {
        syscall(
            libc::SYS_mount_setattr as usize,
            [
                libc::AT_FDCWD as usize,
                c"/".as_ptr() as usize,
                libc::AT_RECURSIVE as usize,
                ptr::from_ref(attributes) as usize,
                size_of::<libc::mount_attr>(),
                0,
            ],
        )
    };
    checked(result).map(drop)
}

/// Sets an extended attribute of a file: setxattr(2).
pub fn set_attribute(path: &str, name: &std::ffi::CStr, value: &[u8]) -> Result<(), Errno> {
    let path = std::ffi::CString::new(path).map_err(|_| Errno::EINVAL)?;
    // SAFETY: both strings and the value outlive the call.
    let result = unsafe {
        syscall(
            libc::SYS_setxattr as usize,
            [path.as_ptr() as usize, name.as_ptr() as usize, value.as_ptr() as usize, value.len(), 0, 0],
        )
    };
    checked(result).map(drop)
}

/// Lets request_key(2) with a callout that the kernel could read fail with EPERM, by whichever entry, in
/// the caller and in all that it bears: a seccomp filter.
pub fn refuse_key_construction() -> Result<(), nix::errno::Errno> {
    const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    const EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const GREATER: u16 = (libc::BPF_JMP | libc::BPF_JGT | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    const NUMBER: u32 = std::mem::offset_of!(libc::seccomp_data, nr) as u32;
    // The third argument, low half first on the architectures that the actor knows.
    const CALLOUT: u32 = std::mem::offset_of!(libc::seccomp_data, args) as u32 + 2 * 8;
    const FIRST_PAGE: u32 = 4095;
    const ENTRY: u32 = std::mem::offset_of!(libc::seccomp_data, arch) as u32;
    // As linux/audit.h names the architecture's own entry; the call's number there, by the same entry with
    // short pointers, and by the other, 32-bit one.
    #[cfg(target_arch = "x86_64")]
    const OWN: u32 = 0xc000_003e;
    #[cfg(target_arch = "aarch64")]
    const OWN: u32 = 0xc000_00b7;
    const NATIVE: u32 = libc::SYS_request_key as u32;
    const SHORT: u32 = 0x4000_0000 | NATIVE;
    #[cfg(target_arch = "x86_64")]
    const COMPAT: u32 = 287;
    #[cfg(target_arch = "aarch64")]
    const COMPAT: u32 = 310;
    let word = |code, k| libc::sock_filter { code, jt: 0, jf: 0, k };
    let jump = |code, k, jt, jf| libc::sock_filter { code, jt, jf, k };
    let mut program = [
        word(LOAD, ENTRY),
        jump(EQUAL, OWN, 2, 0),
        word(LOAD, NUMBER),
        jump(EQUAL, COMPAT, 3, 7),
        word(LOAD, NUMBER),
        jump(EQUAL, NATIVE, 1, 0),
        jump(EQUAL, SHORT, 0, 4),
        word(LOAD, CALLOUT),
        jump(GREATER, FIRST_PAGE, 3, 0),
        word(LOAD, CALLOUT + 4),
        jump(GREATER, 0, 1, 0),
        word(RETURN, libc::SECCOMP_RET_ALLOW),
        word(RETURN, libc::SECCOMP_RET_ERRNO | libc::EPERM as u32),
    ];
    let program = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    // SAFETY: the program outlives the call, which copies it.
    let result = unsafe {
        let mode = libc::SECCOMP_SET_MODE_FILTER as usize;
        syscall(libc::SYS_seccomp as usize, [mode, 0, &raw const program as usize, 0, 0, 0])
    };
    match is_error(result) {
        true => Err(nix::errno::Errno::from_raw(-result as i32)),
        false => Ok(()),
    }
}

/// Gives all signals their default meaning but those that the language's runtime has a use for: whoever
/// started this program may have ignored some, and an ignored SIGCHLD leaves no child to be awaited.
pub fn default_signals() {
    let default = [0u64; 4];
    for signal in 1..=64 {
        if [libc::SIGPIPE, libc::SIGSEGV, libc::SIGBUS].contains(&signal) {
            continue;
        }
        // SAFETY: the structure outlives the call, and no handler is replaced but by the default. It is
        // refused for signals that cannot be handled.
        unsafe {
            let from = default.as_ptr() as usize;
            syscall(libc::SYS_rt_sigaction as usize, [signal as usize, from, 0, 8, 0, 0]);
        }
    }
}

/// Executes an open program as an actor without a channel, which ends at once with
/// [`super::life::NO_CHANNEL`]. Returns 1 if it cannot be executed.
pub fn execute_as_actor(program: &std::os::fd::OwnedFd) -> i32 {
    let flag = std::ffi::CString::new(format!("{}-1", super::life::ACTOR_FLAG)).unwrap_or_default();
    let argv = [c"skc".as_ptr(), flag.as_ptr(), ptr::null()];
    let envp = [ptr::null::<u8>()];
    // SAFETY: path and lists outlive the call.
    unsafe {
        let program = std::os::fd::AsRawFd::as_raw_fd(program) as usize;
        let (argv, envp) = (argv.as_ptr() as usize, envp.as_ptr() as usize);
        let flags = libc::AT_EMPTY_PATH as usize;
        syscall(libc::SYS_execveat as usize, [program, c"".as_ptr() as usize, argv, envp, flags, 0]);
    }
    1
}

/// If the 32-bit entry works. Without it the calling process is killed by SIGSEGV, so ask in a child.
pub fn has_compat32() -> bool {
    const GETPID: u32 = 20;
    // SAFETY: getpid takes no pointers.
    let result = unsafe { syscall32(GETPID, [0; 6]) };
    plain(libc::SYS_getpid, &[]) == Ok(result as i64)
}

/// The type of a key, filled with NULs; nothing but NULs if it cannot be described.
pub fn key_type(key: i64) -> [u8; super::upcall::TYPE] {
    // Longer than any description: names have 4095 bytes at most.
    let mut description = [0u8; 8 << 10];
    // SAFETY: the buffer outlives the call, and its size is given.
    let result = unsafe {
        let (buffer, size) = (description.as_mut_ptr() as usize, description.len());
        syscall(libc::SYS_keyctl as usize, [libc::KEYCTL_DESCRIBE as usize, key as usize, buffer, size, 0, 0])
    };
    let mut name = [0; super::upcall::TYPE];
    if !is_error(result) {
        let word = description.iter().take_while(|byte| **byte != b';');
        name.iter_mut().zip(word).for_each(|(to, from)| *to = *from);
    }
    name
}

/// If this kernel is gVisor: it says so in the first line of its log, as syslog(2) gives it.
pub fn is_gvisor() -> bool {
    const READ_ALL: usize = 3;
    let mut log = [0u8; 4096];
    // SAFETY: the buffer outlives the call, and its size is given.
    let count = unsafe {
        syscall(libc::SYS_syslog as usize, [READ_ALL, log.as_mut_ptr() as usize, log.len(), 0, 0, 0])
    };
    let log = log.get(..count.max(0) as usize).unwrap_or_default();
    let first = log.split(|byte| *byte == b'\n').next().unwrap_or_default();
    first.ends_with(b"] Starting gVisor...")
}

/// If a bit of KEYCTL_CAPABILITIES is set; kernels before 5.3 have no such call, and no bits.
pub fn key_capability(bit: usize) -> bool {
    let mut bytes = [0u8; 8];
    // SAFETY: the buffer outlives the call, and its size is given.
    let result = unsafe {
        syscall(
            libc::SYS_keyctl as usize,
            [libc::KEYCTL_CAPABILITIES as usize, bytes.as_mut_ptr() as usize, bytes.len(), 0, 0, 0],
        )
    };
    !is_error(result) && bytes.get(bit / 8).is_some_and(|byte| byte >> (bit % 8) & 1 == 1)
}
