/* one_event — see the header. */
#include "relay/cmd/one_event.h"

#include <string.h>

#include "relay/base/json.h"
#include "relay/cmd/cmd.h"
#include "relay/cmd/input.h"

#define TEXT_MAX (4 * EVENT_BODY_MAX) /* a person writes white space as well */

static int of_file(struct event *ret, const char *path, struct err *err)
{
	struct buf text = BUF_INIT(TEXT_MAX), body = BUF_INIT(TEXT_MAX);
	int failed = input_read(&text, path, err);
	if (!failed && json_check(text.data, text.len, JSON_DEPTH + 4, err) != 0)
		failed = err_wrap(err, "%s", input_name(path));
	if (!failed) {
		json_copy(&body, text.data, text.len, NULL);
		*ret = (struct event){.len = body.len};
		ret->body = buf_detach(&body);
	}
	buf_release(&body);
	buf_release(&text);
	return failed;
}

int one_event_find(struct event *ret, const char *what, struct store *s, struct err *err)
{
	struct event_query q = {.limit = 1};
	struct events found = {0};
	int64_t sequence;
	if (cmd_number(what, &sequence)) {
		q.after = sequence - 1;
		q.before = sequence + 1;
	} else {
		q.id = what;
		q.newest_first = true;
	}
	if (s->type->events(s, &q, &found, err) != 0)
		return -1;
	if (!found.n)
		return err_set(err, ERR_MISSING, "the journal holds no event %s", what);
	*ret = found.v[0];
	found.n = 0; /* it is the caller's now */
	events_release(&found);
	return 0;
}

static int of_journal(struct event *ret, const char *what, const struct journal_options *j,
		      struct err *err)
{
	struct store *s = j->type->open(j->options, STORE_READ, err);
	if (!s)
		return -1;
	int failed = one_event_find(ret, what, s, err);
	s->type->close(s);
	return failed;
}

static bool is_id(const char *what)
{
	return !strncmp(what, "evt_", 4) && !strpbrk(what, "./");
}

int one_event_read(struct event *ret, const char *what, const struct journal_options *journal,
		   struct err *err)
{
	int64_t sequence;
	if (cmd_number(what, &sequence) || is_id(what))
		return of_journal(ret, what, journal, err);
	return of_file(ret, what, err);
}
