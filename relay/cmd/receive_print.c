/* receive_print — see the header. */
#include "relay/cmd/receive_print.h"

#include <stdio.h>

#include "relay/base/clock.h"
#include "relay/base/json_add.h"
#include "relay/cmd/screen.h"

#define LINE_MAX (2 * CALL_BODY_MAX + (64 << 10))

static const char *const signature_words[] = {"signature valid", "signature INVALID", "not signed",
					      "signature not checked"};
static const char *const signature_names[] = {"valid", "invalid", "none", "unchecked"};

static bool is_accepted(const struct answered *a)
{
	return !a->dropped && a->status < 300;
}

static void print_cell(const char *text)
{
	screen_text(text ? text : "-");
	fputs("  ", stdout);
}

static void print_text(const struct answered *a, const struct called_event *ev)
{
	char when[DATE_TEXT];
	int64_t at_ms = a->attempt_ms != DATE_NONE ? a->attempt_ms : clock_now().wall_ms;
	printf("%s  ", date_format(when, at_ms));
	print_cell(ev ? ev->type : NULL);
	print_cell(ev ? ev->recipient : NULL);
	print_cell(ev ? ev->id : NULL);
	if (ev && ev->why) {
		putchar('(');
		screen_text(ev->why);
		fputs(")  ", stdout);
	}
	printf("%s, %s", signature_words[a->signature], a->repeat ? "REPEAT, " : "");
	if (a->dropped)
		fputs("not answered", stdout);
	else
		printf("answered %d", a->status);
	if (a->why) {
		fputs(": ", stdout);
		screen_text(a->why);
	}
	putchar('\n');
}

static void print_envelope(const struct answered *a, const struct called_event *ev)
{
	struct buf out = BUF_INIT(LINE_MAX);
	buf_addc(&out, '{');
	json_add_text(&out, "id", ev ? ev->id : NULL);
	json_add_text(&out, "type", ev ? ev->type : NULL);
	json_add_text(&out, "format", call_formats[a->call->format]);
	json_add_text(&out, "signature", signature_names[a->signature]);
	json_add_date(&out, "attempt_at", a->attempt_ms);
	json_add_bool(&out, "repeat", a->repeat);
	json_add_count(&out, "status", a->dropped ? -1 : a->status);
	json_add_text(&out, "why", a->why);
	json_add_name(&out, "event");
	buf_adds(&out, ev ? ev->json : "null");
	buf_addc(&out, '}');
	puts(out.data);
	buf_release(&out);
}

static void print_one(const struct answered *a, const struct called_event *ev, enum print_form form)
{
	if (form == PRINT_TEXT)
		print_text(a, ev);
	else if (form == PRINT_ENVELOPE)
		print_envelope(a, ev);
	else if (ev && is_accepted(a))
		puts(ev->json);
}

void answered_print(const struct answered *a, enum print_form form)
{
	for (size_t i = 0; i < a->call->n; i++)
		print_one(a, &a->call->v[i], form);
	if (!a->call->n)
		print_one(a, NULL, form);
	fflush(stdout);
}
