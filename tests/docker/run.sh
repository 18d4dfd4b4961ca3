#!/bin/sh
# The container's session, for real: build, trade, refuse a second trader, kill, lose Redis, stop, go on.
#
# Needs a Docker engine and docker-compose (or docker compose); without an engine it says so and ends with 0.
# DOCKER_TEST_BUILD replaces the build command, for machines where a build needs more than `docker-compose build`.
set -eu
cd "$(dirname "$0")/../.."

say() { printf '%s\n' "docker-test: $*"; }
fail() {
    say "FAILED: $*" >&2
    docker logs --tail 40 "$agent" >&2 || true
    exit 1
}

agent=binance-trading-agent
docker info >/dev/null 2>&1 || { say "skipped: no Docker engine answers"; exit 0; }
if command -v docker-compose >/dev/null; then compose=docker-compose; else compose="docker compose"; fi
if docker container inspect "$agent" >/dev/null 2>&1; then
    say "a container $agent exists already: remove it first, its ledger stays in its volume" >&2
    exit 1
fi

# Nothing of the user's .env or shell takes part, least of all keys.
for name in $(env | sed -n 's/^\(\(TRADING\|STRATEGY\|RISK\|SIMULATION\|BINANCE\|EXCHANGE\|LEDGER\|LOG\)_[A-Z_]*\)=.*/\1/p'); do
    unset "$name"
done
unset REDIS_URL LIVE_TRADING_ACK
export COMPOSE_PROJECT_NAME=trading-agent-test
compose="$compose --env-file tests/docker/session.env"

trap '$compose down --volumes >/dev/null 2>&1 || true' EXIT

quietly() {
    output=$("$@" 2>&1) || { printf '%s\n' "$output" >&2; fail "$*"; }
}
in_agent() { $compose exec -T trading-agent "$@" </dev/null; }
count() { docker logs "$agent" 2>&1 | grep -c -e "$1" || true; }

# expect TEXT SECONDS [TIMES]: the log has TEXT (so often) within SECONDS.
expect() {
    left=$2
    until [ "$(count "$1")" -ge "${3:-1}" ]; do
        [ "$left" -gt 0 ] || fail "no '$1' in the log within $2 s"
        left=$((left - 1))
        sleep 1
    done
    say "ok: $1"
}

expect_health() {
    left=90
    until [ "$(docker container inspect --format '{{.State.Health.Status}}' "$agent")" = healthy ]; do
        [ "$left" -gt 0 ] || fail "not healthy within 90 s"
        left=$((left - 1))
        sleep 1
    done
    say "ok: healthy"
}

expect_no_differences() {
    answer=$(in_agent trade-agent reconcile) || fail "reconcile: $answer"
    say "ok: $answer"
}

say "building"
quietly ${DOCKER_TEST_BUILD:-$compose build}

say "starting"
quietly $compose up -d
expect "Trading Cycle #1 " 60
expect "TRADE EXECUTED" 120
expect_health
[ "$(in_agent id -u)" != 0 ] || fail "it runs as root"
in_agent python /app/analyze_portfolio.py --limit 3 | grep -q Trades || fail "no analysis"
expect_no_differences

say "a second trader"
$compose exec -d trading-agent python -m binance_trade_agent.autonomous_trading_loop
expect "the trader already runs" 30

say "kill -9"
in_agent sh -c 'kill -9 "$(supervisorctl pid trader)"'
expect "spawned: 'trader'" 30 2
expect "Trading Cycle #1 " 60 2
expect_no_differences

say "without Redis"
quietly $compose stop redis
expect "Redis does not answer" 30
cycles=$(count "Trading Cycle")
expect "Trading Cycle" 30 $((cycles + 3))
expect_no_differences
quietly $compose start redis

say "stopping"
before=$(date +%s)
quietly $compose stop trading-agent
took=$(($(date +%s) - before))
[ "$took" -lt 15 ] || fail "the stop took $took s"
expect "^Equity " 1
[ "$(docker container inspect --format '{{.State.ExitCode}}' "$agent")" = 0 ] || fail "the container's exit code is not 0"
say "ok: stopped in $took s"

say "starting again"
quietly $compose start trading-agent
expect "Trading Cycle #1 " 60 3
expect_no_differences

say "with the trader off, and started by hand"
export TRADING_AUTOSTART=false
quietly $compose up -d
expect "simulated exchange ready" 30
[ "$(count 'Trading Cycle')" = 0 ] || fail "it trades although TRADING_AUTOSTART=false"
$compose exec -d trading-agent python -m binance_trade_agent.autonomous_trading_loop
expect "Trading Cycle #1 " 60
expect_no_differences
say "passed"
