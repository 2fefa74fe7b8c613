#!/bin/sh
# Makes a tarball of our programs for each system and architecture that a
# release covers: bin/dist/jailshim-VERSION-GOOS-GOARCH.tar.gz
#
#	tools/dist.sh VERSION
set -eu

go=${GO:-go}
version=${1:?usage: tools/dist.sh VERSION}
cd "$(dirname "$0")/.."

rm -rf bin/dist
for goos in linux freebsd; do
	for goarch in amd64 arm64; do
		name=jailshim-$version-$goos-$goarch
		mkdir -p "bin/dist/$name/bin"
		GOOS=$goos GOARCH=$goarch CGO_ENABLED=0 "$go" build -trimpath -buildvcs=false \
			-ldflags "-s -w -X jailshim/internal/version.Version=$version" -o "bin/dist/$name/bin/" ./cmd/...
		for doc in README.md LICENSE CHANGELOG.md; do
			[ ! -f $doc ] || cp $doc "bin/dist/$name/"
		done
		tar -C bin/dist -czf "bin/dist/$name.tar.gz" "$name"
		rm -r "bin/dist/$name"
		echo "bin/dist/$name.tar.gz"
	done
done
