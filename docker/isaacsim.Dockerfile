# The pipeline with Isaac Sim 5.1 as its renderer: build from the repository's root with
#   docker build -f docker/isaacsim.Dockerfile -t syngrasp:isaacsim .
# and run with `docker run --gpus all --env ACCEPT_EULA=Y` once you accept NVIDIA's licence. Not built by our CI, which
# has no GPU and no access to NVIDIA's registry.
FROM nvcr.io/nvidia/isaac-sim:5.1.0

USER root
# Isaac Sim's Python stays as it is: our package has an environment of its own beside it. Ubuntu's Python is 3.10 or
# 3.12, depending on the image; uv brings the one that we test with.
COPY --from=ghcr.io/astral-sh/uv:0.9 /uv /usr/local/bin/uv
ENV UV_PYTHON_INSTALL_DIR=/opt/python
RUN apt-get update && apt-get install --yes --no-install-recommends libgl1 libglib2.0-0 && rm -rf /var/lib/apt/lists/* \
    && uv venv --python 3.11 --seed /opt/venv

WORKDIR /opt/syngrasp
COPY pyproject.toml README.md LICENSE ./
COPY syngrasp syngrasp
COPY workers workers
COPY assets assets
COPY pipelines pipelines
ENV ISAACSIM_PYTHON=/isaac-sim/python.sh RAY_USAGE_STATS_ENABLED=0
RUN /opt/venv/bin/pip install --no-cache-dir --editable '.[cluster,viz,usd]' && /opt/venv/bin/syngrasp doctor

ENTRYPOINT ["/opt/venv/bin/syngrasp"]
CMD ["generate", "isaacsim", "--out", "/data"]
