/* The reference of all settings: the parts' tables hung into the outermost one, as text and as a
 * JSON Schema. */
#include <stdlib.h>
#include <string.h>

#include "relay/base/buf.h"
#include "relay/base/mem.h"
#include "relay/settings_parts.h"

/* config's table with the parts' sections hung in. Caller frees. */
static struct option *whole_table(void)
{
	size_t n = 0;
	while (config_options[n].name)
		n++;
	struct option *table = xcalloc(n + 1, sizeof *table);
	memcpy(table, config_options, n * sizeof *table);
	for (size_t i = 0; i < n; i++) {
		if (!strcmp(table[i].name, "source"))
			table[i].section = source_option_table;
		else if (!strcmp(table[i].name, "journal"))
			table[i].section = journal_option_table;
		else if (!strcmp(table[i].name, "admin"))
			table[i].section = admin_option_table;
	}
	return table;
}

void settings_print_options(FILE *out)
{
	struct option *whole = whole_table(), *destination = settings_destination_table();
	options_print(whole, "", out);
	options_print(destination, "destinations.NAME.", out);
	options_print(rule_option_table, "rules[].", out);
	free(whole);
	free(destination);
}

void settings_schema(struct buf *out)
{
	struct option *whole = whole_table(), *destination = settings_destination_table();
	struct buf top = BUF_INIT(1 << 20);
	options_schema(whole, &top);
	/* `destinations` and `rules` hold maps by name and a list: said here, as tables cannot */
	buf_adds(out, "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\","
		      "\"title\":\"relay.yaml\",\"allOf\":[");
	buf_add(out, top.data, top.len);
	buf_adds(out, "],\"properties\":{\"destinations\":{\"additionalProperties\":");
	options_schema(destination, out);
	buf_adds(out, "},\"rules\":{\"type\":\"array\",\"items\":");
	options_schema(rule_option_table, out);
	buf_adds(out, "}}}");
	buf_release(&top);
	free(whole);
	free(destination);
}
