
//# slurp slurp_fd
/* Files below /proc are read and written in several calls of one step. */
enum { LISTING = 512 << 10 };
//# slurp
#define slurp(who, path) do_slurp(who, #who ": read " #path, path)
static void do_slurp(int who, const char *said, long path)
{
	long file, result, to;

	post(who, said, ANSWER, CALL, 0, NOBODY, SYS_openat, (const long[6]){ AT_FDCWD, path, O_RDONLY });
	await(who, TIME_LIMIT, TIMED_OUT);
	file = player[who].result;
	if (IS_ERROR(file))
		return;
	to = out(LISTING);
	post(who, said, ANSWER, DRAIN, 0, NOBODY, SYS_read, (const long[6]){ file, to, LISTING });
	await(who, TIME_LIMIT, TIMED_OUT);
	result = player[who].result;
	post(who, said, ANSWER, CALL, 0, NOBODY, SYS_close, (const long[6]){ file });
	await(who, TIME_LIMIT, TIMED_OUT);
	player[who].result = result;
	player[who].out = (char *)to;
	player[who].size = LISTING;
}
//# slurp_fd
#define slurp_fd(who, file) do_slurp_fd(who, #who ": read descriptor " #file, file)
static void do_slurp_fd(int who, const char *said, long file)
{
	long to;

	post(who, said, ANSWER, CALL, 0, NOBODY, SYS_lseek, (const long[6]){ file, 0, SEEK_SET });
	await(who, TIME_LIMIT, TIMED_OUT);
	if (IS_ERROR(player[who].result))
		return;
	to = out(LISTING);
	post(who, said, ANSWER, DRAIN, 0, NOBODY, SYS_read, (const long[6]){ file, to, LISTING });
}
//# PROGRAM_FD
/* This program's own file, or a copy in memory where it is not for everyone: actors execute it. */
static void open_program(void)
{
	int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct stat facts;

	must(file, "/proc/self/exe");
	must(fstat(file, &facts), "/proc/self/exe");
	if ((facts.st_mode & 05) != 05) {
		int copy = (int)syscall(SYS_memfd_create, "program", MFD_CLOEXEC);
		char path[64], chunk[65536];
		ssize_t count;

		must(copy, "memfd_create");
		while ((count = read(file, chunk, sizeof(chunk))) > 0)
			must(write(copy, chunk, count), "copy");
		snprintf(path, sizeof(path), "/proc/self/fd/%d", copy);
		close(file);
		file = open(path, O_RDONLY | O_CLOEXEC);	/* What is open for writing cannot be executed. */
		must(file, path);
		close(copy);
	}
	must(dup2(file, PROGRAM_FD), "dup2");
	close(file);
}
//# with_files copy_program
#define FILES "/tmp"

static void use_files(void)
{
	static int mounted;

	if (!mounted++)
		must(mount("skc", FILES, "tmpfs", MS_NODEV, "mode=0755,size=256m"), "mount a tmpfs");
}
//# copy_program
/* A copy of this program with other owners and mode. */
static const char *copy_program(int uid, int gid, int mode)
{
	static char path[64];
	static int copies;
	char chunk[65536];
	off_t at = 0;
	ssize_t count;
	int copy;

	snprintf(path, sizeof(path), FILES "/program-%d", ++copies);
	copy = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	must(copy, path);
	for (; (count = pread(PROGRAM_FD, chunk, sizeof(chunk), at)) > 0; at += count)
		must(write(copy, chunk, count), path);
	must(fchown(copy, uid, gid), path);
	must(fchmod(copy, mode), path);
	close(copy);
	return path;
}
//# execute do_execute
/* Executes a program that becomes the actor again. */
#define execute(who, directory, path) do_execute(who, directory, path, #who ": execveat " #path)
static void do_execute(int who, long directory, const char *path, const char *said)
{
	static char flag[32];
	long size = strlen(path) + 1, words[3], file, argv, nothing;

	snprintf(flag, sizeof(flag), "--actor=%d", who);
	file = (long)memcpy((char *)take(size), path, size);
	words[0] = size > 1 ? file : (long)strcpy((char *)take(4), "skc");
	words[1] = (long)strcpy((char *)take(sizeof(flag)), flag);
	words[2] = 0;
	argv = (long)memcpy((char *)take(sizeof(words)), words, sizeof(words));
	nothing = (long)memset((char *)take(sizeof(long)), 0, sizeof(long));
	post(who, said, EXECUTION, CALL, 0, NOBODY, SYS_execveat,
	     (const long[6]){ directory, file, argv, nothing, size > 1 ? 0 : AT_EMPTY_PATH });
}
//# exec_self
static int own_directory = PROGRAM_FD;
static const char *own_path = "";

/* This program is executed by its descriptor. TOMOYO before Linux 5.11 looks that up below /dev/fd, so a copy has a path there. */
static void find_own_program(void)
{
	char *const words[] = { "skc", "--nothing", NULL };
	int child = fork(), status;

	if (!child) {
		syscall(SYS_execveat, PROGRAM_FD, "", words, words + 2, AT_EMPTY_PATH);
		_exit(BROKEN);
	}
	must(child, "fork");
	waitpid(child, &status, 0);
	if (status) {
		use_files();
		own_directory = AT_FDCWD;
		own_path = copy_program(0, 0, 0755);
	}
}
#define exec_self(who) do_execute(who, own_directory, own_path, #who ": execveat of this program")
//# exec_setuid
#define exec_setuid(who, uid) execute(who, AT_FDCWD, copy_program(uid, 0, 04755))
//# exec_setgid
#define exec_setgid(who, gid) execute(who, AT_FDCWD, copy_program(0, gid, 02755))
//# exec_filecaps
/* A copy with file capabilities, permitted and effective. */
static const char *copy_with_capabilities(unsigned long long bits)
{
	unsigned int words[5] = { 0x02000001, (unsigned int)bits, 0, (unsigned int)(bits >> 32), 0 };
	const char *path = copy_program(0, 0, 0755);

	must(syscall(SYS_setxattr, path, "security.capability", words, sizeof(words), 0), path);
	return path;
}
#define exec_filecaps(who, bits) execute(who, AT_FDCWD, copy_with_capabilities(bits))
//# exec_script
/* A script whose interpreter is a copy. */
static const char *script(int who)
{
	static char path[64];
	char text[128];
	int file;

	snprintf(text, sizeof(text), "#!%s --actor=%d\n", copy_program(0, 0, 0755), who);
	snprintf(path, sizeof(path), FILES "/script-%d", who);
	file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	must(file, path);
	must(write(file, text, strlen(text)), path);
	close(file);
	return path;
}
#define exec_script(who) execute(who, AT_FDCWD, script(who))
