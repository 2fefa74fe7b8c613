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

echo "$targets" | while read -r package target; do
	echo "fuzz $package $target"
	"$go" test "$package" -run '^$' -fuzz "^$target\$" -fuzztime "$fuzztime" </dev/null
done
echo "DONE $(echo "$targets" | wc -l | tr -d ' ') fuzz targets, $fuzztime each"
