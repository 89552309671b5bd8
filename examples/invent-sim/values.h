/*
 * values — what stands behind an option or in a fault's spec: numbers, durations, rates. Pure. All
 * are false, and ret untouched, for a text that is none.
 */
#ifndef INVENT_SIM_VALUES_H
#define INVENT_SIM_VALUES_H

#include <stdbool.h>
#include <stdint.h>

bool value_number(const char *text, uint64_t max, uint64_t *ret);
bool value_u32(const char *text, uint32_t max, uint32_t *ret);
bool value_duration(const char *text, int64_t *ret_ms);	   /* 500ms, 20s, 10m, 4h, 2d */
bool value_rate(const char *text, uint32_t *ret_per_hour); /* 5/s, 10/min, 2/h */

#endif
