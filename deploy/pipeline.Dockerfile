# The pipeline: Dagster's services and runs. docker build -f deploy/pipeline.Dockerfile -t loan-pipeline .
# Bases are pinned by version; pin them by digest too where a registry can be asked for it.

FROM python:3.11.14-slim-bookworm AS build
WORKDIR /app
COPY deploy/pipeline.lock deploy/
# The base's pip installs, so that the image has none.
RUN python -m venv --without-pip venv \
    && pip --python venv install --no-cache-dir --disable-pip-version-check \
    --no-deps --require-hashes --only-binary=:all: -r deploy/pipeline.lock && pip --python venv check
COPY pyproject.toml README.md LICENSE ./
COPY loan_pipeline loan_pipeline
COPY webapp webapp
RUN pip --python venv install --no-cache-dir --disable-pip-version-check --no-deps .

FROM python:3.11.14-slim-bookworm
# LightGBM's wheel wants OpenMP of the system; the tunnel through a bastion is the system's SSH client.
# hadolint ignore=DL3008
RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends libgomp1 openssh-client \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /app
# AWS's authorities for RDS; published without a checksum, so HTTPS alone vouches for them.
ADD --chmod=444 https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem /etc/ssl/certs/rds-global-bundle.pem
COPY --from=build /app/venv venv
COPY deploy/dagster.yaml deploy/ecs-run-launcher.yaml deploy/workspace.yaml deploy/start.sh \
    deploy/daemon.py deploy/health.py deploy/
RUN mkdir var && chown 10001:10001 var
USER 10001:10001
ENV PATH=/app/venv/bin:$PATH LOAN_HOME=/app/var DAGSTER_HOME=/app/var/dagster PYTHONUNBUFFERED=1
VOLUME ["/app/var", "/tmp"]
EXPOSE 3000 4000
# Each service has a health check of its own: deploy/compose.yaml, deploy/aws/pipeline.yaml.
HEALTHCHECK NONE
ENTRYPOINT ["sh", "/app/deploy/start.sh"]
CMD ["dagster", "code-server", "start", "-m", "loan_pipeline.definitions", "-h", "0.0.0.0", "-p", "4000"]
