/* SPDX-License-Identifier: BSD-3-Clause */
/* doctor.c - situs doctor: what on this machine will hurt placement, each with its remedy. */
#include "config.h"

#include "tool/doctor.h"
#include "tool/tool.h"

enum { KEY_ROOT = 256 };

struct options {
	struct tool_common common;
	const char *root;
};

static const struct argp_option option_list[] = {
	TOOL_OPTION_JSON,
	/* For the tests, which show it other machines' files. */
	{ "root", KEY_ROOT, "FOLDER", OPTION_HIDDEN, NULL, 0 },
	TOOL_OPTIONS_END,
};

static const char *const results[] = {
	[DOCTOR_OK] = "ok",
	[DOCTOR_NOTE] = "note",
	[DOCTOR_HURTS] = "hurts",
	[DOCTOR_UNKNOWN] = "unknown",
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	if (key != KEY_ROOT)
		return tool__common(key, arg, state, &options->common);
	options->root = arg;
	return 0;
}

static void print(const struct doctor_check *check, const struct doctor_finding *finding)
{
	printf("%-7s  %-14s  %s\n", results[finding->result], check->name, finding->what);
	if (finding->remedy[0])
		printf("%-7s  %-14s  -> %s\n", "", "", finding->remedy);
}

int doctor__main(int argc, char **argv)
{
	static const struct argp argp = {
		.options = option_list,
		.parser = parse,
		.doc = "Looks for what on this machine will hurt placement, and says what to do.\v"
		       "'note' is a limit to know of; 'hurts' means that memory may not be where it was asked "
		       "for, or not be had. The exit status is 1 where something hurts.",
	};
	struct options options = { .root = "" };
	json_t *list = json_array();
	bool hurts = false;
	int status = TOOL_OK;

	tool__parse(&argp, argc, argv, 0, &options);
	for (size_t i = 0; i < doctor__n_checks; i++) {
		struct doctor_finding finding = { DOCTOR_UNKNOWN, "", "" };

		doctor__checks[i].look(options.root, &finding);
		/* What cannot be told stands in files that are not there, or may not be read. */
		if (finding.result == DOCTOR_UNKNOWN && !finding.remedy[0])
			snprintf(finding.remedy, sizeof(finding.remedy), "mount /proc and /sys so that this process may read them");
		hurts |= finding.result == DOCTOR_HURTS;
		if (options.common.json)
			json_array_append_new(list, json_pack("{ss ss ss ss}", "check", doctor__checks[i].name,
				"result", results[finding.result], "what", finding.what, "remedy",
				finding.remedy));
		else
			print(&doctor__checks[i], &finding);
	}
	if (options.common.json)
		status = tool__json(list);
	else
		json_decref(list);
	return status ? status : hurts ? TOOL_FAILED : TOOL_OK;
}
