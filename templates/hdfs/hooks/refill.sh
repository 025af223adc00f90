#!/bin/sh
# Gives a JournalNode that lost its data the name space again, so that it takes part in what is written from then on; what
# was written before it fetches from the others by itself. The shared edits themselves are never formatted again.
# shellcheck source=/dev/null # rendered beside it
. "$SDTD_CONFIG/journalnode/refill.sh"
at=$DATA/$JOURNAL/current
if [ -s "$at/VERSION" ] || [ -z "$SDTD_JOINS" ]; then
    # It has its own, or the first NameNode is about to format all.
    exit 0
fi
for one in $NAMES; do
    rm -rf "$TOLD"
    told_by_others_than "$one" && [ -s "$TOLD/current/VERSION" ] && break
done
[ -s "$TOLD/current/VERSION" ] || { echo "no NameNode tells what the name space is"; exit 1; }
mkdir -p "$at/paxos" && chmod 700 "$DATA/$JOURNAL" || exit 1
# Last, and at once: with it the folder counts as whole.
sed -e 's/^storageType=.*/storageType=JOURNAL_NODE/' -e '/^blockpoolID=/d' "$TOLD/current/VERSION" >"$at/VERSION.new" &&
    mv "$at/VERSION.new" "$at/VERSION" || exit 1
rm -rf "$TOLD"
echo "it belongs to the name space again"
