/*
 * A PAM application: it does with its handles what the words on its command line say, in order, and prints what came
 * of each. Its exit status is the first error of PAM, or 0.
 *
 *   start SERVICE USER     a handle, which the following words are about
 *   open, close            pam_open_session, pam_close_session
 *   setcred FLAG           establish, delete, reinitialize, refresh
 *   run PROGRAM            a child, which is awaited
 */
#include <security/pam_appl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int converse(int count, const struct pam_message **messages, struct pam_response **responses, void *data)
{
	(void)count, (void)messages, (void)responses, (void)data;
	return PAM_CONV_ERR;
}

static int credentials(const char *word)
{
	static const struct {
		const char *word;
		int flag;
	} flags[] = {
		{ "establish", PAM_ESTABLISH_CRED },
		{ "delete", PAM_DELETE_CRED },
		{ "reinitialize", PAM_REINITIALIZE_CRED },
		{ "refresh", PAM_REFRESH_CRED },
	};
	for (size_t at = 0; at < sizeof(flags) / sizeof(*flags); at++)
		if (!strcmp(flags[at].word, word))
			return flags[at].flag;
	fprintf(stderr, "skc-pam: no credentials to %s\n", word);
	exit(2);
}

static void run(char *program)
{
	pid_t child = fork();

	if (child == 0) {
		execl(program, program, (char *)NULL);
		perror(program);
		_exit(127);
	}
	if (child > 0)
		waitpid(child, NULL, 0);
}

int main(int argc, char **argv)
{
	static const struct pam_conv conversation = { converse, NULL };
	pam_handle_t *handle = NULL;
	int first = PAM_SUCCESS;

	(void)argc;
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (char **word = argv + 1; *word; word++) {
		const char *what = *word;
		int came = PAM_SUCCESS;

		if (!strcmp(what, "start") && word[1] && word[2]) {
			came = pam_start(word[1], word[2], &conversation, &handle);
			word += 2;
		} else if (!strcmp(what, "open") && handle) {
			came = pam_open_session(handle, 0);
		} else if (!strcmp(what, "close") && handle) {
			came = pam_close_session(handle, 0);
		} else if (!strcmp(what, "setcred") && handle && word[1]) {
			came = pam_setcred(handle, credentials(*++word));
		} else if (!strcmp(what, "run") && word[1]) {
			run(*++word);
		} else {
			fprintf(stderr, "skc-pam: %s makes no sense here\n", what);
			return 2;
		}
		printf("%s %d\n", what, came);
		if (first == PAM_SUCCESS)
			first = came;
	}
	/* No pam_end: a handle that is still open is one of a program that just ends. */
	return first;
}
