# The command line with the dbt project, for Cloud Run jobs and the like. No credentials in the image.
FROM python:3.11-slim AS build
WORKDIR /app
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
COPY requirements.lock ./
RUN python -m venv /venv \
    && /venv/bin/pip install --quiet --require-hashes --no-deps -r requirements.lock
COPY pyproject.toml dbt_project.yml ./
COPY python_workers python_workers
COPY macros macros
COPY models models
COPY profiles profiles
COPY seeds seeds
COPY tests/dbt tests/dbt
RUN /venv/bin/pip install --quiet --no-deps --no-build-isolation -e .

FROM python:3.11-slim
RUN useradd --create-home --uid 10001 backcourt
WORKDIR /app
COPY --from=build /venv /venv
COPY --from=build /app /app
# dbt writes its artefacts here; the project itself is read-only.
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 BACKCOURT_PROJECT_DIR=/app \
    DBT_TARGET_PATH=/tmp/dbt/target DBT_LOG_PATH=/tmp/dbt/logs DBT_SEND_ANONYMOUS_USAGE_STATS=false
USER backcourt
ENTRYPOINT ["backcourt"]
CMD ["--help"]
