/* channels — the numbers and words of each channel, after what providers publish and senders see.
 * Tables only. */
#include "examples/invent-sim/channels.h"

#include <stddef.h>

#define SECOND 1000LL
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

enum channel {
	INTERNAL,
	CUSTOM,
	WHATSAPP,
	MESSENGER,
	INSTAGRAM,
	TWILIO,
	TELNYX,
	SLACK,
	TELEGRAM,
	GMAIL,
	CALENDAR
};

const char *const channel_names[CHANNELS] = {
	"internal", "custom",	 "whatsapp_bot", "messenger_bot", "instagram_dm",    "twilio",
	"telnyx",   "slack_bot", "telegram_bot", "gmail",	  "google_calendar",
};

static const struct curve push_delivery[] = {
	{0, 150},	    {500, 900},		{900, 4 * SECOND},
	{980, 40 * SECOND}, {995, 20 * MINUTE}, {1000, 6 * HOUR},
};
static const struct curve sms_delivery[] = {
	{0, 800},	    {500, 3 * SECOND},	{900, 12 * SECOND},
	{980, 90 * SECOND}, {997, 30 * MINUTE}, {1000, 4 * HOUR},
};
static const struct curve mail_delivery[] = {
	{0, 400},	   {500, 2 * SECOND},  {900, 15 * SECOND},
	{970, 5 * MINUTE}, {995, 45 * MINUTE}, {1000, 12 * HOUR},
};
static const struct curve chat_opening[] = {
	{0, 3 * SECOND},  {300, 2 * MINUTE}, {500, 12 * MINUTE}, {800, 2 * HOUR},
	{950, 14 * HOUR}, {990, 3 * DAY},    {1000, 7 * DAY},
};
static const struct curve mail_opening[] = {
	{0, 5 * SECOND}, {200, 8 * MINUTE}, {500, 70 * MINUTE}, {800, 9 * HOUR},
	{950, 2 * DAY},	 {990, 6 * DAY},    {1000, 14 * DAY},
};
const struct curve after_failure[] = {
	{0, 300}, {600, 2 * SECOND}, {900, 20 * SECOND}, {990, 10 * MINUTE}, {1000, 3 * HOUR},
};
const struct curve after_opening[] = {
	{0, 2 * SECOND},
	{600, 40 * SECOND},
	{900, 20 * MINUTE},
	{1000, 1 * DAY},
};

const char *const skip_reasons[] = {
	"Contact unsubscribed",
	"Contact blocked",
	"No reachable channel for this contact",
	NULL,
};
static const char *const whatsapp_refused[] = {
	"(#132001) Template name does not exist in the translation",
	"(#131056) Pair rate limit hit: too many messages to this number in a short time",
	"(#131008) Required parameter is missing",
	NULL,
};
static const char *const whatsapp_failed[] = {
	"131026: Message undeliverable. The recipient's number is not on WhatsApp",
	"131026: Message undeliverable. The recipient's number is not on WhatsApp",
	"131049: This message was not delivered to maintain healthy ecosystem engagement",
	"131047: Re-engagement message. More than 24 hours have passed since the last reply",
	"131050: The recipient has stopped marketing messages from this business",
	NULL,
};
static const char *const twilio_refused[] = {
	"Error 21211: Invalid 'To' Phone Number",
	"Error 21610: Attempt to send to unsubscribed recipient",
	NULL,
};
static const char *const twilio_failed[] = {
	"Error 30003: Unreachable destination handset",
	"Error 30003: Unreachable destination handset",
	"Error 30005: Unknown destination handset",
	"Error 30006: Landline or unreachable carrier",
	"Error 30007: Message filtered by the carrier",
	NULL,
};
static const char *const telnyx_refused[] = {
	"40310: Invalid 'to' address",
	"40300: Blocked due to STOP message",
	NULL,
};
static const char *const telnyx_failed[] = {
	"Call not answered: user busy (SIP 486)",
	"Call not answered: no answer (SIP 480)",
	"40008: Undeliverable",
	NULL,
};
static const char *const mail_refused[] = {
	"Recipient address rejected: domain not found",
	"Daily user sending limit exceeded",
	NULL,
};
static const char *const mail_bounced[] = {
	"550 5.1.1 The email account that you tried to reach does not exist",
	"552 5.2.2 The recipient's inbox is out of storage space and inactive",
	"550 5.7.1 Message rejected due to the reputation of the sending domain",
	"554 5.4.14 Hop count exceeded - possible mail loop \"ATTR34\"",
	NULL,
};
static const char *const chat_refused[] = {
	"(#10) This message is sent outside of allowed window",
	"Forbidden: bot was blocked by the user",
	NULL,
};
static const char *const chat_failed[] = {
	"(#551) This person isn't available right now",
	"channel_not_found",
	NULL,
};

#define CHAT                                                                                       \
	{                                                                                          \
		.skip = 900, .refuse = 700, .fail = 600, .deliver = 97500, .open = 62000,          \
		.unsubscribe = 400, .click = 5000, .delivery = push_delivery,                      \
		.opening = chat_opening, .refused = chat_refused, .failed = chat_failed            \
	}
const struct profile channel_profiles[CHANNELS] = {
	[INTERNAL] = CHAT,
	[CUSTOM] = CHAT,
	[WHATSAPP] = {.skip = 1200,
		      .refuse = 300,
		      .fail = 2400,
		      .deliver = 96000,
		      .open = 58000,
		      .play = 900,
		      .complain = 60,
		      .unsubscribe = 900,
		      .click = 6000,
		      .delivery = push_delivery,
		      .opening = chat_opening,
		      .refused = whatsapp_refused,
		      .failed = whatsapp_failed},
	[MESSENGER] = CHAT,
	[INSTAGRAM] = CHAT,
	[TWILIO] = {.skip = 900,
		    .refuse = 500,
		    .fail = 1800,
		    .deliver = 96500,
		    .unsubscribe = 700,
		    .click = 2500,
		    .delivery = sms_delivery,
		    .opening = chat_opening,
		    .refused = twilio_refused,
		    .failed = twilio_failed},
	[TELNYX] = {.skip = 900,
		    .refuse = 400,
		    .fail = 9000,
		    .deliver = 97000,
		    .play = 55000,
		    .unsubscribe = 300,
		    .delivery = sms_delivery,
		    .opening = chat_opening,
		    .refused = telnyx_refused,
		    .failed = telnyx_failed},
	[SLACK] = CHAT,
	[TELEGRAM] = CHAT,
	[GMAIL] = {.skip = 1500,
		   .refuse = 200,
		   .bounce = 1900,
		   .deliver = 99000,
		   .open = 34000,
		   .complain = 120,
		   .unsubscribe = 1100,
		   .click = 9000,
		   .delivery = mail_delivery,
		   .opening = mail_opening,
		   .refused = mail_refused,
		   .failed = mail_bounced},
	[CALENDAR] = CHAT,
};
