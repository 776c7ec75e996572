#!/bin/sh
# Makes files.txt and facts.json anew: builds make.go in a tree of the release before.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
tree=$(mktemp -d)
trap 'git -C "$here" worktree remove --force "$tree/tree"; rm -rf "$tree"' EXIT
git -C "$here" worktree add --quiet --detach "$tree/tree" c4906c6
cp "$here/make.go" "$tree/tree/make.go"
cd "$tree/tree"
go run make.go "$here/files.txt"
