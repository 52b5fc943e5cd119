#!/bin/sh
# --json of every command that is not the suite's: one value, whose members are those that situs(1) lists under JSON, and no others.
. "${SITUS_SRCDIR:?}/tests/conformance/lib.sh"

# The words in bold of each command's paragraph of the section.
python3 - "$source/doc/man/situs.1" >"$scratch/listed" <<'END'
import re, sys
section = re.search(r'^\.SH JSON\n(.*?)^\.SH ', open(sys.argv[1]).read(), re.M | re.S)[1]
for paragraph in section.split('.TP\n')[1:]:
    command, text = re.match(r'\.B (\w+)\n(.*)', paragraph, re.S).groups()
    words = set()
    for macro, rest in re.findall(r'^\.(BR?|RB) (.*)$', text, re.M):
        parts = [a or b for a, b in re.findall(r'"([^"]*)"|(\S+)', rest)]
        words |= set(parts if macro == 'B' else parts[macro == 'RB'::2])
    print(command, *sorted(word for word in words if re.fullmatch('[a-z_]+', word)))
END

# members NAME COMMAND MAY-BE-ABSENT...: of what is in json.
members() {
	python3 -c '
import json, sys
listed = next(line.split()[1:] for line in open(sys.argv[2]) if line.split()[0] == sys.argv[1])
found = set()
def walk(value):
    if isinstance(value, dict):
        found.update(key for key in value if not key.isdigit())
        for member in value.values():
            walk(member)
    elif isinstance(value, list):
        for member in value:
            walk(member)
walk(json.load(sys.stdin))
unlisted, absent = found - set(listed), set(listed) - found - set(sys.argv[3:])
if unlisted or absent:
    print("# not listed:", *unlisted, "not there:", *absent)
    sys.exit(1)' "$2" "$scratch/listed" $3 <"$scratch/json"
	result=$?
	ok $result "$1"
	[ $result -eq 0 ] || show "$scratch/json"
}

echo 1..7
export HWLOC_XMLFILE="$source/tests/topology/dram-cxl.xml"
{ echo '['; "$situs" topo --json; echo ,; "$situs" topo --json 'cxl > any'; echo ']'; } >"$scratch/json"
members "situs topo prints what its page lists" topo
unset HWLOC_XMLFILE
"$situs" places --json >"$scratch/json"
members "and situs places" places
"$situs" doctor --json >"$scratch/json"
members "and situs doctor" doctor
"$situs" run --stats=json --area any --heap cache=local -- "$build/tests/conformance/named" 2>"$scratch/json" >"$scratch/out"
members "and situs run --stats=json" run
mkfifo "$scratch/go" "$scratch/ready"
SITUS_LISTEN=1 $while_needed "$situs" run --area "$area" -- "$build/tests/conformance/holder" 1 \
	<"$scratch/go" >"$scratch/ready" &
exec 3>"$scratch/go"
read -r pid <"$scratch/ready"
"$situs" stat --json "$pid" >"$scratch/json"
members "and situs stat" stat passed
mapped() {
	"$situs" map --json "$pid" >"$scratch/json" && grep -q '"link"' "$scratch/json"
}
fresh mapped
members "and situs map" map present
"$situs" migrate --json "$pid" --to any --wait 600 >"$scratch/json"
members "and situs migrate" migrate
exec 3>&-
wait
