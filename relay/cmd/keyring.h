/*
 * keyring — the secrets that a command is given: by --secret, by --secret-file, or, where neither
 * is there, by the environment. A command line can be read by every user of the machine, a file
 * need not be.
 */
#ifndef RELAY_KEYRING_H
#define RELAY_KEYRING_H

#include "relay/cmd/cmd.h"
#include "transports/signature.h"

#define KEYRING_MAX	 64
#define KEYRING_VARIABLE "RELAY_SECRET"

#define FLAG_SECRET_FILE                                                                           \
	{                                                                                          \
		0, "secret-file", "FILE", "a file with secrets, one a line"                        \
	}
#define FLAG_SECRET                                                                                \
	{                                                                                          \
		0, "secret", "SECRET", "the secret itself, which others on this machine may see"   \
	}

struct keyring {
	struct signature_key *keys[KEYRING_MAX];
	size_t n;
};

/* Of a command that has both flags. Errors never contain a secret; none at all is no error.
 * Released in any case. */
int keyring_load(struct keyring *ret, const struct args *a, struct err *err);
void keyring_release(struct keyring *k); /* {0} is allowed */

#endif
