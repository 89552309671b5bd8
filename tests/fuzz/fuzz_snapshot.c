/* Fuzzes a page of recipients through snapshot and diff, twice: what was just seen is no change,
 * and all that comes out is JSON again. Build: clang -fsanitize=fuzzer,address,undefined. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/json.h"
#include "relay/source/diff.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_row(const struct diff_place *at, const struct row *row, const char *text)
{
	struct recipient_record first, second;
	struct events out = {0};
	struct err err;

	diff_recipient(at, NULL, row, text, &out, &first);
	size_t n = out.n;
	diff_recipient(at, &first, row, text, &out, &second);
	assert(out.n == n);
	diff_removed(at, &second, &out);
	for (size_t i = 0; i < out.n; i++) {
		assert(json_check(out.v[i].body, out.v[i].len, JSON_DEPTH + 8, &err) == 0);
		assert(out.v[i].sequence_at);
	}
	recipient_record_release(&first);
	recipient_record_release(&second);
	events_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct names states = {.n = 0}, statuses = {.n = 0};
	const struct diff_place at = {.base_url = "https://api.example.com",
				      .org = "c",
				      .broadcast = "bc_1",
				      .broadcast_created_ms = DATE_NONE,
				      .states = &states,
				      .statuses = &statuses,
				      .since_ms = DATE_NONE,
				      .recorded_ms = 1795341600000,
				      .updates = true};
	struct snapshot s = {0};
	struct err err;

	states_init(&states);
	if (snapshot_read(&s, (const char *)data, size, &states, &statuses, &err) == 0) {
		for (size_t i = 0; i < s.n; i++)
			check_row(&at, &s.v[i], (const char *)data);
	}
	snapshot_release(&s);
	return 0;
}
