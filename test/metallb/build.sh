#!/bin/sh
# sh build.sh controller|speaker   prints the path of that program of MetalLB, and builds it unless the cache has it.
set -eu
cd "$(dirname "$0")"
name=$1
release=$(sed -n 's|^.*go.universe.tf/metallb v\([0-9.]*\).*|\1|p' go.mod)
folder=${XDG_CACHE_HOME:-$HOME/.cache}/eiproute
program=$folder/metallb-$name-$release
if [ ! -x "$program" ]; then
  echo "metallb: building $name $release, once; some minutes" >&2
  mkdir -p "$folder"
  CGO_ENABLED=0 GOFLAGS='' nice -n 10 go build -trimpath -buildvcs=false -ldflags '-s -w' -o "$program.new" "go.universe.tf/metallb/$name" >&2
  mv "$program.new" "$program"
fi
echo "$program"
