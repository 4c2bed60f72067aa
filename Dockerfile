# The image of mtpeft, for CPU and GPU machines. Built by `make image`, `make image-cpu`, `make image-rootless`; by hand:
#   docker build -t mtpeft:cpu .
# docker/README.md explains the arguments, the secrets and the pins. x86-64 only, as the locks are.

# docker/build.sh passes the base of the flavour from docker/base-images.txt; by hand it is that of the CPU image. Known to fit:
# Debian 12 and Ubuntu 24.04 (Python 3.11 and 3.12).
ARG BASE_IMAGE=debian:12@sha256:2c037a04925515fdd6ea85ea14a682d0e79931f5e9f5d07b6dbfc6ba12f9e858
# Optional: a .NET 8 SDK image, NAME:TAG@sha256:DIGEST, for the C# metrics. By default the base, which has no .NET.
ARG DOTNET_IMAGE=${BASE_IMAGE}

# ---------------------------------------------------------------- .NET, where it was given
FROM ${DOTNET_IMAGE} AS dotnet
RUN mkdir -p /opt/dotnet && if [ -d /usr/share/dotnet ]; then cp -a /usr/share/dotnet/. /opt/dotnet/; fi

# ---------------------------------------------------------------- wheels that no index has (--build-context wheels=FOLDER)
FROM ${BASE_IMAGE} AS wheels
RUN mkdir -p /run/wheels

# ---------------------------------------------------------------- the system's packages: Python, R, make; Java with score
FROM ${BASE_IMAGE} AS system
ARG MTPEFT_GROUPS="score dev"
ARG MTPEFT_APT=pinned
ENV LC_ALL=C.UTF-8 TZ=UTC
COPY docker/apt /opt/mtpeft/source/docker/apt
RUN --mount=type=secret,id=apt_sources \
    bash /opt/mtpeft/source/docker/apt/install.sh core ${MTPEFT_GROUPS}

# ---------------------------------------------------------------- the environment: one layer per kind of change
FROM system AS environment
ARG MTPEFT_GROUPS="score dev"
ARG MTPEFT_TORCH=cpu
ENV VENV=/opt/mtpeft/venv PYTHONHASHSEED=0 CUBLAS_WORKSPACE_CONFIG=:4096:8 PYTHONDONTWRITEBYTECODE=1 RPY2_CFFI_MODE=ABI MPLBACKEND=Agg
WORKDIR /opt/mtpeft/source
COPY docker/with-secrets.sh docker/with-secrets.sh
COPY docker/setup/venv.sh docker/setup/group.sh docker/setup/torch.sh docker/setup/
COPY docker/locks/*.txt docker/locks/
RUN --mount=type=secret,id=ca_bundle --mount=type=secret,id=pip_conf \
    bash docker/setup/venv.sh python3 "$VENV" \
    && bash docker/with-secrets.sh bash docker/setup/group.sh "$VENV" core
RUN --mount=type=secret,id=ca_bundle --mount=type=secret,id=pip_conf --mount=type=bind,from=wheels,target=/run/wheels \
    for group in ${MTPEFT_GROUPS}; do bash docker/with-secrets.sh bash docker/setup/group.sh "$VENV" "$group" || exit; done
COPY --from=dotnet /opt/dotnet /opt/dotnet
# A mounted checkout may be newer than the image: the entry point then compares the locks and renews these stamps.
RUN sha256sum docker/locks/*.txt >"$VENV/locks.sha256" && chmod 666 "$VENV"/.[cstd]*

# ---------------------------------------------------------------- analysers that are no Python packages, with score
FROM environment AS analysers
ENV MTPEFT_TOOLS=/opt/mtpeft/analysers
COPY docker/setup/analysers.sh docker/setup/analysers.sh
COPY docker/locks/*.toml docker/locks/
COPY data/manifest.toml data/manifest.toml
COPY stats stats
COPY code code
RUN --mount=type=secret,id=ca_bundle --mount=type=secret,id=pip_conf --mount=type=secret,id=npm_conf \
    --mount=type=secret,id=apt_sources --mount=type=bind,from=wheels,target=/run/wheels \
    mkdir -p "$MTPEFT_TOOLS"; \
    if [ -e "$VENV/.score" ]; then bash docker/with-secrets.sh bash docker/setup/analysers.sh "$VENV"; fi; \
    chmod -R a+rX "$MTPEFT_TOOLS"

# ---------------------------------------------------------------- the list of what is inside (CycloneDX)
FROM environment AS sbom
COPY pyproject.toml pyproject.toml
COPY docker/sbom.py docker/sbom.py
COPY docker/locks/*.toml docker/locks/
RUN --mount=type=secret,id=ca_bundle --mount=type=secret,id=pip_conf \
    tool="$VENV"; \
    if [ ! -e "$VENV/.dev" ]; then \
        tool=/opt/sbom; python3 -m venv "$tool"; \
        bash docker/with-secrets.sh "$tool/bin/python" -m pip install --quiet --require-hashes -r docker/locks/dev.txt; \
    fi; \
    "$tool/bin/python" docker/sbom.py --environment "$VENV/bin/python" /opt/mtpeft/sbom.cdx.json

# ---------------------------------------------------------------- the image
FROM environment AS runtime
ARG MTPEFT_COMMIT=unknown
LABEL org.opencontainers.image.title="mtpeft" \
      org.opencontainers.image.description="Reproducibility package for two studies of multi-task PEFT of code models" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.revision="${MTPEFT_COMMIT}" \
      mtpeft.sbom="/opt/mtpeft/sbom.cdx.json"
RUN useradd --uid 10001 --user-group --create-home mtpeft
COPY --from=sbom /opt/mtpeft/sbom.cdx.json /opt/mtpeft/sbom.cdx.json
COPY --from=analysers /opt/mtpeft/analysers /opt/mtpeft/analysers
COPY . /opt/mtpeft/source
# The two folders that runs write are open to any user, so that `--user` works. Everything else belongs to root, and is
# readable whatever the umask of the checkout was.
RUN mkdir -p results/regenerated data/cache && chmod -R a+rX . && chmod 1777 results/regenerated data/cache \
    && python3 -m compileall -q code
ENV MTPEFT_COMMIT="${MTPEFT_COMMIT}" \
    MTPEFT_TOOLS=/opt/mtpeft/analysers \
    PATH="/opt/mtpeft/venv/bin:/opt/dotnet:${PATH}" \
    DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1 \
    DOTNET_CLI_TELEMETRY_OPTOUT=1 \
    HYPOTHESIS_STORAGE_DIRECTORY=/tmp/hypothesis \
    MPLCONFIGDIR=/tmp/matplotlib \
    PYTEST_ADDOPTS="-p no:cacheprovider" \
    XDG_CACHE_HOME=/tmp/cache
USER 10001:10001
ENTRYPOINT ["bash", "/opt/mtpeft/source/docker/entrypoint.sh"]
CMD ["make", "help"]
