# The web app. docker build -f deploy/web.Dockerfile -t loan-web .
# Bases are pinned by version; pin them by digest too where a registry can be asked for it.

FROM node:20.19.5-bookworm-slim AS assets
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY webapp/vendor.mjs webapp/
RUN npm ci --omit=dev --no-audit --no-fund && npm run vendor

FROM python:3.11.14-slim-bookworm AS build
WORKDIR /app
COPY deploy/web.lock deploy/
# The base's pip installs, so that the image has none.
RUN python -m venv --without-pip venv \
    && pip --python venv install --no-cache-dir --disable-pip-version-check \
    --no-deps --require-hashes --only-binary=:all: -r deploy/web.lock && pip --python venv check
COPY pyproject.toml README.md LICENSE ./
COPY loan_pipeline loan_pipeline
COPY webapp webapp
COPY --from=assets /app/webapp/static/vendor webapp/static/vendor
RUN pip --python venv install --no-cache-dir --disable-pip-version-check --no-deps .

FROM python:3.11.14-slim-bookworm
WORKDIR /app
COPY --from=build /app/venv venv
COPY deploy/health.py deploy/
RUN mkdir var && chown 10001:10001 var
USER 10001:10001
ENV PATH=/app/venv/bin:$PATH LOAN_HOME=/app/var PORT=8000 PYTHONUNBUFFERED=1
VOLUME ["/app/var"]
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=6s --start-period=20s --retries=3 \
    CMD ["python", "/app/deploy/health.py", "http://127.0.0.1:8000/healthz"]
CMD ["loan-pipeline", "serve"]
