/*
 * Calls libkeyutils as a program would that is linked with it, and prints one line for each call: what it returned,
 * after -1 the name of the error, and what it gave besides. Words on the command line are calls and their arguments,
 * in order: skc-libkeyutils join x read_alloc -3
 */
#include <dlfcn.h>
#include <errno.h>
#include <keyutils.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The rest of the command line. */
static char **words;

static const char *word(void)
{
	if (!*words) {
		fputs("skc-libkeyutils: an argument is missing\n", stderr);
		exit(2);
	}
	return *words++;
}

static key_serial_t key(void)
{
	return strtol(word(), NULL, 10);
}

static const char *error(void)
{
	static const struct {
		int number;
		const char *name;
	} errors[] = {
		{ EACCES, "EACCES" },
		{ EINVAL, "EINVAL" },
		{ EKEYREVOKED, "EKEYREVOKED" },
		{ ENOKEY, "ENOKEY" },
		{ EPERM, "EPERM" },
	};
	for (size_t at = 0; at < sizeof(errors) / sizeof(*errors); at++)
		if (errors[at].number == errno)
			return errors[at].name;
	return strerror(errno);
}

static void result(long value)
{
	if (value == -1)
		printf("-1 %s\n", error());
	else
		printf("%ld\n", value);
}

/* What an allocating call gave: its length, and if a NUL follows that length. */
static void allocated(long length, const char *text, int is_text)
{
	if (length == -1)
		return result(-1);
	printf("%ld %s %s\n", length, text[length] == '\0' ? "ended" : "open", is_text ? text : "");
}

/* Prints each key and its depth below; counts it as one. */
static int visit(key_serial_t parent, key_serial_t id, char *description, int length, void *data)
{
	(void)length;
	*(int *)data += 1;
	printf("%d in %d %s\n", id, parent, description ? description : error());
	return 1;
}

int main(int argc, char **argv)
{
	(void)argc;
	setvbuf(stdout, NULL, _IOLBF, 0);
	words = argv + 1;
	while (*words) {
		const char *call = word();
		char *text = NULL;
		void *bytes = NULL;

		if (!strcmp(call, "join")) {
			result(keyctl_join_session_keyring(word()));
		} else if (!strcmp(call, "join_anonymous")) {
			result(keyctl_join_session_keyring(NULL));
		} else if (!strcmp(call, "get_keyring_ID")) {
			result(keyctl_get_keyring_ID(key(), 0));
		} else if (!strcmp(call, "add_key")) {
			const char *description = word(), *payload = word();
			result(add_key("user", description, payload, strlen(payload), key()));
		} else if (!strcmp(call, "revoke")) {
			result(keyctl_revoke(key()));
		} else if (!strcmp(call, "read_alloc")) {
			long length = keyctl_read_alloc(key(), &bytes);
			allocated(length, bytes, 1);
		} else if (!strcmp(call, "links")) {
			/* Serials in memory are no text. */
			long length = keyctl_read_alloc(key(), &bytes);
			allocated(length, bytes, 0);
		} else if (!strcmp(call, "describe_alloc")) {
			long length = keyctl_describe_alloc(key(), &text);
			allocated(length, text, 1);
		} else if (!strcmp(call, "get_security_alloc")) {
			long length = keyctl_get_security_alloc(key(), &text);
			allocated(length, text, 1);
		} else if (!strcmp(call, "session_to_parent")) {
			result(keyctl_session_to_parent());
		} else if (!strcmp(call, "scan")) {
			int visited = 0;
			long sum = recursive_session_key_scan(visit, &visited);
			printf("%ld of %d\n", sum, visited);
		} else if (!strcmp(call, "find")) {
			const char *type = word(), *description = word();
			result(find_key_by_type_and_desc(type, description, key()));
		} else if (!strcmp(call, "capability")) {
			/* Byte and bit. */
			unsigned char bits[8] = { 0 };
			long byte = strtol(word(), NULL, 10), bit = strtol(word(), NULL, 10);
			long length = keyctl_capabilities(bits, sizeof(bits));
			printf("%d\n", byte < length && (bits[byte] >> bit & 1));
		} else if (!strcmp(call, "symbol")) {
			puts(dlsym(RTLD_DEFAULT, word()) ? "there" : "absent");
		} else {
			fprintf(stderr, "skc-libkeyutils: no call %s\n", call);
			return 2;
		}
	}
	return 0;
}
