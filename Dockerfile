# syntax=docker/dockerfile:1
#
# docker build --target cpu  -t tillsight:cpu .     OpenVINO, no torch, any x86-64 or arm64 machine
# docker build --target cuda -t tillsight:cuda .    torch and CUDA, needs the NVIDIA container toolkit
#
# Each target installs its lock with hashes in a stage of its own and takes over only the finished
# environment, so that neither pip nor a compiler is in the image that runs.

# --- cpu --------------------------------------------------------------------------------------
FROM python:3.11-slim-bookworm AS build-cpu
WORKDIR /src
RUN python -m venv --without-pip /opt/venv
COPY requirements/cpu.txt requirements/cpu.txt
RUN python -m pip --python /opt/venv/bin/python install --no-cache-dir --require-hashes -r requirements/cpu.txt
COPY pyproject.toml README.md LICENSE ./
COPY app app
COPY models models
COPY indexer indexer
COPY migrations migrations
RUN python -m pip --python /opt/venv/bin/python install --no-cache-dir --no-deps .

FROM python:3.11-slim-bookworm AS cpu
RUN python -m pip uninstall --yes --quiet pip setuptools wheel \
    && useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin tillsight \
    && install --directory --owner tillsight --mode 0750 /data
COPY --from=build-cpu /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    TILLSIGHT_DATA_DIR=/data \
    TILLSIGHT_HTTP__HOST=0.0.0.0 \
    TILLSIGHT_HTTP__PORT=8000
USER tillsight
VOLUME /data
EXPOSE 8000
# Liveness, not readiness: restarting helps a dead process, not a database that is away.
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen('http://127.0.0.1:' + os.environ['TILLSIGHT_HTTP__PORT'] + '/healthz', timeout=4)"]
ENTRYPOINT ["tillsight"]
CMD ["serve"]

# --- cuda -------------------------------------------------------------------------------------
# The CUDA libraries come with the wheels, at the versions that torch was built with; from the base
# image comes what the driver needs to hand the device in.
FROM nvidia/cuda:13.0.2-base-ubuntu24.04 AS build-cuda
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3 python3-venv python3-pip \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
RUN python3 -m venv --without-pip /opt/venv
COPY requirements/cuda.txt requirements/cuda.txt
RUN python3 -m pip --python /opt/venv/bin/python install --no-cache-dir --require-hashes -r requirements/cuda.txt
COPY pyproject.toml README.md LICENSE ./
COPY app app
COPY models models
COPY indexer indexer
COPY migrations migrations
RUN python3 -m pip --python /opt/venv/bin/python install --no-cache-dir --no-deps .

FROM nvidia/cuda:13.0.2-base-ubuntu24.04 AS cuda
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin tillsight \
    && install --directory --owner tillsight --mode 0750 /data
COPY --from=build-cuda /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    TILLSIGHT_DATA_DIR=/data \
    TILLSIGHT_ENGINE__DEVICE=cuda \
    TILLSIGHT_HTTP__HOST=0.0.0.0 \
    TILLSIGHT_HTTP__PORT=8000
USER tillsight
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=120s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen('http://127.0.0.1:' + os.environ['TILLSIGHT_HTTP__PORT'] + '/healthz', timeout=4)"]
ENTRYPOINT ["tillsight"]
CMD ["serve"]
