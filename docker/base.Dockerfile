# Node, Python 3.11 and the converters' packages (OpenVisus). Changes rarely; docker/app.Dockerfile stands on it.
FROM node:24-bookworm-slim

SHELL ["/bin/bash", "-o", "pipefail", "-c"]

# util-linux has setpriv and prlimit, which bound the converters; rsync and ssh serve the source rsync.
RUN apt-get update \
 && apt-get install -y --no-install-recommends \
      ca-certificates=2023* \
      openssh-client=1:9.* \
      python3.11=3.11.* \
      python3.11-venv=3.11.* \
      rsync=3.* \
      util-linux=2.38.* \
 && rm -rf /var/lib/apt/lists/*

COPY converters/requirements.txt /opt/sluice/requirements.txt
RUN python3.11 -m venv /opt/sluice/python \
 && /opt/sluice/python/bin/pip install --no-cache-dir --require-hashes --only-binary :all: \
      -r /opt/sluice/requirements.txt

ENV SLUICE_PYTHON=/opt/sluice/python/bin/python
