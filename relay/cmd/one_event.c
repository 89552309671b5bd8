/* one_event — see the header. */
#include "relay/cmd/one_event.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "relay/base/json.h"
#include "relay/cmd/cmd.h"

#define TEXT_MAX (4 * EVENT_BODY_MAX) /* a person writes white space as well */

/* name: of the file, for messages. */
static int read_file(FILE *f, const char *name, struct buf *ret, struct err *err)
{
	char part[4096];
	size_t n;
	while (!ret->full && (n = fread(part, 1, sizeof part, f)) > 0)
		buf_add(ret, part, n);
	if (ferror(f))
		return err_set(err, ERR_IO, "%s: cannot be read", name);
	if (ret->full)
		return err_set(err, ERR_LIMIT, "%s: is longer than an event can be", name);
	return 0;
}

static int of_text(struct event *ret, FILE *f, const char *name, struct err *err)
{
	struct buf text = BUF_INIT(TEXT_MAX), body = BUF_INIT(TEXT_MAX);
	int failed = read_file(f, name, &text, err);
	if (!failed && json_check(text.data, text.len, JSON_DEPTH + 4, err) != 0)
		failed = err_wrap(err, "%s", name);
	if (!failed) {
		json_copy(&body, text.data, text.len, NULL);
		*ret = (struct event){.len = body.len};
		ret->body = buf_detach(&body);
	}
	buf_release(&body);
	buf_release(&text);
	return failed;
}

static int of_file(struct event *ret, const char *path, struct err *err)
{
	FILE *f = fopen(path, "re");
	if (!f)
		return err_set(err, ERR_IO, "%s: %s", path, strerror(errno));
	int failed = of_text(ret, f, path, err);
	fclose(f);
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
		return err_set(err, ERR_STORE, "the journal holds no event %s", what);
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
	if (!strcmp(what, "-"))
		return of_text(ret, stdin, "standard input", err);
	return of_file(ret, what, err);
}
