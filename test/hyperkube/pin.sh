#!/bin/sh
# sh pin.sh 1.37.2   writes v1.37.mod and v1.37.sum: which modules that release of Kubernetes is built of.
set -eu
cd "$(dirname "$0")"
release=$1
minor=${release%.*}
mod=v$minor.mod

# k8s.io/kubernetes requires its staging modules as v0.0.0 and replaces them by folders of its own tree. A dependent
# replaces each by the version that was published along with the release: v0.MINOR.PATCH.
# From elsewhere: go reads the go.mod of the folder that it is called in.
theirs=$(cd / && go mod download -json "k8s.io/kubernetes@v$release" | sed -n 's/.*"GoMod": "\(.*\)".*/\1/p')
{
  echo 'module eiproute.io/hyperkube'
  echo
  sed -n '/^go /p; /^godebug /p' "$theirs"
  echo
  echo "require k8s.io/kubernetes v$release"
  echo
  echo 'replace ('
  sed -n "s|^	\(k8s.io/[^ ]*\) => ./staging.*|	\1 => \1 v0.${release#1.}|p" "$theirs"
  echo ')'
} >"$mod.new"
mv "$mod.new" "$mod"
# Not go mod tidy: it wants what the tests of all dependencies need as well.
CGO_ENABLED=0 go list -modfile="$mod" -mod=mod -deps . >/dev/null
