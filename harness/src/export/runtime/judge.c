
static void show_text(struct text text)
{
	long shown = text.size > 200 ? 200 : text.size;

	putchar('"');
	for (long at = 0; at < shown; at++) {
		unsigned char byte = text.bytes[at];

		if (byte == '"' || byte == '\\')
			printf("\\%c", byte);
		else if (byte == '\n')
			printf("\\n");
		else if (byte < 32 || byte > 126)
			printf("\\x%02x", byte);
		else
			putchar(byte);
	}
	printf(shown < text.size ? "...\" (%ld bytes)" : "\"", text.size);
}

static void show_number(long number)
{
	const char *name = name_of(number);

	if (name)
		printf("$%s = ", name);
	printf("%ld", number);
}

static void show_seen(int set)
{
	const int *links = (const int *)seen.text.bytes;

	if (seen.kind == ERROR)
		printf("%s", error_name(seen.number));
	else if (seen.kind == VALUE)
		show_number(seen.number);
	else if (seen.kind == WRONG)
		printf("%s", seen.text.bytes);
	else if (!set || seen.text.size % 4)
		show_text(seen.text);
	else {
		printf("{");
		for (long at = 0; at < seen.text.size / 4; at++) {
			const char *name = name_of(links[at]);

			printf("%s%s%s", at ? ", " : "", name ? "$" : "", name ? name : "");
			if (!name)
				printf("%d", links[at]);
		}
		printf("}");
	}
}

static void show_want(const struct want *want)
{
	if (want->not)
		printf("anything but ");
	if (want->kind == WANT_BIND || want->kind == WANT_BIND_TEXT)
		printf("success");
	else if (want->text.bytes)
		show_text(want->text);
	else
		printf("%s", want->shown);
	if (want->kind == WANT_IS && !strchr("-0123456789", want->shown[0]))
		printf(" = %ld", want->number);
}

static int repetition = 1, repetitions = 1;	/* of a step, and how many there are */
static unsigned long long poll_until;	/* a step is tried again until then */
static int polls;	/* 2: it has just begun; 1: the outcome was not met; 0: it was */

//# times
static int no_repetitions(void)
{
	repetition = repetitions = 1;
	return 0;
}
#define times(n) for (repetition = 1, repetitions = (n); repetition <= repetitions || no_repetitions(); repetition++)
//# N
#define N(text) F("%s%d", text, repetition)
//# within
static int try_again(void)
{
	static long pause;

	if (polls == 2) {
		pause = 500000;
		polls = 1;
	} else if (polls) {
		nanosleep(&(struct timespec){ 0, pause }, NULL);
		pause = pause * 2 > 20000000 ? 20000000 : pause * 2;
	} else {
		poll_until = 0;
	}
	return polls;
}
/* Asks until the outcome is as expected, for so many milliseconds. */
#define within(ms) for (polls = 2, poll_until = now() + (ms) * 1000000ULL; try_again();)
//#

/* Awaits what an actor was asked, and compares. Ends the case if it is not as expected. */
#define expect(line, who, how, ...) \
	judge(line, who, how, (const struct want[]){ __VA_ARGS__ }, \
	      sizeof((const struct want[]){ __VA_ARGS__ }) / sizeof(struct want))
static void judge(int line, int who, struct reading how, const struct want *wants, long count)
{
	const char *said = player[who].said;
	int good = 0, set = 0;

	release_at = 0;
//# note note_text
	if (how.kind == R_KNOWN)
		said = known;
//#
	if (how.kind != R_KNOWN) {
		await(who, TIME_LIMIT, TIMED_OUT);
		look(who, how);
	}
	if ((how.kind == R_SERIAL || (how.kind == R_KNOWN && how.word)) && seen.kind == VALUE && (seen.number < 0 || seen.number == 1 || seen.number == 2 ||
							   seen.number > 0x7fffffff))
		set = 0;	/* No key has such a number, so this is never right. */
	else
		for (long at = 0; at < count; at++)
			good |= met(&wants[at]);
	for (int other = 0, busy = 0; other <= ACTORS; other++) {
		if (other == ACTORS && !busy)
			used = 0;
		else if (other < ACTORS)
			busy |= player[other].life == ALIVE && player[other].pending != NOTHING;
	}
	if (!good && poll_until && now() < poll_until) {
		polls = 1;
		return;
	}
	polls = 0;
	if (good && repetition < repetitions)
		return;
	for (long at = 0; at < count; at++)
		set |= wants[at].kind == WANT_SET;
	printf("%s line %d: %s: expected ", good ? "ok" : "NOT OK", line, said);
	for (long at = 0; at < count; at++) {
		printf(at ? " or " : "");
		show_want(&wants[at]);
	}
	printf(", observed ");
	show_seen(set);
	printf("\n");
	if (!good)
		end(FAILED, "line %d", line);
//# BIND
	if (wants->kind == WANT_BIND) {
		*wants->to = seen.number;
		if (how.kind == R_SERIAL && bounds < VARIABLES)
			bound[bounds].name = wants->shown, bound[bounds].line = line, bound[bounds++].number = seen.number;
	}
//# BIND_TEXT
	if (wants->kind == WANT_BIND_TEXT) {
		char *copy = malloc(seen.text.size + 1);

		*wants->to_text = (struct text){ memcpy(copy, seen.text.bytes, seen.text.size), seen.text.size };
	}
//#
}
