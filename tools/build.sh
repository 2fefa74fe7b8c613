#!/bin/sh
# Builds the third-party programs that the tests, the demo and the benchmark run.
#
#	tools/build.sh [-o GOOS] [-a GOARCH] NAME...
#	tools/build.sh -l			lists the names
#
# Each program is built from the modules pinned in its folder's go.mod and
# go.sum; nothing is downloaded but Go modules, through the Go command. It goes to
#
#	bin/tools/GOOS-GOARCH/NAME
#
# but an older containerd goes to bin/tools/GOOS-GOARCH/containerd-2.x/containerd.
# A program is built again only when its go.mod or go.sum, this script or the Go
# version has changed: what it was built from is kept in .stamp/NAME, as text.
# Two runs at once are safe: a program appears by rename, complete.
#
# GO and CC pick the commands, as for make.
set -eu

# One line a program: name, folder of its module, package, C compiler needed.
tools='
containerd               containerd     github.com/containerd/containerd/v2/cmd/containerd               nocgo
ctr                      containerd     github.com/containerd/containerd/v2/cmd/ctr                      nocgo
containerd-shim-runc-v2  containerd     github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2  nocgo
containerd-2.0           containerd-2.0 github.com/containerd/containerd/v2/cmd/containerd               nocgo
containerd-2.1           containerd-2.1 github.com/containerd/containerd/v2/cmd/containerd               nocgo
containerd-2.2           containerd-2.2 github.com/containerd/containerd/v2/cmd/containerd               nocgo
containerd-2.3           containerd-2.3 github.com/containerd/containerd/v2/cmd/containerd               nocgo
runc                     runc           github.com/opencontainers/runc                                   cgo
nerdctl                  nerdctl        github.com/containerd/nerdctl/v2/cmd/nerdctl                     nocgo
crictl                   crictl         sigs.k8s.io/cri-tools/cmd/crictl                                 nocgo
golangci-lint            golangci-lint  github.com/golangci/golangci-lint/v2/cmd/golangci-lint           nocgo
gotestsum                gotestsum      gotest.tools/gotestsum                                           nocgo
'

# Programs that exist on Linux only; asking for them elsewhere is an error.
linux_only='containerd-shim-runc-v2 runc'

die() {
	echo "tools/build.sh: $*" >&2
	exit 1
}

usage='usage: tools/build.sh [-o GOOS] [-a GOARCH] NAME...   (-l lists the names)'

# field NAME N prints the Nth word of the program's line, or nothing.
field() {
	echo "$tools" | awk -v name="$1" -v n="$2" '$1 == name { print $n }'
}

# version MODFILE MODULE prints the version that a go.mod requires.
version() {
	awk -v m="$2" '{ sub(/^require /, "") } $1 == m { print $2; exit }' "$1"
}

# ldflags NAME MODFILE prints what makes `NAME --version` tell the pinned
# version, for the programs that learn it only from the linker.
ldflags() {
	case $1 in
	nerdctl)
		m=github.com/containerd/nerdctl/v2
		echo "-X $m/pkg/version.Version=$(version "$2" $m)" ;;
	crictl)
		m=sigs.k8s.io/cri-tools
		echo "-X $m/pkg/version.Version=$(version "$2" $m)" ;;
	esac
}

# inputs DIR prints everything that decides what is built.
inputs() {
	"$go" version
	echo "cc: ${CC:-}"
	(cd "$here/$1" && find . -type f | LC_ALL=C sort | while read -r f; do
		echo "== $f"
		cat "$f"
	done)
	cat "$here/build.sh"
}

build() {
	name=$1
	dir=$(field "$name" 2)
	[ -n "$dir" ] || die "$name: unknown program; tools/build.sh -l lists the names"
	case " $linux_only " in *" $name "*)
		[ "$goos" = linux ] || die "$name: exists for linux only, not for $goos" ;;
	esac

	case $dir in
	containerd-*) to=$out/$name/containerd ;;
	*) to=$out/$name ;;
	esac
	mkdir -p "$out/.stamp" "$(dirname "$to")"

	stamp=$out/.stamp/$name
	new=$stamp.$$
	inputs "$dir" >"$new"
	if [ -x "$to" ] && cmp -s "$new" "$stamp"; then
		rm -f "$new"
		return
	fi

	cgo=0
	if [ "$(field "$name" 4)" = cgo ]; then
		cgo=1
		cc=${CC:-$("$go" env CC)}
		command -v "${cc%% *}" >/dev/null 2>&1 || die "$name: needs a C compiler: $cc not found (Debian: apt-get install gcc libc6-dev)"
	fi

	echo "building $name for $goos/$goarch" >&2
	began=$(date +%s)
	if ! (cd "$here/$dir" && CGO_ENABLED=$cgo GOOS=$goos GOARCH=$goarch "$go" build -trimpath \
		-ldflags "-s -w $(ldflags "$name" go.mod)" -o "$to.$$" "$(field "$name" 3)"); then
		rm -f "$new" "$to.$$"
		die "$name for $goos/$goarch: go build failed, see above; its pinned module is tools/$dir/go.mod"
	fi
	mv "$to.$$" "$to"
	mv "$new" "$stamp"
	echo "built $name in $(($(date +%s) - began)) s" >&2
}

here=$(cd "$(dirname "$0")" && pwd)
go=${GO:-go}
export GOWORK=off

goos= goarch=
while getopts o:a:l opt; do
	case $opt in
	o) goos=$OPTARG ;;
	a) goarch=$OPTARG ;;
	l)
		echo "$tools" | awk 'NF { print $1 }'
		exit ;;
	*)
		echo "$usage" >&2
		exit 2 ;;
	esac
done
shift $((OPTIND - 1))
if [ $# -eq 0 ]; then
	echo "$usage" >&2
	exit 2
fi
command -v "$go" >/dev/null 2>&1 || die "the Go command is not found: install Go 1.26 or newer from your packages or go.dev, or set GO"
: "${goos:=$("$go" env GOOS)}" "${goarch:=$("$go" env GOARCH)}"
out=$(dirname "$here")/bin/tools/$goos-$goarch

for name; do
	build "$name"
done
