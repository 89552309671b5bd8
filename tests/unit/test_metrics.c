/* The Prometheus text format: numbers, labels, histograms. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "relay/admin/metrics.h"

static void numbers_are_plain_decimals(void **state)
{
	static const struct {
		double value;
		const char *text;
	} cases[] = {{0, "x 0\n"},
		     {7.5, "x 7.5\n"},
		     {0.000002, "x 0.000002\n"},
		     {1e15, "x 1000000000000000\n"},
		     {2.9999999, "x 3\n"},
		     {-1, "x -1\n"},
		     {-0.25, "x -0.25\n"}};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct buf out = BUF_INIT(1000);
		metrics_value(&out, "x", METRICS_LABELS(), cases[i].value);
		assert_string_equal(out.data, cases[i].text);
		buf_release(&out);
	}
}

static void labels_are_escaped(void **state)
{
	struct buf out = BUF_INIT(1000);

	(void)state;
	metrics_count(&out, "x", METRICS_LABELS({"a", "say \"hi\"\\\n"}, {"b", ""}), UINT64_MAX);
	assert_string_equal(out.data,
			    "x{a=\"say \\\"hi\\\"\\\\\\n\",b=\"\"} 18446744073709551615\n");
	buf_release(&out);
}

static void a_histogram_is_cumulative(void **state)
{
	static const uint64_t counts[] = {1, 0, 2, 4};
	struct buf out = BUF_INIT(1000);

	(void)state;
	metrics_histogram(&out, "x_seconds", "Some time.",
			  &(struct metrics_histogram){counts, 4, 500000, 12250000});
	assert_string_equal(out.data, "# HELP x_seconds Some time.\n"
				      "# TYPE x_seconds histogram\n"
				      "x_seconds_bucket{le=\"0.5\"} 1\n"
				      "x_seconds_bucket{le=\"1\"} 1\n"
				      "x_seconds_bucket{le=\"2\"} 3\n"
				      "x_seconds_bucket{le=\"+Inf\"} 7\n"
				      "x_seconds_sum 12.25\n"
				      "x_seconds_count 7\n");
	buf_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_plain_decimals),
		cmocka_unit_test(labels_are_escaped),
		cmocka_unit_test(a_histogram_is_cumulative),
	};

	return cmocka_run_group_tests_name("unit", tests, NULL, NULL);
}
