
/*
 * An actor: it makes the system calls that it is asked to make. Of libc it uses nothing, because it may
 * be a thread or a child of vfork, or have no session to speak of.
 */
static void ring_bell(void)
{
	__atomic_add_fetch(&memory->bell, 1, __ATOMIC_SEQ_CST);
	wake(&memory->bell);
}

//# spin
/* Computes for so many nanoseconds without a system call. */
static unsigned long long ticks(void)
{
#if defined(__x86_64__)
	return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
	unsigned long long count;

	__asm__ volatile("mrs %0, cntvct_el0" : "=r"(count));
	return count;
#endif
}

static void compute(unsigned long long nanoseconds)
{
	unsigned long long time = now(), start = ticks(), turns;

	while (now() < time + 200000)
		;
	turns = (unsigned long long)((__int128)(ticks() - start) * nanoseconds / (now() - time));
	for (start = ticks(); ticks() - start < turns;)
		;
}

//#
static void serve(int self);

//# SHARED
static int begin_on_stack(void *self)
{
	serve((int)(long)self);
	return 0;
}

//# COPY CLONE3 SHARED
/* A child, which serves as another actor. */
static long bear(struct slot *slot)
{
	long flags = slot->args[0], result;
//# SHARED
	if (slot->kind == SHARED) {
		long size = 1 << 17, protection = PROT_READ | PROT_WRITE;
		long stack = sys(SYS_mmap, 0, size, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (IS_ERROR(stack))
			return stack;
		result = clone(begin_on_stack, (char *)stack + size, (int)flags, (void *)(long)slot->child);
		return result < 0 ? -errno : result;
	}
//# CLONE3
	if (slot->kind == CLONE3) {
		unsigned long long words[8] = { (unsigned long long)flags, 0, 0, 0, SIGCHLD };

		result = sys(SYS_clone3, (long)words, sizeof(words));
		if (result == 0)
			serve(slot->child);
		return result;
	}
//# COPY CLONE3 SHARED
	result = sys(SYS_clone, flags);
	if (result == 0)
		serve(slot->child);
	return result;
}

//#
static long perform(struct slot *slot)
{
//# COPY CLONE3 SHARED
	if (slot->kind == COPY || slot->kind == CLONE3 || slot->kind == SHARED)
		return bear(slot);
//# spin
	if (slot->kind == SPIN)
		return compute(slot->args[0]), 0;
//# DRAIN
	if (slot->kind == DRAIN) {	/* reads until nothing comes */
		long filled = 0, count = 1;

		while (count > 0 && filled < slot->args[2]) {
			count = sys(SYS_read, slot->args[0], slot->args[1] + filled, slot->args[2] - filled);
			if (IS_ERROR(count))
				return count;
			filled += count;
		}
		return filled;
	}
//# call32
	if (slot->entry == 32)
		return bare32(slot->number, slot->args);
//#
	return bare(slot->number, slot->args);
}

static void serve(int self)
{
	struct slot *slot = &memory->slot[self];

	slot->pid = (int)sys(SYS_getpid, 0);
	slot->tid = (int)sys(SYS_gettid, 0);
	slot->state = IDLE;
	__atomic_add_fetch(&slot->reports, 1, __ATOMIC_SEQ_CST);
	ring_bell();
	for (;;) {
		int state;

		while ((state = __atomic_load_n(&slot->state, __ATOMIC_SEQ_CST)) != ASKED)
			await_word(&slot->state, state, 0);
		while (slot->release && now() < slot->release)
			;
		slot->result = perform(slot);
		__atomic_store_n(&slot->state, ANSWERED, __ATOMIC_SEQ_CST);
		ring_bell();
	}
}
