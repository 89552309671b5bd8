/*
 * relay rows BROADCAST — how the recipients of a broadcast stand, from the journal, beside a
 * running relay or without one.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/clock.h"
#include "relay/base/mem.h"
#include "relay/base/row_json.h"
#include "relay/cmd/csv.h"
#include "relay/cmd/reading.h"
#include "relay/cmd/screen.h"

#define PAGE_ROWS 1000
#define LINE_MAX  (1 << 20)

static int run(const struct command *self, const struct args *a);

static const struct flag flags[] = {
	FLAG_CONFIG,
	FLAG_JSON,
	{0, "csv", NULL, "a table for spreadsheets, with a line of headings"},
	{'s', "state", "STATE", "only those in this state now: sent, delivered, failed …"},
	{0, "org", "ID", "of this organization, where several have a broadcast of that id"},
	{'n', "limit", "N", "at most N rows; 0: all, the default"},
	{0, "after", "ID", "only the rows behind that of this recipient"},
	{0},
};

const struct command cmd_rows = {
	.name = "rows",
	.operands = "BROADCAST",
	.least = 1,
	.most = 1,
	.summary = "how the recipients of a broadcast stand, from the journal",
	.example =
		"  relay rows bc_1 --state failed\n"
		"  relay rows bc_1 --csv >bc_1.csv\n\n"
		"A row has what the journal holds: the states of now and their times. What went "
		"wrong is\n"
		"in the events: relay events list --subject RECIPIENT. A row keeps its place, and "
		"new\n"
		"ones come last.",
	.flags = flags,
	.run = run,
};

enum form { FORM_TEXT, FORM_JSON, FORM_CSV };

/* What goes through the pages, and what they say together. */
struct walk {
	struct store *store;
	struct page_query query;
	struct page_place place; /* of the last row; the query's `after` */
	const char *state;	 /* NULL: whatever state */
	const char *behind;	 /* the recipient that is still to come; NULL: none */
	enum form form;
	int64_t limit; /* rows still to be printed; below 0: no bound */
	int64_t rows, shown;
	int64_t from, until;  /* the sequences of the first and the last page */
	struct names columns; /* of csv: the states known at the first page */
};

/* ---- one row ---- */

static const char *date_or(char ret[DATE_TEXT], int64_t ms, const char *otherwise)
{
	return ms == DATE_NONE ? otherwise : date_format(ret, ms);
}

static int64_t time_of(const struct recipient_record *r, unsigned state)
{
	const struct state_time *t = recipient_record_time(r, state);

	return (r->states >> state & 1) && t && t->at >= 0 ? t->at : DATE_NONE;
}

static void join_states(struct buf *out, const struct page *p, const struct recipient_record *r)
{
	for (unsigned i = 0; i < STATES_MAX && i < p->states.n; i++)
		if (r->states >> i & 1)
			buf_addf(out, "%s%s", out->len ? " " : "", p->states.v[i]);
}

static void print_padded(const char *text, size_t width)
{
	size_t len = strlen(text);

	screen_text(text);
	printf("%*s  ", len < width ? (int)(width - len) : 0, "");
}

static void print_text(const struct page *p, const struct recipient_record *r)
{
	struct buf states = BUF_INIT(LINE_MAX);
	char when[DATE_TEXT];

	join_states(&states, p, r);
	print_padded(r->id, 26);
	print_padded(r->integration_id ? r->integration_id : "-", 12);
	printf("%s  %s%s\n", date_or(when, r->updated_ms, "-"), states.len ? states.data : "-",
	       r->gone ? "  removed" : "");
	buf_release(&states);
}

static void print_json(const struct page *p, const struct recipient_record *r)
{
	const struct row_names names = {&p->states, &p->statuses};
	struct buf line = BUF_INIT(LINE_MAX);

	row_json(&line, r, &names);
	puts(line.data);
	buf_release(&line);
}

static void print_headings(const struct names *states)
{
	static const char *const fixed[] = {"recipient_id", "integration_id", "contact_id",
					    "status",	    "states",	      "created_at",
					    "updated_at",   "removed"};
	struct buf line = BUF_INIT(LINE_MAX);
	char name[NAME_SIZE + 3];

	for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
		csv_add(&line, fixed[i]);
	for (unsigned i = 0; i < STATES_MAX && i < states->n; i++) {
		snprintf(name, sizeof name, "%s_at", states->v[i]);
		csv_add(&line, name);
	}
	csv_print(&line);
	buf_release(&line);
}

static void print_csv(const struct walk *w, const struct page *p, const struct recipient_record *r)
{
	struct buf line = BUF_INIT(LINE_MAX), states = BUF_INIT(LINE_MAX);
	char when[DATE_TEXT];

	join_states(&states, p, r);
	csv_add(&line, r->id);
	csv_add(&line, r->integration_id);
	csv_add(&line, r->contact_id);
	csv_add(&line, row_name(&p->statuses, r->status));
	csv_add(&line, states.data);
	csv_add(&line, date_or(when, r->created_ms, NULL));
	csv_add(&line, date_or(when, r->updated_ms, NULL));
	csv_add(&line, r->gone ? "true" : "false");
	for (unsigned i = 0; i < STATES_MAX && i < w->columns.n; i++)
		csv_add(&line, date_or(when, time_of(r, i), NULL));
	csv_print(&line);
	buf_release(&line);
	buf_release(&states);
}

/* ---- all of them ---- */

/* Of the first page: is there what is asked for? */
static int begin(struct walk *w, const struct page *p, struct err *err)
{
	if (!p->broadcast.id)
		return err_set(err, ERR_USAGE, "the journal knows no broadcast \"%s\"%s%s",
			       w->query.broadcast, w->query.org ? " of " : "",
			       w->query.org ? w->query.org : "");
	if (p->ambiguous)
		return err_set(
			err, ERR_USAGE,
			"several organizations have a broadcast \"%s\"; say which with --org",
			w->query.broadcast);
	if (w->state && names_find(&p->states, w->state) < 0)
		return err_set(err, ERR_USAGE, "the journal knows no state \"%s\"", w->state);
	w->from = p->sequence;
	w->columns = p->states;
	if (w->form == FORM_CSV)
		print_headings(&w->columns);
	return 0;
}

static void take_row(struct walk *w, const struct page *p, const struct recipient_record *r)
{
	int state = w->state ? names_find(&p->states, w->state) : -1;

	if (w->behind) {
		if (!strcmp(r->id, w->behind))
			w->behind = NULL;
		return;
	}
	w->rows++;
	if (w->limit == 0 || (w->state && !(r->states >> state & 1)))
		return;
	if (w->form == FORM_JSON)
		print_json(p, r);
	else if (w->form == FORM_CSV)
		print_csv(w, p, r);
	else
		print_text(p, r);
	w->shown++;
	w->limit -= w->limit > 0;
}

static void take_page(struct walk *w, const struct page *p)
{
	for (size_t i = 0; i < p->rows.n; i++)
		take_row(w, p, &p->rows.v[i]);
	w->until = p->sequence;
	if (!p->rows.n)
		return;
	w->place = page_place_of(&p->rows.v[p->rows.n - 1]);
	w->query.after = &w->place;
}

static int go_through(struct walk *w, struct err *err)
{
	bool more = true, first = true;
	int failed = 0;

	while (!failed && more && w->limit != 0) {
		struct page p;
		if (w->store->type->page(w->store, &w->query, &p, err) < 0)
			return -1;
		if (first)
			failed = begin(w, &p, err);
		if (!failed)
			take_page(w, &p);
		first = false;
		more = p.more;
		page_release(&p);
	}
	if (!failed && w->behind)
		return err_set(err, ERR_USAGE, "\"%s\" has no recipient \"%s\"", w->query.broadcast,
			       w->behind);
	return failed;
}

static void print_end(const struct walk *w)
{
	printf("%" PRId64 " of %" PRId64 " rows, at sequence %" PRId64, w->shown, w->rows, w->from);
	if (w->until != w->from)
		printf(" to %" PRId64 ", for the relay went on meanwhile", w->until);
	putchar('\n');
}

static int show(const struct args *a, struct walk *w, struct err *err)
{
	struct reading r = {0};
	int failed = reading_open(&r, a, SETTINGS_JOURNAL, err);

	w->store = r.store;
	if (!failed)
		failed = go_through(w, err);
	if (!failed && w->form == FORM_TEXT)
		print_end(w);
	reading_close(&r);
	return failed;
}

static int run(const struct command *self, const struct args *a)
{
	int64_t limit = 0;
	struct err err = {0};
	struct walk w = {
		.query = {a->operands[0], arg_value(a, "org"), NULL, PAGE_ROWS},
		.state = arg_value(a, "state"),
		.behind = arg_value(a, "after"),
		.form = arg_given(a, "csv") ? FORM_CSV
			: cmd_wants_json(a) ? FORM_JSON
					    : FORM_TEXT,
	};

	if (arg_given(a, "csv") && arg_given(a, "json"))
		return cmd_usage(self, "--csv and --json: one of them");
	if (arg_given(a, "limit") && !cmd_number(arg_value(a, "limit"), &limit))
		return cmd_usage(self, "--limit is a number");
	w.limit = limit ? limit : -1;
	return show(a, &w, &err) ? reading_fail(self, &err) : EXIT_OK;
}
