#!/bin/sh
# Runs each fuzz target of the given packages for a while, one after the other.
#
#	tools/fuzz.sh TIME PACKAGE...
#
# No fuzz target at all is a failure: it means that this script looks in the
# wrong place, not that nothing needs fuzzing.
set -eu

go=${GO:-go}
if [ $# -lt 2 ]; then
	echo 'usage: tools/fuzz.sh TIME PACKAGE...' >&2
	exit 2
fi
fuzztime=$1
shift

# go test prints a package's targets, then "ok" and the package.
listing=$("$go" test -list '^Fuzz' "$@") || {
	echo "$listing" >&2
	exit 1
}
targets=$(echo "$listing" | awk '
	/^Fuzz/ { name[n++] = $1 }
	$1 == "ok" { for (i = 0; i < n; i++) print $2, name[i]; n = 0 }')
if [ -z "$targets" ]; then
	echo 'tools/fuzz.sh: no fuzz target in any package' >&2
	exit 1
fi

out=$(mktemp)
trap 'rm -f "$out"' EXIT

# fuzz PACKAGE TARGET fuzzes one target. On a busy machine, Go now and then takes the
# end of its own time for a failure, which names no input: then it is tried again.
fuzz() {
	for attempt in 1 2 3; do
		echo "fuzz $1 $2"
		if "$go" test "$1" -run '^$' -fuzz "^$2\$" -fuzztime "$fuzztime" </dev/null >"$out" 2>&1; then
			cat "$out"
			return
		fi
		cat "$out"
		if ! grep -q '^ *context deadline exceeded$' "$out" || grep -q 'Failing input' "$out"; then
			return 1
		fi
		echo "no input failed in attempt $attempt"
	done
	return 1
}

echo "$targets" | while read -r package target; do
	fuzz "$package" "$target" || exit 1
done
echo "DONE $(echo "$targets" | wc -l | tr -d ' ') fuzz targets, $fuzztime each"
