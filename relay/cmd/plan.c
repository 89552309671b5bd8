/*
 * relay plan — what would be asked next and why, and what the planner's rules come to: how long
 * sweeps take, how soon a failure is seen. Asks the relay or reads the journal, never the API.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "relay/base/json_add.h"
#include "relay/base/mem.h"
#include "relay/cmd/cmd.h"
#include "relay/cmd/plan_state.h"
#include "relay/cmd/screen.h"
#include "relay/source/forecast.h"
#include "relay/source/sorting.h"

static int run(const struct command *self, const struct args *a);

static const struct flag flags[] = {FLAG_CONFIG, FLAG_JSON, {0}};

const struct command cmd_plan = {
	.name = "plan",
	.operands = "",
	.summary = "what would be asked of the API next, and how long what takes; asks it nothing",
	.example = "  relay plan -c relay.yaml\n"
		   "  relay plan --json | jq '.broadcasts[] | {id, next, why, removed_ms}'\n\n"
		   "The running relay says what it knows, if its admin API answers; else it is "
		   "worked\n"
		   "out from the journal, as a relay that starts now would do.",
	.flags = flags,
	.run = run,
};

struct plan_view {
	const struct settings *settings;
	struct plan_state state;
	struct forecast forecast;
	unsigned live;
	bool running;	 /* the state is a running relay's */
	const char *why; /* it is not */
};

static uint64_t pages_of(const struct planned *b)
{
	return forecast_pages(b->rows, b->page_rows);
}

/* Where failures wait for others (chase.h). */
static bool is_dear(const struct planned *b)
{
	return b->order && (strcmp(b->order, sort_names[SORT_ID]) == 0 ||
			    strcmp(b->order, sort_names[SORT_STABLE]) == 0 ||
			    strcmp(b->order, sort_names[SORT_NONE]) == 0);
}

/* Of those left out, pages are as large as the others'. */
static void work_out(struct plan_view *v)
{
	size_t n = v->state.n, left = (size_t)v->state.left_out;
	struct forecast_size *sizes = xcalloc(n + left, sizeof *sizes);
	uint64_t page_rows = n ? v->state.v[0].page_rows : 0;

	for (size_t i = 0; i < left; i++)
		sizes[n + i].pages = forecast_pages(v->state.left_rows / left, page_rows);
	for (size_t i = 0; i < n; i++) {
		const struct planned *b = &v->state.v[i];
		sizes[i] = (struct forecast_size){pages_of(b), b->live, is_dear(b)};
		v->live += b->live;
	}
	forecast_make(&v->forecast, &v->settings->source, sizes, n + left,
		      v->settings->source.orgs.n);
	free(sizes);
}

/* ---- for people ---- */

static void print_overall(const struct plan_view *v)
{
	const struct forecast *f = &v->forecast;
	const struct source_options *o = &v->settings->source;
	char a[SPAN_TEXT], b[SPAN_TEXT], c[SPAN_TEXT];

	if (v->running)
		printf("from      the running relay at %s\n", v->settings->admin.listen);
	else
		printf("from      the journal (%s)\n", v->why);
	if (f->per_minute > 0)
		printf("requests  %.0f a minute\n", f->per_minute);
	else
		puts("requests  not limited");
	printf("list      every %s, every %s while counters move\n", span_fine(a, f->list_ms),
	       span_fine(b, f->list_moving_ms));
	printf("failures  asked for %s after they are counted, at the latest; where counters are\n"
	       "          absent or lag, %s after they are there (%u live)\n",
	       span_fine(a, f->failure_ms), span_fine(b, f->failure_blind_ms), v->live);
	printf("sweeps    %" PRIu64
	       " pages in all, %s if nothing else is asked; each broadcast every %s,\n"
	       "          with %.0f %% of the requests while others compete\n",
	       f->pages, span_fine(a, forecast_sweep_ms(f, f->pages)), span_fine(c, f->every_ms),
	       ceil(f->share * 100));
	if (f->stretched)
		printf("          that is longer than full_sweep_every (%s): it would need more "
		       "than its share\n",
		       span_fine(a, o->full_sweep_every_ms));
}

static void print_next(const struct planned *b)
{
	char text[SPAN_TEXT];

	if (!b->next) {
		printf("  next     nothing is due; looked at again in %s\n",
		       span_fine(text, b->next_ms));
		return;
	}
	fputs("  next     ", stdout);
	screen_text(b->next);
	printf(" (%s), %" PRId64 " request%s at least\n", b->why ? b->why : "-", b->requests,
	       b->requests == 1 ? "" : "s");
}

static void print_broadcast(const struct plan_view *v, const struct planned *b)
{
	const struct forecast *f = &v->forecast;
	uint64_t pages = pages_of(b);
	char alone[SPAN_TEXT], shared[SPAN_TEXT], removed[SPAN_TEXT];

	putchar('\n');
	screen_text(b->id ? b->id : "-");
	if (b->name) {
		putchar(' ');
		screen_text(b->name);
	}
	putchar('\n');
	printf("  state    ");
	screen_text(b->status ? b->status : "-");
	printf(", %" PRIu64 " rows, order: %s, counters: %s\n", b->rows, b->order ? b->order : "-",
	       b->counters ? b->counters : "-");
	print_next(b);
	printf("  sweep    %" PRIu64
	       " pages, %s alone, %s at its share; a row that goes is told within %s\n",
	       pages, span_fine(alone, forecast_sweep_ms(f, pages)),
	       span_fine(shared, forecast_shared_ms(f, pages)),
	       span_fine(removed, forecast_removed_ms(f, pages)));
}

static void print_plan(const struct plan_view *v)
{
	print_overall(v);
	for (size_t i = 0; i < v->state.n; i++)
		print_broadcast(v, &v->state.v[i]);
	if (v->state.n == 0)
		puts("\nno broadcast is followed: the list is asked for first");
	if (v->state.left_out)
		printf("\nand %" PRId64 " broadcasts more\n", v->state.left_out);
}

/* ---- for programs ---- */

static void add_broadcast(struct buf *out, const struct forecast *f, const struct planned *b)
{
	uint64_t pages = pages_of(b);

	json_add_element(out);
	json_add_text(out, "org", b->org);
	json_add_text(out, "id", b->id);
	json_add_text(out, "name", b->name);
	json_add_text(out, "status", b->status);
	json_add_text(out, "order", b->order);
	json_add_text(out, "counters", b->counters);
	json_add_text(out, "next", b->next);
	json_add_text(out, "why", b->why);
	json_add_int(out, "requests", b->requests);
	json_add_int(out, "next_visit_ms", b->next_ms);
	json_add_int(out, "rows", (int64_t)b->rows);
	json_add_int(out, "pages", (int64_t)pages);
	json_add_int(out, "sweep_ms", forecast_sweep_ms(f, pages));
	json_add_int(out, "sweep_shared_ms", forecast_shared_ms(f, pages));
	json_add_int(out, "removed_ms", forecast_removed_ms(f, pages));
	json_add_bool(out, "live", b->live);
	buf_addc(out, '}');
}

static void print_json(const struct plan_view *v)
{
	const struct forecast *f = &v->forecast;
	struct buf out = BUF_INIT(64 << 20);

	buf_addc(&out, '{');
	json_add_text(&out, "from", v->running ? "relay" : "journal");
	json_add_name(&out, "requests_per_minute");
	buf_addf(&out, "%.0f", f->per_minute);
	json_add_name(&out, "full_sweep_share");
	buf_addf(&out, "%.3f", f->share);
	json_add_int(&out, "list_every_ms", f->list_ms);
	json_add_int(&out, "list_every_moving_ms", f->list_moving_ms);
	json_add_int(&out, "failure_ms", f->failure_ms);
	json_add_int(&out, "failure_without_counters_ms", f->failure_blind_ms);
	json_add_int(&out, "full_sweep_every_ms", f->every_ms);
	json_add_bool(&out, "stretched", f->stretched);
	json_add_int(&out, "pages", (int64_t)f->pages);
	json_add_int(&out, "sweep_all_ms", forecast_sweep_ms(f, f->pages));
	json_add_int(&out, "live", v->live);
	json_add_int(&out, "broadcasts_left_out", v->state.left_out);
	json_add_name(&out, "broadcasts");
	buf_addc(&out, '[');
	for (size_t i = 0; i < v->state.n; i++)
		add_broadcast(&out, f, &v->state.v[i]);
	buf_adds(&out, "]}");
	puts(out.data);
	buf_release(&out);
}

static int run(const struct command *self, const struct args *a)
{
	struct err silent = {0}, err = {0};
	struct settings *s = cmd_settings(a);
	if (!s)
		return EXIT_BAD_CONFIG;
	struct plan_view v = {.settings = s, .why = silent.msg};
	v.running = plan_state_ask(&v.state, s, &silent) == 0;
	int failed = v.running ? 0 : plan_state_read(&v.state, s, &err);
	if (!failed) {
		work_out(&v);
		if (cmd_wants_json(a))
			print_json(&v);
		else
			print_plan(&v);
	}
	plan_state_release(&v.state);
	settings_free(s);
	return failed ? cmd_fail(self, &err) : EXIT_OK;
}
