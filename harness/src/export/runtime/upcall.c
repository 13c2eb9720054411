
//# upcalls
/*
 * To construct a key the kernel starts /sbin/request-key, as root and outside of every namespace. On a machine of its
 * own that is this program: it becomes the actor that the case has for keys of that type, or ends at once.
 */
#define REQUEST_KEY "/sbin/request-key"

/* The /proc of the initial pid namespace: the stage cannot see in its own what the kernel has started. */
static int initial_proc = -1;

/* If a process that the kernel has started is there. */
static int kernels_process(int process)
{
	char path[32], text[512], *end;
	ssize_t count;
	int file;

	snprintf(path, sizeof(path), "%d/stat", process);
	file = openat(initial_proc, path, O_RDONLY | O_CLOEXEC);
	count = file < 0 ? 0 : read(file, text, sizeof(text) - 1);
	if (file >= 0)
		close(file);
	text[count > 0 ? count : 0] = 0;
	end = strrchr(text, ')');
	return end && end[2] != 'Z' && end[2] != 'X';
}

//# upcalls+PROGRAM_FD
static void open_program(void);
//# upcalls
static void be_upcall(const char *key)
{
	char text[4096];
	int file = open("/proc/1/fd/100", O_RDWR | O_CLOEXEC);	/* MEMORY_FD of process 1 */
	long size = sys(SYS_keyctl, 6, atol(key), (long)text, sizeof(text));

	if (file < 0 || dup2(file, MEMORY_FD) < 0 || IS_ERROR(size))
		_exit(BROKEN);
	close(file);
	map_memory();
//# upcalls+PROGRAM_FD
	open_program();
//# upcalls
	text[strcspn(text, ";")] = 0;
	for (int who = 0; who < ACTORS; who++)
		if (!strcmp(memory->slot[who].key_type, text) && *text &&
		    !__atomic_exchange_n(&memory->slot[who].claimed, 1, __ATOMIC_SEQ_CST))
			serve(who);
	snprintf(memory->stray_type, sizeof(memory->stray_type), "%.31s", text);
	__atomic_store_n(&memory->stray, 1, __ATOMIC_SEQ_CST);
	_exit(FAILED);
}
//#
