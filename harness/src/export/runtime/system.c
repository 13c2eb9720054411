/*
 * The runtime. What follows until "The case" is the same for all cases, less what this one has no use for.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
//# SYS_ptrace
#include <sys/ptrace.h>
//#
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

/* Exit statuses; see the head of the file. */
enum { PASSED = 0, FAILED = 1, SKIPPED = 4, BROKEN = 99, TIMED_OUT = 124 };

//# SYS_clone3
#ifndef SYS_clone3
#define SYS_clone3 435
#endif
//# SYS_statx
#ifndef SYS_statx
#define SYS_statx (sizeof(long) == 8 && SYS_getpid == 39 ? 332 : 291)
#endif
//#

/* One system call and nothing else: libc keeps errno in memory that a thread, or a child of vfork, shares. */
static long bare(long number, const long a[6])
{
#if defined(__x86_64__)
	register long r10 __asm__("r10") = a[3], r8 __asm__("r8") = a[4], r9 __asm__("r9") = a[5];
	long result;

	__asm__ volatile("syscall" : "=a"(result)
			 : "a"(number), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
#elif defined(__aarch64__)
	register long x8 __asm__("x8") = number, x0 __asm__("x0") = a[0], x1 __asm__("x1") = a[1];
	register long x2 __asm__("x2") = a[2], x3 __asm__("x3") = a[3], x4 __asm__("x4") = a[4];
	register long x5 __asm__("x5") = a[5];

	__asm__ volatile("svc 0" : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
	return x0;
#else
#error "x86-64 and arm64 only"
#endif
}
#define sys(number, ...) bare(number, (const long[6]){ __VA_ARGS__ })
#define IS_ERROR(result) ((unsigned long)(result) >= (unsigned long)-4095)

//# call32
/* The same by the 32-bit entry of x86-64. */
static long bare32(long number, const long a[6])
{
#if defined(__x86_64__)
	long result;

	__asm__ volatile("int $0x80" : "=a"(result)
			 : "a"(number), "b"(a[0]), "c"(a[1]), "d"(a[2]), "S"(a[3]), "D"(a[4])
			 : "r8", "r9", "r10", "r11", "memory");
	return (int)result;
#else
	(void)number, (void)a;
	return -ENOSYS;
#endif
}

//#
/*
 * Memory that all actors have at the same place, whatever they execute: what they are asked, and what
 * the calls point to. It lies below 2 GiB, so that the 32-bit entry reaches it, and above where a static
 * program's heap may begin, which is up to 1 GiB behind it.
 */
struct slot {
	int state;		/* of the question: a futex */
	int reports;		/* how often the actor was born or executed */
	int pid, tid;		/* as it sees itself */
	int kind;		/* of the question */
	int entry;		/* 32: by the 32-bit entry */
	int child;		/* who is to be born */
	long number, args[6];	/* the system call */
	long result;		/* what the kernel gave */
	unsigned long long release;	/* not before this time of CLOCK_MONOTONIC */
//# upcalls
	char key_type[32];	/* of the keys for which the kernel is to start this actor */
	int claimed;		/* it is that actor */
//#
};
enum { IDLE, ASKED, ANSWERED };
enum { CALL, DRAIN, COPY, CLONE3, SHARED, SPIN };

static struct memory {
	int bell;		/* a futex: an actor has something to say */
	struct slot slot[ACTORS];
//# upcalls
	int verdict;		/* one more than the exit status of the case, once it is known */
	int stray;		/* the kernel has started an actor that nobody awaits, */
	char stray_type[32];	/* for a key of this type */
//#
	char arena[ARENA];
} *const memory = (void *)0x60000000;
enum { MEMORY_FD = 100, PROGRAM_FD = 101 };

static int make_memory(void)
{
	int file = (int)syscall(SYS_memfd_create, "case", 0);

	if (file < 0 || ftruncate(file, sizeof(struct memory)) || dup2(file, MEMORY_FD) < 0)
		return -1;
	return close(file);
}

static void map_memory(void)
{
	int flags = MAP_SHARED | MAP_NORESERVE;

	/* Without MAP_FIXED, which would take the place of whatever is there. */
	if (mmap(memory, sizeof(*memory), PROT_READ | PROT_WRITE, flags, MEMORY_FD, 0) != (void *)memory)
		_exit(BROKEN);
}

enum { FUTEX_WAIT, FUTEX_WAKE };	/* as linux/futex.h has them, which not every libc brings */

static unsigned long long now(void)
{
	struct timespec time;

	sys(SYS_clock_gettime, CLOCK_MONOTONIC, (long)&time);
	return time.tv_sec * 1000000000ULL + time.tv_nsec;
}

static void await_word(int *word, int old, long nanoseconds)
{
	struct timespec limit = { nanoseconds / 1000000000, nanoseconds % 1000000000 };

	sys(SYS_futex, (long)word, FUTEX_WAIT, old, nanoseconds ? (long)&limit : 0);
}

static void wake(int *word)
{
	sys(SYS_futex, (long)word, FUTEX_WAKE, 1);
}
