# The gateway without its tests and tools. Build: docker build -t sluice .  Run: see docker-compose.yml.

FROM node:24-bookworm AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc tsconfig.json ./
COPY scripts scripts
COPY src src
COPY load load
# `npm run build`: npm ci, then tsc.
RUN node scripts/run.mjs build && npm prune --omit=dev --no-save

FROM node:24-bookworm-slim
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist/src dist/src
COPY --from=build /app/dist/load dist/load
COPY package.json LICENSE ./
# The spool has to outlive the container: what is in it has been confirmed to devices.
ENV SPOOL_DIR=/var/lib/sluice/spool
RUN mkdir -p /var/lib/sluice/spool && chown -R node:node /var/lib/sluice
VOLUME /var/lib/sluice
USER node
# Devices, devices with TLS if TCP_TLS_PORT=8443, and the admin port. The user node must be able to read files of keys and tokens.
EXPOSE 8080 8443 9108
# Inside the container only, as on any host. To publish the port, set HTTP_HOST=0.0.0.0 and publish it on
# 127.0.0.1 or in a network that you trust: /healthz, /readyz and /metrics ask nobody. Other pages then need HTTP_TOKEN.
ENV HTTP_HOST=127.0.0.1 HTTP_PORT=9108
# Alive, not ready: a container without Kafka must not be restarted, it holds records. Wants another line where
# HTTP_HOST is one address other than loopback or HTTP_PORT is empty.
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.HTTP_PORT}/healthz`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# The stop may take SHUTDOWN_TIMEOUT (10s): give `docker stop` more than that, such as --time 15.
STOPSIGNAL SIGTERM
CMD ["node", "dist/src/main.js"]
