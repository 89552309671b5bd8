/*
 * store_suite — the contract of relay/journal/store.h as tests, the same for every back end.
 *
 *   static const struct suite_store under = {&store_sqlite, fresh, forget};
 *   int main(void) { return store_suite_run(&under); }
 */
#ifndef RELAY_STORE_SUITE_H
#define RELAY_STORE_SUITE_H

#include "relay/journal/store.h"

struct suite_store {
	const struct store_type *type;
	void *(*fresh)(void);	       /* options of a store that holds nothing yet */
	void (*forget)(void *options); /* removes that store, frees the options */
};

/* How many tests failed. */
int store_suite_run(const struct suite_store *under);

#endif
