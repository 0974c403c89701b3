#!/bin/sh
# Makes the namespace, with histories kept for 30 days; safe to repeat. The API registers the search attributes.
set -eu
until temporal operator cluster health; do
  sleep 2
done
if temporal operator namespace describe -n default; then
  temporal operator namespace update -n default --retention 720h
else
  temporal operator namespace create -n default --retention 720h
fi
