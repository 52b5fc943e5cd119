#!/bin/sh
# Real programs do the same under `situs run` as without: output, files they write, exit status.
. "${SITUS_SRCDIR:?}/tests/conformance/lib.sh"
. "${SITUS_SRCDIR:?}/tests/conformance/compare.sh"

# $input holds files that both runs read.

prepare() {
	input=$scratch/input
	mkdir "$input"
	awk 'BEGIN { srand(7); for (i = 0; i < 300000; i++)
		printf "%d line %d %s\n", rand() * 1e9, i, substr("the quick brown fox jumps", 1 + i % 20) }' \
		>"$input/lines"
	awk 'BEGIN { print "#include <stdio.h>"
		for (i = 0; i < 1500; i++) {
			printf "struct s%d { int a[%d]; double d; };\n", i, i % 17 + 1
			printf "int f%d(struct s%d *s, int n)\n{\n\tint sum = 0;\n", i, i
			printf "\tfor (int i = 0; i < n && i < %d; i++)\n\t\tsum += s->a[i] * %d;\n", i % 17 + 1, i
			printf "\tprintf(\"%%d\\n\", sum);\n\treturn sum;\n}\n" } }' >"$input/large.c"
	awk 'BEGIN { print "create table t(id integer primary key, k integer, v text);\nbegin;"
		for (i = 0; i < 60000; i++)
			printf "insert into t values(%d, %d, \"value %d of a row with some text\");\n", i, i * 7919 % 60013, i
		print "commit;\ncreate index tk on t(k);"
		print "select count(*), sum(k), min(v), max(v) from t;"
		print "select k % 10 as d, count(*), group_concat(id) from t where k < 2000 group by d order by d;"
		print "delete from t where k % 3 = 0; vacuum; select count(*), total(length(v)) from t;" }' \
		>"$input/script.sql"
	awk 'BEGIN { for (i = 0; i < 100000; i++) printf "SET key:%d %0*d\r\nLPUSH list:%d %d\r\n",
		i, 50 + i % 200, i, i % 100, i
		for (i = 0; i < 100000; i += 3) printf "DEL key:%d\r\n", i }' >"$input/redis"
}

run_grep() {
	"$@" grep -cE '(fox|quick).*7' "$input/lines"
	"$@" grep -n 'line 2999[0-9]' "$input/lines"
	"$@" grep nothing-of-the-kind "$input/lines"
}

run_sort() {
	"$@" sort --parallel=2 -S 20M -n "$input/lines" | cksum
	"$@" sort -u -k3 "$input/lines" | cksum
}

run_gcc() {
	"$@" gcc -O2 -g -c "$input/large.c" -o large.o
	echo 'int main(void) { return x; }' >bad.c
	"$@" gcc bad.c -o bad
}

run_python3() {
	"$@" python3 - <<'END'
import json, subprocess, sys, threading, collections, re
table = {i: [str(i)] * (i % 9) for i in range(200000)}
print(len(json.dumps(table)), hash(tuple(range(1000))))
counts = collections.Counter()
def work(n):
    for i in range(20000):
        with lock:
            counts[i % 10] += len(bytearray(i)) % 3
lock = threading.Lock()
threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
[t.start() for t in threads]
[t.join() for t in threads]
print(sorted(counts.items()))
print(subprocess.run([sys.executable, '-c', 'print(sum(len("x" * i) for i in range(9999)))'],
    capture_output=True, text=True).stdout)
print(len(re.sub('[aeiou]', '', 'the quick brown fox' * 50000)))
try:
    b = bytearray(1 << 62)
except MemoryError:
    print('MemoryError')
sys.exit(3)
END
}

run_sqlite3() {
	"$@" sqlite3 test.db <"$input/script.sql"
}

run_git() {
	GIT_AUTHOR_DATE='2001-01-01T00:00:00Z' GIT_COMMITTER_DATE='2001-01-01T00:00:00Z'
	GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a
	HOME=/nonexistent GIT_CONFIG_NOSYSTEM=1
	export GIT_AUTHOR_DATE GIT_COMMITTER_DATE GIT_AUTHOR_NAME GIT_AUTHOR_EMAIL GIT_COMMITTER_NAME \
		GIT_COMMITTER_EMAIL HOME GIT_CONFIG_NOSYSTEM
	"$@" git init -q -b main repo
	cp "$input/lines" "$input/large.c" repo
	"$@" git -C repo add .
	"$@" git -C repo commit -qm one
	sed -i 's/fox/cat/' repo/lines
	"$@" git -C repo commit -qam two
	"$@" git -C repo -c gc.auto=0 repack -adq
	"$@" git -C repo log --stat -p | cksum
	"$@" git -C repo fsck
	rm -rf repo
}

run_perl() {
	"$@" perl -e '
		my %h; $h{$_ * 7919 % 100003} .= "x" x ($_ % 50) for 1 .. 200000;
		my @k = sort { $a <=> $b } keys %h; print scalar(@k), " $k[0] $k[-1]\n";
		my $pid = fork; if (!$pid) { my @l = map { [1 .. $_ % 20] } 1 .. 20000; exit(scalar(@l) % 200) }
		waitpid $pid, 0; print $? >> 8, "\n";
		my $s = join ",", map { length $h{$_} } @k; $s =~ s/1/one/g; print length($s), "\n"; exit 5'
}

run_xz() {
	"$@" xz -T2 -3 -k -c "$input/lines" >lines.xz
	"$@" xz -dc lines.xz | cksum
}

run_sh() {
	"$@" sh -c 'x=; i=0; while [ $i -lt 2000 ]; do x="$x $i"; i=$((i + 1)); done
		set -- $x; echo $#; echo "$x" | wc -c; (exit 4); echo $?; kill -TERM $$'
}

run_redis() {
	ln -s "$(command -v redis-check-rdb)" redis-server
	"$@" ./redis-server --port 0 --unixsocket "$PWD/s" --save '' --enable-debug-command yes \
		--daemonize no >redis.out 2>&1 &
	i=0
	while [ $i -lt 3000 ] && [ "$(redis-cli -s s ping 2>/dev/null)" != PONG ]; do
		sleep 0.1
		i=$((i + 1))
	done
	redis-cli -s s --pipe <"$input/redis" | grep -E 'errors|replies'
	redis-cli -s s debug digest
	redis-cli -s s dbsize
	# A snapshot is a fork that walks the whole heap while the parent goes on.
	redis-cli -s s bgsave
	redis-cli -s s --pipe <"$input/redis" | grep -E 'errors|replies'
	i=0
	while [ $i -lt 3000 ] && [ "$(redis-cli -s s info persistence | grep -c 'bgsave_in_progress:0')" = 0 ]; do
		sleep 0.1
		i=$((i + 1))
	done
	redis-cli -s s info persistence | grep bgsave_status
	redis-cli -s s debug digest
	redis-cli -s s shutdown nosave
	wait $!
	status=$?
	rm -f redis.out dump.rdb s redis-server
	return $status
}

prepare
echo 1..11
"$situs" run --area "$area" -- grep -q libsitus-preload /proc/self/maps
ok $? "the preload is in the program"
for program in grep sort gcc python3 sqlite3 git perl xz sh; do
	compare $program $program
done
compare redis redis-check-rdb
