# docker build -t pyg-nas . && docker run --rm -v "$PWD:/data" pyg-nas --help
# Built from the clone, with the build of torch that pip chooses. Files that it writes belong to root.
FROM python:3.12-slim
WORKDIR /src
COPY constraints.txt ./
RUN pip install --no-cache-dir -c constraints.txt torch
COPY . .
RUN pip install --no-cache-dir -c constraints.txt '.[export]' && rm -rf /src
WORKDIR /data
ENTRYPOINT ["pyg-nas"]
