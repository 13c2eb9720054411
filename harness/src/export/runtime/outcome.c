
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
		int twice = 0;

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
