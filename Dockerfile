# The gateway, its command line and its load tool on nothing but Node and the C libraries that Node loads (decision 65).
#   docker build -t sluice --build-arg REVISION=$(git rev-parse HEAD) --build-arg CREATED=$(date -u +%Y-%m-%dT%H:%M:%SZ) .
#   docker run --read-only -v sluice:/var/lib/sluice -p 8080:8080 -e KAFKA_BROKERS=kafka:9092 sluice
#   docker run --rm -e KAFKA_BROKERS=kafka:9092 sluice check
# test/image plays each of these steps without Docker and runs the result.

# Compiles and packs on the machine that builds, and installs for the machine that runs: no compiler is emulated.
FROM --platform=$BUILDPLATFORM node:24.21.0-trixie-slim AS build
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY . .
# The same files as in the npm package: `npm pack` compiles first.
RUN npm pack --pack-destination /tmp
WORKDIR /app
# An install of the package would make its programs executable.
RUN tar -xzf /tmp/sluice-*.tgz --strip-components=1; \
    chmod 755 dist/src/main.js dist/load/main.js; \
    cp /build/package-lock.json .
# Native packages (CRC-32C, lz4, snappy, koffi) come prebuilt for each processor: ask for those of the target.
ARG TARGETARCH
RUN case "${TARGETARCH:-$(uname -m)}" in \
      amd64|x86_64) cpu=x64 ;; \
      arm64|aarch64) cpu=arm64 ;; \
      *) echo "no image for TARGETARCH=$TARGETARCH"; exit 1 ;; \
    esac; \
    npm ci --omit=dev --ignore-scripts --os=linux --cpu="$cpu" --libc=glibc; \
    rm package-lock.json; \
    # Of native packages for any C library, only the files for Debian's are kept.
    find node_modules -type d -name 'musl*' -prune -exec rm -r {} +; \
    # A third of the files of all packages, which only compilers and debuggers read.
    find node_modules -type f '(' -name '*.map' -o -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' ')' -delete

# The root of the image: the Debian packages of all libraries that Node and the native packages load, and no others. A
# library that is missing ends the build.
FROM node:24.21.0-trixie-slim AS system
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
COPY --from=build /app /app
# $packages is a list of words.
# hadolint ignore=SC2086
RUN mkdir -p /out/{dev,etc,proc,run,sys,tmp,usr/bin,usr/local/bin,var/lib/dpkg/status.d}; \
    chmod 1777 /out/tmp; \
    find /app -name '*.node' | xargs ldd /usr/local/bin/node /usr/bin/env > /tmp/loaded; \
    if grep 'not found' /tmp/loaded; then exit 1; fi; \
    sed -n 's/.* => \(\/[^ ]*\) .*/\1/p' /tmp/loaded | sort -u | xargs readlink -f > /tmp/libraries; \
    packages="base-files $(xargs dpkg -S < /tmp/libraries | cut -d: -f1 | sort -u)"; \
    # Scanners for vulnerabilities read the packages and their versions here, as in distroless images.
    for package in $packages; do dpkg -s "$package" > "/out/var/lib/dpkg/status.d/$package"; done; \
    # Without the tables for conversion between character sets, which Node has built in, and without manuals.
    dpkg -L $packages \
      | grep -v -e '/gconv/' -e '^/usr/share/doc/' -e '^/usr/share/man/' -e '^/usr/share/lintian/' > /tmp/listed; \
    while read -r path; do if [ -f "$path" ] || [ -L "$path" ]; then echo "${path#/}"; fi; done < /tmp/listed \
      | tar -c -C / --no-recursion -T - | tar -x -C /out; \
    for package in $packages; do \
      if [ -f "/usr/share/doc/$package/copyright" ]; then cp -L --parents "/usr/share/doc/$package/copyright" /out; fi; \
    done; \
    # `docker exec CONTAINER sluice top`: main.js begins with `#!/usr/bin/env node`.
    cp /usr/bin/env /out/usr/bin/env; \
    ln -s /app/dist/src/main.js /out/usr/local/bin/sluice; \
    ln -s /app/dist/load/main.js /out/usr/local/bin/sluice-load; \
    if [ -f /usr/local/LICENSE ]; then cp /usr/local/LICENSE /out/usr/local/LICENSE; fi; \
    echo 'root:x:0:0::/:/sbin/nologin' > /out/etc/passwd; \
    echo 'sluice:x:10001:10001::/var/lib/sluice:/sbin/nologin' >> /out/etc/passwd; \
    printf 'root:x:0:\nsluice:x:10001:\n' > /out/etc/group; \
    # Without it the C library would ask DNS before /etc/hosts.
    echo 'hosts: files dns' > /out/etc/nsswitch.conf; \
    mkdir /volume; \
    mkdir -m 0700 /volume/sluice /volume/sluice/spool

FROM scratch
# The release workflow gives these. They are only labels.
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="sluice" \
      org.opencontainers.image.description="TCP telemetry in, Kafka out: newline JSON from devices becomes confirmed Kafka records, in order, once" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.source="https://github.com/OWNER/sluice" \
      org.opencontainers.image.documentation="https://github.com/OWNER/sluice/blob/main/docs/deployment.md" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.created="$CREATED"
# What changes seldom comes first, so that an upgrade fetches only the last layer.
COPY --from=system /out /
COPY --from=system /usr/local/bin/node /usr/local/bin/node
COPY --from=system --chown=10001:10001 /volume /var/lib
COPY --from=build /app /app
ENV PATH=/usr/local/bin:/usr/bin
ENV NODE_ENV=production
# The spool has to outlive the container: what is in it has been confirmed to devices.
ENV SPOOL_DIR=/var/lib/sluice/spool
VOLUME /var/lib/sluice
# The admin port, for the probes of a kubelet or a balancer: /healthz, /readyz and /metrics ask nobody, other pages want
# HTTP_TOKEN from everybody, also from inside the container.
ENV HTTP_HOST=0.0.0.0 HTTP_PORT=9108
# Devices, devices with TLS if TCP_TLS_PORT=8443, and the admin port.
EXPOSE 8080 8443 9108
WORKDIR /app
# A number, so that Kubernetes can see with runAsNonRoot that it is not root. Files of keys and tokens have to be readable for it.
USER 10001:10001
# Alive, not ready: a container without Kafka must not be restarted, it holds records.
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s --retries=3 CMD ["sluice", "probe"]
# The stop takes up to SHUTDOWN_DRAIN, SHUTDOWN_SPREAD and SHUTDOWN_TIMEOUT (0, 0 and 10 s): `docker stop --time` and a grace
# period have to be 5 s longer than all three.
STOPSIGNAL SIGTERM
# The gateway is PID 1 and needs no init: it answers signals itself, and Node reaps the processes that it started.
ENTRYPOINT ["node", "/app/dist/src/main.js"]
