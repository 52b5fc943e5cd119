#!/bin/sh
# Larger programs do the same under `situs run` as without: interpreters with their own tests, and servers
# under load.
. "${SITUS_SRCDIR:?}/tests/conformance/lib.sh"
. "${SITUS_SRCDIR:?}/tests/conformance/compare.sh"

# nginx is there, and not in every user's PATH.
PATH=$PATH:/usr/sbin
export PATH

# Python's own allocator maps memory past malloc.
PYTHONMALLOC=malloc
PYTHONDONTWRITEBYTECODE=1
export PYTHONMALLOC PYTHONDONTWRITEBYTECODE

# python_tests COMMAND...: its verdict, without the time it took and what threads print in any order.
python_tests() {
	"$@" >tests.out 2>&1
	status=$?
	grep -E '^(Ran|OK|FAILED|FAIL:|ERROR:)' tests.out | sed 's/ in [0-9.]*s$//'
	rm -f tests.out
	return $status
}

run_python_memory() {
	python_tests "$@" /usr/bin/python3 -m unittest -q test.test_memoryview test.test_memoryio test.test_gc \
		test.test_mmap test.test_bytes test.test_array
}

run_python_threads() {
	python_tests "$@" /usr/bin/python3 -m unittest -q test.test_thread test.test_threading_local \
		test.test_threading.ThreadTests test.test_threading.ThreadJoinOnShutdown \
		test.test_threading.SubinterpThreadingTests test.test_threading.LockTests
}

run_python_subprocess() {
	python_tests "$@" /usr/bin/python3 -m unittest -q test.test_subprocess.POSIXProcessTestCase \
		test.test_subprocess.MiscTests test.test_subprocess.ContextManagerTests
}

run_node() {
	cat >main.js <<'END'
const { Worker, isMainThread, parentPort } = require('worker_threads');
const { spawnSync } = require('child_process');
const crypto = require('crypto'), zlib = require('zlib');
const table = {};
for (let i = 0; i < 100000; i++)
	table['key' + i * 7919 % 100003] = [i, 'x'.repeat(i % 50), { n: i }];
const text = JSON.stringify(table);
const hash = data => crypto.createHash('sha256').update(data).digest('hex');
if (isMainThread) {
	console.log(text.length, hash(text), zlib.deflateSync(text).length);
	let left = 3;
	for (let i = 0; i < 3; i++)
		new Worker(__filename).on('message', m => {
			if (--left == 0) {
				console.log(m);
				const child = spawnSync(process.execPath, ['-e', 'console.log(Buffer.alloc(1e6, "ab").length); process.exit(4)']);
				console.log(child.status, String(child.stdout));
				process.exitCode = 3;
			}
		});
} else {
	const buffers = [];
	for (let i = 0; i < 3000; i++)
		buffers.push(Buffer.alloc(i % 2000, i % 251));
	parentPort.postMessage(hash(Buffer.concat(buffers)));
}
END
	"$@" node main.js
}

run_redis_benchmark() {
	ln -s "$(command -v redis-check-rdb)" redis-server
	"$@" ./redis-server --port 0 --unixsocket "$PWD/s" --save '' --enable-debug-command yes \
		--daemonize no >redis.out 2>&1 &
	server=$!
	until_true redis-cli -s s ping
	redis-benchmark -s s -n 8000 -P 8 -q -t set,get,incr,lpush,rpush,lpop,sadd,hset,spop,zadd,lrange,mset \
		>benchmark.out 2>&1
	echo "redis-benchmark: $?"
	grep -ci error benchmark.out
	redis-cli -s s debug digest
	redis-cli -s s flushall async
	redis-cli -s s memory purge
	redis-cli -s s dbsize
	redis-cli -s s shutdown nosave
	wait $server
	status=$?
	rm -f redis.out benchmark.out redis-server s
	return $status
}

# A port of 127.0.0.1 that nobody has now, near a number that differs from process to process.
free_port() {
	port=$((20000 + $$ % 20000))
	while grep -q "^ *[0-9]*: [0-9A-F]*:$(printf '%04X' $port) " /proc/net/tcp; do
		port=$((port + 1))
	done
}

run_nginx() {
	free_port
	mkdir html logs
	awk 'BEGIN { for (i = 0; i < 6000; i++) print "line", i, "of a page" }' >html/page.html
	cat >nginx.conf <<END
daemon off; worker_processes 2; pid logs/pid; error_log logs/error;
$([ "$(id -u)" = 0 ] && echo 'user root;')
events { worker_connections 128; }
http {
	access_log off; gzip on; gzip_types *; gzip_http_version 1.0; default_type text/html;
	client_body_temp_path logs/a; proxy_temp_path logs/b; fastcgi_temp_path logs/c;
	uwsgi_temp_path logs/d; scgi_temp_path logs/e;
	server { listen 127.0.0.1:$port; root html; }
}
END
	"$@" nginx -p "$PWD" -c "$PWD/nginx.conf" &
	server=$!
	until_true ab -n 1 "http://127.0.0.1:$port/page.html"
	for header in 'Accept-Encoding: gzip' 'X-Nothing: at all'; do
		ab -q -n 600 -c 16 -k -H "$header" "http://127.0.0.1:$port/page.html" >ab.out
		echo "ab: $?"
		grep -E '^(Complete|Failed|Non-2xx|Document Length|HTML transferred|Keep-Alive)' ab.out
	done
	# New workers while the old ones end, then the end of all.
	kill -HUP "$(cat logs/pid)"
	until_true ab -n 50 -c 5 "http://127.0.0.1:$port/page.html"
	kill -QUIT "$(cat logs/pid)"
	wait $server
	status=$?
	grep -c 'exited on signal' logs/error
	rm -rf logs html nginx.conf ab.out
	return $status
}

# Postgres does not run as root: then everything here is somebody else's, who cannot look into this folder.
unprivileged() {
	if [ "$(id -u)" = 0 ]; then
		setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
	else
		"$@"
	fi
}

run_postgres() {
	bin=$(ls -d /usr/lib/postgresql/*/bin | tail -n 1)
	if [ "$(id -u)" = 0 ]; then
		chown 65534:65534 .
	fi
	HOME=$PWD PGHOST=$PWD PGUSER=nobody TZ=UTC
	export HOME PGHOST PGUSER TZ
	unprivileged "$@" "$bin/initdb" -D data -U nobody -A trust -N -E UTF8 --locale=C >initdb.out 2>&1
	echo "initdb: $?"
	sed -n 's/ \.\.\. .*//p' initdb.out | grep -v selecting
	unprivileged "$@" "$bin/postgres" -D data -k "$PWD" -c listen_addresses= -c fsync=off -c jit=off \
		-c max_parallel_workers_per_gather=2 >postgres.out 2>&1 &
	server=$!
	until_true "$bin/psql" -d postgres -c 'select 1'
	unprivileged "$@" "$bin/pgbench" -i -q -s 2 postgres >pgbench.out 2>&1
	echo "pgbench -i: $?"
	unprivileged "$@" "$bin/pgbench" -n -c 4 -j 2 -t 150 --random-seed=7 postgres >pgbench.out 2>&1
	echo "pgbench: $?"
	grep -E 'processed|failed' pgbench.out
	"$bin/psql" -d postgres -At -c 'select sum(abalance), count(*) from pgbench_accounts' \
		-c 'select count(*) from pgbench_history' \
		-c 'select md5(string_agg(x::text, $$ $$ order by x desc)) from generate_series(1, 200000) x'
	kill -INT "$(head -n 1 data/postmaster.pid)"
	wait $server
	status=$?
	grep -c 'terminated by signal' postgres.out
	rm -rf data ./*.out
	return $status
}

# Where users without rights can reach it.
chmod 755 "$scratch"
mkdir "$scratch/bin"
cp "$situs" "$build/.libs/libsitus-preload.so" "$scratch/bin" && chmod -R a+rX "$scratch/bin" && situs=$scratch/bin/situs

if /usr/bin/python3 -c 'import test.test_subprocess' 2>/dev/null; then
	python=/usr/bin/python3
else
	python=libpython3.11-testsuite
fi

echo 1..7
compare python_memory $python
compare python_threads $python
compare python_subprocess $python
compare node node
compare redis_benchmark redis-check-rdb
compare nginx "$(command -v nginx && command -v ab >/dev/null || echo ab)"
compare postgres "$(ls /usr/lib/postgresql/*/bin/pgbench 2>/dev/null | tail -n 1 | grep . || echo postgresql)"
