/* http_presets — the files of examples/templates/, which the Makefile writes as C strings. */
#include <string.h>

#include "transports/http_content.h"

#define PRESET(name, text) #name,
const char *const http_preset_names[] = {
#include "transports/presets.inc"
	NULL};
#undef PRESET

#define PRESET(name, text) text,
static const char *const texts[] = {
#include "transports/presets.inc"
};

const char *http_preset_text(const char *name)
{
	for (size_t i = 0; http_preset_names[i]; i++)
		if (strcmp(http_preset_names[i], name) == 0)
			return texts[i];
	return NULL;
}
