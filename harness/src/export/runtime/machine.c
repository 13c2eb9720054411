
/*
 * A machine that was booted for this program alone: as process 1 it makes it ready, has a child play, and turns it
 * off. What was seen is on the console.
 */
/* If this is process 1 of a machine, and not just of a container. */
static int is_init(void)
{
	struct stat facts;

	if (getpid() != 1)
		return 0;
	if (access("/proc/self", F_OK)) {
		mkdir("/proc", 0755);
		mount("proc", "/proc", "proc", 0, NULL);
	}
	/* The number of the initial pid namespace is the same in every kernel. */
	return !stat("/proc/self/ns/pid", &facts) && facts.st_ino == 0xeffffffcU;
}

static void play_in_child(void)
{
	int child, gone, status = 0;

	fflush(stdout);
	must(make_memory(), "memfd_create");
	child = fork();
	must(child, "fork");
	if (!child)
		exit(play_here());
	do
		gone = wait(&status);	/* for orphans too */
	while (gone != child && (gone >= 0 || errno == EINTR));
	if (WIFSIGNALED(status))
		printf("BROKEN " CASE ": signal %d ended it\n", WTERMSIG(status));
}

static void be_init(void)
{
	int console;

//# need_own_machine need_to_be_init
	is_booted = 1;
//# upcalls
	/* What may be there is hidden, and not taken away. */
	mkdir("/sbin", 0755);
	mount("skc", "/sbin", "tmpfs", MS_NODEV, "mode=0755");
//#
	mkdir("/tmp", 01777);
	mkdir("/dev", 0755);
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);	/* or the nodes that are there have to do */
	console = open("/dev/console", O_RDWR | O_NOCTTY | O_CLOEXEC);
	for (int file = 0; console >= 0 && file < 3; file++)
		dup2(console, file);
	play_in_child();
	fflush(stdout);
	tcdrain(STDOUT_FILENO);
	reboot(RB_POWER_OFF);
	reboot(RB_HALT_SYSTEM);	/* What cannot be turned off stands still. */
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	int actor;

//# upcalls
	if (argc > 2 && !strcmp(argv[0], REQUEST_KEY))
		be_upcall(argv[2]);
//#
	if (argc > 1 && sscanf(argv[1], "--actor=%d", &actor) == 1) {
		map_memory();
		serve(actor);
	}
//# exec_self
	if (argc > 1 && !strcmp(argv[1], "--nothing"))
		return 0;
//#
//# need_own_machine
	own_machine = argc > 1 && !strcmp(argv[1], "--own-machine");
//#
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (is_init())
		be_init();
	must(make_memory(), "memfd_create");
	return play_here();
}
