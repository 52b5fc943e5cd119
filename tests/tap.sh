#!/bin/sh
# tap.sh PROGRAM...: runs a cmocka program and mends its TAP. cmocka writes a skipped test as
# "not ok N # SKIP name", which TAP readers count as a failure, and has no place for the reason: that is said
# by skip_because() in a line before it.
exec 4>&1
status=$({ { "$@" 3>&- 4>&-; echo $? >&3; } | awk '
	/^# skipped: / { why = substr($0, 12) }
	/^(not )?ok [0-9]+/ && !/^not ok [0-9]+ # SKIP / { why = "" }
	/^not ok [0-9]+ # SKIP / {
		number = $3
		sub(/^not ok [0-9]+ # SKIP /, "")
		$0 = "ok " number " - " $0 " # SKIP " (why == "" ? "it does not say why" : why)
		why = ""
	}
	{ print; fflush() }' >&4; } 3>&1)
exit "$status"
