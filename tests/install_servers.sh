#!/bin/sh
# Brings a Redis server, a browser and Prometheus for the tests where that is allowed (root and apt); elsewhere pytest
# names the tests that it leaves out.
missing=""
command -v redis-server >/dev/null || missing="redis-server"
command -v chromium >/dev/null || missing="$missing chromium"
command -v promtool >/dev/null || missing="$missing prometheus"
if [ -n "$missing" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "Installing $missing for the tests ..."
  # shellcheck disable=SC2086 (a list of packages)
  (apt-get install -y -qq --no-install-recommends $missing ||
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends $missing; }) >/dev/null 2>&1
fi
command -v redis-server >/dev/null || echo "No redis-server here: the tests that need one are skipped and named below."
command -v chromium >/dev/null || echo "No chromium here: the tests that need a browser are skipped and named below."
command -v promtool >/dev/null || echo "No prometheus here: the tests that need promtool are skipped and named below."
exit 0
