#!/bin/sh
# sh build.sh [--if-cached] [1.37]   prints the path of the program of that release, and builds it unless the cache has it.
#
# Status 3: --if-cached, and it is not there. Status 4: no Go.
# Builds once: up to 12 minutes on two cores with empty caches, 3 GB of memory for the linker, 4 GB of Go's build cache.
set -eu
cd "$(dirname "$0")"
build=true
if [ "${1:-}" = --if-cached ]; then build=false; shift; fi
minor=${1:-1.37}
mod=v$minor.mod
[ -e "$mod" ] || { echo "hyperkube: no release $minor here ($(ls v*.mod | sed 's/^v//; s/\.mod$//' | paste -sd ' '))" >&2; exit 2; }
release=$(sed -n 's|^.*k8s.io/kubernetes v||p' "$mod")

# The name holds all that the program is made of: another source is another file.
sources=$(cat main.go "$mod" "v$minor.sum" build.sh | sha256sum | cut -c 1-12)
folder=${XDG_CACHE_HOME:-$HOME/.cache}/eiproute
program=$folder/hyperkube-$release-$sources
if [ -x "$program" ]; then echo "$program"; exit 0; fi
$build || exit 3
command -v go >/dev/null 2>&1 || { echo 'hyperkube: no Go on this machine (Debian: golang-go, or https://go.dev/dl)' >&2; exit 4; }

mkdir -p "$folder"
exec 9>"$folder/hyperkube-$minor.lock"
flock 9 # another run may be building it
if [ ! -x "$program" ]; then
  echo "hyperkube: building Kubernetes $release, once; up to 12 minutes" >&2
  # Without a stamp it tells clients v0.0.0-master.
  version=k8s.io/component-base/version
  stamp="-X $version.gitVersion=v$release -X $version.gitMajor=${minor%.*} -X $version.gitMinor=${minor#*.}"
  stamp="$stamp -X $version.gitCommit=none -X $version.gitTreeState=clean"
  # grpcnotrace lets the linker drop code that nobody calls. No cgo: static, and no C compiler needed.
  CGO_ENABLED=0 GOFLAGS='' nice -n 10 go build -modfile "$mod" -mod=readonly -trimpath -buildvcs=false -tags grpcnotrace,notest \
    -ldflags "-s -w $stamp" -o "$program.new" . >&2
  mv "$program.new" "$program"
fi
echo "$program"
