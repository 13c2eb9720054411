
/*
 * What was observed, what is expected, and if they agree.
 */
static const char *error_name(long error)
{
	static const struct { int number; const char *name; } names[] = {
#define E(name) { name, #name }
		E(EPERM), E(ENOENT), E(ESRCH), E(EINTR), E(EIO), E(ENXIO), E(E2BIG), E(ENOEXEC), E(EBADF), E(ECHILD),
		E(EAGAIN), E(ENOMEM), E(EACCES), E(EFAULT), E(EBUSY), E(EEXIST), E(EXDEV), E(ENODEV), E(ENOTDIR),
		E(EISDIR), E(EINVAL), E(ENFILE), E(EMFILE), E(ENOTTY), E(ETXTBSY), E(EFBIG), E(ENOSPC), E(EROFS),
		E(ERANGE), E(EDEADLK), E(ENAMETOOLONG), E(ENOSYS), E(ENOTEMPTY), E(ELOOP), E(EMSGSIZE), E(EPROTO),
		E(EOVERFLOW), E(EBADMSG), E(EUSERS), E(EOPNOTSUPP), E(ENOPKG), E(ENOKEY), E(EKEYEXPIRED),
		E(EKEYREVOKED), E(EKEYREJECTED), E(EDQUOT), E(ENODATA), E(ETIMEDOUT), E(ECANCELED), E(ESTALE),
#undef E
	};
	static char text[32];

	for (size_t at = 0; at < sizeof(names) / sizeof(names[0]); at++)
		if (names[at].number == error)
			return names[at].name;
	snprintf(text, sizeof(text), "errno %ld", error);
	return text;
}

/* A text of a given length. */
struct text { const char *bytes; long size; };

static struct seen {
	enum { ERROR, VALUE, BYTES_SEEN, WRONG } kind;
	long number;		/* the errno or the value */
	struct text text;	/* the bytes, or what is wrong */
} seen;

/* The variables that are bound, so that a serial is shown by its name. */
static struct { const char *name; long number; int line; } bound[VARIABLES + 1];
static int bounds;

static const char *name_of(long number)
{
	for (int at = 0; at < bounds; at++)
		if (bound[at].number == number && number > 2)
			return bound[at].name;
	return NULL;
}

static void wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void wrong(const char *format, ...)
{
	static char text[512];
	va_list list;

	va_start(list, format);
	vsnprintf(text, sizeof(text), format, list);
	va_end(list);
	seen.kind = WRONG;
	seen.text = (struct text){ text, strlen(text) };
}

/* How an answer is read. */
struct reading { int kind; long word; };
enum { R_NUMBER, R_SERIAL, R_ZERO, R_BORN, R_TEXT, R_BYTES, R_LINE, R_FIELD, R_ASCENDING, R_SPELLED, R_WORDS,
       R_WORD, R_BIT, R_MODE, R_EFFECTIVE, R_KNOWN };
#define NUMBER ((struct reading){ R_NUMBER, 0 })		/* the number that the kernel gave */
#define SERIAL ((struct reading){ R_SERIAL, 0 })		/* the same, which has to be one that a key can have */
#define ZERO ((struct reading){ R_ZERO, 0 })			/* success, whatever the number */
#define BORN ((struct reading){ R_BORN, 0 })			/* an actor is there */
//# KNOWN
#define KNOWN ((struct reading){ R_KNOWN, 0 })			/* see note() */
//# KNOWN_SERIAL
#define KNOWN_SERIAL ((struct reading){ R_KNOWN, 1 })
//#
//# STRING
#define STRING ((struct reading){ R_TEXT, 0 })			/* a string, which the kernel counts with its NUL */
//# BYTES
#define BYTES ((struct reading){ R_BYTES, 0 })
//# LINE
#define LINE(word) ((struct reading){ R_LINE, word })		/* the line that begins with this word */
//# FIELD
#define FIELD(word) ((struct reading){ R_FIELD, word })	/* what follows the word in that line */
//# ASCENDING
#define ASCENDING ((struct reading){ R_ASCENDING, 0 })	/* 1 if the hexadecimal numbers at line starts ascend */
//# SPELLED
#define SPELLED ((struct reading){ R_SPELLED, 0 })		/* the number that the bytes spell */
//# WORDS
#define WORDS ((struct reading){ R_WORDS, 0 })		/* strings that a NUL ends */
//# WORD
#define WORD(at) ((struct reading){ R_WORD, at })		/* the number that one of these spells */
//# BIT
#define BIT(at) ((struct reading){ R_BIT, at })		/* one bit of the bytes */
//# MODE
#define MODE ((struct reading){ R_MODE, 0 })			/* the permission bits of a struct statx */
//# EFFECTIVE
#define EFFECTIVE(cap) ((struct reading){ R_EFFECTIVE, cap })	/* 1 if capget(2) says that it is effective */
//#

static void see_number(long number)
{
	seen.kind = VALUE;
	seen.number = number;
}

//# STRING BYTES LINE FIELD WORDS note_text
static void see_bytes(const char *bytes, long size)
{
	seen.kind = BYTES_SEEN;
	seen.text = (struct text){ bytes, size };
}

//# SPELLED WORD
static void see_spelled(const char *bytes, long size)
{
	char text[64], *end;
	long number;

	while (size && strchr(" \t\n", bytes[size - 1]))
		size--;
	if (size >= (long)sizeof(text))
		size = sizeof(text) - 1;
	memcpy(text, bytes, size);
	text[size] = 0;
	number = strtol(text, &end, 10);
	if (!size || *end)
		wrong("\"%s\", no number", text);
	else
		see_number(number);
}

//# LINE FIELD
/* The words of the line that begins with this one, single blanks between them. */
static void see_line(const char *text, long size, const char *first, int all)
{
	static char line[4096];
	const char *end = text + size;
	long length = 0, words = 0;

	while (text < end) {
		const char *stop = memchr(text, '\n', end - text);
		const char *at = text;

		stop = stop ? stop : end;
		for (length = words = 0; at < stop; words++) {
			const char *word;

			while (at < stop && strchr(" \t", *at))
				at++;
			for (word = at; at < stop && !strchr(" \t", *at);)
				at++;
			if (at == word)
				break;
			if (!words && (strlen(first) != (size_t)(at - word) || memcmp(first, word, at - word)))
				break;
			if (!words && !all)
				continue;
			if (length + (at - word) + 1 >= (long)sizeof(line))
				break;
			if (length)
				line[length++] = ' ';
			memcpy(line + length, word, at - word);
			length += at - word;
		}
		if (words)
			break;
		text = stop + 1;
	}
	see_bytes(line, words ? length : 0);
}

//# ASCENDING
static int ascend(const char *text, long size)
{
	const char *end = text + size;
	unsigned long last = 0;

	if (!size)
		return 0;
	while (text < end) {
		unsigned int serial;

		if (sscanf(text, "%x", &serial) != 1 || serial <= last)
			return 0;
		last = serial;
		text = memchr(text, '\n', end - text);
		if (!text)
			break;
		text++;
	}
	return 1;
}

//#
static void look(int who, struct reading how)
{
	struct player *one = &player[who];
	long result = one->result;
	int file = how.kind >= R_LINE && how.kind <= R_WORD;

	if (one->size && one->watched && one->touched > one->size)
		wrong("%ld bytes written into a buffer of %ld: past its end", one->touched, one->size);
	else if (IS_ERROR(result))
		seen = (struct seen){ ERROR, -result, { NULL, 0 } };
	else if (file && result >= one->size)
		wrong("%ld bytes or more, of which no more are read", one->size);
	else
		switch (how.kind) {
		case R_ZERO:
		case R_BORN:
			see_number(0);
			break;
//# STRING
		case R_TEXT:
			if (result > one->size)
				wrong("a text of %ld bytes, more than the %ld of its buffer", result, one->size);
			else if (!result || one->out[result - 1])
				wrong("bytes without a terminating NUL");
			else
				see_bytes(one->out, result - 1);
			break;
//# BYTES
		case R_BYTES:
			if (result > one->size)
				wrong("a content of %ld bytes, more than the %ld of its buffer", result, one->size);
			else
				see_bytes(one->out, result);
			break;
//# LINE FIELD
		case R_LINE:
		case R_FIELD:
			see_line(one->out, result, (const char *)how.word, how.kind == R_LINE);
			break;
//# ASCENDING
		case R_ASCENDING:
			see_number(ascend(one->out, result));
			break;
//# SPELLED
		case R_SPELLED:
			see_spelled(one->out, result);
			break;
//# WORDS
		case R_WORDS:
			for (long at = 0; at + 1 < result; at++)
				if (!one->out[at])
					one->out[at] = ' ';
			see_bytes(one->out, result && !one->out[result - 1] ? result - 1 : result);
			break;
//# WORD
		case R_WORD: {
			const char *word = one->out, *end = one->out + result;

			for (long at = 0; at < how.word && word < end; at++)
				word += strnlen(word, end - word) + 1;
			see_spelled(word, word < end ? (long)strnlen(word, end - word) : 0);
			break;
		}
//# BIT
		case R_BIT:
			see_number(how.word / 8 < one->touched ? one->out[how.word / 8] >> how.word % 8 & 1 : 0);
			break;
//# MODE
		case R_MODE:
			see_number(((unsigned short *)one->out)[14] & 07777);
			break;
//# EFFECTIVE
		case R_EFFECTIVE:
			see_number(((unsigned int *)one->out)[how.word / 32 * 3] >> how.word % 32 & 1);
			break;
//#
		default:
			see_number(result);
			break;
		}
}

//# note note_text
/* What is compared is no answer but a value that is known. */
static const char *known;
//# note
#define note(what, number) (known = what, see_number(number))
//# note_text
#define note_text(what, text) (known = what, see_bytes(text.bytes, text.size))
//#

/* One way to come out. */
struct want {
	enum { WANT_OK, WANT_ERROR, WANT_IS, WANT_BIND, WANT_TEXT, WANT_FIELDS, WANT_LINE, WANT_SET, WANT_BIND_TEXT } kind;
	int not;		/* any other value instead */
	const char *shown;
	long number, count;
	const long *members;
	struct text text;
	long *to;
	struct text *to_text;
};
//# OK
#define OK { .kind = WANT_OK, .shown = "success" }
//# FAILS
#define FAILS(error) { .kind = WANT_ERROR, .shown = #error, .number = error }
//# IS
#define IS(value) { .kind = WANT_IS, .shown = #value, .number = value }
//# NOT
#define NOT(value) { .kind = WANT_IS, .shown = #value, .number = value, .not = 1 }
//# BIND
#define BIND(variable) { .kind = WANT_BIND, .shown = #variable, .to = &variable }
//# BIND_TEXT
#define BIND_TEXT(variable) { .kind = WANT_BIND_TEXT, .shown = #variable, .to_text = &variable }
//# TEXT
#define TEXT(bytes) { .kind = WANT_TEXT, .text = bytes }
//# NOT_TEXT
#define NOT_TEXT(bytes) { .kind = WANT_TEXT, .text = bytes, .not = 1 }
//# FIELDS
#define FIELDS(bytes) { .kind = WANT_FIELDS, .text = bytes }
//# NOT_FIELDS
#define NOT_FIELDS(bytes) { .kind = WANT_FIELDS, .text = bytes, .not = 1 }
//# LIKE
#define LIKE(bytes) { .kind = WANT_LINE, .text = bytes }
//# NOT_LIKE
#define NOT_LIKE(bytes) { .kind = WANT_LINE, .text = bytes, .not = 1 }
//# SET
#define SET(...) \
	{ .kind = WANT_SET, .shown = "{" #__VA_ARGS__ "}", .members = (const long[]){ 0, ##__VA_ARGS__ }, \
	  .count = sizeof((long[]){ 0, ##__VA_ARGS__ }) / sizeof(long) - 1 }
//# NOT_SET
#define NOT_SET(...) \
	{ .kind = WANT_SET, .shown = "{" #__VA_ARGS__ "}", .members = (const long[]){ 0, ##__VA_ARGS__ }, .not = 1, \
	  .count = sizeof((long[]){ 0, ##__VA_ARGS__ }) / sizeof(long) - 1 }
//# FT
/* A text that is made of values. */
static struct text text_of(long at)
{
	return (struct text){ (const char *)at, strlen((const char *)at) };
}
#define FT(...) text_of(F(__VA_ARGS__))
//# T
#define T(literal) { literal, sizeof(literal) - 1 }
//#

//# TEXT NOT_TEXT
static int equal(struct text one, struct text other)
{
	return one.size == other.size && !memcmp(one.bytes, other.bytes, one.size);
}
//# FIELDS NOT_FIELDS LIKE NOT_LIKE
/* The next part of a text, which the text then lacks; of the description's five fields the last has the rest. */
static struct text next_part(struct text *rest, int blanks, int last)
{
	struct text part;

	while (blanks && rest->size && strchr(" \t\n", *rest->bytes))
		rest->bytes++, rest->size--;
	part = (struct text){ rest->bytes, 0 };
	while (rest->size && (last || !strchr(blanks ? " \t\n" : ";", *rest->bytes)))
		rest->bytes++, rest->size--, part.size++;
	return part;
}
//# FIELDS NOT_FIELDS
static int same_fields(struct text wanted, struct text got)
{
	for (int at = 0; at < 5; at++) {
		struct text one = next_part(&wanted, 0, at == 4), other = next_part(&got, 0, at == 4);

		if (!(one.size == 1 && *one.bytes == '*') &&
		    (one.size != other.size || memcmp(one.bytes, other.bytes, one.size)))
			return 0;
		if (!!wanted.size != !!got.size)
			return 0;
		if (!wanted.size)
			return 1;
		wanted.bytes++, wanted.size--, got.bytes++, got.size--;
	}
	return 1;
}
//# LIKE NOT_LIKE
static int same_words(struct text wanted, struct text got)
{
	for (;;) {
		struct text one = next_part(&wanted, 1, 0), other = next_part(&got, 1, 0);
		const char *star = memchr(one.bytes, '*', one.size);
		long head = star ? star - one.bytes : one.size, tail = star ? one.size - head - 1 : 0;

		if (!one.size || !other.size)
			return one.size == other.size;
		if ((star ? other.size < head + tail : other.size != one.size) || memcmp(one.bytes, other.bytes, head) ||
		    (tail && memcmp(star + 1, other.bytes + other.size - tail, tail)))
			return 0;
	}
}
//# SET NOT_SET
static int same_set(const struct want *want, struct text got)
{
	long count = got.size / 4, distinct = 0;
	const int *links = (const int *)got.bytes;

	for (long at = 0; at < count; at++) {
		int found = 0;

		for (long other = 0; other < at; other++)
			if (links[other] == links[at])
				return 0;
		for (long member = 1; member <= want->count; member++)
			found |= want->members[member] == links[at];
		if (!found)
			return 0;
	}
	for (long member = 1; member <= want->count; member++) {
		int polls = 0;

		for (long other = 1; other < member; other++)
			twice |= want->members[other] == want->members[member];
		distinct += !twice;
	}
	return got.size % 4 == 0 && count == distinct;
}
//#

static int met(const struct want *want)
{
	int number = seen.kind == VALUE, text = seen.kind == BYTES_SEEN;

	(void)number, (void)text;
	switch (want->kind) {
//# FAILS
	case WANT_ERROR:
		return seen.kind == ERROR && seen.number == want->number;
//# OK
	case WANT_OK:
		return number || text;
//# BIND
	case WANT_BIND:
		return number;
//# BIND_TEXT
	case WANT_BIND_TEXT:
		return text;
//# IS NOT
	case WANT_IS:
		return number && (seen.number == want->number) != want->not;
//# TEXT NOT_TEXT
	case WANT_TEXT:
		return text && equal(want->text, seen.text) != want->not;
//# FIELDS NOT_FIELDS
	case WANT_FIELDS:
		return text && same_fields(want->text, seen.text) != want->not;
//# LIKE NOT_LIKE
	case WANT_LINE:
		return text && same_words(want->text, seen.text) != want->not;
//# SET NOT_SET
	case WANT_SET:
		return text && same_set(want, seen.text) != want->not;
//#
	default:
		return 0;
	}
}

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
