# The pipeline on a CPU: build from the repository's root with
#   docker build -f docker/cpu.Dockerfile -t syngrasp:cpu .
FROM python:3.11-slim

# MuJoCo's wheel links against these; the ray tracer needs neither OpenGL nor a display.
RUN apt-get update && apt-get install --yes --no-install-recommends libgl1 libglib2.0-0 && rm -rf /var/lib/apt/lists/*

WORKDIR /opt/syngrasp
COPY pyproject.toml README.md LICENSE ./
COPY syngrasp syngrasp
COPY workers workers
COPY assets assets
COPY pipelines pipelines
RUN pip install --no-cache-dir --editable '.[cluster,viz]' && syngrasp doctor

ENV RAY_USAGE_STATS_ENABLED=0
ENTRYPOINT ["syngrasp"]
