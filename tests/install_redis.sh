#!/bin/sh
# Brings a Redis server for the tests where that is allowed (root and apt); elsewhere pytest names the tests it leaves out.
command -v redis-server >/dev/null && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "Installing redis-server for the tests ..."
  (apt-get install -y -qq --no-install-recommends redis-server ||
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends redis-server; }) >/dev/null 2>&1
fi
command -v redis-server >/dev/null || echo "No redis-server here: the tests that need one are skipped and named below."
exit 0
