/*
 * nats_credentials — is it a file of credentials, as nsc writes them? libnats asks for it at each
 * connection only, and then says little of what is wrong.
 */
#ifndef RELAY_NATS_CREDENTIALS_H
#define RELAY_NATS_CREDENTIALS_H

#include "relay/base/err.h"

/* Nothing of what the file holds gets into err, nor stays in memory. */
int nats_credentials_check(const char *path, struct err *err);

#endif
