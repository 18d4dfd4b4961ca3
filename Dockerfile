# The trading agent: supervisord runs the trader, and the simulated exchange when the mode needs it.

# The package as a wheel, built with the backend (and what that needs) of requirements-dev.lock.
FROM python:3.13-slim-bookworm AS wheel
WORKDIR /build
COPY requirements-dev.lock ./
RUN awk '/^(hatchling|packaging|pathspec|pluggy|tomlkit|trove-classifiers)==/, !/\\$/' requirements-dev.lock > backend.lock \
    && pip install --no-cache-dir --disable-pip-version-check --root-user-action=ignore \
        --require-hashes --requirement backend.lock
# The dashboard's JavaScript, fetched from npm by its lock file.
COPY requirements-node.lock ./
RUN pip install --no-cache-dir --disable-pip-version-check --root-user-action=ignore \
        --require-hashes --requirement requirements-node.lock
COPY javascript javascript
RUN python javascript/fetch.py
COPY pyproject.toml README.md LICENSE ./
COPY src src
COPY docs/survival.md docs/survival.md
RUN pip wheel --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir /wheel .


FROM python:3.13-slim-bookworm
WORKDIR /app

# Changes rarely, and is most of the image: a layer of its own. Wheels only, so no compiler is ever needed.
COPY requirements.lock ./
RUN pip install --no-cache-dir --disable-pip-version-check --root-user-action=ignore \
        --only-binary=:all: --require-hashes --requirement requirements.lock

# A fixed id, so that the ledger's volume stays writable when the image is built anew.
RUN groupadd --gid 10001 trader \
    && useradd --uid 10001 --gid trader --no-create-home --home-dir /app --shell /usr/sbin/nologin trader \
    && install --directory --owner=trader --group=trader /app/data

COPY --from=wheel /wheel /tmp/wheel
RUN pip install --no-cache-dir --disable-pip-version-check --root-user-action=ignore --no-deps /tmp/wheel/*.whl
COPY supervisord.conf analyze_portfolio.py ./
COPY config config

# CONTAINER_LOG: a trader that `docker exec` starts speaks there too, so that `docker logs` shows every trader.
ENV PYTHONUNBUFFERED=1 \
    CONTAINER_LOG=/proc/1/fd/1 \
    LEDGER_PATH=/app/data/ledger.db \
    HISTORY_PATH=/app/data/history \
    DASHBOARD_HOST=0.0.0.0 \
    MCP_HOST=0.0.0.0 \
    METRICS_HOST=0.0.0.0 \
    METRICS_PORT=9464 \
    EXCHANGE_URL=http://127.0.0.1:8090 \
    SIMULATION_START=now \
    TRADING_DURATION_MINUTES=0 \
    TRADING_AUTOSTART=true
USER trader
EXPOSE 8050 8080 9464
VOLUME /app/data
HEALTHCHECK --interval=15s --timeout=10s --start-period=60s --retries=3 CMD ["trade-agent", "health"]
CMD ["supervisord", "--configuration", "/app/supervisord.conf"]
