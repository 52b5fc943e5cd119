#!/bin/sh
# Includes go downwards only. A file may include its own folder and the floors below it; siblings
# (areas and the address map) do not know each other; <jemalloc/jemalloc.h> belongs to hooks/, and
# <hwloc.h> to the areas.
top=${SITUS_SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}
cd "$top" || exit 1

# What each floor may include by path, besides itself; public headers by name.
may_include() {
	case $1 in
	src/base) echo "" ;;
	src/os) echo "base" ;;
	src/amm) echo "base os amm.h" ;;
	src/area) echo "base os aml.h aml_hwloc.h" ;;
	hooks) echo "base os amm area amm.h aml.h situs.h" ;;
	src/heap) echo "base os amm area hooks amm.h aml.h situs.h" ;;
	src/preload) echo "base os amm area hooks heap amm.h aml.h aml_hwloc.h situs.h" ;;
	src/tool) echo "base os amm area hooks heap amm.h aml.h aml_hwloc.h situs.h" ;;
	esac
}

floors="src/base src/os src/amm src/area hooks src/heap src/preload src/tool"
n=0
set -- $floors
echo "1..$(($# + 3))"
for floor in $floors; do
	n=$((n + 1))
	own=${floor#src/}
	wrong=""
	for file in $(find "$floor" -name '*.[ch]'); do
		# Public headers count in either form.
		for name in $(sed -n -e 's/^[[:space:]]*#[[:space:]]*include "\([^"]*\)".*/\1/p' \
			-e 's/^[[:space:]]*#[[:space:]]*include <\(a[ml][lm][a-z_]*\.h\|situs\.h\)>.*/\1/p' "$file"); do
			folder=${name%%/*}
			ok=no
			for allowed in $own config.h $(may_include "$floor"); do
				[ "$folder" = "$allowed" ] && ok=yes
			done
			[ $ok = yes ] || wrong="$wrong $file:$name"
		done
	done
	if [ -z "$wrong" ]; then
		echo "ok $n - $floor includes downwards only"
	else
		echo "not ok $n - $floor includes downwards only"
		echo "# $wrong"
	fi
done

only_in() { # header, folders as a grep pattern
	n=$((n + 1))
	wrong=$(grep -rlE "include *<$1>" src hooks include | grep -vE "$2")
	if [ -z "$wrong" ]; then
		echo "ok $n - <$1> is included where it belongs"
	else
		echo "not ok $n - <$1> is included where it belongs"
		echo "# $wrong"
	fi
}
only_in 'jemalloc/jemalloc.h' '^hooks/'
only_in 'hwloc.h' '^(src/area/|src/tool/|include/aml_hwloc.h)'

# Public headers: areas and the map stand alone, heaps know areas.
n=$((n + 1))
wrong=$(grep -HE '^[[:space:]]*#[[:space:]]*include [<"](aml|amm|situs|aml_hwloc)\.h' include/*.h |
	grep -vE '^include/(situs|aml_hwloc)\.h:.*aml\.h')
if [ -z "$wrong" ]; then
	echo "ok $n - public headers include downwards only"
else
	echo "not ok $n - public headers include downwards only"
	echo "# $wrong"
fi
