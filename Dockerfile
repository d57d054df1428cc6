# docker build -t pyg-nas .
# docker run --rm --user "$(id -u):$(id -g)" -v "$PWD:/data" pyg-nas --help
# Built from the clone, with the build of torch that pip chooses. Machine code is compiled here, for
# the processor of this machine; containers on another one compile again. Any user may run it: HOME
# can be written to by all.
FROM python:3.12-slim
WORKDIR /src
COPY constraints.txt ./
RUN pip install --no-cache-dir -c constraints.txt torch
COPY . .
RUN pip install --no-cache-dir -c constraints.txt '.[export]' && rm -rf /src
ENV HOME=/home/pyg-nas NUMBA_CACHE_DIR=/home/pyg-nas/.cache/numba
RUN useradd --create-home --home-dir $HOME pyg-nas
USER pyg-nas
WORKDIR /home/pyg-nas
RUN pyg-nas demo --recipe best --out demo && rm -r demo \
    && pyg-nas demo --recipe paper --out demo && rm -r demo \
    && chmod -R a+rwX .
WORKDIR /data
ENTRYPOINT ["pyg-nas"]
