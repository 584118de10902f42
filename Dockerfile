# Darkroom in a container: one image for the API and for workers.
#
# It listens on all addresses of the container, so `serve` wants DARKROOM_API_KEY, or --insecure-no-auth where only this
# machine can reach it (compose.yaml). Records, files and generated secrets lie in /data.

FROM node:24-bookworm-slim AS web
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --include=dev --loglevel=error
COPY client ./client
COPY web ./web
RUN node node_modules/vite/bin/vite.js build web
COPY scripts/redoc.mjs ./scripts/
RUN node scripts/redoc.mjs

FROM node:24-bookworm-slim
WORKDIR /app
ENV NODE_ENV=production HOST=0.0.0.0 DATA_DIR=/data
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --loglevel=error && npm cache clean --force
COPY src ./src
COPY client ./client
COPY --from=web /app/web/dist ./web/dist
COPY --from=web /app/.cache/redoc ./.cache/redoc
RUN groupadd --gid 10001 darkroom \
 && useradd --uid 10001 --gid 10001 --home-dir /data --no-create-home --shell /usr/sbin/nologin darkroom \
 && install -d -o 10001 -g 10001 -m 0700 /data
USER 10001:10001
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT || 8000}/readyz`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "src/main.ts", "serve"]
