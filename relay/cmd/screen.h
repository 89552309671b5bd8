/*
 * screen — texts for people in a terminal.
 */
#ifndef RELAY_SCREEN_H
#define RELAY_SCREEN_H

#include <stdint.h>
#include <stdio.h>

#define SPAN_TEXT 28

/* "850ms", "12s", "5m", "3h", "2d": the largest unit that leaves at least 1. Returns ret. */
const char *span_text(char ret[SPAN_TEXT], int64_t ms);

/* The same to the tenth of a second or in two units: "2.5s", "1m 26s", "6h". Returns ret. */
const char *span_fine(char ret[SPAN_TEXT], int64_t ms);

/* Prints a text from outside: what could move the cursor or colour the terminal becomes "?". */
void screen_text(const char *text);
void screen_print(const char *text, FILE *out);

#endif
