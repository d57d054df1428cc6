# docker build -t pyg-nas . && docker run --rm -v "$PWD:/data" pyg-nas --help
# Built from the clone; on a CPU. For CUDA, install a CUDA build of torch instead.
FROM python:3.12-slim
WORKDIR /src
COPY constraints.txt ./
RUN pip install --no-cache-dir -c constraints.txt torch
COPY . .
RUN pip install --no-cache-dir -c constraints.txt '.[export]' && rm -rf /src
WORKDIR /data
ENTRYPOINT ["pyg-nas"]
