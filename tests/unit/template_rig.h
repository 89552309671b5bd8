/*
 * template_rig — a template and its data to text, for the tests of templates.
 */
#ifndef RELAY_TEST_TEMPLATE_RIG_H
#define RELAY_TEST_TEMPLATE_RIG_H

#include "relay/base/template.h"

/* What the template says of the data, or "! " and the error; yours to free. */
char *template_said(enum template_kind kind, const char *text, const char *data);

/* Fails the test unless the text is JSON that json_parse would take; `what` goes into the message.
 */
void assert_json(const char *text, const char *what);

#endif
