
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

//# upcalls
	if (__atomic_load_n(&memory->stray, __ATOMIC_SEQ_CST))
		wrong("an upcall of the kernel, for a key of type \"%s\", that no actor awaits", memory->stray_type);
	else if (one->missing)
		wrong("no upcall: the kernel has not started " REQUEST_KEY " for %s", one->upcall);
	else
//#
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
