# The trading agent: supervisord runs the trader, the pages, and the simulated exchange when the mode needs it.
# docs/guide/docker.md says what runs, and what the image is made of.

# What the program needs, as a virtual environment that the last stage copies. It changes rarely and is most of the image.
# Wheels only, so no compiler is ever needed.
FROM python:3.13-slim-bookworm AS dependencies
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
RUN python -m venv --without-pip /venv
COPY requirements.lock ./
# What only builds the package stays out: it gets an environment of its own below.
RUN awk '/^(editables|hatchling|pathspec|pluggy|tomlkit|trove-classifiers)==/, !/\\$/ {next} {print}' requirements.lock > run.lock \
    && pip --python /venv/bin/python install --only-binary=:all: --require-hashes --requirement run.lock
# Nothing here uses libraries' own tests, their sources in C, pyarrow's clients of Flight and S3, and second copies of
# shared libraries that are loaded as .so.N. Bytecode is kept of what is imported: the container's files are read-only.
RUN cd /venv/lib/python3.13/site-packages \
    && find . -type d \( -name tests -o -name SelfTest -o -name include -o -name __pycache__ \) -prune -exec rm -rf {} + \
    && find . -type f \( -name '*.c' -o -name '*.h' -o -name '*.p[yx][xdi]' -o -name '*.a' -o -name '*.po' \) -delete \
    && rm -rf pyarrow/*flight* pyarrow/*_s3* pyarrow/*cpp_tests* pyarrow/src pyarrow/*.so.*.*.* pyarrow/libarrow_python*.so \
    && /venv/bin/python -P -c 'import aiohttp.web, aiosqlite, apprise, argon2, binance, fastapi, mcp.server.auth.provider, \
        multipart, pandas, pandas_ta_classic, prometheus_client, pyarrow.csv, pyarrow.dataset, pyarrow.feather, \
        pyarrow.parquet, pydantic_settings, redis.asyncio, rich.console, structlog, supervisor.supervisord, \
        supervisor.supervisorctl, talib, uvicorn.protocols.http.h11_impl, uvicorn.protocols.websockets.websockets_impl, \
        uvicorn.lifespan.on, uvloop, websockets.asyncio.client'


# The package, built with the backend (and what that needs) of requirements-dev.lock.
FROM dependencies AS package
COPY requirements-dev.lock requirements-node.lock ./
RUN awk '/^(hatchling|packaging|pathspec|pluggy|tomlkit|trove-classifiers)==/, !/\\$/' requirements-dev.lock > backend.lock \
    && pip install --require-hashes --requirement backend.lock \
    && pip install --require-hashes --requirement requirements-node.lock
# The dashboard's JavaScript, fetched from npm by its lock file.
COPY javascript javascript
RUN python javascript/fetch.py
COPY pyproject.toml README.md LICENSE ./
COPY src src
COPY docs/survival.md docs/survival.md
RUN pip wheel --no-deps --no-build-isolation --wheel-dir /wheel . \
    && pip --python /venv/bin/python install --no-deps --prefix /package /wheel/*.whl


FROM python:3.13-slim-bookworm
WORKDIR /app
# Nothing is installed from here on. A fixed id, so that the ledger's volume stays writable when the image is built anew.
RUN pip uninstall --yes --quiet --root-user-action=ignore pip \
    && groupadd --gid 10001 trader \
    && useradd --uid 10001 --gid trader --no-create-home --home-dir /app --shell /usr/sbin/nologin trader \
    && install --directory --owner=trader --group=trader /app/data
COPY --from=dependencies /venv /venv
COPY supervisord.conf analyze_portfolio.py ./
COPY config config
COPY --from=package /package /venv

# SUPERVISION_FILE: what the watchdog knows, for `trade-agent health`.
# CONTAINER_LOG: a trader that `docker exec` starts speaks there too, so that `docker logs` shows every trader.
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    CONTAINER_LOG=/proc/1/fd/1 \
    SUPERVISION_FILE=/tmp/supervision.json \
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
# A trader that gives no sign of life is late after 26 s, and seen to be so twice within 60 s.
HEALTHCHECK --interval=10s --timeout=10s --start-period=40s --retries=2 CMD ["trade-agent", "health"]
CMD ["supervisord", "--configuration", "/app/supervisord.conf"]

# Last, so that they cost no layer its cache. What a build does not tell is empty.
ARG VERSION=0.1.0
ARG REVISION=
ARG CREATED=
LABEL org.opencontainers.image.title="binance-trading-agent" \
      org.opencontainers.image.description="A trading daemon for Binance spot" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="docker.io/library/python:3.13-slim-bookworm" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.created="$CREATED"
