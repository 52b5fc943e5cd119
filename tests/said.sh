# SPDX-License-Identifier: BSD-3-Clause
# said.sh - what shell tests print: TAP, here and in the guests of the lab.
n=0

ok() { # status, name
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
	fi
}

skip() { # name, why
	n=$((n + 1))
	echo "ok $n - $1 # SKIP $2"
}

show() { # file: as TAP comments
	[ -f "$1" ] && head -n 20 "$1" | sed 's/^/# /'
}
