# txmon in a container; docs/container.md says how it is used, and what of this was checked.
# Production builds give the digest of the base: --build-arg PYTHON_DIGEST=sha256:...
ARG PYTHON_IMAGE=python:3.11-slim-bookworm
ARG PYTHON_DIGEST=

FROM ${PYTHON_IMAGE}${PYTHON_DIGEST:+@}${PYTHON_DIGEST} AS build
ARG SETUPTOOLS_VERSION=84.2.1
# Kernels are compiled for any processor of the architecture, or for the one named here (as LLVM calls it).
ARG KERNEL_CPU=generic
ARG KERNEL_FEATURES=
ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
RUN python3 -m venv /build \
 && /build/bin/pip install "setuptools==${SETUPTOOLS_VERSION}" \
 && python3 -m venv --without-pip /opt/txmon
# What txmon needs, at the versions that its tests ran with; again only when these two files change.
COPY pyproject.toml constraints.txt ./
RUN python3 -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies'], sep='\n')" \
      > /build/needs.txt \
 && /build/bin/pip --python /opt/txmon/bin/python install --only-binary :all: \
      --constraint constraints.txt --requirement /build/needs.txt
COPY setup.py README.md LICENSE ./
COPY txmon txmon
COPY rules rules
COPY streams streams
COPY dashboards dashboards
RUN /build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /build/dist . \
 && /build/bin/pip --python /opt/txmon/bin/python install --no-deps --no-index /build/dist/*.whl \
 && /build/bin/pip --python /opt/txmon/bin/python check
COPY --chmod=0644 container/ready.py /opt/txmon/ready.py
# A small demo and a start from what it left compile every kernel, once and for all containers.
ENV PATH=/opt/txmon/bin:$PATH \
    NUMBA_CACHE_DIR=/opt/txmon/kernels \
    NUMBA_CPU_NAME=${KERNEL_CPU} \
    NUMBA_CPU_FEATURES=${KERNEL_FEATURES}
RUN mkdir /build/warm \
 && touch /build/warm/none.ndjson \
 && export TXMON_KEY_FILE=/build/warm/card.key TXMON_WAREHOUSE=false \
 && txmon demo --out /build/warm/demo --events 5000 \
 && txmon stream --source file:///build/warm/none.ndjson --store /build/warm/demo/store --idle-exit 1

FROM ${PYTHON_IMAGE}${PYTHON_DIGEST:+@}${PYTHON_DIGEST}
ARG PYTHON_IMAGE
ARG PYTHON_DIGEST
ARG KERNEL_CPU=generic
ARG KERNEL_FEATURES=
ARG VERSION=unreleased
ARG REVISION=unknown
LABEL org.opencontainers.image.title="txmon" \
      org.opencontainers.image.description="Transaction monitoring against trafficking and child exploitation" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="${PYTHON_IMAGE}" \
      org.opencontainers.image.base.digest="${PYTHON_DIGEST}"
# Both folders are there so that a volume mounted on them is born with the right owner.
RUN groupadd --gid 10001 txmon \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin txmon \
 && install --directory --owner=txmon --group=txmon --mode=0700 /data /keys
COPY --from=build /opt/txmon /opt/txmon
# The root file system may be read-only: what is written goes to /data, and for a moment to /tmp.
ENV PATH=/opt/txmon/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    NUMBA_CACHE_DIR=/opt/txmon/kernels \
    NUMBA_CACHE_LOCATOR_CLASSES=txmon.kernelcache.ReadOnlyCache \
    NUMBA_CPU_NAME=${KERNEL_CPU} \
    NUMBA_CPU_FEATURES=${KERNEL_FEATURES} \
    TXMON_ENV=production \
    TXMON_HOST=0.0.0.0 \
    TXMON_PORT=8080 \
    TXMON_STORE=/data/store \
    TXMON_STATE_DIR=/data/state \
    TXMON_HEADS_FILE=/data/heads.log \
    TXMON_KEY_FILE=/keys/card.key \
    TXMON_WEBHOOK_KEY_FILE=/keys/webhook.key
WORKDIR /data
VOLUME ["/data"]
USER 10001:10001
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=6s --start-period=120s --retries=3 CMD ["python", "/opt/txmon/ready.py"]
ENTRYPOINT ["txmon"]
CMD ["serve"]
