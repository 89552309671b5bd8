/* keyring — see the header. Texts that hold secrets are wiped. */
#include "relay/cmd/keyring.h"

#include <stdlib.h>
#include <string.h>

#include "relay/cmd/input.h"

#define FILE_MAX   (16 << 10)
#define SECRET_MAX 512 /* of any kind; a longer one is none */

static const char blanks[] = " \t\r\n";

/* from: for messages. */
static int add(struct keyring *k, const char *text, size_t len, const char *from, struct err *err)
{
	char secret[SECRET_MAX];
	if (k->n == KEYRING_MAX)
		return err_set(err, ERR_USAGE, "%s: more than %d secrets", from, KEYRING_MAX);
	if (len >= sizeof secret)
		return err_set(err, ERR_USAGE, "%s: is longer than a secret can be", from);
	memcpy(secret, text, len);
	secret[len] = '\0';
	k->keys[k->n] = signature_key_load(secret, err);
	explicit_bzero(secret, sizeof secret);
	if (k->keys[k->n]) {
		k->n++;
		return 0;
	}
	err->code = ERR_USAGE;
	return err_wrap(err, "%s", from);
}

/* Separated by blanks or lines. */
static int add_all(struct keyring *k, const char *text, const char *from, struct err *err)
{
	for (text += strspn(text, blanks); *text; text += strspn(text, blanks)) {
		size_t len = strcspn(text, blanks);
		if (add(k, text, len, from, err) < 0)
			return -1;
		text += len;
	}
	return 0;
}

static int add_file(struct keyring *k, const char *path, struct err *err)
{
	struct buf text = BUF_INIT(FILE_MAX);
	size_t before = k->n;
	int failed = input_read(&text, path, err);
	if (!failed)
		failed = add_all(k, text.data, path, err);
	if (!failed && k->n == before)
		failed = err_set(err, ERR_USAGE, "%s: holds no secret", path);
	if (text.cap)
		explicit_bzero(text.data, text.cap);
	buf_release(&text);
	return failed;
}

int keyring_load(struct keyring *ret, const struct args *a, struct err *err)
{
	const char *variable = getenv(KEYRING_VARIABLE);
	for (size_t i = 0; i < arg_count(a, "secret-file"); i++)
		if (add_file(ret, arg_nth(a, "secret-file", i), err) < 0)
			return -1;
	for (size_t i = 0; i < arg_count(a, "secret"); i++) {
		const char *secret = arg_nth(a, "secret", i);
		if (add(ret, secret, strlen(secret), "--secret", err) < 0)
			return -1;
	}
	if (!arg_given(a, "secret") && !arg_given(a, "secret-file") && variable)
		return add_all(ret, variable, KEYRING_VARIABLE, err);
	return 0;
}

void keyring_release(struct keyring *k)
{
	for (size_t i = 0; i < k->n; i++)
		signature_key_free(k->keys[i]);
	*k = (struct keyring){0};
}
