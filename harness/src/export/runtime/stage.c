
/*
 * The stage: process 1 of the case, which asks actors one after the other and judges what they say.
 */
enum { UNBORN, ALIVE, ZOMBIE, DEAD };
enum { NOTHING, ANSWER, BIRTH, SUSPENDED, EXECUTION, END, ZOMBIE_END, REAPING, SIGNAL, DEATH, WAIT };
#define NOBODY (-1)

static struct player {
	int life;
	int pending;		/* what it was asked and has not done */
	int reports;		/* that are known */
	int process, thread;	/* ids, as the stage sees them or else the parent */
	int leader, parent;	/* first thread of the process; whose child it is */
	int other;		/* who is born, waited for or killed */
	int inside, moves, foreign;	/* in a pid namespace below; its children will be; ids are the parent's */
	char *out;		/* output buffer of the call */
	long size, touched;	/* its bytes; how far it was written to */
	int watched, answered;
	long result;
	const char *said;	/* the question as the program has it */
//# upcalls
	const char *upcall;	/* its name, if it is the kernel that starts it */
	int missing;		/* the kernel has not */
//#
} player[ACTORS];

static void end(int status, const char *format, ...) __attribute__((noreturn, format(printf, 2, 3)));

/* Ends the case. Process 1 takes all others along. */
static void end(int status, const char *format, ...)
{
	const char *word = status == PASSED ? "PASS" : status == FAILED ? "FAIL" : status == SKIPPED ? "SKIP" :
			   status == TIMED_OUT ? "TIMEOUT" : "BROKEN";
	va_list list;

	va_start(list, format);
	printf("%s " CASE ": ", word);
	vprintf(format, list);
	printf("\n");
	fflush(stdout);
//# upcalls
	__atomic_store_n(&memory->verdict, status + 1, __ATOMIC_SEQ_CST);
//#
	_exit(status);
}

static void must(long result, const char *what)
{
	if (result < 0)
		end(BROKEN, "%s: %s", what, strerror(IS_ERROR(result) && result != -1 ? (int)-result : errno));
}

static void write_file(const char *path, const char *text)
{
	int file = open(path, O_WRONLY | O_CLOEXEC);

	must(file, path);
	must(write(file, text, strlen(text)), path);
	close(file);
}

static long used;		/* bytes of the arena */
static char *fresh_out;		/* the buffer of the next question */
static long fresh_size;

//# take
static long take(long size)
{
	long at = used;

	used = (used + size + 15) & ~15L;
	if (used > ARENA)
		end(BROKEN, "the arena is too small");
	return (long)memory->arena + at;
}

//# S
/* A text where the actors see it. */
static long place(const char *bytes, long size)
{
	return (long)memcpy((char *)take(size), bytes, size);
}
#define S(text) place(text, sizeof(text))
//# F
static long formatted(const char *format, ...) __attribute__((format(printf, 1, 2)));

static long formatted(const char *format, ...)
{
	char text[8192];
	va_list list;

	va_start(list, format);
	vsnprintf(text, sizeof(text), format, list);
	va_end(list);
	return (long)strcpy((char *)take(strlen(text) + 1), text);
}
#define F(...) formatted(__VA_ARGS__)
//# A
/* So many times the letter a. */
static long filled(long size)
{
	char *text = (char *)take(size + 1);

	memset(text, 'a', size);
	text[size] = 0;
	return (long)text;
}
#define A(size) filled(size)
//# W32
#define W32(...) \
	(long)memcpy((char *)take(sizeof((int[]){ __VA_ARGS__ })), (int[]){ __VA_ARGS__ }, sizeof((int[]){ __VA_ARGS__ }))
//# W64
#define W64(...) \
	(long)memcpy((char *)take(sizeof((long[]){ __VA_ARGS__ })), (long[]){ __VA_ARGS__ }, sizeof((long[]){ __VA_ARGS__ }))
//# OUT slurp slurp_fd
enum { MARGIN = 64, FILL = 0xa5 };

/* A buffer for output, filled with a pattern, and so is a margin behind it. */
static long out(long size)
{
	fresh_out = memset((char *)take(size + MARGIN), FILL, size + MARGIN);
	fresh_size = size;
	return (long)fresh_out;
}
#define OUT(size) out(size)
//#

static unsigned long long release_at;	/* of questions that are put together */

//# together
static void together(void)
{
	release_at = now() + 500000;
}
//#

static void progress(int who);

static void await(int who, unsigned long long limit, int status)
{
	unsigned long long deadline = now() + limit, look = now() + 50000000;

	for (;;) {
		int bell = __atomic_load_n(&memory->bell, __ATOMIC_SEQ_CST);
		struct player *one = &player[who];
		siginfo_t how = { 0 };

		for (int other = 0; other < ACTORS; other++)
			progress(other);
		if (one->pending == NOTHING || (status == TIMED_OUT && one->pending == SUSPENDED))
			return;
		if (now() > deadline)
			end(status, "%s did not come back within %llu ms", one->said, limit / 1000000);
		if (now() > look && (one->pending == ANSWER || one->pending == BIRTH || one->pending == EXECUTION)) {
			look = now() + 50000000;
//# upcalls
			if (player[one->leader].upcall && !kernels_process(player[one->leader].process))
				end(BROKEN, "%s died of it", one->said);
//#
			/* In another pid namespace its number is that of somebody else here. */
			if (!player[one->leader].foreign &&
			    !waitid(P_PID, player[one->leader].process, &how, WEXITED | WNOHANG | WNOWAIT) && how.si_pid)
				end(BROKEN, "%s died of it", one->said);
		}
		await_word(&memory->bell, bell, one->pending >= END ? 50000 : 20000000);
	}
}

//# upcalls
/* If the kernel has started an actor that it is to start, or does so in time. */
static int is_there(int who)
{
	unsigned long long deadline = now() + 5000000000ULL;

	while (player[who].upcall && player[who].life == UNBORN) {
		int bell = __atomic_load_n(&memory->bell, __ATOMIC_SEQ_CST);

		for (int other = 0; other < ACTORS; other++)
			progress(other);
		if (player[who].life == UNBORN && now() > deadline)
			return 0;
		if (player[who].life == UNBORN)
			await_word(&memory->bell, bell, 20000000);
	}
	return 1;
}

//#
static void post(int who, const char *said, int pending, int kind, int entry, int other, long number,
		 const long args[6])
{
	struct player *one = &player[who];
	struct slot *slot = &memory->slot[who];

//# upcalls
	if (!is_there(who)) {
		one->said = said;
		one->missing = 1;
		one->result = -ESRCH;	/* Nothing more is asked of it in this step. */
		fresh_out = NULL;
		fresh_size = 0;
		return;
	}
//#
	if (one->life == ALIVE && one->pending != NOTHING)
		await(who, 5000000000ULL, BROKEN);	/* vfork had suspended it */
	if (one->life != ALIVE)
		end(BROKEN, "%s: there is no such actor any more, or not yet", said);
	one->said = said;
	one->result = one->answered = 0;
	one->pending = pending;
	one->other = other;
	one->out = fresh_out;
	one->size = fresh_size;
	one->watched = fresh_size && kind == CALL;
	fresh_out = NULL;
	fresh_size = 0;
	slot->kind = kind;
	slot->entry = entry;
	slot->child = other;
	slot->number = number;
	memcpy(slot->args, args, sizeof(slot->args));
	slot->release = release_at;
	__atomic_store_n(&slot->state, ASKED, __ATOMIC_SEQ_CST);
	wake(&slot->state);
}

/* The questions: each returns at once, and what comes of it is awaited by expect(). */
//# call
#define call(who, ...) post_call(who, #who ": " #__VA_ARGS__, 0, (const long[7]){ __VA_ARGS__ })
//# call32
enum { SYS32_add_key = 286, SYS32_request_key, SYS32_keyctl };
#define call32(who, ...) post_call(who, #who ", 32-bit: " #__VA_ARGS__, 32, (const long[7]){ __VA_ARGS__ })
//# then
static long results[ACTORS][8];	/* of the calls of a step that is several */
static int steps[ACTORS];
//# call call32
static void post_call(int who, const char *said, int entry, const long words[7])
{
//# then
	steps[who] = 0;
//# call call32
	post(who, said, ANSWER, CALL, entry, NOBODY, words[0], words + 1);
}
//# then
/* A further call of the same step, unless the one before has failed. */
static int went_well(int who)
{
	await(who, TIME_LIMIT, TIMED_OUT);
	results[who][steps[who]++] = player[who].result;
	return !IS_ERROR(player[who].result);
}
static void post_next(int who, const long words[7])
{
	post(who, player[who].said, ANSWER, CALL, 0, NOBODY, words[0], words + 1);
}
#define then(who, ...) \
	do { \
		if (went_well(who)) \
			post_next(who, (const long[7]){ __VA_ARGS__ }); \
	} while (0)
#define RESULT(who, at) (results[who][at])
//# spin
#define spin(who, ms) \
	post(who, #who ": spin " #ms " ms", ANSWER, SPIN, 0, NOBODY, 0, (const long[6]){ (ms) * 1000000L })
//# birth
#define birth(who, child, kind, flags) \
	post_birth(who, child, kind, flags, #who ": " #kind " " #flags " -> " #child)
static void post_birth(int who, int child, int kind, long flags, const char *said)
{
	struct player *one = &player[who], *newborn = &player[child];

	newborn->foreign = one->inside;
	newborn->inside = one->inside || one->moves || (flags & CLONE_NEWPID);
	newborn->leader = flags & CLONE_THREAD ? one->leader : child;
	newborn->parent = flags & CLONE_PARENT ? one->parent : who;
	post(who, said, BIRTH, kind, 0, child, 0, (const long[6]){ flags });
}
//# moves_children
/* Children of this actor will be born in another pid namespace. */
#define moves_children(who) (player[who].moves = 1)
//# leave
#define leave(who) post(who, #who ": exit", END, CALL, 0, NOBODY, SYS_exit, (const long[6]){ 0 })
//# leave_zombie
#define leave_zombie(who) post(who, #who ": exit_group", ZOMBIE_END, CALL, 0, NOBODY, SYS_exit_group, (const long[6]){ 0 })
//# murder
#define murder(who, target, signal) \
	post(who, #who ": SYS_kill, " #target ", " #signal, SIGNAL, CALL, 0, target, SYS_kill, \
	     (const long[6]){ PID(target), signal })
//# reap
#define reap(who, child) \
	post(who, #who ": SYS_wait4, " #child, WAIT, CALL, 0, child, SYS_wait4, (const long[6]){ PID(child), 0, __WALL })
//# PID
static long process_of(int who)
{
	if (!player[player[who].leader].process)
		end(BROKEN, "the process of an actor that is not born");
	return player[player[who].leader].process;
}
#define PID(who) process_of(who)
//# TOUCHED
#define TOUCHED(who) (player[who].touched)
