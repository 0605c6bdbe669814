# The pipeline on an NVIDIA GPU, with cuRobo: build from the repository's root with
#   docker build -f docker/gpu.Dockerfile -t syngrasp:gpu .
# and run with `docker run --gpus all`. Not built by our CI, which has no GPU.
FROM nvidia/cuda:13.0.1-devel-ubuntu24.04

# Ubuntu 24.04's own Python is 3.12. cuRobo comes from git; its robot meshes are in LFS and not needed here.
RUN apt-get update && apt-get install --yes --no-install-recommends \
    git python3 python3-dev python3-venv build-essential libgl1 libglib2.0-0 && rm -rf /var/lib/apt/lists/*
RUN python3 -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH GIT_LFS_SKIP_SMUDGE=1

# First, since it changes least. The commit is the one that `syngrasp doctor` names (CUROBO_INSTALL in errors.py).
ARG CUROBO=a35a708ecfbb26eb9ab2d7ef22c65919c4fae4a9
RUN pip install --no-cache-dir "nvidia-curobo[cu13-torch] @ git+https://github.com/NVlabs/curobo@${CUROBO}"

WORKDIR /opt/syngrasp
COPY pyproject.toml README.md LICENSE ./
COPY syngrasp syngrasp
COPY workers workers
COPY assets assets
COPY pipelines pipelines
RUN pip install --no-cache-dir --editable '.[cluster,viz,gpu]' && syngrasp doctor

ENV RAY_USAGE_STATS_ENABLED=0
ENTRYPOINT ["syngrasp"]
