#!/bin/sh
# Makes a tarball of our programs for each system and architecture that a
# release covers: bin/dist/jailshim-VERSION-GOOS-GOARCH.tar.gz
#
#	tools/dist.sh VERSION
#
# Those for FreeBSD also hold the demo and the containerd and ctr that it runs,
# so that it needs nothing of the machine: neither Go nor packages.
set -eu

go=${GO:-go}
version=${1:?usage: tools/dist.sh VERSION}
cd "$(dirname "$0")/.."

# build OUT PACKAGE... builds programs for the system at hand.
build() {
	out=$1
	shift
	mkdir -p "$out"
	GOOS=$goos GOARCH=$goarch CGO_ENABLED=0 "$go" build -trimpath -buildvcs=false -tags urfave_cli_no_docs \
		-ldflags "-s -w -X jailshim/internal/version.Version=$version" -o "$out/" "$@"
}

# add_demo DIR puts the demo into a release.
add_demo() {
	tools=tools/$goos-$goarch
	GO=$go tools/build.sh -o "$goos" -a "$goarch" containerd ctr
	build "$1/bin/test" ./test/demo ./test/guest
	mkdir -p "$1/bin/$tools"
	cp "bin/$tools/containerd" "bin/$tools/ctr" "$1/bin/$tools/"
	cp tools/dist/demo "$1/demo"
	chmod 755 "$1/demo"
	sed "s/@VERSION@/$version/; s/@ARCH@/$goarch/" tools/dist/README.freebsd >"$1/README.freebsd"
}

rm -rf bin/dist
for goos in linux freebsd; do
	for goarch in amd64 arm64; do
		name=jailshim-$version-$goos-$goarch
		build "bin/dist/$name/bin" ./cmd/...
		for doc in README.md LICENSE CHANGELOG.md; do
			[ ! -f $doc ] || cp $doc "bin/dist/$name/"
		done
		[ $goos != freebsd ] || add_demo "bin/dist/$name"
		tar -C bin/dist -czf "bin/dist/$name.tar.gz" "$name"
		rm -r "bin/dist/$name"
		echo "bin/dist/$name.tar.gz"
	done
done
