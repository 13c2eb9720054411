
/*
 * The enclosure: fresh user, pid, mount, ipc and uts namespaces, with user and group ids 0 to 65535 that
 * nobody else on the machine has. It is the place of every key call; the machine's keyrings are not touched.
 */
enum { BLOCK = 65536, BLOCKS = 64, SLOTS = 256 };
#define FIRST_ID 0x80000000UL

/* If ids of this block own keys, perhaps of a case that has ended: the collector has yet to come. */
static int block_is_busy(unsigned long base)
{
	FILE *users = fopen("/proc/key-users", "re");
	char line[256];
	unsigned long uid;
	int busy = 0;

	while (users && fgets(line, sizeof(line), users))
		busy |= sscanf(line, " %lu:", &uid) == 1 && uid >= base && uid < base + BLOCK;
	if (users)
		fclose(users);
	return busy;
}

/* The first id of a block that is this program's alone: it holds a name in the abstract socket namespace. */
static unsigned long claim_ids(void)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int claim = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), start = getpid() % SLOTS;

	must(claim, "socket");
	for (int at = 0; at < SLOTS; at++) {
		int slot = (start + at) % SLOTS;
		int length = snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1,
				      "session-keyring-conformance ids %d", slot);

		if (bind(claim, (struct sockaddr *)&name, offsetof(struct sockaddr_un, sun_path) + 1 + length))
			continue;
		for (int block = 0; block < BLOCKS; block++) {
			unsigned long base = FIRST_ID + ((unsigned long)slot * BLOCKS + block) * BLOCK;

			if (!block_is_busy(base))
				return base;
		}
	}
	end(BROKEN, "no ids are free");
}

/* A process in new namespaces, mapped so that it is their root; it waits for the map, and dies with the caller. */
static int enclose(unsigned long base, int go[2])
{
	char path[64], map[64], byte;
	int child, fresh = CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS;

//# initial_user
	fresh &= ~CLONE_NEWUSER;	/* The case is about the initial one. */
//# initial_pid
	fresh &= ~CLONE_NEWPID;
//#
	must(pipe2(go, O_CLOEXEC), "pipe");
	fflush(stdout);
	child = (int)sys(SYS_clone, SIGCHLD | fresh);
	if (child == -EPERM || child == -EINVAL || child == -ENOSPC)
		end(SKIPPED, "new namespaces are refused: %s (run as root, where user namespaces are allowed)",
		    strerror(-child));
	must(child, "clone");
	if (child) {
		snprintf(map, sizeof(map), "0 %lu %d", base, BLOCK);
		for (int group = 0; fresh & CLONE_NEWUSER && group < 2; group++) {
			snprintf(path, sizeof(path), "/proc/%d/%cid_map", child, group ? 'g' : 'u');
			write_file(path, map);
		}
		must(write(go[1], "!", 1), "pipe");
		return child;
	}
	close(go[1]);
	if (read(go[0], &byte, 1) != 1)
		_exit(BROKEN);
	must(sys(SYS_setgroups, 0, 0), "setgroups");
	must(sys(SYS_setresgid, 0, 0, 0), "setresgid");
	must(sys(SYS_setresuid, 0, 0, 0), "setresuid");
	must(prctl(PR_SET_DUMPABLE, 1), "prctl");
	must(prctl(PR_SET_PDEATHSIG, SIGKILL), "prctl");
	if (poll(&(struct pollfd){ .fd = go[0] }, 1, 0))
		_exit(BROKEN);	/* The caller has gone already. */
	umask(022);
//# initial_user
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "keep mounts apart");
//#
	return 0;
}

//# need_no_session
/* The case is about processes that never had a session keyring: is this one? It is asked in an enclosure. */
static void need_no_session(void)
{
	int go[2], status, child = enclose(claim_ids(), go);

	if (!child) {
		long session = syscall(SYS_keyctl, 0, -3, 0), fallback = syscall(SYS_keyctl, 0, -5, 0);

		_exit(session >= 0 && session != fallback);
	}
	waitpid(child, &status, 0);
	close(go[0]);
	close(go[1]);
	if (status)
		end(SKIPPED, "an ancestor of this process has joined a session keyring: start it where none has, "
			     "as from init");
}
//# need_own_machine need_to_be_init
static int is_booted;		/* on a machine that is there for this program */
//# need_own_machine
static int own_machine;		/* on one that somebody has given up for it */

/* The case leaves marks on its machine: limits, or keys of the machine's own users. */
static void need_own_machine(void)
{
	if (!is_booted && !own_machine)
		end(SKIPPED, "it leaves marks on the machine: boot it as /init, or run it with --own-machine where "
			     "the machine is for nothing else");
}
//# need_to_be_init
static void need_to_be_init(const char *why)
{
	if (!is_booted)
		end(SKIPPED, "%s: boot it as /init", why);
}
//# set_request_key
/* Makes this program /sbin/request-key, or sees to it that there is none. */
static void set_request_key(int is_there)
{
	char path[4096];
	ssize_t size = readlink("/proc/self/exe", path, sizeof(path) - 1);

	must(size, "/proc/self/exe");
	path[size] = 0;
	if (unlink(REQUEST_KEY) && errno != ENOENT)
		must(-1, REQUEST_KEY);
	if (is_there)
		must(symlink(path, REQUEST_KEY), REQUEST_KEY);
	initial_proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	must(initial_proc, "/proc");
}
//# need_capability
/* The case needs a part of the key facility that a kernel may be built without. */
static void need_capability(int bit, const char *what)
{
	unsigned char bytes[8] = { 0 };

	if (syscall(SYS_keyctl, 31, bytes, sizeof(bytes)) < 0 || !(bytes[bit / 8] >> bit % 8 & 1))
		end(SKIPPED, "the kernel lacks %s", what);
}
//# need_limit
static void need_limit(const char *name, long wanted)
{
	char path[64];
	long found = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/sys/kernel/keys/%s", name);
	file = fopen(path, "re");
	if (!file || fscanf(file, "%ld", &found) != 1 || found != wanted)
		end(SKIPPED, "kernel.keys.%s is %ld: the case is about %ld", name, found, wanted);
	fclose(file);
}
//# need_call32
static void need_call32(void)
{
	int child = fork(), status;

	if (!child)	/* Without the entry this is SIGSEGV. */
		_exit(bare32(20, (const long[6]){ 0 }) != getpid());
	waitpid(child, &status, 0);
	if (status)
		end(SKIPPED, "no 32-bit system calls (CONFIG_IA32_EMULATION)");
}
//# need_privileges
static void need_privileges(void)
{
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
		end(SKIPPED, "no_new_privs is set, and the case executes programs that gain privileges");
}
//#

/* Actors that exist before the first step. */
struct cast {
	const char *name;
	unsigned int uid, gid;
	unsigned long long capabilities;
	int session;		/* 1: one of its own; 0: its parent's; -1: none */
	int user_namespace;	/* number of one below the case's, or 0 */
	int groups[8], group_count;
//# upcalls
	const char *upcall;	/* the type of the keys for which the kernel starts it */
//#
};
static const struct cast cast[CAST];

//# nested
/* A user namespace below the case's that maps every id to itself. */
static int nested[9];

static void nest(int number)
{
	char path[64], map[64];
	int holder = (int)sys(SYS_clone, SIGCHLD | CLONE_NEWUSER);

	must(holder, "clone");
	if (!holder)
		for (;;)
			pause();
	snprintf(map, sizeof(map), "0 0 %d", BLOCK);
	snprintf(path, sizeof(path), "/proc/%d/uid_map", holder);
	write_file(path, map);
	snprintf(path, sizeof(path), "/proc/%d/gid_map", holder);
	write_file(path, map);
	snprintf(path, sizeof(path), "/proc/%d/ns/user", holder);
	nested[number] = open(path, O_RDONLY | O_CLOEXEC);
	must(nested[number], path);
	kill(holder, SIGKILL);
	waitpid(holder, NULL, 0);
}
//#

static void become(const struct cast *one)
{
	unsigned int header[2] = { 0x20080522, 0 }, data[6] = { 0 };
	unsigned long long known = 0;

//# nested
	if (one->user_namespace)
		must(setns(nested[one->user_namespace], CLONE_NEWUSER), "setns");
//#
	must(prctl(PR_SET_KEEPCAPS, 1), "prctl");
	must(sys(SYS_setgroups, one->group_count, (long)one->groups), "setgroups");
	must(sys(SYS_setresgid, one->gid, one->gid, one->gid), "setresgid");
	must(sys(SYS_setresuid, one->uid, one->uid, one->uid), "setresuid");
	must(prctl(PR_SET_KEEPCAPS, 0), "prctl");
	for (int at = 0; at < 64 && prctl(PR_CAPBSET_READ, at) >= 0; at++)
		known |= 1ULL << at;
	data[0] = data[1] = (unsigned int)(one->capabilities & known);
	data[3] = data[4] = (unsigned int)((one->capabilities & known) >> 32);
	must(sys(SYS_capset, (long)header, (long)data), "capset");
	must(prctl(PR_SET_DUMPABLE, 1), "prctl");
	if (one->session > 0)
		must(sys(SYS_keyctl, 1, 0), "join_session_keyring");
}

static void play(void);

static void set_stage(void)
{
	int sessions = 1;

//# with_proc
	use_proc();
//# with_files
	use_files();
//# exec_self
	find_own_program();
//# nested
	for (int who = 0; who < CAST; who++)
		if (cast[who].user_namespace && !nested[cast[who].user_namespace])
			nest(cast[who].user_namespace);
//#
	for (int who = 0; who < ACTORS; who++) {
		player[who].leader = who;
		player[who].parent = NOBODY;
	}
	for (int who = 0; who < CAST; who++)
		sessions &= cast[who].session >= 0;
	if (sessions)	/* Whoever is to have none must not have an ancestor that joined one. */
		must(sys(SYS_keyctl, 1, 0), "join_session_keyring");
	for (int who = 0; who < CAST; who++) {
		struct player *one = &player[who];
		int child;

//# upcalls
		if (cast[who].upcall) {
			one->upcall = cast[who].name;
			snprintf(memory->slot[who].key_type, sizeof(memory->slot[who].key_type), "%s", cast[who].upcall);
			continue;
		}
//#
		child = (int)sys(SYS_clone, SIGCHLD);
		must(child, "clone");
		if (!child) {
			become(&cast[who]);
			serve(who);
		}
		one->process = one->thread = child;
		one->said = cast[who].name;
		one->pending = ANSWER;
	}
	for (int who = 0; who < CAST; who++) {
		unsigned long long deadline = now() + 5000000000ULL;

//# upcalls
		if (cast[who].upcall)
			continue;
//#
		while (!__atomic_load_n(&memory->slot[who].reports, __ATOMIC_SEQ_CST)) {
			int status;

			if (waitpid(player[who].process, &status, WNOHANG) > 0)
				_exit(BROKEN);	/* It has said why. */
			if (now() > deadline)
				end(BROKEN, "%s never began", cast[who].name);
			await_word(&memory->bell, memory->bell, 1000000);
		}
		player[who].life = ALIVE;
		player[who].reports = 1;
		player[who].pending = NOTHING;
	}
	play();
	end(PASSED, "every step came out as expected");
}

static int play_here(void)
{
	int go[2], stage, status = 0;
	unsigned long base;

	map_memory();
	for (int number = 1; number < 32; number++)
		signal(number, SIG_DFL);
	printf("# " CASE "\n");
	if (geteuid())
		end(SKIPPED, "it takes root, to give ids away: run it as root");
	if (syscall(SYS_keyctl, 0, -1, 0) < 0 && errno == ENOSYS)
		end(SKIPPED, "the kernel has no key facility (CONFIG_KEYS)");
//# PROGRAM_FD
	open_program();
//#
	check_needs();
	base = claim_ids();
	stage = enclose(base, go);
	if (!stage)
		set_stage();
	close(go[0]);
	for (unsigned long long limit = now() + CASE_LIMIT; waitpid(stage, &status, WNOHANG) == 0;) {
//# upcalls
		/* What the kernel has started outlives the stage, and whoever waits for its key cannot even be killed. */
		if (__atomic_load_n(&memory->verdict, __ATOMIC_SEQ_CST) || now() > limit) {
			kill(-1, SIGKILL);
			waitpid(stage, NULL, 0);
			if (memory->verdict)
				return memory->verdict - 1;
			end(BROKEN, "the case did not end");
		}
//#
		if (now() > limit) {
			kill(stage, SIGKILL);
			waitpid(stage, NULL, 0);
			end(BROKEN, "the case did not end");
		}
		nanosleep(&(struct timespec){ 0, 1000000 }, NULL);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : BROKEN;
}
